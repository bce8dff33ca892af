"""Models behind OpenAI's chat completions, at OpenAI or any endpoint that speaks the same.

One request per try, without streaming, by the official client with its own retries off (`retry` has them).
The key goes to the configured address and nowhere else: redirects are refused, and no error text holds it, nor
does a reply that quotes it. Secrets in the address itself, as in `?key=…`, are treated the same.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from ipaddress import ip_address
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

import msgspec

from ci_agent.journal.events import ModelRetried
from ci_agent.models import Message, ModelError, ModelSettings, Reply, ToolSchema
from ci_agent.models.completion import Completion, Unreadable, decode, read
from ci_agent.models.connection import LONGEST_ANSWER, TooLong, open_client
from ci_agent.models.prices import cost
from ci_agent.models.refusals import Endpoint, Refusal, meaning, one_line
from ci_agent.models.retry import Failed, persist
from ci_agent.task import Ending

if TYPE_CHECKING:
    from openai import OpenAI

T = TypeVar("T")

HOME = "https://api.openai.com/v1"
# Endpoints without keys are given words like "x" or "test", found in every text. An error without them can
# still be read; a reply would become another one.
SHORTEST_SECRET = 4  # characters, to be masked in errors
SHORTEST_KEY = 8  # characters, one of them a digit, to be masked in replies


def open_model(name: str, settings: ModelSettings, on_retry: Callable[[ModelRetried], None]) -> OpenAIModel:
    """The model `name`. At home, `openai/gpt-x` means `gpt-x`; elsewhere a slash belongs to the name."""
    if (settings.base_url or HOME).startswith("https://api.openai.com"):
        name = name.removeprefix("openai/")
    return OpenAIModel(name, settings, on_retry)


class OpenAIModel:
    """A model at an OpenAI-compatible endpoint."""

    def __init__(self, name: str, settings: ModelSettings, on_retry: Callable[[ModelRetried], None]) -> None:
        self.name = name
        self._settings = settings
        self._on_retry = on_retry
        # What is pasted into CI settings often ends in a line break.
        self._base_url = (settings.base_url or HOME).strip()
        self._key = (settings.api_key or "").strip()
        self._client: OpenAI | None = None
        self._check()
        secrets = _secrets(self._key, self._base_url)
        self._mask = _mask([secret for secret in secrets if len(secret) >= SHORTEST_SECRET])
        self._mask_reply = _mask([secret for secret in secrets if _is_unmistakable(secret)])

    def reply(self, messages: Sequence[Message], tools: Sequence[ToolSchema], deadline: float) -> Reply:
        """See `Model.reply`."""
        client = self._client = self._client or self._open_client()
        body = _encode(self._body(messages, tools))

        def attempt(seconds: float) -> tuple[Completion, float]:
            start = time.monotonic()
            completion = self._ask(client, body, messages, seconds)
            return completion, time.monotonic() - start

        completion, seconds = persist(attempt, self._settings, deadline, self._on_retry)
        return Reply(
            message=completion.message,
            text=completion.text,
            calls=completion.calls,
            finish_reason=completion.finish_reason,
            usage=completion.usage,
            cost=cost(completion.usage, self.name, self._base_url, self._settings.prices),
            seconds=seconds,
        )

    def _check(self) -> None:
        """Raises `ModelError` for what can be known without asking anybody."""
        if not self._key:
            raise ModelError(
                Ending.LLM_AUTH,
                f"There is no key for {self.name}: set LLM_API_KEY or OPENAI_API_KEY "
                "(to any word, where the endpoint at LLM_BASE_URL needs none)",
            )
        if not self._key.isascii() or not self._key.isprintable() or " " in self._key:
            raise ModelError(
                Ending.LLM_AUTH,
                "The key in LLM_API_KEY or OPENAI_API_KEY holds characters that no key has "
                "(a blank, a line break or a letter with an accent): set it again",
            )
        if not _is_address(self._base_url):
            raise ModelError(
                Ending.LLM_UNAVAILABLE,
                "LLM_BASE_URL is no web address: it has to look like https://host/v1",
            )

    def _open_client(self) -> OpenAI:
        try:
            return open_client(self._key, self._base_url)
        except (ValueError, ImportError) as error:  # it reads the proxy's address
            raise ModelError(
                Ending.LLM_UNAVAILABLE,
                f"There is no way to {self.name}: {error}. Check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY",
            ) from error

    def _body(self, messages: Sequence[Message], tools: Sequence[ToolSchema]) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self.name, "messages": messages, "stream": False}
        if tools:  # an empty list is refused
            body["tools"] = tools
        if self._settings.temperature is not None:
            body["temperature"] = self._settings.temperature
        if self._settings.max_output_tokens is not None:
            # OpenAI's reasoning models refuse the old name, many others don't know the new one.
            new = _host(self._base_url).endswith((".openai.com", ".openai.azure.com"))
            body["max_completion_tokens" if new else "max_tokens"] = self._settings.max_output_tokens
        return body

    def _ask(self, client: OpenAI, body: bytes, messages: Sequence[Message], seconds: float) -> Completion:
        """One request. Raises `Failed` or `ModelError`, never with a cause: that could quote the key."""
        import openai

        endpoint = Endpoint(_host(self._base_url), self.name, self._mask)

        def post() -> bytes:
            answer = client.post(
                "/chat/completions",
                content=body,
                cast_to=openai.HttpxBinaryResponseContent,  # just the bytes; reading them is ours
                options={"timeout": seconds, "follow_redirects": False},
            )
            return answer.content

        try:
            answer = decode(_within(seconds, post), self._mask_reply)
            if refusal := _refusal(answer):
                raise meaning(refusal, endpoint, datetime.now(UTC))
            return read(answer, messages)
        except openai.APIStatusError as error:
            refusal = Refusal(error.status_code, error.body, error.response.headers)
            raise meaning(refusal, endpoint, datetime.now(UTC)) from None
        except (openai.APITimeoutError, TimeoutError):
            raise Failed(f"no answer from {endpoint.host} within {seconds:.3g} s") from None
        except TooLong:
            raise Failed(f"the answer of {endpoint.host} is longer than {LONGEST_ANSWER:,} bytes") from None
        except openai.OpenAIError as error:
            why = one_line(f"{error} {error.__cause__ or ''}", self._mask)
            raise Failed(f"{endpoint.host} can't be reached: {why}") from None
        except Unreadable as problem:
            raise Failed(f"{problem.reason}: {one_line(problem.quoted, self._mask)}") from None


def _secrets(key: str, address: str) -> list[str]:
    """The key, and what else in the address nobody may read, longest first: its password and its query."""
    parts = urlsplit(address)
    pairs = [pair.partition("=") for pair in parts.query.split("&")]
    written = [parts.password or "", *(value for name, _, value in pairs if name != "api-version")]
    return sorted({key, *written, *map(unquote, written)}, key=len, reverse=True)


def _is_unmistakable(secret: str) -> bool:
    return len(secret) >= SHORTEST_KEY and any(letter.isdigit() for letter in secret)


def _mask(secrets: Sequence[str]) -> Callable[[str], str]:
    """A function that takes the secrets out of a text."""

    def mask(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, "***")
        return text

    return mask


def _encode(body: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:  # half a surrogate pair, in a file's name for instance
        return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


def _refusal(answer: Any) -> Refusal | None:
    """The refusal in an answer that claims success: OpenRouter writes the status it means into the body."""
    error = answer.get("error") if isinstance(answer, dict) and not answer.get("choices") else None
    if not error:
        return None
    code = error.get("code") if isinstance(error, dict) else None
    meant = int(code) if re.fullmatch("[45][0-9]{2}", str(code)) and code else 500
    return Refusal(meant, answer, {})


def _within(seconds: float, work: Callable[[], T]) -> T:
    """What `work` gives or raises, or `TimeoutError` after `seconds`.

    The client's own time-outs count from byte to byte, so an endpoint that keeps the connection alive with a
    blank now and then (DeepSeek does) would never run into them. The thread ends with its connection.
    """
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001 - handed over, and raised below
            outcome.set_exception(error)

    Thread(target=run, daemon=True, name="model request").start()
    return outcome.result(timeout=seconds)


def _host(address: str) -> str:
    return urlsplit(address).hostname or ""


def _is_address(address: str) -> bool:
    """Whether the client can use it: for a bad one it raises errors that are not its own."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
        host.encode("idna")
        if host.replace(".", "").isdigit():
            ip_address(host)
        usable_port = parts.port != 0
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(host) and usable_port and address.isprintable()
