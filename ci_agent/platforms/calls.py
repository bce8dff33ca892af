"""Calls of a platform's API: with bounded patience, in pages, and with errors in words for people.

What differs between platforms is in their `Server`: how a request is sent, where the next page is, what a refusal
means there. Every answer is turned into one of our nouns here, so that one that makes no sense counts as none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import urlsplit

from ci_agent.errors import AuthenticationError, CiAgentError, UsageError
from ci_agent.platforms.patience import LostError, Refusal, patiently

T = TypeVar("T")
U = TypeVar("U")

HELP = "see docs/tokens.md"
_PAGE = "100"  # items; the most that GitHub and GitLab give at once
_SHOWN = 80  # characters of an answer that makes no sense
_SAID = 300  # characters of a platform's own words
_GONE = (404, 410)  # HTTP's numbers


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said to a request that it did not refuse. The names of the headers are in small letters."""

    data: Any
    headers: Mapping[str, str]


class Server(Protocol):
    """One server's API, spoken to with one token."""

    name: str
    token: str

    def ask(self, verb: str, path: str, parameters: Mapping[str, object], body: object) -> Answer:
        """The answer to one request. Raises `Refusal`, and `ValueError` with the text that came where that is
        no JSON."""
        ...

    def following(self, answer: Answer, parameters: Mapping[str, object]) -> Mapping[str, object]:
        """What asks for the page behind the one that `answer` brought; nothing where that was the last."""
        ...

    def forbidden(self, said: str, doing: str) -> tuple[type[CiAgentError], str]:
        """What a 403 in these words means: the kind of error, and a sentence that says what is missing."""
        ...


