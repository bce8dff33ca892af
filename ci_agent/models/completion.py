"""Reading one chat completion, the answer of endpoints that call themselves OpenAI-compatible.

Pure functions from what was received to text, calls and usage. What is odd but can be used is mended; what
can't is `Unreadable`. The message stays as it came but for the mends, unknown fields included: providers keep
reasoning and signatures in them and want them back.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from ci_agent.models import Message, ModelError, ToolCall
from ci_agent.task import Ending, Usage

MAKER = "maker"  # in a message of the context: the model in reserve that it came from, see `fallback`
# Keys under which we keep in a message what one model wants back. No endpoint understands them, and none may set them.
PRIVATE = frozenset({"anthropic", "responses", "written", MAKER})
MOST_CALLS = 200  # of one reply; nobody means more
CUT = "length"  # the finish reason of a reply that is not whole
MOST_TOKENS = 1_000_000_000  # of one reply; no context is a hundredth of that


class Unreadable(Exception):  # noqa: N818 - the outcome of one try; whoever asked decides what it means
    """What came back is no chat completion. `quoted` is the stranger's text, of any length and content."""

    def __init__(self, reason: str, quoted: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.quoted = quoted


@dataclass(frozen=True, slots=True)
class Completion:
    """What one answer says. `message` goes back into the context."""

    message: Message
    text: str
    calls: tuple[ToolCall, ...]
    finish_reason: str
    usage: Usage


def decode(raw: bytes, mask: Callable[[str], str]) -> Any:
    """The JSON value in `raw`, with nothing in it that UTF-8 or JSON can't hold. Raises `Unreadable`.

    `mask` is applied to every text in it: where an escape could hide a secret there, it no longer can.
    """
    text = raw.decode("utf-8-sig", "replace")
    try:
        return _clean(json.loads(text), mask)
    except RecursionError:
        raise Unreadable("the answer is nested too deeply", text) from None
    except ValueError:
        raise Unreadable("the answer is no JSON", text.strip() or "(nothing)") from None


def read(answer: Any, context: Sequence[Message]) -> Completion:
    """What `answer`, decoded JSON, says. `context` is what was asked. Raises `Unreadable`."""
    choices = answer.get("choices") if isinstance(answer, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        raise Unreadable("the answer holds no message", quoted(answer))
    entries = message.get("tool_calls")
    entries, cut = cut_calls(entries if isinstance(entries, list) else [], lambda _: True)
    mended, text, calls = read_message({**public(message), "tool_calls": entries}, context)
    reason = CUT if cut else choice.get("finish_reason")
    return completed(mended, text, calls, reason, read_usage(answer.get("usage")))


def cut_calls(entries: list[Any], is_call: Callable[[Any], bool]) -> tuple[list[Any], bool]:
    """What a reply puts out, up to its last call that we take, and whether more was there."""
    calls = [number for number, entry in enumerate(entries) if is_call(entry)]
    if len(calls) <= MOST_CALLS:
        return entries, False
    return entries[: calls[MOST_CALLS]], True


def public(message: Message) -> Message:
    """`message` without what is private to us."""
    if PRIVATE.isdisjoint(message):
        return message
    return {key: value for key, value in message.items() if key not in PRIVATE}


def entries_fit(kept: Any, message: Message, kind: str, id_: str) -> TypeGuard[list[dict[str, Any]]]:
    """Whether `kept`, what an API put out for `message`, is a list of objects that make the message's calls and no
    others. A call is of the type `kind` there, with its id under `id_`.

    A context can come from a file: what does not fit would be refused by the API, or stand for another message.
    """
    if not isinstance(kept, list) or not all(isinstance(entry, dict) for entry in kept):
        return False
    ids = [entry.get(id_) for entry in kept if entry.get("type") == kind]
    return ids == list(_ids([message]))


def quoted(answer: Any) -> str:
    """What was decoded, as a text to quote."""
    return json.dumps(answer, ensure_ascii=False)


def completed(
    message: Message, text: str, calls: tuple[ToolCall, ...], reason: Any, usage: Usage
) -> Completion:
    """The answer, with a `reason` made up where none is given.

    Raises `ModelError` (`LLM_POLICY`) where a filter left nothing of it.
    """
    if reason == "content_filter" and not text and not calls:
        raise ModelError(
            Ending.LLM_POLICY,
            "The provider withheld the whole reply by its content policy: reword the issue, or use another model",
        )
    if not isinstance(reason, str) or not reason:
        reason = "tool_calls" if calls else "stop"
    return Completion(message, text, calls, reason, usage)


def read_message(message: Message, context: Sequence[Message]) -> tuple[Message, str, tuple[ToolCall, ...]]:
    """The message as it can go back into `context`, its text, and its calls. Mending again changes nothing."""
    mended = {**message, "role": "assistant"}
    calls = _mend_calls(message.get("tool_calls"), context)
    mended.pop("tool_calls", None)  # null and [] are refused by some when they come back
    if calls:
        mended["tool_calls"] = calls
    content = message.get("content")
    if content is not None and not isinstance(content, (str, list)):
        content = mended["content"] = json.dumps(content, ensure_ascii=False)
    if not content and not calls:
        mended["content"] = ""  # a message with neither is refused when it comes back
    text = text_of(content) or text_of(message.get("refusal"))
    return mended, text, tuple(_call(entry) for entry in calls)


def read_usage(usage: Any) -> Usage:
    """The tokens an endpoint reports, in the words of either API; zeros for what it does not."""
    if not isinstance(usage, dict):
        return Usage()
    prompt = tokens(usage, "prompt_tokens", "input_tokens")
    # Gemini and xAI leave reasoning out of `completion_tokens`, yet bill it; the total holds it.
    completion = max(
        tokens(usage, "completion_tokens", "output_tokens"), tokens(usage, "total_tokens") - prompt
    )
    read = usage.get("prompt_tokens_details") or usage.get("input_tokens_details")
    said = usage.get("completion_tokens_details") or usage.get("output_tokens_details")
    cached = tokens(read, "cached_tokens") or tokens(
        usage,
        "prompt_cache_hit_tokens",  # DeepSeek
        "cached_tokens",  # Moonshot
    )
    written = tokens(read, "cache_write_tokens")
    return plausible(Usage(prompt, cached, completion, tokens(said, "reasoning_tokens"), written))


def plausible(usage: Usage) -> Usage:
    """`usage` with 0 for counts no reply can have, and no part larger than the whole."""
    prompt, completion = _count(usage.prompt), _count(usage.completion)
    cached, reasoning = min(_count(usage.cached), prompt), min(_count(usage.reasoning), completion)
    return Usage(prompt, cached, completion, reasoning, min(_count(usage.cache_written), prompt - cached))


def tokens(counts: Any, *names: str) -> int:
    """The first count there is under one of `names`; 0 where there is none that a reply can have."""
    if not isinstance(counts, dict):
        return 0
    return next(filter(None, (_count(counts.get(name)) for name in names)), 0)


def _count(value: Any) -> int:
    usable = isinstance(value, (int, float)) and 0 <= value <= MOST_TOKENS  # false for not-a-number too
    return int(value) if usable else 0


def text_of(content: Any) -> str:
    """What a message's content says: a string, or parts, of which those of text count and thoughts don't."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(_part(part) for part in parts)


def _part(part: Any) -> str:
    if isinstance(part, dict) and part.get("type", "text") in ("text", "output_text"):
        part = part.get("text")
    return part if isinstance(part, str) else ""


def _mend_calls(calls: Any, context: Sequence[Message]) -> list[dict[str, Any]]:
    """Every call with an id of its own, a name that endpoints accept and its arguments as text."""
    taken = set(_ids(context))
    mended: list[dict[str, Any]] = []
    number = 0  # all below that a call could get are taken
    for entry in calls if isinstance(calls, list) else []:
        if not isinstance(entry, dict):
            continue
        function = entry.get("function")
        function = function if isinstance(function, dict) else {}
        id_ = entry.get("id")
        if not isinstance(id_, str) or not id_ or id_ in taken:
            number = _free_number(max(number, len(context) + len(mended)), taken)
            id_ = f"call_{number}"
        taken.add(id_)
        function = {
            **function,
            "name": _name(function.get("name")),
            "arguments": _arguments(function.get("arguments")),
        }
        mended.append({**entry, "id": id_, "type": "function", "function": function})
    return mended


def _ids(context: Iterable[Message]) -> Iterable[str]:
    return (call["id"] for message in context for call in message.get("tool_calls", ()))


def _free_number(number: int, taken: set[str]) -> int:
    while f"call_{number}" in taken:
        number += 1
    return number


def _name(name: Any) -> str:
    """OpenAI refuses a context in which a function's name is not of this alphabet and length."""
    return re.sub("[^A-Za-z0-9_-]", "_", name)[:64] if isinstance(name, str) and name else "unnamed"


def _arguments(arguments: Any) -> str:
    if isinstance(arguments, str):
        return arguments or "{}"
    return "{}" if arguments is None else json.dumps(arguments, ensure_ascii=False)


def _call(entry: dict[str, Any]) -> ToolCall:
    return ToolCall(entry["id"], entry["function"]["name"], entry["function"]["arguments"])


def _clean(value: Any, mask: Callable[[str], str]) -> Any:
    """`value` with `?` for half surrogate pairs and null for not-a-number: only Python reads these."""
    if isinstance(value, str):
        return mask(value if value.isascii() else value.encode("utf-8", "replace").decode())
    if isinstance(value, dict):
        return {_clean(key, mask): _clean(item, mask) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item, mask) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
