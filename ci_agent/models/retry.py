"""Asking again: the one place where a failed request to a model is repeated.

It knows patience, not endpoints: an attempt says by raising `Failed` that another one may succeed; anything
else it raises goes through. No wait is silent, and none goes past the session's deadline.
"""

from __future__ import annotations

import email.utils
import random
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from ci_agent.journal.events import ModelRetried
from ci_agent.models import ModelError, ModelSettings
from ci_agent.task import Ending

T = TypeVar("T")

LONGEST_BACKOFF = 60.0  # seconds
LONGEST_ASKED = 120.0  # seconds; an endpoint that asks for more is asked again earlier


class Failed(Exception):  # noqa: N818 - it is the outcome of one try, not an error anyone meets
    """This try came to nothing, another may not. `wait`: seconds the endpoint asked us to stay away."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait


def persist(
    attempt: Callable[[float], T],
    settings: ModelSettings,
    deadline: float,
    on_retry: Callable[[ModelRetried], None],
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    chance: Callable[[], float] = random.random,
) -> T:
    """The outcome of the first `attempt` that succeeds. Its argument is the seconds it may take.

    `deadline` is on `clock`. Raises `ModelError` when patience (`LLM_UNAVAILABLE`) or time (`LIMIT_WALL`)
    runs out: at once when the next wait would pass the deadline.
    """
    first_failure: float | None = None
    number = 0
    while True:
        number += 1
        left = deadline - clock()
        if left <= 0:
            raise ModelError(Ending.LIMIT_WALL, "No time was left to ask the model")
        try:
            return attempt(min(settings.timeout, left))
        except Failed as problem:
            failed = problem
        now = clock()
        first_failure = now if first_failure is None else first_failure
        wait = _backoff(settings.first_wait, number, chance()) if failed.wait is None else failed.wait
        if number >= settings.tries or now + wait - first_failure > settings.total_wait:
            raise _given_up(failed, number)
        if now + wait >= deadline:
            raise _out_of_time(failed, number)
        on_retry(ModelRetried(number, failed.reason, round(wait, 3)))
        sleep(wait)


def _backoff(first: float, number: int, chance: float) -> float:
    """Doubling, and spread over the upper half so that many jobs don't come back in step."""
    longest = min(LONGEST_BACKOFF, first * 2.0 ** min(number - 1, 60))
    return longest * (0.5 + chance / 2)


def _given_up(failed: Failed, tries: int) -> ModelError:
    return ModelError(
        Ending.LLM_UNAVAILABLE,
        f"The model gave no usable answer in {_times(tries)}. The last time: {failed.reason}. "
        "Check that the endpoint is up and that its rate limits suffice, then run again",
    )


def _out_of_time(failed: Failed, tries: int) -> ModelError:
    return ModelError(
        Ending.LIMIT_WALL,
        f"The model did not answer in time ({_times(tries)}). The last time: {failed.reason}",
    )


def _times(tries: int) -> str:
    return "1 try" if tries == 1 else f"{tries} tries"


def asked_wait(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds an endpoint asks us to wait, at most `LONGEST_ASKED`. None: it asks for no wait.

    Reads `retry-after-ms` (Azure, OpenAI) and `retry-after` in both forms of RFC 9110, section 10.2.3:
    seconds or a date. `headers` are looked up in lower case; `now` is in UTC.
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    text = headers.get("retry-after", "")
    if milliseconds is not None:
        seconds: float | None = milliseconds / 1000
    else:
        seconds = _number(text)
    if seconds is None:
        seconds = _until(text, now)
    return None if seconds is None or seconds <= 0 else min(seconds, LONGEST_ASKED)


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\s*[0-9]{1,12}(\.[0-9]{0,12})?\s*", text) else None


def _until(date: str, now: datetime) -> float | None:
    try:
        moment = email.utils.parsedate_to_datetime(date)
    except (ValueError, TypeError, OverflowError):
        return None
    if moment.tzinfo is None:  # the zone -0000, which means UTC
        moment = moment.replace(tzinfo=UTC)
    return (moment - now).total_seconds()
