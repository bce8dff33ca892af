"""The way back: one commit, the branch, the remote, the merge request."""

from __future__ import annotations

from datetime import datetime

from ci_agent.agent import Stop
from ci_agent.errors import CiAgentError, Interrupted
from ci_agent.journal.events import (
    AgentStopped,
    Committed,
    HandedOver,
    MergeRequestWritten,
    PolicyAction,
    Pushed,
)
from ci_agent.reporting import merge_request
from ci_agent.reporting.commit_message import commit_message, plain_title
from ci_agent.reporting.summary import Summary
from ci_agent.session.approval import held
from ci_agent.session.endings import ENDINGS, FAILED
from ci_agent.session.outgoing import suspicions, withheld
from ci_agent.session.parts import Delivery
from ci_agent.session.policy import judged, stopped_by
from ci_agent.session.voice import Voice
from ci_agent.task import Ending, Status
from ci_agent.workspace import Author, Way

_ON_TOP = (
    "Somebody pushed to {} while this was worked on. This work was put on top of theirs; the tests ran on it alone, not "
    "on the two together."
)
_TROUBLES = 5  # that are told


def hand_over(parts: Delivery, voice: Voice, stop: Stop, tree: str | None) -> Stop:
    """Save the work, `tree` or else what there is in the checkout, and remove the checkout once nothing would
    be lost with it. Gives how it ended now: work that went on top of somebody else's was not tested with it.

    What the policy refuses is saved here and never pushed, nor is what a person has to approve first. Raises `CiAgentError` when something can't be done as asked; what could be done is done and journalled.
    """
    workspace, task = parts.workspace, parts.task
    if tree is None and workspace.start is not None:
        tree = workspace.tree()
    for trouble in workspace.troubles[:_TROUBLES]:
        voice.warn(f"Not part of the work: {trouble}")
    if tree is None or tree == workspace.control.tree_of(task.base_sha):
        workspace.remove()
        return stop
    kept_in = withheld(parts, tree)
    if kept_in:
        workspace.remove()
        return kept_in
    voice.status(Status.COMMITTING)
    sha = _commit(parts, voice, tree)
    doubt = suspicions(parts, sha)
    workspace.control.hand_over(sha, task.branch)
    parts.journal.append(HandedOver(workspace.source.place, task.branch, sha))
    judgement = judged(parts, tree)
    parts.journal.append(judgement)
    holds = stop.ending is Ending.SUBMITTED
    stop = stopped_by(judgement, stop)
    if parts.config.git.push and judgement.action is PolicyAction.REFUSE:
        workspace.remove()
        return stop
    waiting = held(parts, stop, tree, holds=holds)
    if waiting or not parts.publishes:
        workspace.remove()
        return waiting or _doubted(parts, stop, doubt)
    problem = _push(parts, voice, sha) if parts.config.git.push else None
    workspace.remove()
    if problem and workspace.source.is_copy:  # what is not there can't be merged
        raise problem
    stop = _doubted(parts, stop, doubt)
    if ENDINGS[stop.ending][0] in (Status.COMPLETED, Status.FAILED):
        _merge_request(parts, voice, draft=stop.ending is not Ending.SUBMITTED)
    if problem:
        raise problem
    return stop


def _doubted(parts: Delivery, stop: Stop, doubt: str) -> Stop:
    """How it ended now, where a person has to look first at what nobody tested, or at what looks like a secret."""
    if stop.ending is Ending.SUBMITTED and not Summary.of(parts.journal.events).together:
        return Stop(Ending.UNVERIFIED, _ON_TOP.format(parts.task.branch))
    return Stop(Ending.UNVERIFIED, doubt) if stop.ending is Ending.SUBMITTED and doubt else stop


def _commit(parts: Delivery, voice: Voice, tree: str) -> str:
    workspace, settings = parts.workspace, parts.config.git
    head = workspace.start or parts.task.base_sha
    made = tree != workspace.control.tree_of(workspace.began or head)
    if tree == workspace.control.tree_of(head):
        sha = head  # perhaps a job of this session pushed it, and did not live to tell
        if not made:
            voice.warn("Nothing was changed in this run; the branch is as an earlier one left it.")
    else:
        message = commit_message(parts.journal.events)
        author = Author(settings.user_name, settings.user_email)
        sha = workspace.control.commit(tree, head, message, author, at=_work_ended(parts))
    parts.patch.write_bytes(workspace.control.diff(sha))
    changes = workspace.control.changes(sha)
    large = workspace.in_large_storage([change.path for change in changes])
    if large:
        voice.warn(f"Kept by Git LFS, but committed with its content: {', '.join(large)}. Please look at it.")
    parts.journal.append(Committed(sha, tree, workspace.control.title_of(sha), changes, made))
    return sha


def _work_ended(parts: Delivery) -> datetime:
    """When the agent stopped: a commit with this date is the same one when it is made again."""
    return next(event.at for event in reversed(parts.journal.events) if isinstance(event.fact, AgentStopped))


def _push(parts: Delivery, voice: Voice, sha: str) -> CiAgentError | None:
    """Push to the remote; gives back what went wrong.

    Nothing here can be torn in the middle, and a server may take for ever: signals count again meanwhile.
    """
    workspace, task, settings = parts.workspace, parts.task, parts.config.git
    where = workspace.source.remote.url if workspace.source.remote else ""
    try:
        with parts.interrupts.released():
            landed = workspace.push(sha, task.branch, Author(settings.user_name, settings.user_email))
    except CiAgentError as error:
        return error
    except Interrupted as stopped:
        problem = CiAgentError(f"the push to {where} was stopped by {stopped.name}")
        problem.exit_code = 128 + stopped.signal
        return problem
    parts.journal.append(Pushed(where, landed.branch, landed.sha, tested=landed.way is not Way.ON_TOP))
    if landed.way is Way.ON_TOP:
        voice.warn(_ON_TOP.format(task.branch))
    if landed.way is not Way.BESIDE:
        return None
    return CiAgentError(
        f"somebody changed {task.branch} while this was worked on, and this work could not be put on top of that; it "
        f"is saved on the branch {landed.branch}. Bring the two together there, or ask for another attempt"
    )


def _merge_request(parts: Delivery, voice: Voice, *, draft: bool) -> None:
    platform, task = parts.platform, parts.task
    earlier = platform.find_merge_request(task.branch)
    if earlier is not None and not earlier.open:
        voice.warn(f"The merge request {earlier.number} of this branch was closed; a new one is opened.")
    guidance = platform.guidance(task.issue, task.branch)
    events = parts.journal.events
    text = merge_request.text(events, fetch_hint=guidance.fetch, feedback_hint=guidance.feedback)
    # A person may have given it a better title, and an earlier run knew the first half of the story.
    stays = earlier is not None and earlier.open and earlier.title != plain_title(Summary.of(events))
    written = platform.ensure_merge_request(
        task.branch,
        task.base,
        title=earlier.title if earlier is not None and stays else merge_request.title(events),
        text=text,
        draft=draft,
        add_labels=[FAILED] if draft else [],
        remove_labels=[] if draft else [FAILED.name],
        reviewer=task.account,
    )
    parts.merge_request_text.write_text(text, encoding="utf-8")
    request = written.item
    parts.journal.append(
        MergeRequestWritten(
            request.number, request.url, request.title, request.draft, written.created, request.reference
        )
    )
