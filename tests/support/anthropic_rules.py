"""What Anthropic's Messages API refuses, as far as its documents say, for a stand-in of it.

Fields and their types come from the `anthropic` package's own descriptions of a request. Beyond them:
https://platform.claude.com/docs/en/api/errors, …/api/versioning, …/build-with-claude/thinking,
…/build-with-claude/prompt-caching and …/agents-and-tools/tool-use/overview
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from anthropic.types import (
    RedactedThinkingBlockParam,
    TextBlockParam,
    ThinkingBlockParam,
    ToolParam,
    ToolResultBlockParam,
    ToolUseBlockParam,
)
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from pydantic import TypeAdapter, ValidationError

Block = dict[str, Any]

SAMPLING = {"temperature", "top_p", "top_k"}  # of version 2023-06-01, no longer of the next
VERSIONS = ("2023-06-01", "2026-10-21")
BLOCKS: dict[str, Mapping[str, Any]] = {
    "user": {"text": TextBlockParam, "tool_result": ToolResultBlockParam},
    "assistant": {
        "text": TextBlockParam,
        "tool_use": ToolUseBlockParam,
        "thinking": ThinkingBlockParam,
        "redacted_thinking": RedactedThinkingBlockParam,
    },
}
THOUGHTS = ("thinking", "redacted_thinking")


class Refused(Exception):  # noqa: N818 - the API's word
    """The request is an `invalid_request_error`."""


def check(body: dict[str, Any], version: str | None, said: Sequence[tuple[str, list[Block]]]) -> None:
    """Raises `Refused` with the reason. `said`: the model and the blocks of each answer there has been."""
    need(version in VERSIONS, "anthropic-version: header is required and must be a valid version")
    allowed = SAMPLING if version == "2023-06-01" else set()
    _fields(
        MessageCreateParamsNonStreaming, {name: body[name] for name in body if name not in allowed}, "request"
    )
    for place in ("tools", "system"):
        need(body.get(place) != [], f"{place}: must not be empty")
    for number, tool in enumerate(body.get("tools", ())):
        _fields(ToolParam, tool, f"tools.{number}")
    for number, block in enumerate(body.get("system", ())):
        _block({"text": TextBlockParam}, block, f"system.{number}")
    _turns(body["messages"])
    _thoughts(body, said)
    marks = sum("cache_control" in block for block in every_block(body))
    need(marks <= 4, f"A maximum of 4 blocks with cache_control may be provided. Found {marks}.")


def every_block(body: dict[str, Any]) -> list[Block]:
    """All of the request that may hold a breakpoint for the cache, in the order of the prompt."""
    turns = [block for turn in body["messages"] for block in turn["content"]]
    return [*body.get("tools", ()), *body.get("system", ()), *turns]


def need(truth: bool, otherwise: str) -> None:
    if not truth:
        raise Refused(otherwise)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _fields(kind: Any, given: object, where: str) -> None:
    if not isinstance(given, dict):
        raise Refused(f"{where}: Input should be an object")
    for name in given:
        need(name in kind.__annotations__, f"{where}.{name}: Extra inputs are not permitted")
    try:
        _adapter(kind).validate_python(given)
    except ValidationError as error:
        raise Refused(f"{where}: {error}") from error


def _block(kinds: Mapping[str, Any], block: Block, where: str) -> None:
    need(block.get("type") in kinds, f"{where}: {block.get('type')} can't stand here")
    _fields(kinds[block["type"]], block, where)
    if block["type"] == "text":
        need(bool(block["text"].strip()), f"{where}: text content blocks must contain non-whitespace text")


def _turns(turns: Sequence[dict[str, Any]]) -> None:
    need(bool(turns), "messages: at least one message is required")
    need(turns[-1]["role"] == "user", "This model does not support assistant message prefill.")
    asked: list[str] = []
    used: set[str] = set()
    for number, turn in enumerate(turns):
        where = f"messages.{number}"
        need(set(turn) == {"role", "content"}, f"{where}: Extra inputs are not permitted")
        need(turn["role"] == ("assistant" if number % 2 else "user"), f"{where}: roles must alternate")
        need(bool(turn["content"]), f"{where}: all messages must have non-empty content")
        for position, block in enumerate(turn["content"]):
            _block(BLOCKS[turn["role"]], block, f"{where}.content.{position}")
        if turn["role"] == "user":
            _results(turn["content"], asked, where)
            continue
        need(turn["content"][-1]["type"] not in THOUGHTS, f"{where}: The final block cannot be `thinking`")
        asked = [block["id"] for block in turn["content"] if block["type"] == "tool_use"]
        for id_ in asked:
            need(re.fullmatch("[a-zA-Z0-9_-]+", id_) is not None, f"{where}: tool_use.id: pattern")
            need(id_ not in used, f"{where}: `tool_use` ids must be unique")
            used.add(id_)


def _results(content: Sequence[Block], asked: Sequence[str], where: str) -> None:
    results = [block["tool_use_id"] for block in content if block["type"] == "tool_result"]
    first = [block["type"] for block in content[: len(results)]]
    need(first == ["tool_result"] * len(results), f"{where}: tool_result blocks must come first")
    need(len(results) == len(set(results)), f"{where}: each tool_use must have a single result")
    need(set(results) == set(asked), f"{where}: tool_use ids without tool_result, or the other way round")


def _thoughts(body: dict[str, Any], said: Sequence[tuple[str, list[Block]]]) -> None:
    """Thinking blocks come back as they were, to the model they are of, and with a budget they come first."""
    model, thinking = body["model"], body.get("thinking", {"type": "disabled"})
    signed = [block for speaker, blocks in said if speaker == model for block in thoughts(blocks)]
    for turn in body["messages"]:
        for block in thoughts(turn["content"]):
            need(block in signed, "Invalid `signature` in `thinking` block")
    if thinking["type"] == "enabled":
        need("-4-5" in model, f"thinking.type: enabled is not supported by {model}; use adaptive")
        need(1024 <= thinking["budget_tokens"] < body["max_tokens"], "thinking.budget_tokens: out of range")
        _starts_with_thought(body["messages"])
    if thinking["type"] == "adaptive":
        need("-4-5" not in model, f"adaptive thinking is not supported on {model}")
        need("temperature" not in body, "`temperature` may only be set to 1 when thinking is enabled")
    if thinking["type"] == "disabled" or len(body["messages"]) < 3:
        return
    latest = body["messages"][-2]["content"]
    calls = [block["id"] for block in latest if block["type"] == "tool_use"]
    for speaker, blocks in said:
        if speaker == model and calls and calls == [b["id"] for b in blocks if b["type"] == "tool_use"]:
            need(
                thoughts(latest) == thoughts(blocks),
                "`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified",
            )


def _starts_with_thought(turns: Sequence[dict[str, Any]]) -> None:
    """The assistant's turn, tool calls and results included, has to begin with a thought."""
    begins: list[Block] = []
    for turn in turns:
        if turn["role"] == "assistant":
            begins = begins or turn["content"]
        elif any(block["type"] == "text" for block in turn["content"]):
            begins = []
    need(
        not begins or begins[0]["type"] in THOUGHTS,
        "Expected `thinking` or `redacted_thinking`: when `thinking` is enabled, a final `assistant` message "
        "must start with a thinking block",
    )


def thoughts(blocks: Sequence[Block]) -> list[Block]:
    return [block for block in blocks if block["type"] in THOUGHTS]
