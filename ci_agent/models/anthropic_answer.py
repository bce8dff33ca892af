"""Reading one answer of Anthropic's Messages API. Pure functions, as `completion` has them for OpenAI's.

The message gets the shape that all of ours have, and its blocks are kept beside it. Format:
https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ci_agent.models import Message, ToolCall
from ci_agent.models.anthropic_messages import KEPT, Block, fitting_id, is_blank, read_input
from ci_agent.models.completion import (
    CUT,
    Completion,
    Unreadable,
    completed,
    cut_calls,
    plausible,
    quoted,
    read_message,
    tokens,
)
from ci_agent.task import Usage

# Their word for why the model stopped, and ours.
_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": CUT,
    "refusal": "content_filter",
}


def read(answer: Any, context: Sequence[Message], model: str) -> Completion:
    """What `answer`, decoded JSON, says. `context` is what `model` was asked. Raises `Unreadable` and `ModelError`."""
    content = answer.get("content") if isinstance(answer, dict) else None
    if not isinstance(content, list):
        raise Unreadable("the answer holds no message", quoted(answer))
    blocks = [block for block in content if isinstance(block, dict) and not is_blank(block)]
    blocks, cut = cut_calls(blocks, lambda block: block.get("type") == "tool_use")
    texts = [str(block["text"]) for block in blocks if block.get("type") == "text"]
    wanted = [block for block in blocks if block.get("type") == "tool_use"]
    message, text, calls = read_message(
        {"content": "\n\n".join(texts), "tool_calls": [_call(block) for block in wanted]}, context
    )
    message[KEPT] = {"model": model, "content": _with_calls(blocks, calls)}
    reason = answer.get("stop_reason")
    reason = _REASONS.get(reason, reason) if isinstance(reason, str) else None
    return completed(message, text, calls, CUT if cut else reason, read_usage(answer.get("usage")))


def read_usage(usage: Any) -> Usage:
    """The tokens it reports; zeros for what it does not.

    Their `input_tokens` are what no cache had a part in, ours the whole prompt.
    """
    if not isinstance(usage, dict):
        return Usage()
    cached, written = tokens(usage, "cache_read_input_tokens"), tokens(usage, "cache_creation_input_tokens")
    return plausible(
        Usage(
            prompt=tokens(usage, "input_tokens") + cached + written,
            cached=cached,
            completion=tokens(usage, "output_tokens"),
            reasoning=tokens(usage.get("output_tokens_details"), "thinking_tokens"),
            cache_written=written,
        )
    )


def _call(block: Block) -> dict[str, Any]:
    id_ = block.get("id")
    return {
        "id": fitting_id(id_) if isinstance(id_, str) and id_ else None,
        "function": {"name": block.get("name"), "arguments": block.get("input")},
    }


def _with_calls(blocks: Sequence[Block], calls: Sequence[ToolCall]) -> list[Block]:
    """`blocks` with each call as it was mended."""
    mended = iter(calls)
    return [_mended(block, next(mended)) if block.get("type") == "tool_use" else block for block in blocks]


def _mended(block: Block, call: ToolCall) -> Block:
    given = block.get("input")
    object_ = given if isinstance(given, dict) else read_input(call.arguments)
    return {**block, "id": call.id, "name": call.name, "input": object_}
