"""Addresses of repositories elsewhere, and how to talk to them without giving a password away."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from ci_agent.errors import AuthenticationError, CiAgentError, GitError, UsageError

_URL = re.compile(r"^([a-z][a-z0-9+.-]*://|[^/\s]+@[^/\s:]+:)", re.IGNORECASE)
_REFUSED = re.compile(
    r"authentication failed|could not read (username|password)|permission denied|"
    r"terminal prompts disabled|returned error: 40[13]|repository not found",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Remote:
    """An address to fetch from and push to; its credentials travel in the environment only."""

    url: str  # without credentials
    environment: dict[str, str] = field(repr=False)


def is_url(repository: str) -> bool:
    return bool(_URL.match(repository))


def remote(url: str, relative_to: Path | None) -> Remote:
    """Takes the credentials out of an address: they must appear in no argument list and no log.

    A path is taken from `relative_to`. Raises `UsageError` for what is no address.
    """
    if "://" not in url:
        local = relative_to is not None and not is_url(url)
        return Remote(str((relative_to / url).resolve()) if local and relative_to else url, {})
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise UsageError(f"the repository's address is no valid URL: {error}") from error
    if parts.query or parts.fragment:
        raise UsageError(
            f"{_clean(parts)} has a query in its address, which git has no use for; leave it out"
        )
    if parts.scheme.lower() not in {"http", "https"} or parts.username is None:
        return Remote(_clean(parts), {})
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    header = "Authorization: Basic " + base64.b64encode(pair.encode()).decode()
    host = parts.netloc.rpartition("@")[2]
    setting = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{parts.scheme.lower()}://{host}/.extraHeader",
        "GIT_CONFIG_VALUE_0": header,
    }
    return Remote(_clean(parts), setting)


def _clean(parts: SplitResult) -> str:
    """The address without credentials. SSH keeps the user's name, which is no secret there."""
    host = parts.netloc.rpartition("@")[2]
    if parts.scheme.lower().endswith("ssh") and parts.username:
        host = f"{parts.username}@{host}"
    return urlunsplit((parts.scheme.lower(), host, parts.path, "", ""))


def remote_error(url: str, error: GitError) -> CiAgentError:
    """What a person is told when a call to a remote failed."""
    if _REFUSED.search(str(error)):
        return AuthenticationError(
            f"{url} does not let us in: {error}. Check the address, and that `git ls-remote {url}` works here"
        )
    return UsageError(f"{url} can't be reached: {error}")
