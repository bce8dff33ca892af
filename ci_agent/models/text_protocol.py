"""Tools for models that can only write: described in the system message, called in the text, answered by the user.

    <call name="edit_file">
    <arg name="path">src/slug.py</arg>
    <arg name="old">
    return text.lower()
    </arg>
    …
    </call>

Values stand as they are, because code inside of JSON costs weaker models their solutions. The context keeps the
shape of chat completions; it is put into these words when it is sent, in a way that only appends: what was sent
once stays the beginning of what is sent next. Pure functions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from ci_agent.framing import framed
from ci_agent.models import Message, ToolSchema
from ci_agent.models.completion import text_of
from ci_agent.models.written_calls import FILES, WrittenCall

WRITTEN = "written"  # in a message of the context: the text as the model wrote it, calls included

_RULES = """\
# Tools

You work by calling tools. Write a call as plain text, like this:

<call name="TOOL">
<arg name="ARGUMENT">VALUE</arg>
</call>

A value is taken as it stands: no quotes around it, nothing escaped. A long one goes on lines of its own between its \
tags. Write one call or several at the end of your reply, then stop. What came of them is in the next message, as \
<result name="TOOL" id="…">, up to the end with the same id; never write results yourself. A reply without a call does nothing."""


def described(tools: Sequence[ToolSchema]) -> str:
    """What the system message says of `tools`."""
    return "\n\n".join([_RULES, *(_tool(tool["function"]) for tool in tools)])


def sendable(messages: Sequence[Message], tools: Sequence[ToolSchema]) -> list[Message]:
    """`messages` as they go to a model that knows no tools: system first, then user and assistant in turn."""
    own = bool(messages) and messages[0]["role"] == "system"
    system = [text_of(messages[0]["content"])] if own else []
    sent: list[Message] = [{"role": "system", "content": "\n\n".join([*system, described(tools)])}]
    names: dict[str, str] = {}  # of the tools, by the calls' ids
    for message in messages[1:] if own else messages:
        if message["role"] == "assistant":
            names |= {call["id"]: call["function"]["name"] for call in message.get("tool_calls", ())}
            sent.append(_assistant(message))
            continue
        content = text_of(message.get("content"))
        if message["role"] == "tool":
            content = framed("result", content, name=names.get(message["tool_call_id"], "?"))
        if sent[-1]["role"] == "user":  # many templates refuse two in a row
            sent[-1]["content"] += f"\n\n{content}"
        else:
            sent.append({"role": "user", "content": content})
    return sent


def with_calls(message: Message, text: str, calls: Sequence[WrittenCall]) -> Message:
    """The model's `message`, which says `text`, with the `calls` found in it, as it goes into the context."""
    return {
        **message,
        "content": text[: calls[0].start].strip(),
        "tool_calls": [
            {"type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in calls
        ],
        WRITTEN: text[: calls[-1].end],  # what follows are results it made up
    }


def _assistant(message: Message) -> Message:
    plain = {key: value for key, value in message.items() if key not in ("tool_calls", WRITTEN)}
    if isinstance(written := message.get(WRITTEN), str):
        plain["content"] = written
    elif calls := message.get("tool_calls"):  # from before, when they were native
        plain["content"] = "\n\n".join(filter(None, [text_of(message.get("content")), *map(_written, calls)]))
    return plain


def _written(call: dict[str, Any]) -> str:
    function = call["function"]
    try:
        arguments = json.loads(function["arguments"])
    except (ValueError, RecursionError):
        arguments = function["arguments"]
    if not isinstance(arguments, dict):
        arguments = {"arguments": arguments}
    lines = [f'<arg name="{name}">{_value(name, value)}</arg>' for name, value in arguments.items()]
    return "\n".join([f'<call name="{function["name"]}">', *lines, "</call>"])


def _value(name: str, value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if name in FILES:
        return f"\n{text}"
    return f"\n{text}\n" if "\n" in text else text


def _tool(function: dict[str, Any]) -> str:
    schema = function.get("parameters", {})
    required = schema.get("required", ())
    lines = [
        _argument(name, property_, name in required)
        for name, property_ in schema.get("properties", {}).items()
    ]
    return "\n".join([f"## {function['name']}", function.get("description", ""), *lines])


def _argument(name: str, schema: dict[str, Any], required: bool) -> str:
    return f"- {name} ({', '.join(_traits(schema, required))}){_colon(schema.get('description', ''))}"


def _traits(schema: dict[str, Any], required: bool) -> Iterator[str]:
    kind = schema.get("type", "string")
    if kind in ("array", "object"):
        form = schema.get("items", schema)
        yield f"JSON {kind}" + (f" of {json.dumps(form)}" if kind == "array" and form is not schema else "")
    else:
        yield kind
    if "enum" in schema:
        yield "one of " + " ".join(map(str, schema["enum"]))
    if not required:
        yield "optional"


def _colon(description: str) -> str:
    return f": {description}" if description else ""
