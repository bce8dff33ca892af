"""Addresses of repositories elsewhere, and how to talk to them without giving a password away."""

from __future__ import annotations

import base64
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from ci_agent.errors import AuthenticationError, CiAgentError, GitError, UsageError
from ci_agent.workspace.git import git, text

_URL = re.compile(r"^([a-z][a-z0-9+.-]*://|[^/\s]+@[^/\s:]+:)", re.IGNORECASE)
_SCP = re.compile(r"^[^/\s]+:")  # host:path, as ssh has it
_SCP_PASSWORD = re.compile(r"^([^/@:]+):[^@]*@")
# What git, GitHub and GitLab say to whom they don't let in.
_REFUSED = re.compile(
    r"authentication failed|could not read (username|password)|permission (denied|to \S+ denied)|access denied|"
    r"terminal prompts disabled|returned error: 40[13]|invalid (username|credentials)|not granted|"
    r"repository (\S+ )?not found|could not be found or you don't have permission|you are not allowed to",
    re.IGNORECASE,
)
_LOST = re.compile(
    r"unexpected disconnect|hung up|RPC failed|early EOF|Empty reply|Could not resolve|Failed to connect|timed out|"
    r"Connection (reset|refused|closed)|returned error: (429|5\d\d)|TLS connection was non-properly terminated",
    re.IGNORECASE,
)
_TOLD = re.compile(r"(?:\bremote:|^ !) *(.*\S)", re.MULTILINE)
_ONLY_FETCH = ("--quiet", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-gc")
_ONLY_PUSH = ("--no-verify", "--no-follow-tags", "--no-signed", "--recurse-submodules=no")
WAITS = (1.0, 4.0)  # seconds before each new try, when the connection was lost


@dataclass(frozen=True, slots=True)
class Remote:
    """An address to fetch from and push to; its credentials travel in the environment only."""

    url: str  # without credentials
    environment: dict[str, str] = field(repr=False)
    known: bool = False  # we were given credentials, or settings of the repository's own, for it


def is_url(repository: str) -> bool:
    return bool(_URL.match(repository))


def remote(url: str, relative_to: Path | None, settings: Sequence[tuple[str, str]] = ()) -> Remote:
    """Takes the credentials out of an address: they must appear in no argument list and no log.

    A path is taken from `relative_to`. `settings` are more of git's settings for talking to it, which may hold
    secrets. What the user's and the system's configuration say counts as it is now: a command that writes into it
    later decides nothing. Raises `UsageError` for what is no address.
    """
    if "://" not in url:
        local = relative_to is not None and not _SCP.match(url)
        plain = (
            str((relative_to / url).resolve()) if local and relative_to else _SCP_PASSWORD.sub(r"\1@", url)
        )
        return Remote(plain, _environment(settings) if local else _settled(settings), bool(settings))
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise UsageError("the repository's address is no valid URL") from error
    if parts.query or parts.fragment:
        raise UsageError(
            f"{_clean(parts)} has a query in its address, which git has no use for; leave it out"
        )
    if parts.scheme.lower() == "file":
        return Remote(_clean(parts), _environment(settings), bool(settings))
    if parts.scheme.lower() not in {"http", "https"} or parts.username is None:
        return Remote(_clean(parts), _settled(settings), bool(settings))
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    header = "Authorization: Basic " + base64.b64encode(pair.encode()).decode()
    environment = _settled([*settings, *_only(_clean(parts), header)]) | {"GIT_ASKPASS": ""}
    return Remote(_clean(parts), environment, known=True)


def _only(url: str, header: str) -> list[tuple[str, str]]:
    """Settings that let `header` be the one thing git shows at `url`, whatever the machine's configuration says.

    Jobs find headers, credential helpers and rewritten addresses there that belong to somebody else; two headers
    are one too many for GitHub. An empty value takes back the values before it, the longest address counts most.
    """
    return [
        (f"http.{url}.extraHeader", ""),
        (f"http.{url}.extraHeader", header),
        (f"credential.{url}.helper", ""),
        (f"url.{url}.insteadOf", url),
        (f"url.{url}.pushInsteadOf", url),
    ]


def _settled(settings: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The user's and the system's settings as they are now, and `settings` behind them, in place of the files."""
    alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    return _environment([*_of_user_and_system(), *settings]) | alone


def _of_user_and_system() -> list[tuple[str, str]]:
    words = ("config", "--list", "--includes", "--show-scope", "-z")
    parts = os.fsdecode(git(*words, directory=Path(os.sep), as_user=True)).split("\0")
    entries = [
        entry.partition("\n")
        for scope, entry in zip(parts[::2], parts[1::2], strict=False)
        if scope in ("system", "global")
    ]
    # A key without `=` means true, which has no other form in the environment.
    return [(key, value if equals else "true") for key, equals, value in entries]


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


def talk(there: Remote, *words: str | Path, waits: Sequence[float] = WAITS) -> str:
    """Run `git WORDS`, which talks to `there`, and give what it printed.

    Where the connection is lost it is tried again after each of `waits` (seconds): do nothing with it that can't be
    done twice. Raises `GitError`; see `remote_error`.
    """
    for wait in waits:
        try:
            return text(git(*words, environment=there.environment, as_user=True))
        except GitError as error:
            if not _LOST.search(str(error)):
                raise
        time.sleep(wait)
    return text(git(*words, environment=there.environment, as_user=True))


def hasty(there: Remote, seconds: int) -> Remote:
    """The same remote, for what is not worth a long wait: a connection over HTTP on which next to nothing comes for so many
    seconds is given up."""
    # Servers that are slow to answer a push send a few bytes every 5 seconds ("receive.keepAlive").
    bounds = {"GIT_HTTP_LOW_SPEED_LIMIT": "1000", "GIT_HTTP_LOW_SPEED_TIME": str(seconds)}
    return replace(there, environment=there.environment | bounds)


def listed(there: Remote, *patterns: str, waits: Sequence[float] = WAITS) -> dict[str, str]:
    """The refs of the remote that match `patterns`, each with its commit; what is symbolic (`HEAD`) has the name of
    the ref it stands for under `ref: HEAD`. Raises `GitError`."""
    lines = talk(there, "ls-remote", "--symref", there.url, *patterns, waits=waits).splitlines()
    found = {}
    for line in lines:
        value, _, ref = line.partition("\t")
        if value.startswith("ref: "):
            found[f"ref: {ref}"] = value.removeprefix("ref: ")
        else:
            found[ref] = value
    return found


def fetch(
    there: Remote, git_dir: Path, *specs: str, more: Sequence[str] = (), waits: Sequence[float] = WAITS
) -> None:
    """Fetch `specs` (refs with where they go, or commits) into the repository `git_dir`; `more` are options for that.
    Raises `GitError`."""
    words = ("fetch", *_ONLY_FETCH, *more, there.url, *specs)
    talk(there, "--git-dir", git_dir, *words, waits=waits)


def send(
    there: Remote,
    git_dir: Path,
    sha: str,
    ref: str,
    *,
    known: str | None,
    waits: Sequence[float] = WAITS,
) -> None:
    """Push the commit `sha` of `git_dir` to `ref`, and nothing else; empty: delete the ref.

    With `known`, only from that commit (empty: there must be none), and then not only forward. Raises `GitError`, after
    a lost connection also where an earlier try arrived.
    """
    lease = [] if known is None else [f"--force-with-lease={ref}:{known}"]
    # Options of the user's own pushes, such as those that make GitLab open merge requests, are not for ours.
    words = ("-c", "push.pushOption=", "push", "--quiet", *_ONLY_PUSH, *lease, there.url, f"{sha}:{ref}")
    talk(there, "--git-dir", git_dir, *words, waits=waits)


def told(error: GitError) -> str:
    """What is of use to people in git's account of a refused push: the server's words, and those about the ref."""
    words = " ".join(_TOLD.findall(str(error)))
    return "".join(filter(str.isprintable, words)) or str(error)


def remote_error(there: Remote, error: GitError) -> CiAgentError:
    """What a person is told when a call to a remote failed."""
    url = there.url
    if not _REFUSED.search(str(error)):
        return UsageError(f"{url} can't be reached: {error}")
    if there.known:
        step = (
            "Check the address, and that the token is valid and may read and write the repository's files "
            "(GitHub: `contents: write`; GitLab: `write_repository`)"
        )
    else:
        step = f"Check the address, and that `git ls-remote {url}` works here"
    return AuthenticationError(f"{url} does not let us in: {error}. {step}")
