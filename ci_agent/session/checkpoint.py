"""The checkpoint of a session: what of it outlives a job that dies, and when it is saved.

A checkpoint is a handful of files and the commit of the work so far, kept in git at the platform (see
`workspace.store`), so that neither a server nor the runner's disk is needed. Whoever reads one takes it for a
stranger's until its signature holds: anybody who may push can write there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Final

import msgspec

from ci_agent import signing
from ci_agent.errors import CheckpointError, CiAgentError, GitError, Interrupted, MovedError
from ci_agent.guard import Guard
from ci_agent.journal import Event
from ci_agent.journal.archive import packed
from ci_agent.journal.events import (
    AgentStopped,
    ModelReplied,
    PolicyAction,
    SessionEnded,
    SessionStarted,
    StatusChanged,
    Warned,
)
from ci_agent.journal.journal import as_line
from ci_agent.reporting.summary import Summary
from ci_agent.sandbox.paths import there
from ci_agent.session import conversation
from ci_agent.session.conversation import Conversation
from ci_agent.session.outgoing import holds_secrets
from ci_agent.session.parts import Keeping, Parts
from ci_agent.session.policy import judged
from ci_agent.session.voice import last_word_said, of_this_job
from ci_agent.task import Status
from ci_agent.workspace import Author, Store, Stored, same_repository

# What is where in a checkpoint.
STATE: Final = "state.json"
SIGNATURE: Final = "state.hmac"
JOURNAL: Final = "journal.jsonl.gz"
CONVERSATION: Final = "conversation.json.gz"  # there while there is one to go on with

PURPOSE: Final = "ci-agent checkpoint 1"  # signed along, so that no other file with the key counts as one

STEPS = 20  # replies of the model after which it is saved, whatever the status
SECONDS = 300.0  # the same in time
_HURRY = (
    3  # seconds that the platform may be silent once the job was cancelled: GitHub kills it 10 s after that
)
_TITLE = 200  # characters of the issue's title
_SENTENCE = 1_000  # characters of how it ended


class State(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a session is known by without its journal. Times are UTC, `cost` is US dollars."""

    repository: str  # its address
    issue: str
    title: str
    session: str
    job: str  # the CI's run that worked on it last
    job_url: str
    requester: str
    status: Status
    ending: str  # empty while it goes on
    sentence: str  # how it ended
    base: str
    base_sha: str
    branch: str
    merge_request: str  # its number; empty: none
    merge_request_url: str
    model: str  # that answered last
    steps: int
    tokens: int
    cost: float
    priced: bool  # the prices of all replies are known
    seconds: float  # worked
    started: datetime
    saved: datetime
    work: str  # the commit of the work so far; empty: none
    began: str  # the commit that the work began on; empty: it has not begun
    jobs: int  # that worked on it
    said: bool  # the issue says how it ended
    elided: int  # texts of the journal that were left out of the checkpoint
    files: dict[str, signing.Digest]  # the others

    @property
    def over(self) -> bool:
        """It has ended, and goes on only if somebody asks for it anew."""
        return self.status in (Status.COMPLETED, Status.FAILED, Status.CANCELLED)


def contents(
    events: tuple[Event, ...],
    job: str,
    saved: datetime,
    work: str,
    key: bytes,
    guard: Guard,
    context: Conversation | None = None,
) -> Mapping[str, bytes]:
    """The files of a checkpoint of the session with these events, at least one, the commit `work` (empty: none) and what the
    model at work sees (None: there is nobody at work).

    Raises `JournalError` where the journal can't be made small enough, and `CheckpointError` where something in it must not
    leave, after `guard` has noted that.
    """
    archive = packed(events)
    files = {JOURNAL: archive.content}
    plain = conversation.written(context, guard) if context else b""
    if short := conversation.packed(plain):
        files[CONVERSATION] = short
    state = _state(Summary.of(events), events[0].at, job, saved, archive.left_out)
    state = msgspec.structs.replace(
        state,
        work=work,
        jobs=sum(isinstance(event.fact, SessionStarted) for event in events),
        said=last_word_said(events),
        files={name: signing.Digest.of(content) for name, content in files.items()},
    )
    document, signature = signing.signed(state, key, PURPOSE)
    found = guard.found(document + plain + b"".join(map(as_line, events)))
    if found:
        raise CheckpointError(guard.stopped("checkpoint", found))
    return {STATE: document, SIGNATURE: signature, **files}


