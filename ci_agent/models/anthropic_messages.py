"""Our context and tools as Anthropic's Messages API takes them. Pure functions.

A context of ours is one list of messages; the API wants the system's part and the tools apart, and
turns that alternate from user to user, in which the results of calls answer the calls right before them. Whatever
does not fit that order is told in words, so that no context is refused for its form.

What a model of Anthropic said goes back to that model block by block as it came (`KEPT`): thinking blocks are
signed, and a signature counts for one model only. Format:
https://platform.claude.com/docs/en/api/messages and …/docs/en/build-with-claude/prompt-caching
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from ci_agent.models import Message, ToolSchema
from ci_agent.models.completion import Unreadable, decode, entries_fit, read_message

Block = dict[str, Any]

# The key in a message of ours under which its blocks are kept: {"model": whose they are, "content": blocks}.
KEPT = "anthropic"
GO_ON = "(go on)"  # where the API wants a user's turn and nothing was said
NO_RESULT = "(no result was recorded)"
THOUGHTS = ("thinking", "redacted_thinking")
BREAKPOINT = {"cache_control": {"type": "ephemeral"}}  # up to here the prompt is kept for five minutes


def convert(messages: Sequence[Message], tools: Sequence[ToolSchema], model: str) -> dict[str, Any]:
    """The fields `system`, `messages` and `tools` of a request to `model`, without those that would be empty.

    Breakpoints for the cache, of which four are allowed, are at the end of the tools, of the system's part and of
    the last two user turns. The earlier of the two is where the request before ended, so that all of it is found
    again however much has been added since: from a breakpoint the API looks back 20 blocks and no further.
    """
    leading = list(takewhile(lambda message: message["role"] == "system", messages))
    system = [text for message in leading for text in _texts(message["content"])]
    fields = {
        "system": _marked(system),
        "messages": _turns(messages[len(leading) :], model),
        "tools": _marked([_tool(schema["function"]) for schema in tools]),
    }
    return {name: value for name, value in fields.items() if value}


def said(message: Message, model: str) -> list[Block]:
    """The blocks of an assistant's message: as they came if `model` said them, else made from text and calls."""
    kept = message.get(KEPT)
    blocks = kept.get("content") if isinstance(kept, dict) and kept.get("model") == model else None
    if entries_fit(blocks, message, "tool_use", "id"):
        blocks = list(blocks)
        while blocks and blocks[-1].get("type") in THOUGHTS:  # cut off while thinking; refused at the end
            blocks.pop()
        return blocks
    _, text, calls = read_message(message, ())
    return _texts(text) + [
        {
            "type": "tool_use",
            "id": fitting_id(call.id),
            "name": call.name,
            "input": read_input(call.arguments),
        }
        for call in calls
    ]


def read_input(arguments: str) -> dict[str, Any]:
    """The object in a call's `arguments`, or one that shows the text that is none."""
    try:
        value = decode(arguments.encode("utf-8", "replace"), str)
    except Unreadable:
        value = None
    return value if isinstance(value, dict) else {"invalid": arguments}


def is_blank(block: Block) -> bool:
    """Whether it is a text of nothing but blanks: the API says such and refuses them when they come back."""
    return block.get("type") == "text" and not str(block.get("text") or "").strip()


def fitting_id(id_: str) -> str:
    """An id of the API's alphabet. Others become one by a rule that keeps different ones apart."""
    if re.fullmatch("[a-zA-Z0-9_-]+", id_):
        return id_
    return f"{re.sub('[^a-zA-Z0-9_-]', '_', id_)}_{zlib.crc32(id_.encode('utf-8', 'replace')):08x}"


def starts_unthought(turns: Sequence[Message]) -> bool:
    """Whether the assistant's present turn, which goes on until a user says something, began without a thought.

    With a budget for thinking, as older models have it, the API refuses that.
    """
    present = takewhile(lambda turn: not _is_spoken(turn), reversed(turns))
    answers = [turn["content"] for turn in present if turn["role"] == "assistant"]
    return bool(answers) and answers[-1][0].get("type") not in THOUGHTS


def _turns(messages: Sequence[Message], model: str) -> list[Message]:
    turns: list[Message] = []
    heard: list[Message] = []  # since the assistant's last turn
    calls: list[str] = []  # the ids in that turn
    for message in messages:
        if message["role"] != "assistant":
            heard.append(message)
        elif blocks := said(message, model):
            turns += [_user(heard, calls), {"role": "assistant", "content": blocks}]
            heard, calls = [], [block["id"] for block in blocks if block.get("type") == "tool_use"]
    turns.append(_user(heard, calls))
    for turn in turns[-3::2]:  # the last two of users
        turn["content"] = _marked(turn["content"])
    return turns


def _user(heard: Sequence[Message], calls: Sequence[str]) -> Message:
    """What was heard since the assistant spoke, with a result for each of its `calls`, and these first."""
    results: dict[str, Block] = {}
    texts: list[Block] = []
    for message in heard:
        id_ = fitting_id(str(message.get("tool_call_id")))
        if message["role"] == "tool" and id_ in calls and id_ not in results:
            results[id_] = _result(id_, message["content"])
        else:
            texts += _texts(message["content"])
    missing = [_result(id_, NO_RESULT) for id_ in calls if id_ not in results]
    return {"role": "user", "content": [*results.values(), *missing, *texts] or _texts(GO_ON)}


def _result(id_: str, text: str) -> Block:
    block = {"type": "tool_result", "tool_use_id": id_}
    return {**block, "content": text} if text.strip() else block


def _texts(text: str) -> list[Block]:
    return [{"type": "text", "text": text}] if text.strip() else []


def _tool(function: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {key: function[key] for key in ("name", "description") if key in function}
    return {**described, "input_schema": {"type": "object", **function.get("parameters", {})}}


def _marked(blocks: list[Block]) -> list[Block]:
    """`blocks` with a breakpoint for the cache at their end."""
    return [*blocks[:-1], {**blocks[-1], **BREAKPOINT}] if blocks else []


def _is_spoken(turn: Message) -> bool:
    return turn["role"] == "user" and any(block["type"] == "text" for block in turn["content"])
