"""What it means when an endpoint answers with anything but success.

Decides between "ask again" (`Failed`) and the endings of a session, and words them for people, with the next
step. It sends nothing and waits for nothing. No text leaves here that still holds the key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from ci_agent.models import ModelError
from ci_agent.models.masks import Mask
from ci_agent.models.retry import Failed, asked_wait
from ci_agent.task import Ending

RETRIED = frozenset({408, 409, 425, 429})  # and all from 500 on
WORDS = 300  # characters of the endpoint's own text that people get to see
SEARCHED = 10_000  # characters of it that are looked through for what it means


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is no success. `body` is decoded JSON, or text; header names are in lower case."""

    status: int
    body: object
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Asked:
    """Who was asked for what, for the sentences."""

    host: str
    model: str
    keys: str  # where its key is set, in words
    variable: str  # where its address is set
    mask: Mask


class ToolsRefused(ModelError):  # noqa: N818 - what was refused says more
    """The endpoint would answer, but not with tools. `answer` is what it said, for people."""

    def __init__(self, answer: str) -> None:
        super().__init__(
            Ending.LLM_UNAVAILABLE,
            f"{answer.rstrip('.')}. Set `model.tool_calls` to `text`, or use a model that can call tools",
        )
        self.answer = answer


def meaning(refusal: Refusal, asked: Asked, now: datetime) -> Failed | ModelError:
    """The error to raise for `refusal`. `now` is in UTC."""
    message = _message(refusal.body)
    searched = f"{_codes(refusal.body)} {message}"[:SEARCHED].lower()
    words = one_line(message, asked.mask)
    answer = f"{asked.host} answered {refusal.status}" + (f": {words}" if words else "")
    if refusal.status in _OF_TOOLS and _TOOLS.search(searched):
        return ToolsRefused(answer)
    ending = _ending(refusal.status, searched)
    if ending is None:
        return Failed(answer, asked_wait(refusal.headers, now))
    return ModelError(ending, f"{answer.rstrip('.')}. {_next_step(ending, refusal, asked)}")


def one_line(text: str, mask: Mask) -> str:
    """What a stranger wrote, without the key, on one line of `WORDS` characters at most; of a page, the title."""
    text = mask(text)  # before anything is cut, which could leave half the key behind
    if text.lstrip().startswith("<"):
        title = re.search("<title>([^<]{1,200})", text, re.IGNORECASE)
        text = title[1] if title else "(a web page)"
    line = " ".join(text[: 4 * WORDS].encode("utf-8", "replace").decode().split())
    return line if len(line) <= WORDS else line[: WORDS - 1] + "…"


def _ending(status: int, text: str) -> Ending | None:
    """The first rule that fits; None: ask again."""
    for statuses, words, ending in _RULES:
        if status in statuses and (words is None or words.search(text)):
            return ending
    return None if status in RETRIED or status >= HTTPStatus.INTERNAL_SERVER_ERROR else Ending.LLM_UNAVAILABLE


_QUOTA = re.compile(
    r"insufficient[_ ](quota|balance|credits?|funds)"
    "|credit balance is too low|reached your specified .{0,20}usage limits|spend_limit_reached"  # Anthropic
)

_POLICY = re.compile(
    "content[_ ](filter|policy|management policy)|usage polic|bio_policy|policy_violation"  # OpenAI, Azure
    "|data_inspection_failed|inappropriate content"  # DashScope
    "|input was flagged|requires moderation"  # OpenRouter
)

# The words of each, as their servers write them. OpenRouter, vLLM and Azure repeat OpenAI's.
_CONTEXT = re.compile(
    "context_length_exceeded|maximum context length|exceeds? the context window"  # OpenAI
    "|prompt is too long|exceed context limit"  # Anthropic, Fireworks
    "|input token count.*exceeds the maximum"  # Gemini
    "|input is too long"  # Bedrock
    "|maximum prompt length"  # xAI
    "|reduce the length of the messages"  # Groq
    "|too large for model with"  # Mistral
    "|prompt token count.*exceeds the limit"  # GitHub Copilot
    "|exceeded model token limit"  # Moonshot
    "|context window exceeds limit"  # MiniMax
    "|prompt exceeds max length"  # Zhipu
    "|range of input length should be"  # DashScope
    "|tokens.{0,40}max_new_tokens"  # TGI, Together
    "|longer than the maximum model length"  # vLLM, older
    "|exceeds the available context size|exceed_context_size"  # llama.cpp
    "|greater than the context length|exceeds (the )?(maximum )?context length"  # LM Studio, Ollama
    "|too many (input )?tokens|too many total text bytes"  # Cohere and others
)
# OpenAI's word for one request that is beyond the limit per minute, and Anthropic's for one beyond what the account
# may send at once: waiting won't help.
_TOO_LARGE = re.compile("request too large|required for long context")