def checked(stored: Stored, key: bytes) -> State:
    """The state in a checkpoint. Raises `CheckpointError` where it is not signed with `key`, or the files or the commit of
    the work are not those that were signed."""
    files = stored.files
    try:
        state = signing.checked(files.get(STATE, b""), files.get(SIGNATURE, b""), key, PURPOSE, State)
    except signing.UnsignedError as error:
        raise CheckpointError("it is not signed with this repository's key, or was changed since") from error
    except signing.MalformedError as error:
        raise CheckpointError(f"it has a state that is none: {error}") from error
    if state.files != {name: signing.Digest.of(files[name]) for name in files.keys() - {STATE, SIGNATURE}}:
        raise CheckpointError("it has other files than those that were signed")
    if state.work != (stored.work or ""):
        raise CheckpointError("its work is another one than what was signed")
    return state


def checked_for(stored: Stored, key: bytes, issue: str, address: str) -> State:
    """As `checked`; raises as well where it is that of another issue than `issue` of the repository at `address`, copied from
    there."""
    state = checked(stored, key)
    if state.issue != issue or not same_repository(address, state.repository):
        raise CheckpointError(f"it is that of issue {state.issue} of {state.repository}")
    return state


def stated(document: bytes) -> State:
    """What a state's document says, signed or not. Raises `CheckpointError` where it is none."""
    try:
        return signing.stated(document, State)
    except signing.MalformedError as error:
        raise CheckpointError(f"it has a state that is none: {error}") from error


def _state(summary: Summary, started: datetime, job: str, saved: datetime, elided: int) -> State:
    begun, place, request = summary.started, summary.workspace, summary.merge_request
    return State(
        repository=begun.repository if begun else "",
        issue=begun.issue if begun else "",
        title=_encodable(begun.title[:_TITLE]) if begun else "",
        session=begun.session if begun else "",
        job=job,
        job_url=begun.job_url if begun else "",
        requester=begun.requester if begun else "",
        status=summary.status,
        ending=summary.ended.ending if summary.ended else "",
        sentence=_encodable(summary.ended.sentence[:_SENTENCE]) if summary.ended else "",
        base=begun.base if begun else "",
        base_sha=place.base_sha if place else "",
        branch=begun.branch if begun else "",
        merge_request=request.number if request else "",
        merge_request_url=request.url if request else "",
        model=summary.models[-1] if summary.models else begun.model if begun else "",
        steps=summary.replies,
        tokens=summary.usage.prompt + summary.usage.completion,
        cost=summary.cost,
        priced=summary.unpriced == 0,
        seconds=summary.seconds,
        started=started,
        saved=saved,
        work="",
        began=place.head_sha if place else "",
        jobs=1,
        said=False,
        elided=elided,
        files={},
    )


def _encodable(text: str) -> str:
    """Half a surrogate pair, which texts of strangers can hold, is none of UTF-8's."""
    return text.encode("utf-8", "replace").decode()


