"""Sessions that no job works on any more are brought to their end, from what is kept of them: a draft, or a last word.

Nothing is run of what they did; what leaves passes guard and policy as always.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ci_agent import session
from ci_agent.agent import Stop
from ci_agent.errors import CheckpointError
from ci_agent.job.assembly import session_folder
from ci_agent.job.case import Case
from ci_agent.job.checkpoints import Kept, keep_end
from ci_agent.job.delivering import Delivered
from ci_agent.job.fetching import source_of
from ci_agent.job.progress import marker_of
from ci_agent.journal import Event, Journal, write
from ci_agent.journal.archive import unpacked
from ci_agent.platforms import Issue
from ci_agent.reporting.summary import Summary
from ci_agent.session.checkpoint import JOURNAL, State
from ci_agent.task import Account, Outcome, Task
from ci_agent.workspace import Source, Store, Workspace, carried


@dataclass(frozen=True, slots=True)
class Left:
    """A session as it was left, laid out on this machine."""

    case: Case
    parts: Delivered
    tree: str | None  # of its work; None: there is none, or it goes with nothing that is there now


def settle(case: Case, issue: Issue, kept: Kept, state: State, stop: Stop) -> Outcome:
    """End the session for which nobody comes any more by `stop`, with what there is of its work as a draft. Raises
    `CiAgentError` where it can't be done; it can be tried again then."""
    with _left(case, issue, kept, state) as left, left.parts.interrupts:
        outcome = session.settle(left.parts, stop, left.tree)
        keep_end(left.case.host, case.forge, case.settings, left.parts.journal.events, issue.number)
    return outcome


def say_again(case: Case, issue: Issue, kept: Kept, state: State) -> None:
    """Say the last word of a session that is over, which did not arrive. Raises `CiAgentError` where it does not again."""
    with _left(case, issue, kept, state) as left:
        session.Voice(left.parts).say_again()
        keep_end(left.case.host, case.forge, case.settings, left.parts.journal.events, issue.number)


@contextlib.contextmanager
def _left(case: Case, issue: Issue, kept: Kept, state: State) -> Iterator[Left]:
    job = case.host.job
    # Of its own: this job may fetch for a session as well.
    scratch = job.scratch / "settled" / issue.number
    case = replace(case, host=replace(case.host, job=replace(job, scratch=scratch)))
    folder = session_folder(scratch / "sessions", issue.number)
    events = unpacked(kept.files.get(JOURNAL, b""))
    write(folder / session.JOURNAL, events)
    source = source_of(case, issue, state.branch)
    stored = Store(source.git_dir, source.remote).read(issue.number)
    if stored is None or stored.commit != kept.commit:
        raise CheckpointError(f"the session of issue {issue.number} was moved on by somebody else meanwhile")
    put = carried(source, state.branch, state.work, state.began or source.base_sha)
    workspace = Workspace(put.source, folder)
    tree = put.tree if state.work and put.kept else None
    if tree:
        workspace.open_for_publishing(put.head)
        workspace.began = state.began or put.head
    with Journal(folder / session.JOURNAL, hides=case.host.guard) as journal:
        parts = Delivered(
            task=_task(issue, events, put.source, state),
            config=case.settings,
            platform=case.forge,
            workspace=workspace,
            journal=journal,
            folder=folder,
            marker=marker_of(state.session),
            guard=case.host.guard,
            started=time.monotonic() - state.seconds,
        )
        yield Left(case, parts, tree)


def _task(issue: Issue, events: tuple[Event, ...], source: Source, state: State) -> Task:
    started = Summary.of(events).started
    if started is None:
        raise CheckpointError(f"what is kept of issue {issue.number} says nothing of a session")
    return Task(
        issue=issue.number,
        reference=issue.reference,
        title=started.title,
        text="",  # nobody works by it any more
        author=issue.author.login,
        url=issue.url,
        repository=source.address,
        base=source.base,
        base_sha=source.base_sha,
        branch=state.branch,
        requester=started.requester,
        hint=started.hint,
        account=Account(started.mention, started.mention_id) if started.mention else None,
        request=started.request,
        job_url=started.job_url,
        labels=issue.labels,
    )
