"""What the first job says of itself, by its journal, and whether that fits what this job knows by other ways."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from ci_agent.agent import Stop
from ci_agent.errors import JournalError
from ci_agent.job.split.manifest import BundleError
from ci_agent.journal import Event, Fact, encode, read
from ci_agent.journal.events import (
    AgentStopped,
    CommentWritten,
    Committed,
    IssueRead,
    LabelsChanged,
    MergeRequestWritten,
    Pushed,
    SessionEnded,
    SessionStarted,
    TakenOver,
    WorkspaceReady,
)
from ci_agent.task import Task
from ci_agent.workspace import Source
from ci_agent.workspace.source import is_ancestor, resolve

F = TypeVar("F", bound=Fact)

_PUBLISHED: Final = CommentWritten | LabelsChanged | MergeRequestWritten | Pushed | TakenOver


@dataclass(frozen=True, slots=True)
class First:
    """The session of the first job."""

    started: SessionStarted
    ready: WorkspaceReady | None
    stopped: AgentStopped
    ended: SessionEnded
    committed: Committed | None

    @property
    def stop(self) -> Stop:
        """How the work ended, where it is handed over by us; else how all of it ended."""
        if self.committed:
            return Stop(self.stopped.ending, self.stopped.detail)
        return Stop(self.ended.ending, self.ended.sentence)


def take_journal(content: bytes, path: Path) -> First:
    """Write the journal in `content` to `path`, up to its end, which will be another one. Raises `BundleError`."""
    path.write_bytes(content)
    try:
        events = list(read(path))
    except JournalError as error:
        raise BundleError(f"has a journal that can't be read: {error}") from error
    if [event.sequence for event in events] != list(range(1, len(events) + 1)):
        raise BundleError("has a journal with gaps")
    if any(isinstance(event.fact, _PUBLISHED) for event in events):
        raise BundleError("says that something was published already, which its job can't do")
    ends = [event.sequence for event in events if isinstance(event.fact, SessionEnded)]
    if len(ends) != 1:
        raise BundleError("has a journal without one end")
    kept = events[: ends[0] - 1]
    path.write_text("".join(f"{encode(event)}\n" for event in kept), encoding="utf-8")
    return First(
        _one(events, SessionStarted),
        _at_most_one(events, WorkspaceReady),
        _one(kept, AgentStopped),
        _one(events, SessionEnded),
        _at_most_one(kept, Committed),
    )


def _one(events: Sequence[Event], kind: type[F]) -> F:
    found = _at_most_one(events, kind)
    if found is None:
        raise BundleError(f"has a journal without {kind.__name__}")
    return found


def _at_most_one(events: Sequence[Event], kind: type[F]) -> F | None:
    found = [event.fact for event in events if isinstance(event.fact, kind)]
    if len(found) > 1:
        raise BundleError(f"has a journal with {kind.__name__} more than once")
    return found[0] if found else None


def check_task(first: First, platform: str, task: Task) -> None:
    """Raise `BundleError` where the first job worked on something else than this one was asked to publish."""
    started = first.started
    same = {
        "platform": (started.platform, platform),
        "repository": (started.repository, task.repository),
        "issue": (started.issue, task.issue),
        "name of the issue": (started.reference, task.reference),
        "base branch": (started.base, task.base),
        "work branch": (started.branch, task.branch),
        "requester": (started.requester, task.requester),
        "mention": (started.mention, task.account.login if task.account else ""),
        "job": (_without_number(started.job_url), _without_number(task.job_url)),
    }
    for what, (theirs, ours) in same.items():
        if theirs != ours:
            raise BundleError(f"is for another {what} than this job was asked for")


def check_issue(first: Sequence[Event], task: Task) -> None:
    """The same for what it says of the issue."""
    for event in first:
        if isinstance(event.fact, IssueRead) and (event.fact.issue, event.fact.url) != (task.issue, task.url):
            raise BundleError("read another issue than this job was asked for")


def check_commits(ready: WorkspaceReady, branch: str, source: Source, pipeline: str) -> None:
    """Raise `BundleError` where the work does not begin in `source`, the repository as it is now, at a commit of the
    base that is as new as the CI's own, or at one of the work branch. `pipeline` is the commit of the pipeline."""
    git_dir, base = source.git_dir, f"refs/remotes/origin/{source.base}"
    now, asked = resolve(git_dir, base) or "", resolve(git_dir, pipeline) if pipeline else None
    if ready.base_sha != source.base_sha:
        if not _names_commit(ready.base_sha) or not is_ancestor(git_dir, ready.base_sha, now):
            raise BundleError("begins at a commit that the base branch does not have")
        if asked and is_ancestor(git_dir, asked, now) and not is_ancestor(git_dir, asked, ready.base_sha):
            raise BundleError("begins at an older commit of the base branch than the pipeline's own")
    known = source.known_at_remote(branch)
    if ready.head_sha != ready.base_sha and not (
        known and _names_commit(ready.head_sha) and is_ancestor(git_dir, ready.head_sha, known)
    ):
        raise BundleError("goes on from a commit that the work branch does not have")


def _names_commit(name: str) -> bool:
    """Nothing else may get to git."""
    return bool(re.fullmatch(r"[0-9a-f]{40}([0-9a-f]{24})?", name))


def _without_number(url: str) -> str:
    """A job's page without what tells two jobs of a pipeline apart."""
    return re.sub(r"(?:/-/jobs/\d+|/attempts/\d+)$", "", url)