class Checkpointer:
    """Saves the session at each change of its status, the first one included, after every `STEPS` steps or `SECONDS`, and at
    its end.

    It saves between two steps only, when no command is at work in the checkout, and never between the agent's end and the
    session's: what is left to do then is the work and the last word. What can't be saved is said once and tried again the
    next time: a platform that is out of order is no reason to stop.
    """

    name = "checkpoint"

    def __init__(self, parts: Parts, keeping: Keeping, now: Callable[[], float] = time.monotonic) -> None:
        self._parts = parts
        self._keeping = keeping
        self._now = now
        self._known = keeping.known
        self._work = keeping.work  # the last commit that could leave
        resumed = parts.resumed
        # Of it nothing is in the files; it stays while there is nothing else.
        self._left = "" if resumed and resumed.carried.kept else keeping.work
        self._store: Store | None = None
        self._tried_at = now()
        self._steps = 0
        self._over = False  # the agent's part is
        self._lost = False  # somebody else's is there now
        self._told = False

    def observe(self, event: Event) -> None:
        self._over |= isinstance(event.fact, AgentStopped)
        self._steps += isinstance(event.fact, ModelReplied)
        if self._lost:
            return
        if isinstance(event.fact, SessionEnded):
            if event.fact.status is Status.CANCELLED:
                self._at_hand().hurry(_HURRY)
            try:
                with (
                    self._parts.interrupts.released()
                ):  # all is said, so a signal that comes now means just this
                    self._save(event.at)
            except Interrupted:
                self._at_hand().hurry(_HURRY)
                self._save(event.at)
        elif self._is_due(event):
            self._save(event.at)

    def _is_due(self, event: Event) -> bool:
        if self._over:
            return False
        waited = self._steps >= STEPS or self._now() - self._tried_at >= SECONDS
        return isinstance(event.fact, StatusChanged) or (isinstance(event.fact, ModelReplied) and waited)

    def _save(self, at: datetime) -> None:
        self._tried_at, self._steps = self._now(), 0
        parts, keeping = self._parts, self._keeping
        try:
            work = self._work_now()
            # Until its model is at work again, a session that goes on keeps what the earlier job left.
            seen = parts.context.seen() or (parts.resumed.conversation if parts.resumed else None)
            files = contents(parts.journal.events, keeping.job, at, work, keeping.key, parts.guard, seen)
            self._known = self._at_hand().write(parts.task.issue, files, work or None, self._known)
        except MovedError:
            self._lost = True
            self._warn(
                "Somebody else wrote the checkpoint of this issue, so this session's is no longer saved."
            )
        except (CiAgentError, OSError) as error:
            if not self._told:
                self._told = True
                self._warn(f"The session could not be saved for a later job; it is tried again. {error}")

    def _at_hand(self) -> Store:
        """The store, with the repository that has the work: the control repository is gone once that was handed over."""
        workspace = self._parts.workspace
        control = workspace.control.git_dir
        here = control if there(control) else workspace.source.git_dir
        if self._store is None:
            self._store = Store(here, workspace.source.remote)
        self._store.use(here)
        return self._store

    def _work_now(self) -> str:
        """The commit of the work so far; where it must not leave or can't be told, the last one that could. Empty: none."""
        with suppress(GitError):
            now = self._work_of_now()
            if now is not None:
                self._work = now or self._left
        return self._work

    def _work_of_now(self) -> str | None:
        """Empty: no file is changed, perhaps not any more. None: it must not leave, or can't be told."""
        parts = self._parts
        workspace, summary = parts.workspace, Summary.of(of_this_job(parts.journal.events))
        if summary.committed is not None:
            judged_so = summary.policy is not None and summary.policy.action is not PolicyAction.REFUSE
            return summary.committed.sha if judged_so else None
        if workspace.start is None or not there(workspace.root):
            return None
        tree = workspace.tree()
        if tree == workspace.control.tree_of(workspace.start):
            return ""
        if holds_secrets(parts, tree) or judged(parts, tree).action is PolicyAction.REFUSE:
            return None
        settings = parts.config.git
        author = Author(settings.user_name, settings.user_email)
        message = f"Work in progress on {parts.task.reference}\n\n[skip ci]\n"
        return workspace.control.commit(tree, workspace.start, message, author)

    def _warn(self, text: str) -> None:
        self._parts.journal.append(Warned(text))
