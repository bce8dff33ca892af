"""One model at one address over HTTP: what every API shares, whatever its requests and answers look like.

One request per try, without streaming, by the provider's official client with its own retries off (`retry` has
them). The key goes to the configured address and nowhere else: redirects are refused, and no error text holds
it, nor does a reply that quotes it. Secrets in the address itself, as in `?key=…`, are treated the same.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from threading import Thread
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from ci_agent.journal.events import ModelRetried
from ci_agent.models import ModelError, ModelSettings
from ci_agent.models.completion import Unreadable, decode
from ci_agent.models.connection import LONGEST_ANSWER, Connection, TooLong
from ci_agent.models.masks import masks
from ci_agent.models.prices import load as load_prices
from ci_agent.models.refusals import Asked, Refusal, meaning, one_line
from ci_agent.models.retry import Failed, persist
from ci_agent.task import Ending

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Provider:
    """Whose API it is."""

    home: str  # its own address, for settings without one
    keys: str  # where a key for it is looked for, in words: "LLM_API_KEY or OPENAI_API_KEY"
    variable: str  # where another address is looked for: "LLM_BASE_URL"
    connect: Callable[[str, str], Connection]  # from key and address


class Endpoint:
    """A model called `name` at one address."""

    def __init__(
        self,
        name: str,
        settings: ModelSettings,
        provider: Provider,
        on_retry: Callable[[ModelRetried], None],
    ) -> None:
        """Nothing is sent yet. Raises `ModelError` for what can be known without asking anybody."""
        self.name = name
        # What is pasted into CI settings often ends in a line break.
        self.address = (settings.base_url or provider.home).strip()
        self._key = (settings.api_key or "").strip()
        self._settings = settings
        self._provider = provider
        self._on_retry = on_retry
        self._connection: Connection | None = None
        self._check()
        mask, self._mask_reply = masks(self._key, self.address)
        self._asked = Asked(host(self.address), name, provider.keys, provider.variable, mask)

    def ask(
        self, path: str, body: dict[str, Any], read: Callable[[Any], T], deadline: float
    ) -> tuple[T, float]:
        """What `read` makes of the decoded answer to `body`, and the seconds of the request that succeeded.

        `read` may raise `Unreadable` or `Failed`, which is asked again, and `ModelError`. `deadline` is on the
        clock of `time.monotonic`. Raises `ModelError` when there will be no answer.
        """
        connection = self._connection = self._connection or self._connect()
        content = _encode(body)

        def attempt(seconds: float) -> tuple[T, float]:
            start = time.monotonic()
            answer = self._request(connection, path, content, read, seconds)
            return answer, time.monotonic() - start

        return persist(attempt, self._settings, deadline, self._on_retry)

    def _check(self) -> None:
        if not self._key:
            raise ModelError(
                Ending.LLM_AUTH,
                f"There is no key for {self.name}: set {self._provider.keys} "
                f"(to any word, where the endpoint at {self._provider.variable} needs none)",
            )
        if not self._key.isascii() or not self._key.isprintable() or " " in self._key:
            raise ModelError(
                Ending.LLM_AUTH,
                f"The key in {self._provider.keys} holds characters that no key has "
                "(a blank, a line break or a letter with an accent): set it again",
            )
        if not _is_address(self.address):
            raise ModelError(
                Ending.LLM_UNAVAILABLE,
                f"{self._provider.variable} is no web address: it has to look like https://host/v1",
            )

    def _connect(self) -> Connection:
        try:
            return self._provider.connect(self._key, self.address)
        except (ValueError, ImportError) as error:  # it reads the proxy's address
            raise ModelError(
                Ending.LLM_UNAVAILABLE,
                f"There is no way to {self.name}: {error}. Check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY",
            ) from error

    def _request(
        self, connection: Connection, path: str, content: bytes, read: Callable[[Any], T], seconds: float
    ) -> T:
        """One request. Raises `Failed` or `ModelError`, never with a cause: that could quote the key."""
        asked = self._asked
        try:
            raw = _within(seconds, lambda: connection.post(path, content, seconds))
            answer = decode(raw, self._mask_reply)
            if refusal := _refusal(answer):
                raise meaning(refusal, asked, datetime.now(UTC))
            return read(answer)
        except connection.refused as error:
            refusal = Refusal(error.status_code, error.body, error.response.headers)
            raise meaning(refusal, asked, datetime.now(UTC)) from None
        except (connection.late, TimeoutError):
            raise Failed(f"no answer from {asked.host} within {seconds:.3g} s") from None
        except TooLong:
            raise Failed(f"the answer of {asked.host} is longer than {LONGEST_ANSWER:,} bytes") from None
        except connection.failed as error:
            why = one_line(f"{error} {error.__cause__ or ''}", asked.mask)
            raise Failed(f"{asked.host} can't be reached: {why}") from None
        except Unreadable as problem:
            raise Failed(f"{problem.reason}: {one_line(problem.quoted, asked.mask)}") from None


def host(address: str) -> str:
    """The host's name in `address`, or nothing."""
    return urlsplit(address).hostname or ""


def _encode(body: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:  # half a surrogate pair, in a file's name for instance
        return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


# What a code means that the Responses API puts into an answer; any other that is no status: try again.
_STATUSES = {
    "rate_limit_exceeded": 429,
    "invalid_prompt": 400,
    "bio_policy": 400,
    "misalignment_policy_violation": 400,
}


def _refusal(answer: Any) -> Refusal | None:
    """The refusal in an answer that claims success: OpenRouter writes the status it means into the body."""
    error = answer.get("error") if isinstance(answer, dict) and not answer.get("choices") else None
    if not error:
        return None
    code = str(error.get("code") if isinstance(error, dict) else None)
    meant = int(code) if re.fullmatch("[45][0-9]{2}", code) else _STATUSES.get(code, 500)
    return Refusal(meant, answer, {})


_SOON = 0.05  # seconds in which no model answers


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
    if not wait([outcome], min(seconds, _SOON)).done:
        load_prices()  # while the model thinks, since the first request must not wait for it
    return outcome.result(timeout=seconds)


def _is_address(address: str) -> bool:
    """Whether a client can use it: for a bad one it raises errors that are not its own."""
    try:
        parts = urlsplit(address)
        name = parts.hostname or ""
        name.encode("idna")
        if name.replace(".", "").isdigit():
            ip_address(name)
        usable_port = parts.port != 0
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(name) and usable_port and address.isprintable()
