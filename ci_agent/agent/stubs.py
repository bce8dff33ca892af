"""What stands in place of a long result, or of what an edit wrote: a line that says what it was and how to get it back.

Pure. Nothing becomes longer, and a stub is never stubbed again.
"""

from __future__ import annotations

import json
from typing import Any

from ci_agent.agent.turns import Result
from ci_agent.models import Message
from ci_agent.tools import EDITS, all_tools, meaning

_BEGIN = "[left out: "
_LINE = 160  # characters that are shown of a line
_SHORT = 300  # characters of an argument that may stay
# Whoever sent more than this keeps something of their own in it, signatures of reasoning for instance, that has to
# come back with exactly this content.
_PLAIN_MESSAGE = frozenset({"role", "content", "tool_calls", "refusal", "name"})
_PLAIN_CALL = frozenset({"id", "type", "function", "index"})


def is_stub(text: str) -> bool:
    return text.rpartition("\n")[2].startswith(_BEGIN)


def length(text: str) -> int:
    """Bytes in UTF-8, which come nearer to tokens than characters do."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def stubbed_result(result: Result) -> Message:
    """The result's message with a stub, or the very same where that would not be shorter."""
    stub = _of_edit(result) if result.meant.tool in EDITS else _of_call(result)
    if is_stub(result.text) or length(stub) >= length(result.text):
        return result.message
    return result.message | {"content": stub}


def _of_edit(result: Result) -> str:
    lines = result.text.splitlines() or [""]
    return f"{_cut(lines[0])}\n{_BEGIN}{_count(len(lines) - 1)} more]"


def _of_call(result: Result) -> str:
    lines = result.text.strip().splitlines() or [""]
    meant = result.meant
    about = _in_a_line(f"{meant.tool} {meant.about}")
    bounds = [
        _in_a_line(f"{name} {meant.arguments[name]}")
        for name in ("start", "end")
        if meant.arguments.get(name)
    ]
    return f"{_BEGIN}{_count(len(lines))} of {', '.join([about, *bounds])}{_said(meant.tool, lines)}; call it again if you need it]"


def _in_a_line(text: str) -> str:
    return _cut(" ".join(text.split()))


def _said(name: str, lines: list[str]) -> str:
    """What a command came to, or how another answer began; a file's first line says nothing."""
    if name == "read_file":
        return ""
    if name != "bash":
        return f"; it began: {_cut(lines[0])}"
    ended = next((line for line in reversed(lines) if line.startswith(("[exit ", "[ended "))), "")
    last = next((line for line in reversed(lines) if line.strip() and not line.startswith("[")), "")
    return f"; {ended.strip('[]')}" * bool(ended) + f"; its last line: {_cut(last.strip())}" * bool(last)


def stubbed_arguments(message: Message) -> Message:
    """An assistant's message whose edits have short arguments, or the very same: where nothing is long, or where a
    provider keeps something of its own in the message."""
    calls = message.get("tool_calls") or []
    if not _is_plain(message, _PLAIN_MESSAGE) or not all(_is_plain(call, _PLAIN_CALL) for call in calls):
        return message
    short = [_shorter(call) for call in calls]
    changed = any(new is not old for new, old in zip(short, calls, strict=True))
    return message | {"tool_calls": short} if changed else message


def _is_plain(value: dict[str, Any], keys: frozenset[str]) -> bool:
    return all(key in keys or not content for key, content in value.items())


def _shorter(call: dict[str, Any]) -> dict[str, Any]:
    function = call["function"]
    arguments = _object(function["arguments"])
    if not arguments or meaning(function["name"], function["arguments"], all_tools()).tool not in EDITS:
        return call
    short = {name: _stub_of(value) for name, value in arguments.items()}
    text = json.dumps(short, ensure_ascii=False).encode("utf-8", "replace").decode()
    if length(text) >= length(function["arguments"]):
        return call
    return call | {"function": function | {"arguments": text}}


def _object(text: str) -> dict[str, Any]:
    """The arguments of a call as they stand; empty for what is no JSON object."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _stub_of(value: Any) -> Any:
    """A long text by its size; of a patch also the lines that name files."""
    if not isinstance(value, str) or len(value) <= _SHORT or is_stub(value):
        return value
    lines = value.split("\n")
    named = [line for line in lines if line.startswith("*** ")]
    return "\n".join([*named, f"{_BEGIN}{_count(len(lines) - len(named))}]"])


def _count(lines: int) -> str:
    return f"{lines:,} line{'' if lines == 1 else 's'}"


def _cut(line: str) -> str:
    return line if len(line) <= _LINE else f"{line[:_LINE]}…"
