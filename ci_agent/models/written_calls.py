"""Tool calls that a model wrote into its text: where they are, which tool they name, with what arguments.

Two kinds are read. *Tagged*: a call in tags with an argument in tags each, values taken literally. That is the form
`text_protocol` asks for, and with other words in the tags that of Anthropic, MiniMax, DeepSeek and Qwen's coders.
*JSON*: an object with name and arguments, as the chat templates of Hermes and Qwen, Llama, Mistral, DeepSeek and
Kimi have it, in the marks of each or in a code block. Pure functions; whatever can't be read is no call.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

MOST = 50  # calls of one reply, and places that look like one; a model that writes more has lost its way
# Arguments that are whole files: these keep the line break before their closing tag.
FILES = frozenset({"content", "file_text"})

# Possessive throughout, so that no text of a stranger makes them slow.
_PREFIX = r"(?:\uff5cDSML\uff5c|[a-z]++:)?"
_NAMED = r"""(?:\s++name)?+\s*+=\s*+["']?+([\w.:-]++)["']?+[^<>\n]*+>"""
_CALL = re.compile(rf"<{_PREFIX}(?:call|invoke|function){_NAMED}")
_CALL_END = re.compile(rf"</{_PREFIX}(?:call|invoke|function)>")
_ARGUMENT = re.compile(rf"<{_PREFIX}(?:arg|argument|parameter){_NAMED}")
# A closing tag inside of a value is not followed by what follows a value.
_VALUE_END = re.compile(
    rf"</{_PREFIX}(?:arg|argument|parameter)>"
    rf"(?=\s*+(?:\Z|</|<{_PREFIX}(?:arg|argument|parameter|call|invoke|function)\b))"
)
_RESULT = re.compile(r"<result\b")  # a model that goes on by making up what came of its calls

_JSON = re.compile(
    r"(?:<tool_call>|<\|python_tag\|>|\[TOOL_CALLS\]|```(?:json|tool_call|tool_code)?[ \t]*+\n|\A|</think>)"
    r"\s*+(?=[{\[])"
)
_NAMED_JSON = re.compile(
    r"(?:<\uff5ctool\u2581call\u2581begin\uff5c>(?:function<\uff5ctool\u2581sep\uff5c>)?"  # DeepSeek
    r"|<\|tool_call_begin\|>|\[TOOL_CALLS\])\s*+"  # Kimi, Mistral
    r"(?:functions\.)?([\w-]{1,64}+)(?::\d{1,9})?\s*+"
    r"(?:<\uff5ctool\u2581sep\uff5c>|<\|tool_call_argument_begin\|>|\[ARGS\])?\s*+(?:```json\s*+)?(?=\{)"
)
_DECODER = json.JSONDecoder(strict=False)  # line breaks inside of strings are no reason to fail


@dataclass(frozen=True, slots=True)
class WrittenCall:
    """A call, and where it stands in the text."""

    name: str
    arguments: str  # JSON
    start: int
    end: int


def tagged_calls(text: str) -> tuple[WrittenCall, ...]:
    """The calls in tags, no matter which tools they name."""
    return tuple(_tagged(text, _after_thoughts(text)))


def any_calls(text: str, names: Collection[str]) -> tuple[WrittenCall, ...]:
    """The calls in either form that name one of `names`."""
    begin = _after_thoughts(text)
    for found in (_tagged(text, begin), _named_json(text, begin), _json(text, begin)):
        if calls := tuple(call for call in found if call.name in names):
            return calls
    return ()


def _after_thoughts(text: str) -> int:
    """Where thoughts end that a server left in the text: calls in them were not meant."""
    return max(0, text.rfind("</think>"))


# --- tags --------------------------------------------------------------------------------------------------


def _tagged(text: str, position: int) -> Iterator[WrittenCall]:
    first = True
    for _ in range(MOST):
        opened = _CALL.search(text, position)
        if opened is None or (not first and _RESULT.search(text, position, opened.start())):
            return
        read = _arguments(text, opened.end())
        if read is None:
            return  # cut off: all that follows is inside of a value
        arguments, position = read
        if arguments is not None:
            first = False
            yield WrittenCall(opened[1], json.dumps(arguments, ensure_ascii=False), opened.start(), position)


def _arguments(text: str, position: int) -> tuple[dict[str, Any] | None, int] | None:
    """What a call's opening tag is followed by, and where that ends. No arguments at all: it was no call.

    None: a value in it has no end.
    """
    arguments: dict[str, Any] = {}
    while opened := _ARGUMENT.match(text, _past_blanks(text, position)):
        closed = _VALUE_END.search(text, opened.end())
        position = closed.end() if closed else -1
        if closed is None:  # forgotten, where the call at least is closed
            closed = _CALL_END.search(text, opened.end())
            if closed is None:
                return None
            position = closed.start()
        arguments[opened[1]] = _value(opened[1], text[opened.end() : closed.start()])
    if not arguments and (found := _object(text, _past_blanks(text, position))):  # `<function=name>{…}`
        arguments, position = found
    end = _CALL_END.match(text, _past_blanks(text, position))
    if end is None:
        return arguments or None, position
    return arguments, end.end()


def _value(name: str, raw: str) -> str:
    """A value on lines of its own is what is between the line breaks."""
    if not raw.startswith("\n"):
        return raw
    return raw[1:] if name in FILES else raw[1:].removesuffix("\n")


def _past_blanks(text: str, position: int) -> int:
    while position < len(text) and text[position].isspace():
        position += 1
    return position


# --- JSON --------------------------------------------------------------------------------------------------


def _named_json(text: str, position: int) -> Iterator[WrittenCall]:
    for mark in islice(_NAMED_JSON.finditer(text, position), MOST):
        if found := _object(text, mark.end()):
            yield WrittenCall(mark[1], json.dumps(found[0], ensure_ascii=False), mark.start(), found[1])


def _json(text: str, position: int) -> Iterator[WrittenCall]:
    for mark in islice(_JSON.finditer(text, position), MOST):
        try:
            value, end = _DECODER.raw_decode(text, mark.end())
        except (ValueError, RecursionError):
            continue
        for entry in value if isinstance(value, list) else [value]:
            if call := _from_object(entry):
                yield WrittenCall(*call, mark.start(), end)


def _object(text: str, position: int) -> tuple[dict[str, Any], int] | None:
    try:
        value, end = _DECODER.raw_decode(text, position)
    except (ValueError, RecursionError):
        return None
    return (value, end) if isinstance(value, dict) else None


def _from_object(entry: Any) -> tuple[str, str] | None:
    """Name and arguments of `{"name": …, "arguments": …}` or the same in `function`."""
    if isinstance(entry, Mapping) and isinstance(entry.get("function"), Mapping):
        entry = entry["function"]
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
        return None
    arguments = next((entry[key] for key in ("arguments", "parameters", "input") if key in entry), None)
    if isinstance(arguments, str):
        return entry["name"], arguments
    return (entry["name"], json.dumps(arguments, ensure_ascii=False)) if isinstance(arguments, dict) else None
