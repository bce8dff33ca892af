"""GitLab's API over python-gitlab: one request with its time-out, pages, and what its refusals mean.

The raw answers do not leave this folder.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from ci_agent.errors import AuthenticationError, CiAgentError
from ci_agent.platforms.calls import Answer, Calls, sent_on, whole
from ci_agent.platforms.patience import TIMEOUT, Refusal

if TYPE_CHECKING:
    from requests import Response, Session


class Api(Calls[Any]):
    """Calls of one server with one token."""

    def __init__(
        self, token: str, url: str, wait: Callable[[float], None] = time.sleep, timeout: float = TIMEOUT
    ) -> None:
        super().__init__(_Server(token, url, timeout), whole, wait)


class _Server:
    """See `ci_agent.platforms.calls.Server`."""

    name = "GitLab"

    def __init__(self, token: str, url: str, timeout: float) -> None:
        from gitlab import Gitlab

        session = _session()
        session.hooks["response"].append(self._heard)
        self._client = Gitlab(
            url.rstrip("/"),
            private_token=token,
            timeout=timeout,
            user_agent="ci-agent",
            keep_base_url=True,  # a server behind a proxy may name itself otherwise in its links
            retry_transient_errors=False,  # see ci_agent/platforms/patience.py
            session=session,
        )
        self.token = token
        self._headers: dict[str, str] = {}

    def ask(self, verb: str, path: str, parameters: Mapping[str, object], body: object) -> Answer:
        """The answer to one request."""
        from gitlab.exceptions import GitlabError
        from requests import RequestException

        try:
            answer = self._client.http_request(
                verb,
                path,
                query_data=dict(parameters),
                post_data=cast("dict[str, Any] | None", body),
                obey_rate_limit=False,
                retry_transient_errors=False,
            )
        except GitlabError as error:
            status = error.response_code or 0
            if 300 <= status < 400:  # noqa: PLR2004 - HTTP's numbers
                raise sent_on(status, self._headers.get("location", "")) from error
            raise Refusal(status, _words(error.error_message), self._headers) from error
        except RequestException as error:
            raise Refusal(0, f"the connection failed ({type(error).__name__})") from error
        try:
            return Answer(answer.json() if answer.content else None, self._headers)
        except RequestException:  # as `requests` says that it is no JSON
            raise ValueError(answer.text) from None

    def following(self, answer: Answer, parameters: Mapping[str, object]) -> Mapping[str, object]:
        """What asks for the next page."""
        page = answer.headers.get("x-next-page", "")
        return {**parameters, "page": page} if page else {}

    def forbidden(self, said: str, doing: str) -> tuple[type[CiAgentError], str]:
        """What a 403 means."""
        del doing
        return AuthenticationError, (
            "The token lacks the scope `api`"
            if "scope" in said
            else "The token's account needs the role Developer in this project"
        )

    def _heard(self, response: Response, *_: object, **__: object) -> None:
        """The headers of the last answer: python-gitlab's errors leave them out."""
        self._headers = {name.lower(): value for name, value in response.headers.items()}


def _session() -> Session:
    """A session that follows a redirect only where it reads, and only on the server it asked: `requests` would take
    GitLab's header with the token along to any other, and make a POST a GET."""
    from requests import Session

    class Faithful(Session):
        def get_redirect_target(self, resp: Response) -> str | None:
            target = super().get_redirect_target(resp)
            here, there = urlsplit(resp.url), urlsplit(target or "")
            stays = not there.netloc or (here.scheme, here.netloc) == (there.scheme, there.netloc)
            return target if stays and resp.request.method == "GET" else None

    return Faithful()


def _words(message: object) -> str:
    """GitLab's errors are texts, lists of texts, or lists of texts by field; a proxy's are pages."""
    if isinstance(message, bytes):
        return message.decode("utf-8", "replace")
    if isinstance(message, dict):
        return "; ".join(f"{field} {_words(said)}" for field, said in message.items())
    if isinstance(message, list):
        return ", ".join(map(_words, message))
    return str(message or "")
