"""How a commit gets to its branch at the remote, and where it goes when somebody else was there first.

One refspec, one commit, and only onto what we know to be there: nobody's commit is lost, and none comes back that
somebody took away.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path

from ci_agent.errors import AuthenticationError, CiAgentError, GitError, MovedError, UsageError
from ci_agent.workspace.git import git, text
from ci_agent.workspace.remote import WAITS, Remote, fetch, listed, remote_error, send, told
from ci_agent.workspace.source import is_ancestor

_RACES = 3  # how often somebody may be faster than us before the work goes to a branch of its own
_THEIRS = "refs/ci-agent/theirs"
_PROTECTED = re.compile(r"GH006|protected branch", re.IGNORECASE)
_WORKFLOWS = re.compile(r"refusing to allow .* workflow")


@dataclass(frozen=True, slots=True)
class Author:
    name: str
    mail: str


class Way(Enum):
    """How the work got to the remote."""

    AS_MADE = "as made"
    ON_TOP = "on top"  # made anew on top of what somebody pushed meanwhile; nobody tested the two together
    BESIDE = "beside"  # on a branch of its own, because the two don't go together


@dataclass(frozen=True, slots=True)
class Landed:
    """Where the work is at the remote now."""

    branch: str
    sha: str
    way: Way


def land(
    git_dir: Path,
    remote: Remote,
    sha: str,
    branch: str,
    *,
    start: str,
    known: str,
    author: Author,
    waits: Sequence[float] = WAITS,
) -> Landed:
    """Push the commit `sha` of `git_dir`, which was made on top of `start`, to `branch` of `remote`.

    `known` is the commit the branch had there when the work began; empty: there was no such branch. Where
    somebody pushed to it meanwhile, the commit goes on top of theirs; where that can't be, because the two conflict or
    the branch was rewritten or deleted, it goes to a branch of its own. Raises what `push` raises for
    another reason than that.
    """
    commit = sha
    for _ in range(_RACES):
        try:
            push(git_dir, remote, commit, branch, known=known, waits=waits)
        except MovedError:
            known = _fetch(git_dir, remote, branch, waits)
        else:
            return Landed(branch, commit, Way.AS_MADE if commit == sha else Way.ON_TOP)
        if known and is_ancestor(git_dir, sha, known):
            return Landed(branch, sha, Way.AS_MADE)  # somebody went on from it
        joined = _on_top(git_dir, sha, start, known, author)
        if joined is None:
            break
        commit = joined
    own = f"{branch}-{sha[:8]}"
    push(git_dir, remote, sha, own, known=None, waits=waits)
    return Landed(own, sha, Way.BESIDE)


def push(
    git_dir: Path,
    remote: Remote,
    sha: str,
    branch: str,
    *,
    known: str | None,
    waits: Sequence[float] = WAITS,
) -> None:
    """Push the commit `sha` to `branch`, forward only and only from `known`; None: from whatever it follows.

    The same push twice is one, so a lost connection is tried again after each of `waits`, in seconds. Raises
    `MovedError` when somebody else moved the branch, `AuthenticationError` or `UsageError` when the remote does not
    take it.
    """
    if known and not is_ancestor(git_dir, known, sha):
        raise MovedError(f"the branch {branch} has commits that this work does not hold")
    ref = f"refs/heads/{branch}"
    try:
        send(remote, git_dir, sha, ref, known=known, waits=waits)
    except GitError as error:
        if "rejected]" not in str(error):
            raise remote_error(remote, error) from error
        now = _tip(remote, branch, waits)
        if now == sha:  # an earlier try arrived, only its answer did not
            return
        if now != known if known is not None else now and not is_ancestor(git_dir, now, sha):
            raise MovedError(f"somebody else moved the branch {branch} meanwhile") from error
        raise _refusal(remote, branch, error) from error


def commit_tree(
    git_dir: Path,
    tree: str,
    parent: str | None,
    message: bytes,
    author: Author,
    *,
    at: datetime | None = None,
) -> str:
    """Make a commit of `tree` on top of `parent` (None: of nothing), dated `at`, else now; its id. Nothing is moved."""
    date = f"@{int(at.timestamp())} +0000" if at else ""
    person = {
        "GIT_AUTHOR_NAME": author.name,
        "GIT_AUTHOR_EMAIL": author.mail,
        "GIT_COMMITTER_NAME": author.name,
        "GIT_COMMITTER_EMAIL": author.mail,
        **({"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date} if date else {}),
    }
    words = ("commit-tree", tree, *(["-p", parent] if parent else []), "-F", "-")
    return text(git("--git-dir", git_dir, *words, stdin=message, environment=person))


def _tip(remote: Remote, branch: str, waits: Sequence[float]) -> str:
    """The commit that `branch` has at the remote now; empty: there is no such branch."""
    ref = f"refs/heads/{branch}"
    try:
        return listed(remote, ref, waits=waits).get(ref, "")
    except GitError as error:
        raise remote_error(remote, error) from error


def _fetch(git_dir: Path, remote: Remote, branch: str, waits: Sequence[float]) -> str:
    """Fetch what `branch` has at the remote now; its commit, empty where the branch is gone."""
    if not _tip(remote, branch, waits):
        return ""
    try:
        fetch(remote, git_dir, f"+refs/heads/{branch}:{_THEIRS}", more=["--no-tags"], waits=waits)
    except GitError as error:
        raise remote_error(remote, error) from error
    return text(git("--git-dir", git_dir, "rev-parse", _THEIRS))


def _on_top(git_dir: Path, sha: str, start: str, theirs: str, author: Author) -> str | None:
    """The commit `sha`, made on top of `start`, anew on top of `theirs`; itself where that is where it is already.

    None where the two conflict, or `theirs` does not hold `start`: who rewrites a branch means it. A git older
    than 2.38 can't merge without a checkout; there the answer is None as well.
    """
    if theirs == start:
        return sha
    if not theirs or not is_ancestor(git_dir, start, theirs):
        return None
    try:
        merged = text(git("--git-dir", git_dir, "merge-tree", "--write-tree", theirs, sha))
    except GitError:
        return None
    message = git("--git-dir", git_dir, "log", "-1", "--format=%B", sha)
    return commit_tree(git_dir, merged.splitlines()[0], theirs, message, author)


def _refusal(remote: Remote, branch: str, error: GitError) -> CiAgentError:
    """What a person is told when the remote takes no push to a branch that nobody moved."""
    words = told(error)
    if _WORKFLOWS.search(words):
        return AuthenticationError(
            f"{remote.url} does not let this token change workflow files: {words}. Use a token that has "
            "the permission `workflows: write`, or make that part of the change by hand"
        )
    if _PROTECTED.search(words):
        return UsageError(
            f"{remote.url} protects the branch {branch}: {words}. Choose another one with `git.branch`, or let "
            "the token's owner push to it"
        )
    return UsageError(f"{remote.url} does not take the branch {branch}; a rule or hook there says: {words}")
