"""The story of one session, from the issue to the merge request, top to bottom.

Every fact is in the journal before anybody sees it, and whatever happens, it ends with a true last word and
the work so far saved.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ci_agent import __version__
from ci_agent.agent import Stop, choose
from ci_agent.agent.resuming import answer_in_full
from ci_agent.config import FILE_NAME
from ci_agent.errors import CiAgentError, Interrupted, JournalError
from ci_agent.journal.events import (
    AgentStopped,
    ConnectionsRefused,
    HiddenLeftOut,
    IssueRead,
    PlaceRefused,
    ProposalDecided,
    SandboxProved,
    SessionEnded,
    SessionResumed,
    SessionStarted,
    WorkspaceReady,
)
from ci_agent.platforms import Comment
from ci_agent.reporting.summary import CHECKOUT_KEPT, Summary
from ci_agent.reporting.wording import count
from ci_agent.sandbox.paths import there
from ci_agent.session.checkpoint import Checkpointer
from ci_agent.session.endings import END_LABELS, ENDINGS, RUNNING
from ci_agent.session.handover import hand_over
from ci_agent.session.heard import digest, task_as_seen
from ci_agent.session.parts import Delivery, Parts
from ci_agent.session.proof import Proof
from ci_agent.session.voice import Voice
from ci_agent.session.work import solve
from ci_agent.task import Ending, Outcome, Status


def run(parts: Parts) -> Outcome:
    """Do the whole job. What can happen to a session is in the outcome, nothing of it is raised.

    Raises only `JournalError`: without a journal there is nothing true to say but that.
    """
    task, left_out = task_as_seen(parts.task)
    parts = replace(parts, task=task)
    voice = Voice(parts)
    try:
        end = _guarded(parts, lambda: _work(parts, voice, left_out))
        parts.journal.append(AgentStopped(end.stop.ending, end.stop.detail))
        end = _guarded(parts, lambda: _handed_over(parts, voice, end))
        return _last_word(parts, voice, end)
    except JournalError as error:
        parts.confinement.close()  # and what commands kept for a moment is gone: the disk may be full
        voice.without_journal(error)
        raise


def publish(parts: Delivery, stop: Stop, tree: str | None) -> Outcome:
    """Publish the work of a session that `publishes` not: its journal goes on in `parts`, up to the last word. `tree` is
    the work, `None` for none; `stop` is how the agent's work ended, or the session where there is nothing to hand over.

    Raises only `JournalError`, as `run` does.
    """
    voice = Voice(parts)
    try:
        end = _guarded(parts, lambda: _handed_over(parts, voice, _End(stop, tree)))
        voice.begin()
        return _last_word(parts, voice, end)
    except JournalError as error:
        voice.without_journal(error)
        raise


def settle(parts: Delivery, stop: Stop, tree: str | None) -> Outcome:
    """End a session that was left in the middle and that nobody goes on with: what there is of its work, `tree`, is published
    as it is. Raises only `JournalError`."""
    parts.journal.append(AgentStopped(stop.ending, stop.detail))
    return publish(parts, stop, tree)


def _work(parts: Parts, voice: Voice, left_out: Sequence[HiddenLeftOut]) -> _End:
    said = _begin(parts, voice)
    for fact in left_out:
        parts.journal.append(fact)
    head = _prepare(parts, voice)
    voice.status(Status.ANALYZING)
    proof = Proof(parts)
    try:
        stop = proof.set_up() or proof.measure_base()
        if stop is not None:
            return _End(stop)
        return _End(*solve(parts, voice, proof, head, said))
    finally:
        proof.close()
        _note_refused(parts)


def _note_refused(parts: Parts) -> None:
    """Where commands wanted to connect to and could not."""
    places = tuple(PlaceRefused(one.host, one.count, one.why) for one in parts.confinement.refused())
    if places:
        parts.journal.append(ConnectionsRefused(places))


def _handed_over(parts: Delivery, voice: Voice, end: _End) -> _End:
    try:
        return replace(end, stop=hand_over(parts, voice, end.stop, end.tree))
    except JournalError:
        raise
    except CiAgentError as error:
        said = f"The work could not be handed over as asked: {error}"
        return _End(Stop(Ending.ENVIRONMENT, said), exit_code=error.exit_code)


@dataclass(frozen=True, slots=True)
class _End:
    """How a part of the story ended. `exit_code` is set where the ending alone does not say it."""

    stop: Stop
    tree: str | None = None  # that was tested; None: what there is in the checkout
    exit_code: int | None = None


def _guarded(parts: Delivery, part: Callable[[], _End]) -> _End:
    """How `part` ended, whatever happened to it; only the journal's failure goes through.

    From then on signals wait: saving the work and saying the last word must not be torn in the middle. One
    that comes while the last word is said comes too late; everything it asks for is done.
    """
    try:
        end = part()
        parts.interrupts.hold()
    except Interrupted as stopped:
        parts.interrupts.hold()
        return _End(Stop(Ending.CANCELLED, _stopped(parts, stopped)), exit_code=128 + stopped.signal)
    except JournalError:
        raise
    except CiAgentError as error:
        end = _End(Stop(Ending.ENVIRONMENT, str(error)), exit_code=error.exit_code)
    except Exception as error:  # noqa: BLE001 - the outermost place: the last word must be said whatever happened
        end = _End(Stop(Ending.INTERNAL, f"A defect in ci-agent: {type(error).__name__}: {error}"))
    parts.interrupts.hold()
    return end


def _stopped(parts: Delivery, stopped: Interrupted) -> str:
    """Who ended it, as a sentence. The signals of a CI say nothing to people, and do not tell a cancel from time that is up."""
    if stopped.by or not parts.task.job_url:
        return f"Stopped by {stopped.name}."
    return "The CI ended the job: somebody cancelled it, or its time was up."


def _begin(parts: Parts, voice: Voice) -> Sequence[Comment]:
    """Say what this is; gives what people said on the issue."""
    task, platform = parts.task, parts.platform
    asked = Summary.of(parts.journal.events).asked
    parts.journal.append(
        SessionStarted(
            session=parts.session,
            version=__version__,
            platform=platform.name,
            repository=task.repository,
            issue=task.issue,
            reference=task.reference,
            title=task.title,
            requester=task.requester,
            base=task.base,
            branch=task.branch,
            model=(parts.models.of(choose(task, parts.models).role) or parts.models.default).name,
            sandbox=parts.confinement.proof.level,
            limits=parts.limits,
            mention=task.account.login if task.account else "",
            mention_id=task.account.id if task.account else "",
            request=task.request,
            hint=task.hint,
            granted=task.granted,
            job_url=task.job_url,
            asked_at=task.asked_at,
        )
    )
    if resumed := parts.resumed:
        parts.journal.append(
            SessionResumed(
                resumed.job,
                resumed.why,
                resumed.conversation is not None,
                resumed.carried.said,
                answer=answer_in_full(resumed.said, asked.choices) if asked else "",
            )
        )
        if resumed.approves is not None:
            parts.journal.append(ProposalDecided(resumed.approves, resumed.by, resumed.said))
    voice.begin()
    if parts.keeping:
        parts.journal.watch(Checkpointer(parts, parts.keeping))
    voice.status(Status.PENDING)
    proof = parts.confinement.proof
    parts.journal.append(
        SandboxProved(proof.level, parts.config.sandbox.network, proof.open, proof.lacking, proof.seconds)
    )
    parts.confinement.require()
    for notice in parts.confinement.notices:
        voice.warn(notice)
    said = [comment for comment in platform.comments(task.issue) if not comment.ours]
    parts.journal.append(IssueRead(task.issue, task.title, task.author, task.url, len(said), digest(task)))
    voice.label(RUNNING)
    return said


def _prepare(parts: Parts, voice: Voice) -> str:
    """Lay the checkout out at the base commit; gives the commit the work goes on from."""
    voice.status(Status.CLONING)
    source, task = parts.workspace.source, parts.task
    if source.uncommitted:
        settings = f" {FILE_NAME} is among them: its settings count once it is committed."
        voice.warn(
            f"{count(len(source.uncommitted), 'file')} with uncommitted changes in {source.address} not part of "
            f"this work, which starts from the last commit.{settings if FILE_NAME in source.uncommitted else ''}"
        )
    head = source.branch_sha(task.branch) or task.base_sha
    began = parts.resumed.began if parts.resumed else head
    parts.workspace.lay_out()
    parts.journal.append(
        WorkspaceReady(
            base=task.base,
            base_sha=task.base_sha,
            branch=task.branch,
            head_sha=began,
            earlier=parts.workspace.control.titles(task.base_sha, began),
            continued=source.branch_sha(task.branch) is not None,
            path=str(parts.workspace.root),
        )
    )
    return head


def _last_word(parts: Delivery, voice: Voice, end: _End) -> Outcome:
    if there(parts.workspace.root):
        voice.warn(f"{CHECKOUT_KEPT}{parts.workspace.root}.")
    status, code = ENDINGS[end.stop.ending]
    outcome = Outcome(status, end.stop.ending, end.stop.detail, end.exit_code or code)
    voice.label(END_LABELS[status])
    seconds = time.monotonic() - parts.started
    parts.journal.append(
        SessionEnded(outcome.status, outcome.ending, outcome.sentence, outcome.exit_code, seconds)
    )
    return outcome
