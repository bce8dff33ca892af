"""Requests of OpenAI's chat completions, the API that most endpoints speak. `completion` reads the answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ci_agent.models import Message, ModelSettings, ToolSchema
from ci_agent.models.completion import public, text_of

# What every API can say of a message. The rest is its maker's: thoughts, signatures, ids.
_COMMON = ("role", "content", "tool_call_id")


def request(
    model: str,
    messages: Sequence[Message],
    tools: Sequence[ToolSchema],
    settings: ModelSettings,
    *,
    home: bool,
) -> dict[str, Any]:
    """The body that asks for the next reply. `home`: the API is OpenAI's own, and knows its newer fields."""
    body: dict[str, Any] = {"model": model, "messages": [public(one) for one in messages], "stream": False}
    if tools:  # an empty list is refused
        body["tools"] = tools
    if settings.temperature is not None:
        body["temperature"] = settings.temperature
    if settings.max_output_tokens is not None:
        # OpenAI's reasoning models refuse the old name, many others don't know the new one.
        body["max_completion_tokens" if home else "max_tokens"] = settings.max_output_tokens
    if settings.reasoning_effort is not None:
        body["reasoning_effort"] = settings.reasoning_effort
    if settings.cache_key and home:  # others refuse what they don't know
        body["prompt_cache_key"] = settings.cache_key
    return body


def portable(message: Message) -> Message:
    """`message` as any model takes it, whichever one it came from."""
    plain = {key: message[key] for key in _COMMON if key in message}
    if not isinstance(plain.get("content"), str):
        plain["content"] = text_of(message.get("content"))
    if calls := message.get("tool_calls"):
        plain["tool_calls"] = [_portable_call(call) for call in calls]
    return plain


def _portable_call(call: dict[str, Any]) -> dict[str, Any]:
    function = {"name": call["function"]["name"], "arguments": call["function"]["arguments"]}
    return {"id": call["id"], "type": "function", "function": function}
