"""Requests to a platform, tried again where that is harmless, within bounds.

The client libraries would send a POST again after a 502, which makes two comments of one; so their own repeats are
off, and this decides. What was refused for its rate was not done, and may be sent again as it is. What ended
without an answer may have been done: reading, and writing that says the same twice, are sent again; making
something new is not, and its caller looks first whether it is there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TypeVar

from ci_agent.errors import CiAgentError

T = TypeVar("T")

TIMEOUT = 30.0  # seconds for one request
TRIES = 4
FIRST_WAIT = 1.0  # seconds; doubles with each try
SECONDARY_WAIT = (
    60.0  # seconds; GitHub asks for a minute where it names no time ("Best practices for the REST API")
)
# GitHub ends a job on its own runners after six hours ("Actions limits"), and every job writes on its comment more
# often than that.
LONGEST_SILENCE = timedelta(hours=6)
LONGEST_WAIT = 120.0  # seconds that a platform may ask us to wait, in all for one request
_REDIRECT = 300
_CLIENT_ERROR = 400
_SERVER_ERROR = 500
_TOO_MANY = 429


class Refusal(Exception):  # noqa: N818 - a refusal is an answer; what people see is made from it
    """The platform answered with an error, or not at all (status 0)."""

    def __init__(self, status: int, said: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status}: {said}")
        self.status = status
        self.said = said
        self.headers = {name.lower(): value for name, value in (headers or {}).items()}

    @property
    def unclear(self) -> bool:
        """Whether it may have been done all the same."""
        return self.status == 0 or self.status >= _SERVER_ERROR

    @property
    def elsewhere(self) -> bool:
        """Whether it is a redirect that is not followed; nothing was done."""
        return _REDIRECT <= self.status < _CLIENT_ERROR

    @property
    def too_often(self) -> bool:
        """Whether it was refused for its rate, so that it was not done."""
        limited = "rate limit" in self.said.lower() or "retry-after" in self.headers
        return self.status == _TOO_MANY or (self.status == 403 and limited)  # noqa: PLR2004 - GitHub's secondary limit


class LostError(CiAgentError):
    """Nobody knows whether something new was made: the answer did not arrive."""


def patiently(request: Callable[[], T], *, harmless: bool, wait: Callable[[float], None] = time.sleep) -> T:
    """The answer to `request`, which raises `Refusal`. `harmless`: it may be sent twice.

    Raises the last `Refusal`.
    """
    waited = 0.0
    for number in range(TRIES):
        try:
            return request()
        except Refusal as refusal:
            again = refusal.too_often or (harmless and refusal.unclear)
            pause = _pause(refusal, number)
            waited += pause
            if not again or number == TRIES - 1 or waited > LONGEST_WAIT:
                raise
        wait(pause)
    raise AssertionError("the loop ends by an answer or a refusal")


def silent(heard: datetime | None) -> bool:
    """Whether a job of which we may know nothing counts as ended: by how long it has been silent since it was `heard`.
    None: nobody knows, so it may be at work."""
    return heard is not None and datetime.now(UTC) - heard > LONGEST_SILENCE


def _pause(refusal: Refusal, number: int) -> float:
    asked = _seconds(refusal.headers.get("retry-after", ""))
    if asked is not None:
        return asked
    reset = refusal.headers.get("x-ratelimit-reset", "")
    if refusal.headers.get("x-ratelimit-remaining") == "0" and reset.isdecimal():
        return max(float(reset) - time.time(), 0.0) + 1
    if refusal.too_often and "secondary" in refusal.said.lower():
        return SECONDARY_WAIT
    return float(FIRST_WAIT * 2**number)


def _seconds(after: str) -> float | None:
    """How long a `Retry-After` asks to wait: seconds, or until a date (RFC 9110, 10.2.3); None: it says neither."""
    if after.isdecimal():
        return float(after)
    try:
        date = parsedate_to_datetime(after)
    except ValueError:
        return None
    return max(date.timestamp() - time.time(), 0.0)


def made_once(
    make: Callable[[], T], find: Callable[[], T | None], wait: Callable[[float], None] = time.sleep
) -> T:
    """What `make` makes, or what `find` finds of it after an answer was lost, and after a moment in which a server
    that is slow may end what it has begun.

    `make` raises `LostError` where nobody knows. Raises the last `LostError`.
    """
    for number in range(TRIES):
        try:
            return make()
        except LostError:
            wait(FIRST_WAIT * 2**number)
            found = find()
            if found is not None:
                return found
            if number == TRIES - 1:
                raise
    raise AssertionError("the loop ends by a result or an error")
