"""GitLab's API over python-gitlab: requests with time-outs and bounded patience, pages, and errors in words for
people.

The raw answers do not leave this folder.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ci_agent.errors import AuthenticationError, CiAgentError, UsageError
from ci_agent.platforms.patience import TIMEOUT, LostError, Refusal, patiently

if TYPE_CHECKING:
    from requests import Response

_HELP = "see docs/tokens.md"
_PAGE = 100  # items; the most that GitLab gives


class Api:
    """Requests to one server. `doing` in all methods says what the request is for, as in "reading the issue"."""

    def __init__(self, token: str, url: str, wait: Callable[[float], None] = time.sleep) -> None:
        from gitlab import Gitlab
        from requests import Session

        session = Session()
        session.hooks["response"].append(self._heard)
        self._client = Gitlab(
            url.rstrip("/"),
            private_token=token,
            timeout=TIMEOUT,
            user_agent="ci-agent",
            keep_base_url=True,  # a server behind a proxy may name itself otherwise in its links
            retry_transient_errors=False,  # see ci_agent/platforms/patience.py
            session=session,
        )
        self._headers: Mapping[str, str] = {}
        self.wait = wait

    def get(self, path: str, doing: str, **parameters: object) -> Any:
        """What is at `path`."""
        return self._sent("get", path, doing, parameters, None, harmless=True)

    def found(
        self,
        path: str,
        doing: str,
        verb: str = "get",
        body: Mapping[str, object] | None = None,
        **parameters: object,
    ) -> Any | None:
        """What is at `path`, or what a change of it that is the same when made twice gives; None: nothing is
        there, any more."""
        try:
            return self._patient(verb, path, parameters, body, harmless=True)
        except Refusal as refusal:
            if refusal.status == 404:  # noqa: PLR2004 - HTTP's number
                return None
            raise explained(refusal, doing) from refusal

    def pages(self, path: str, doing: str, **parameters: object) -> Iterator[Any]:
        """The items of a list, page by page."""
        page = "1"
        while page:
            yield from self.get(path, doing, per_page=_PAGE, page=page, **parameters)
            page = self._headers.get("X-Next-Page", "")

    def change(self, verb: str, path: str, doing: str, body: Mapping[str, object] | None = None) -> Any:
        """A change that is the same when it is made twice."""
        return self._sent(verb, path, doing, {}, body, harmless=True)

    def make(self, path: str, doing: str, body: Mapping[str, object]) -> Any:
        """Something new. Raises `LostError` where nobody knows whether it was made."""
        return self._sent("post", path, doing, {}, body, harmless=False)

    def attempt(self, verb: str, path: str, body: Mapping[str, object] | None = None) -> Refusal | None:
        """Something that may be refused without harm; gives the refusal."""
        try:
            self._patient(verb, path, {}, body, harmless=True)
        except Refusal as refusal:
            return refusal
        return None

    def _sent(
        self,
        verb: str,
        path: str,
        doing: str,
        parameters: Mapping[str, object],
        body: Mapping[str, object] | None,
        *,
        harmless: bool,
    ) -> Any:
        try:
            return self._patient(verb, path, parameters, body, harmless=harmless)
        except Refusal as refusal:
            if refusal.unclear and not harmless:
                raise LostError(f"GitLab gave no answer to {doing}: {refusal.said}") from refusal
            raise explained(refusal, doing) from refusal

    def _patient(
        self,
        verb: str,
        path: str,
        parameters: Mapping[str, object],
        body: Mapping[str, object] | None,
        *,
        harmless: bool,
    ) -> Any:
        return patiently(lambda: self._once(verb, path, parameters, body), harmless=harmless, wait=self.wait)

    def _once(
        self, verb: str, path: str, parameters: Mapping[str, object], body: Mapping[str, object] | None
    ) -> Any:
        from gitlab.exceptions import GitlabError
        from requests import RequestException

        try:
            answer = self._client.http_request(
                verb,
                path,
                query_data=dict(parameters),
                post_data=None if body is None else dict(body),
                obey_rate_limit=False,
                retry_transient_errors=False,
            )
            return answer.json() if answer.content else None
        except GitlabError as error:
            raise Refusal(error.response_code or 0, _words(error.error_message), self._headers) from error
        except RequestException as error:
            raise Refusal(0, f"the connection failed ({type(error).__name__})") from error

    def _heard(self, response: Response, *_: object, **__: object) -> None:
        """The headers of the last answer: python-gitlab's errors leave them out."""
        self._headers = response.headers


def _words(message: object) -> str:
    """GitLab's errors are texts, lists of texts, or lists of texts by field."""
    if isinstance(message, dict):
        return "; ".join(f"{field} {_words(said)}" for field, said in message.items())
    if isinstance(message, list):
        return ", ".join(map(str, message))
    return str(message)


def explained(refusal: Refusal, doing: str) -> CiAgentError:
    """A refusal in words for people: what was refused, what is missing, where it is explained."""
    said = refusal.said[:300]
    answered = f"GitLab answered {refusal.status} to {doing}: {said}"
    if refusal.unclear:
        kind = "can't be reached" if refusal.status == 0 else f"fails (status {refusal.status})"
        return CiAgentError(f"GitLab {kind}, {doing}: {said or 'no reason given'}; try again later")
    if refusal.too_often:
        return CiAgentError(f"{answered}. It asks for more patience than a job has; try again later")
    if refusal.status == 401:  # noqa: PLR2004 - HTTP's number
        return AuthenticationError(f"{answered}. The token is wrong, was revoked or has expired; {_HELP}")
    if refusal.status == 403:  # noqa: PLR2004 - HTTP's number
        missing = (
            "The token lacks the scope `api`"
            if "insufficient_scope" in said or "scope" in said
            else "The token's account needs the role Developer in this project"
        )
        return AuthenticationError(f"{answered}. {missing}; {_HELP}")
    if refusal.status == 404:  # noqa: PLR2004 - HTTP's number
        return UsageError(f"{answered}. It is not there, or the token may not see it; {_HELP}")
    return UsageError(answered)
