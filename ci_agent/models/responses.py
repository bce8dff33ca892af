"""Models behind OpenAI's Responses API, for those that have only that.

Nothing is stored there (`store: false`): as with chat completions, each request holds the whole conversation.
What the model put out, encrypted thoughts included, is kept in the context under `ITEMS` and goes back exactly as
it came. Field names are those of OpenAI's API reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ci_agent.models import Message, ModelSettings, ToolSchema
from ci_agent.models.completion import (
    CUT,
    Completion,
    Unreadable,
    completed,
    cut_calls,
    entries_fit,
    quoted,
    read_message,
    read_usage,
)

ITEMS = "responses"  # in a message of the context: the items of this API that it was read from

_FINISH = {"max_output_tokens": CUT}  # the one reason that chat completions call otherwise


def request(
    model: str,
    messages: Sequence[Message],
    tools: Sequence[ToolSchema],
    settings: ModelSettings,
    *,
    home: bool,
) -> dict[str, Any]:
    """The body that asks for the next reply. `home`: the API is OpenAI's own, and knows its newer fields."""
    body: dict[str, Any] = {"model": model, "store": False, "include": ["reasoning.encrypted_content"]}
    if messages and messages[0]["role"] == "system":
        body["instructions"] = messages[0]["content"]
        messages = messages[1:]
    body["input"] = [item for message in messages for item in _items(message)]
    if tools:
        body["tools"] = [{"type": "function", "strict": False, **tool["function"]} for tool in tools]
    if settings.temperature is not None:
        body["temperature"] = settings.temperature
    if settings.max_output_tokens is not None:
        body["max_output_tokens"] = settings.max_output_tokens
    if settings.reasoning_effort is not None:
        body["reasoning"] = {"effort": settings.reasoning_effort}
    if settings.cache_key and home:
        body["prompt_cache_key"] = settings.cache_key
    return body


def read(answer: Any, context: Sequence[Message]) -> Completion:
    """What `answer`, decoded JSON, says. `context` is what was asked. Raises `Unreadable` and `ModelError`."""
    output = answer.get("output") if isinstance(answer, dict) else None
    items = [item for item in output if isinstance(item, dict)] if isinstance(output, list) else []
    items, cut = cut_calls(items, lambda item: item.get("type") == "function_call")
    reason = _incomplete(answer) if isinstance(answer, dict) else None
    if not items and reason is None:
        raise Unreadable("the answer holds no message", quoted(answer))
    said = "".join(_said(items))
    calls = [_call(item) for item in items if item.get("type") == "function_call"]
    message, text, read_calls = read_message({"content": said, "tool_calls": calls}, context)
    message[ITEMS] = _returned(items, message.get("tool_calls", ()))
    usage = read_usage(answer.get("usage"))
    return completed(message, text, read_calls, CUT if cut else reason and _FINISH.get(reason, reason), usage)


def _items(message: Message) -> Iterable[dict[str, Any]]:
    """The items that say `message`: its own where it came from this API."""
    own = message.get(ITEMS)
    if entries_fit(own, message, "function_call", "call_id"):
        return list(own)
    content = message.get("content") or ""
    if message["role"] == "tool":
        return [{"type": "function_call_output", "call_id": message["tool_call_id"], "output": content}]
    said = [{"role": message["role"], "content": content}] if content else []
    return said + [
        {"type": "function_call", "call_id": call["id"], **_function(call)}
        for call in message.get("tool_calls", ())
    ]


def _function(call: dict[str, Any]) -> dict[str, Any]:
    return {"name": call["function"]["name"], "arguments": call["function"]["arguments"]}


def _call(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": item.get("call_id"),
        "type": "function",
        "function": {"name": item.get("name"), "arguments": item.get("arguments")},
    }


def _said(items: Iterable[dict[str, Any]]) -> Iterator[str]:
    for item in items:
        parts = item.get("content") if item.get("type") == "message" else None
        for part in parts if isinstance(parts, list) else []:
            text = part.get("text", part.get("refusal")) if isinstance(part, dict) else None
            if isinstance(text, str):
                yield text


def _incomplete(answer: dict[str, Any]) -> str | None:
    """Why the model was stopped before it was done; None: it was not."""
    details = answer.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else None
    return reason if isinstance(reason, str) and reason else None


def _returned(items: Sequence[dict[str, Any]], calls: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The items as they can go back: calls as they were mended, and no thoughts at the end that led to nothing,
    which are refused."""
    mended = iter(calls)
    returned = [
        {**item, "call_id": (call := next(mended))["id"], **_function(call)}
        if item.get("type") == "function_call"
        else item
        for item in items
    ]
    while returned and returned[-1].get("type") == "reasoning":
        returned.pop()
    return returned