_TOOL = r"(?:(?:the )?['\"`]?(?:tools?|functions?)\b(?:[ _-]?(?:use|choice|call(?:s|ing)?)\b)?['\"`]?)"
_TOOLS = re.compile(
    rf"(?:not|n't) (?:currently |yet )?support(?:ing)? {_TOOL}"  # Ollama, DeepSeek, Fireworks
    rf"|{_TOOL} (?:is|are) (?:not|n't|currently not) (?:fully |yet )?(?:supported|enabled|available|allowed)"  # Groq
    rf"|found that support {_TOOL}"  # OpenRouter: "no endpoints …"
    "|enable-auto-tool-choice"  # vLLM
    "|tools param requires|requires --jinja"  # llama.cpp
    rf"|(?:unsupported|unrecognized|unknown) (?:param|argument|request argument|field)[^.]{{0,20}} {_TOOL}"
    r"|does not support parameters: \[[^\]]{0,200}'tools'"  # LiteLLM
)
_OF_TOOLS = frozenset({400, 404, 422, 500, 501})  # statuses they come with

# Groq's word for a call that the model wrote badly: another try is another call.
_BAD_CALL = re.compile("tool_use_failed")

_RULES: tuple[tuple[frozenset[int], re.Pattern[str] | None, Ending | None], ...] = (
    (frozenset({400}), _BAD_CALL, None),
    (frozenset({402}), None, Ending.LLM_QUOTA),
    (frozenset({400, 403, 429}), _QUOTA, Ending.LLM_QUOTA),
    (frozenset({400, 403, 422}), _POLICY, Ending.LLM_POLICY),
    (frozenset({413}), None, Ending.CONTEXT),
    (frozenset({400, 422}), _CONTEXT, Ending.CONTEXT),
    (frozenset({429}), _TOO_LARGE, Ending.CONTEXT),
    (frozenset({401, 403}), None, Ending.LLM_AUTH),
)


def _next_step(ending: Ending, refusal: Refusal, asked: Asked) -> str:
    if ending is Ending.LLM_AUTH:
        return f"Set {asked.keys} to a key that may use {asked.model} there"
    if ending is Ending.LLM_QUOTA:
        return "The account behind the key has no credit left: add some, or use another key"
    if ending is Ending.LLM_POLICY:
        return "The provider declined this text by its content policy: reword the issue, or use another model"
    if ending is Ending.CONTEXT:
        return "The conversation is longer than the model takes: use one that takes more, or a smaller task"
    if refusal.status in range(300, 400):
        return f"It sends us elsewhere, and a key does not follow: set {asked.variable} to the final address"
    if "v1/responses" in _message(refusal.body):
        return f"{asked.model} speaks another API there: set `model.api` to `responses`"
    if refusal.status == HTTPStatus.NOT_FOUND:
        return (
            f"The endpoint does not know the model {asked.model}, or its address is incomplete: "
            f"check --model and {asked.variable} (most addresses end in /v1)"
        )
    return f"Check that {asked.model} can be used with tools there and that the settings suit it"


def _error(body: object) -> object:
    """The part of `body` that is about the error. Gemini wraps it in a list, most in `error`."""
    if isinstance(body, list) and body:
        body = body[0]
    return body.get("error") or body if isinstance(body, dict) else body


def _message(body: object) -> str:
    error = _error(body)
    if isinstance(error, dict):  # `detail` is FastAPI's
        error = next((error[key] for key in ("message", "detail", "msg") if error.get(key)), error)
    return "" if error is None or error == {} else str(error)


def _codes(body: object) -> str:
    error = _error(body)
    if not isinstance(error, dict):
        return ""
    details = error.get("details")  # Anthropic's place for it
    inner = details.get("error_code") if isinstance(details, dict) else None
    return f"{error.get('code')} {error.get('type')} {inner}"
