"""GitHub's API over PyGithub: requests with time-outs and bounded patience, pages, and errors in words for people.

The raw answers do not leave this folder.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ci_agent.errors import AuthenticationError, CiAgentError, UsageError
from ci_agent.platforms.patience import TIMEOUT, LostError, Refusal, patiently

_NEXT = re.compile(r'<([^>]+)>;\s*rel="next"')
_HELP = "see docs/tokens.md"
_NO_JSON = "what answers there is not GitHub's API"
_GRAPHQL = {"FORBIDDEN": 403, "NOT_FOUND": 404, "RATE_LIMITED": 429}  # its kinds of errors, in HTTP's numbers


class Api:
    """Requests for one repository. `doing` in all methods says what the request is for, as in "reading the issue"."""

    def __init__(self, token: str, api_url: str, wait: Callable[[float], None] = time.sleep) -> None:
        from github import Auth, Github

        client = Github(
            base_url=api_url.rstrip("/"),
            auth=Auth.Token(token),
            lazy=True,
            timeout=int(TIMEOUT),
            per_page=100,
            user_agent="ci-agent",
            retry=None,  # see ci_agent/platforms/patience.py
            seconds_between_requests=None,
            seconds_between_writes=None,
        )
        self._requester = client.requester
        self.wait = wait

    def get(self, path: str, doing: str, **parameters: str) -> Any:
        """What is at `path`."""
        return self._sent("GET", path, doing, parameters, None, harmless=True)[1]

    def found(
        self, path: str, doing: str, verb: str = "GET", body: object = None, **parameters: str
    ) -> Any | None:
        """What is at `path`, or what a change of it that is the same when made twice gives; None: nothing is
        there, any more."""
        try:
            return self._patient(verb, path, parameters, body, harmless=True)[1]
        except Refusal as refusal:
            if refusal.status in (404, 410):
                return None
            raise explained(refusal, doing) from refusal

    def pages(self, path: str, doing: str, **parameters: str) -> Iterator[Any]:
        """The items of a list, page by page."""
        wanted = {"per_page": "100", **parameters}
        while wanted:
            headers, data = self._sent("GET", path, doing, wanted, None, harmless=True)
            yield from data
            following = _NEXT.search(headers.get("link", ""))
            # Of the address only what it asks for: behind a proxy, a server may call itself by another name.
            wanted = dict(parse_qsl(urlsplit(following[1]).query)) if following else {}

    def change(self, verb: str, path: str, doing: str, body: object = None) -> Any:
        """A change that is the same when it is made twice."""
        return self._sent(verb, path, doing, {}, body, harmless=True)[1]

    def make(self, path: str, doing: str, body: object) -> Any:
        """Something new. Raises `LostError` where nobody knows whether it was made."""
        return self._sent("POST", path, doing, {}, body, harmless=False)[1]

    def attempt(self, verb: str, path: str, body: object = None) -> Refusal | None:
        """Something that may be refused without harm; gives the refusal."""
        try:
            self._patient(verb, path, {}, body, harmless=True)
        except Refusal as refusal:
            return refusal
        return None

    def query(self, words: str, doing: str, **variables: object) -> Any:
        """The data of a GraphQL query or of a change that is the same when it is made twice."""
        body = {"query": words, "variables": variables}
        return self._sent("POST", self._requester.graphql_url, doing, {}, body, harmless=True)[1]["data"]

    def _sent(
        self, verb: str, path: str, doing: str, parameters: Mapping[str, str], body: object, *, harmless: bool
    ) -> tuple[dict[str, str], Any]:
        try:
            return self._patient(verb, path, parameters, body, harmless=harmless)
        except Refusal as refusal:
            if refusal.unclear and not harmless:
                raise LostError(f"GitHub gave no answer to {doing}: {refusal.said}") from refusal
            raise explained(refusal, doing) from refusal

    def _patient(
        self, verb: str, path: str, parameters: Mapping[str, str], body: object, *, harmless: bool
    ) -> tuple[dict[str, str], Any]:
        def request() -> tuple[dict[str, str], Any]:
            return self._once(verb, path, parameters, body)

        return patiently(request, harmless=harmless, wait=self.wait)

    def _once(
        self, verb: str, path: str, parameters: Mapping[str, str], body: object
    ) -> tuple[dict[str, str], Any]:
        from github import GithubException
        from requests import RequestException

        try:
            headers, data = self._requester.requestJsonAndCheck(
                verb, path, parameters=dict(parameters), input=body
            )
        except GithubException as error:
            said = error.data.get("message", "") if isinstance(error.data, dict) else str(error.data or "")
            errors = error.data.get("errors", []) if isinstance(error.data, dict) else []
            more = "; ".join(_detail(item) for item in errors if item)
            words = " ".join(filter(None, [said, f"({more})" if more else ""]))
            raise Refusal(error.status, words, error.headers) from error
        except RequestException as error:
            raise Refusal(0, f"the connection failed ({type(error).__name__})") from error
        except RuntimeError as error:  # a redirect to another host, as PyGithub says it
            raise Refusal(421, str(error)) from error
        except ValueError as error:
            raise Refusal(0, _NO_JSON) from error
        if data is not None and "json" not in headers.get("content-type", ""):
            raise Refusal(0, _NO_JSON)  # the page of a proxy
        if isinstance(data, dict) and data.get("errors"):  # GraphQL says 200 to everything
            first = data["errors"][0]
            raise Refusal(_GRAPHQL.get(first.get("type"), 422), str(first.get("message", "")), headers)
        return headers, data


def _detail(item: object) -> str:
    if isinstance(item, dict):
        return str(item.get("message") or f"{item.get('field', '')} {item.get('code', '')}".strip())
    return str(item)


def explained(refusal: Refusal, doing: str) -> CiAgentError:
    """A refusal in words for people: what was refused, what is missing, where it is explained."""
    said = refusal.said[:300]
    answered = f"GitHub answered {refusal.status} to {doing}: {said}"
    if refusal.unclear:
        kind = "can't be reached" if refusal.status == 0 else f"fails (status {refusal.status})"
        return CiAgentError(f"GitHub {kind}, {doing}: {said or 'no reason given'}; try again later")
    if refusal.too_often:
        return CiAgentError(f"{answered}. It asks for more patience than a job has; try again later")
    if refusal.status == 401:  # noqa: PLR2004 - HTTP's number
        return AuthenticationError(f"{answered}. The token is wrong, was revoked or has expired; {_HELP}")
    if refusal.status == 403 and "locked" in said:  # noqa: PLR2004 - HTTP's number
        return UsageError(
            f"{answered} On a locked issue only collaborators may write, and apps and workflows are none; "
            f"unlock it, or give us the token of a collaborator; {_HELP}"
        )
    if refusal.status == 403:  # noqa: PLR2004 - HTTP's number
        return AuthenticationError(f"{answered}. {_missing(said, doing)}; {_HELP}")
    if refusal.status in (404, 410):
        return UsageError(f"{answered}. It is not there, or the token may not see it; {_HELP}")
    return UsageError(answered)


def _missing(said: str, doing: str) -> str:
    """Which right a 403 is about, by what it says and what was tried."""
    if "not permitted to create or approve pull requests" in said.lower():
        return (
            'The repository\'s setting "Allow GitHub Actions to create and approve pull requests" is off '
            "(Settings, Actions, General)"
        )
    if "archived" in said.lower():
        return "The repository is archived, so nothing in it can be changed"
    for words, right in _RIGHTS:
        if words in doing:
            return f"The token lacks the permission {right}"
    return "The token lacks a permission"


_RIGHTS = (
    ("draft state", "`pull-requests: write` or `contents: write`"),  # it takes both
    ("pull request", "`pull-requests: write`"),
    ("status", "`statuses: write`"),
    ("job", "`actions: write`"),
    ("branch", "`contents: read`"),
    ("file", "`contents: read`"),
    ("issue", "`issues: write`"),
    ("comment", "`issues: write`"),
    ("label", "`issues: write`"),
)
