"""Addresses of repositories elsewhere, and how to talk to them without giving a password away."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from ci_agent.errors import AuthenticationError, CiAgentError, GitError, UsageError

_URL = re.compile(r"^([a-z][a-z0-9+.-]*://|[^/\s]+@[^/\s:]+:)", re.IGNORECASE)
_SCP = re.compile(r"^[^/\s]+:")  # host:path, as ssh has it
_SCP_PASSWORD = re.compile(r"^([^/@:]+):[^@]*@")
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


def remote(url: str, relative_to: Path | None, settings: Sequence[tuple[str, str]] = ()) -> Remote:
    """Takes the credentials out of an address: they must appear in no argument list and no log.

    A path is taken from `relative_to`. `settings` are more of git's settings for talking to it, which may hold
    secrets. Raises `UsageError` for what is no address.
    """
    if "://" not in url:
        local = relative_to is not None and not _SCP.match(url)
        plain = (
            str((relative_to / url).resolve()) if local and relative_to else _SCP_PASSWORD.sub(r"\1@", url)
        )
        return Remote(plain, _environment(settings))
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise UsageError("the repository's address is no valid URL") from error
    if parts.query or parts.fragment:
        raise UsageError(
            f"{_clean(parts)} has a query in its address, which git has no use for; leave it out"
        )
    if parts.scheme.lower() not in {"http", "https"} or parts.username is None:
        return Remote(_clean(parts), _environment(settings))
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    header = "Authorization: Basic " + base64.b64encode(pair.encode()).decode()
    host = parts.netloc.rpartition("@")[2]
    own = (f"http.{parts.scheme.lower()}://{host}/.extraHeader", header)
    return Remote(_clean(parts), _environment([*settings, own]))


def _environment(settings: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The settings in the environment's form, behind those that are there already."""
    if not settings:
        return {}
    there = os.environ.get("GIT_CONFIG_COUNT", "")
    first = int(there) if there.isdecimal() else 0
    found = {"GIT_CONFIG_COUNT": str(first + len(settings))}
    for number, (key, value) in enumerate(settings, start=first):
        found |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return found


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