class Calls(Generic[T]):
    """Calls of one server that each give what `read` makes of the answer's JSON. `doing` in all methods says what
    the call is for, as in "reading the issue"."""

    def __init__(
        self, server: Server, read: Callable[[Any], T], wait: Callable[[float], None] = time.sleep
    ) -> None:
        self._server = server
        self._read = read
        self.wait = wait

    def reading(self, read: Callable[[Any], U]) -> Calls[U]:
        """The same, with answers that `read` understands. It may raise what a look into JSON of another shape
        raises; the answer counts as none then."""
        return Calls(self._server, read, self.wait)

    def get(self, path: str, doing: str, **parameters: object) -> T:
        """What is at `path`."""
        return self._sent("GET", path, doing, parameters, None, harmless=True)

    def found(
        self, path: str, doing: str, verb: str = "GET", body: object = None, **parameters: object
    ) -> T | None:
        """What is at `path`, or what a change of it that is the same when made twice gives; None: nothing is
        there, any more."""
        try:
            return self._patient(verb, path, parameters, body, self._read, harmless=True)[0]
        except Refusal as refusal:
            if refusal.status in _GONE:
                return None
            raise self.explained(refusal, doing) from refusal

    def pages(self, path: str, doing: str, **parameters: object) -> Iterator[T]:
        """The items of a list, page by page."""
        wanted: Mapping[str, object] = {"per_page": _PAGE, **parameters}
        while wanted:
            try:
                items, answer = self._patient("GET", path, wanted, None, each(self._read), harmless=True)
            except Refusal as refusal:
                raise self.explained(refusal, doing) from refusal
            yield from items
            wanted = self._server.following(answer, wanted)

    def change(self, verb: str, path: str, doing: str, body: object = None) -> T:
        """A change that is the same when it is made twice."""
        return self._sent(verb, path, doing, {}, body, harmless=True)

    def make(self, path: str, doing: str, body: object) -> T:
        """Something new. Raises `LostError` where nobody knows whether it was made."""
        return self._sent("POST", path, doing, {}, body, harmless=False)

    def attempt(self, verb: str, path: str, body: object = None) -> Refusal | None:
        """Something that may be refused without harm; gives the refusal."""
        try:
            self._patient(verb, path, {}, body, whole, harmless=True)
        except Refusal as refusal:
            return refusal
        return None

    def explained(self, refusal: Refusal, doing: str) -> CiAgentError:
        """A refusal in words for people: what was refused, what is missing, where it is explained."""
        name, status, said = self._server.name, refusal.status, refusal.said[:_SAID]
        answered = f"{name} answered {status} to {doing}: {said}"
        if refusal.unclear:
            kind = "can't be reached" if status == 0 else f"fails (status {status})"
            return CiAgentError(f"{name} {kind}, {doing}: {said or 'no reason given'}; try again later")
        if refusal.too_often:
            return CiAgentError(f"{answered}. It asks for more patience than a job has; try again later")
        if refusal.elsewhere:
            return UsageError(
                f"{answered}. Our token goes nowhere else; is the address of the API right, and was nothing renamed?"
            )
        if status == 401:  # noqa: PLR2004 - HTTP's number
            return AuthenticationError(f"{answered}. The token is wrong, was revoked or has expired; {HELP}")
        if status == 403:  # noqa: PLR2004 - HTTP's number
            kind_of_error, missing = self._server.forbidden(said, doing)
            return kind_of_error(f"{answered.rstrip('.')}. {missing}; {HELP}")
        if status in _GONE:
            return UsageError(f"{answered}. It is not there, or the token may not see it; {HELP}")
        return UsageError(answered)

    def _sent(
        self,
        verb: str,
        path: str,
        doing: str,
        parameters: Mapping[str, object],
        body: object,
        *,
        harmless: bool,
    ) -> T:
        try:
            return self._patient(verb, path, parameters, body, self._read, harmless=harmless)[0]
        except Refusal as refusal:
            if refusal.unclear and not harmless:
                raise LostError(f"{self._server.name} gave no answer to {doing}: {refusal.said}") from refusal
            raise self.explained(refusal, doing) from refusal

    def _patient(
        self,
        verb: str,
        path: str,
        parameters: Mapping[str, object],
        body: object,
        read: Callable[[Any], U],
        *,
        harmless: bool,
    ) -> tuple[U, Answer]:
        def request() -> tuple[U, Answer]:
            try:
                return self._understood(verb, path, parameters, body, read)
            except Refusal as refusal:
                # What is said to people must not hold the token, whatever a server repeats.
                said = refusal.said.replace(self._server.token, "***")
                raise Refusal(refusal.status, said, refusal.headers) from None

        return patiently(request, harmless=harmless, wait=self.wait)

    def _understood(
        self,
        verb: str,
        path: str,
        parameters: Mapping[str, object],
        body: object,
        read: Callable[[Any], U],
    ) -> tuple[U, Answer]:
        """One request. What can't be read is the page of a proxy, or half an answer: nobody knows what was done."""
        try:
            answer = self._server.ask(verb, path, parameters, body)
        except ValueError as error:
            raise self._odd(error) from error
        try:
            return read(answer.data), answer
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise self._odd(answer.data) from error

    def _odd(self, came: object) -> Refusal:
        shown = str(came).replace(self._server.token, "***")[:_SHOWN]
        return Refusal(0, f"{shown!r} came, so what answers there is not {self._server.name}'s API")


def whole(raw: Any) -> Any:
    """An answer as it is, for who needs nothing of it, or looks at it with care."""
    return raw


def each(read: Callable[[Any], U]) -> Callable[[Any], list[U]]:
    """Reads a list of what `read` reads."""

    def items(raw: Any) -> list[U]:
        if not isinstance(raw, list):
            raise TypeError("a list is wanted")
        return [read(item) for item in raw]

    return items


def sent_on(status: int, location: str) -> Refusal:
    """A server's redirect as a refusal; of the address only what says where, which holds no secrets."""
    parts = urlsplit(location)
    return Refusal(status, f"it sends us on to {parts._replace(query='', fragment='').geturl() or 'nowhere'}")
