"""GitHub's API over PyGithub: one request with its time-out, pages, GraphQL, and what its refusals mean.

The raw answers do not leave this folder.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ci_agent.errors import AuthenticationError, CiAgentError, UsageError
from ci_agent.platforms.calls import Answer, Calls, sent_on, whole
from ci_agent.platforms.patience import TIMEOUT, Refusal

_NEXT = re.compile(r'<([^>]+)>;\s*rel="next"')
_GRAPHQL = {"FORBIDDEN": 403, "NOT_FOUND": 404, "RATE_LIMITED": 429}  # its kinds of errors, in HTTP's numbers
_REDIRECT, _ERROR = 300, 400  # HTTP's numbers


class Api(Calls[Any]):
    """Calls of one server with one token."""

    def __init__(
        self,
        token: str,
        api_url: str,
        wait: Callable[[float], None] = time.sleep,
        timeout: float = TIMEOUT,
    ) -> None:
        self._github = _Server(token, api_url, timeout)
        super().__init__(self._github, whole, wait)

    def query(self, words: str, doing: str, read: Callable[[Any], Any] = whole, **variables: object) -> Any:
        """What `read` makes of the data of a GraphQL query, or of a change that is the same when it is made twice."""
        body = {"query": words, "variables": variables}
        return self.reading(lambda raw: read(raw["data"])).change(
            "POST", self._github.graphql_url, doing, body
        )


class _Server:
    """See `ci_agent.platforms.calls.Server`."""

    name = "GitHub"

    def __init__(self, token: str, api_url: str, timeout: float) -> None:
        from github import Auth, Github

        client = Github(
            base_url=api_url.rstrip("/"),
            auth=Auth.Token(token),
            lazy=True,
            timeout=int(timeout),
            user_agent="ci-agent",
            retry=None,  # see ci_agent/platforms/patience.py
            seconds_between_requests=None,
            seconds_between_writes=None,
        )
        self.token = token
        self._requester = client.requester

    @property
    def graphql_url(self) -> str:
        """Where GraphQL's queries go."""
        return self._requester.graphql_url

    def ask(self, verb: str, path: str, parameters: Mapping[str, object], body: object) -> Answer:
        """The answer to one request. PyGithub follows a 301, on the same host only; no other redirect is followed."""
        from requests import RequestException

        try:
            status, headers, text = self._requester.requestJson(
                verb.upper(), path, parameters=dict(parameters), input=body
            )
        except RequestException as error:
            raise Refusal(0, f"the connection failed ({type(error).__name__})") from error
        except RuntimeError as error:  # a redirect to another host, as PyGithub says it
            raise Refusal(301, str(error).partition(", ")[0]) from error
        if status >= _ERROR:
            raise Refusal(status, _words(text), headers)
        if status >= _REDIRECT:
            raise sent_on(status, str(headers.get("location", "")))
        if text and "json" not in headers.get("content-type", ""):
            raise ValueError(text)  # the page of a proxy
        data = _json(text) if text else None
        errors = data.get("errors") if isinstance(data, dict) else None
        if errors:  # GraphQL says 200 to everything
            first = errors[0] if isinstance(errors, list) and isinstance(errors[0], dict) else {}
            raise Refusal(
                _GRAPHQL.get(str(first.get("type")), 422), str(first.get("message") or errors), headers
            )
        return Answer(data, headers)

    def following(self, answer: Answer, parameters: Mapping[str, object]) -> Mapping[str, object]:
        """What asks for the next page."""
        del parameters
        link = _NEXT.search(answer.headers.get("link", ""))
        # Of the address only what it asks for: behind a proxy, a server may call itself by another name.
        return dict(parse_qsl(urlsplit(link[1]).query)) if link else {}

    def forbidden(self, said: str, doing: str) -> tuple[type[CiAgentError], str]:
        """What a 403 means: which right is missing, by what it says and what was tried."""
        if "locked" in said:
            return UsageError, (
                "On a locked issue only collaborators may write, and apps and workflows are none; unlock it, or give "
                "us the token of a collaborator"
            )
        return AuthenticationError, _missing(said, doing)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise ValueError(text) from None


def _words(text: str) -> str:
    """What an error says: a message, and perhaps details."""
    try:
        data = json.loads(text)
    except ValueError:
        return text.strip()
    if not isinstance(data, dict):
        return str(data or "")
    errors = data.get("errors")
    details = [_detail(item) for item in errors if item] if isinstance(errors, list) else []
    more = f"({'; '.join(details)})" if details else ""
    return " ".join(filter(None, [str(data.get("message") or ""), more]))


def _detail(item: object) -> str:
    if isinstance(item, dict):
        return str(item.get("message") or f"{item.get('field', '')} {item.get('code', '')}".strip())
    return str(item)


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
