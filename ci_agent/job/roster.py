"""Who is at work in a repository, and who waits: one signed document in git at the platform, changed by compare-and-swap.

Of the jobs for one issue one is let in, and of all of them so many at a time. Whether a job is still there the platform
says, no clock. The order of the document is the order of the queue. Nothing is said to people here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Protocol, TextIO

import msgspec

from ci_agent import signing
from ci_agent.ci import Host, Job
from ci_agent.config import Config
from ci_agent.errors import CiAgentError
from ci_agent.job.checkpoints import key_of
from ci_agent.job.document import Document
from ci_agent.job.forges import remote_of
from ci_agent.platforms import Forge
from ci_agent.session.checkpoint import State
from ci_agent.workspace import Shelf, Store, store_at
from ci_agent.workspace.store import NUMBER

NAME: Final = "all"  # one for the whole repository: what is counted must be changed in one place
SHELF: Final = Shelf(
    "roster",
    refs="refs/ci-agent/roster/",
    branches="refs/heads/ci-agent/roster/",
    names=NAME,
    one="the roster",
)

# What is where.
DOCUMENT: Final = "roster.json"
SIGNATURE: Final = "roster.hmac"
PURPOSE: Final = "ci-agent roster 1"

ENTRIES: Final = 500  # more than that ask again later
BYTES: Final = 1_000_000  # of the document; one with as many entries as there may be is smaller
ASKED_AGAIN: Final = (
    60.0  # seconds after which the platform is asked about a job again; GitHub counts each request
)
_LONGEST_URL = 1000  # characters
_REPAIR = "repair-"  # begins what stands for a session where there is none


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A job that works on an issue, or waits for its turn. Several jobs of one run of GitHub's have the same `job`."""

    issue: Annotated[str, msgspec.Meta(pattern=rf"\A{NUMBER}\Z")]
    session: Annotated[str, msgspec.Meta(pattern=r"\A[0-9A-Za-z-]{1,100}\Z")]
    job: Annotated[str, msgspec.Meta(pattern=r"\A[0-9]{1,20}\Z")]  # what the platform cancels by
    job_url: Annotated[str, msgspec.Meta(max_length=_LONGEST_URL)]
    since: Annotated[datetime, msgspec.Meta(tz=True)]
    working: bool = False  # else it waits

    @property
    def repairs(self) -> bool:
        """Whether it only looks after what an earlier job left: nobody listens there, and its job has another issue."""
        return self.session.startswith(_REPAIR)

    def is_of(self, other: Entry) -> bool:
        """Whether both are of the same job and issue: a run that is tried again has the same number."""
        return (self.job, self.issue) == (other.job, other.issue)


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    entries: Annotated[list[Entry], msgspec.Meta(max_length=ENTRIES)]


@dataclass(frozen=True, slots=True)
class Granted:
    """The issue is ours, and so is a place."""

    gone: tuple[Entry, ...] = ()  # were taken out on the way: their jobs have ended


@dataclass(frozen=True, slots=True)
class Busy:
    """Another job has the issue; we are not on the roster."""

    other: Entry
    gone: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class Queued:
    """The issue is ours, and all places are taken."""

    position: int  # among those who wait, from 1
    busy: int  # who work
    most: int  # who may
    gone: tuple[Entry, ...] = ()


Standing = Granted | Busy | Queued


@dataclass(frozen=True, slots=True)
class Present:
    """Somebody on the roster."""

    entry: Entry
    gone: bool  # its job has ended


def files_of(entries: list[Entry], key: bytes | None) -> dict[str, bytes]:
    """The roster's files, signed with `key` where there is one."""
    document = _Document(entries)
    if key is None:
        return {DOCUMENT: msgspec.json.encode(document)}
    return dict(zip((DOCUMENT, SIGNATURE), signing.signed(document, key, PURPOSE), strict=True))


def entries_in(files: Mapping[str, bytes], key: bytes | None) -> list[Entry]:
    """Who is on the roster that has these files. Raises `signing.UnsignedError` where they are not signed with `key`, if
    there is one, and `signing.MalformedError` where they are no roster."""
    content, signature = files.get(DOCUMENT, b""), files.get(SIGNATURE, b"")
    if len(content) > BYTES:
        raise signing.MalformedError("it is too long")
    if key is None:
        return signing.stated(content, _Document).entries
    return signing.checked(content, signature, key, PURPOSE, _Document).entries


class Jobs(Protocol):
    """What is needed of a platform."""

    def job_ended(self, job: str, heard: datetime | None = None) -> bool: ...


def roster_of(host: Host, forge: Forge, settings: Config) -> Roster:
    """The roster of the repository whose job this is. Raises `CiAgentError` where it can't be had."""
    store = store_at(remote_of(forge), host.job.scratch / "roster.git", SHELF, at_once=True)
    return Roster(store, forge, key_of(settings), host.output.log)


def entry_of(job: Job, issue: str, session: str, now: datetime) -> Entry:
    """The job that we are, as it stands on the roster."""
    url = job.url if len(job.url) <= _LONGEST_URL else ""
    return Entry(issue=issue, session=session, job=job.run, job_url=url, since=now)


def repair_of(job: Job, issue: str, now: datetime) -> Entry:
    """The job that we are, while it looks after what others left of an issue."""
    return entry_of(job, issue, f"{_REPAIR}{job.run}", now)


def unlisted(state: State) -> Entry:
    """The job that saved a session with this state, and is at work although the roster does not say so."""
    return Entry(
        issue=state.issue,
        session=state.session,
        job=state.job,
        job_url=state.job_url,
        since=state.saved,
        working=True,
    )


class Roster:
    """The roster in `store`, signed with `key`.

    What was not signed with it counts as empty, which the log says. Where there is no `key`, every roster is taken as it
    stands: whoever may push can have written it, and could as well have started or cancelled the jobs themselves.
    A platform that can't say whether a job has ended is taken to mean that it has not.
    """

    def __init__(
        self,
        store: Store,
        jobs: Jobs,
        key: bytes | None,
        log: TextIO,
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._jobs = jobs
        self._log = log
        self._clock = clock
        self._asked: dict[str, float] = {}  # jobs that had not ended, each with when that was
        self._document = Document(
            store,
            NAME,
            read=lambda files: entries_in(files, key),
            written=lambda entries: files_of(entries, key),
            empty=list[Entry](),
            doubt=self._doubt,
            pause=pause,
            clock=clock,
        )

    def claim(self, mine: Entry, most: int) -> Standing:
        """Ask for the issue of `mine` and for one of `most` places. Asked again, it is the same claim: who waits asks until
        it is granted, in the order of those who wait. Raises `CiAgentError` where the roster can't be had."""
        return self._document.changed(lambda held: self._judged(held, mine, most))

    def release(self, mine: Entry) -> None:
        """Take `mine` off the roster, if it is there. Raises `CiAgentError` where the roster can't be had."""

        def without(held: list[Entry]) -> tuple[list[Entry], None]:
            return [one for one in held if not (one.is_of(mine) and one.session == mine.session)], None

        self._document.changed(without)

    def entries(self, issue: str | None = None) -> list[Present]:
        """Who works and who waits, on `issue` or on all of them, in the order of the queue."""
        return [Present(one, self._ended(one)) for one in self._document.read() if issue in (None, one.issue)]

    def sessions(self, issue: str, but: str) -> list[Entry]:
        """The jobs but for `but` that work on `issue` or wait for their turn, as far as they are there."""
        there = [one.entry for one in self.entries(issue) if not one.gone]
        return [one for one in there if one.job != but and not one.repairs]

    # --- who comes first ----------------------------------------------------------------------------------

    def _judged(self, held: list[Entry], mine: Entry, most: int) -> tuple[list[Entry], Standing]:
        """The roster as it is with our claim on it, and how we stand then.

        Only those jobs are asked about on whom it depends, each of which may cost a request.
        """
        # Jobs of one run look after each other's issues, too: neither takes the other's entry for its own.
        before = next((one for one in held if one.is_of(mine) and one.repairs == mine.repairs), None)
        others = [one for one in held if one is not before]
        gone: list[Entry] = []
        for other in others:
            if other.issue == mine.issue:
                if not self._ended(other, mine):
                    return [one for one in others if one not in gone], Busy(other, tuple(gone))
                gone.append(other)
        at = held.index(before) if before else len(held)
        first = [one for one in others if one.working]
        first += [one for one in held[:at] if not one.working]
        ahead = self._there(first, mine, most, gone)
        if before is not None and before.session != mine.session:
            gone.append(before)  # of an earlier try of this run
        granted = len(ahead) < most or (before is not None and before.working)
        entry = msgspec.structs.replace(mine, working=granted)
        wanted = [entry if one is before else one for one in held if one is before or one not in gone]
        if before is None and len(wanted) < ENTRIES:
            wanted.append(entry)
        elif before is None:
            granted = False
        if granted:
            return wanted, Granted(tuple(gone))
        busy = sum(one.working for one in ahead)
        return wanted, Queued(len(ahead) - busy + 1, busy, most, tuple(gone))

    def _there(self, first: Sequence[Entry], mine: Entry, most: int, gone: list[Entry]) -> list[Entry]:
        """Those of `first` who are still there, as far as it is of any consequence; the others are `gone`."""
        found: list[Entry] = []
        for one in first:
            if one in gone:
                continue
            if len(found) < most and self._ended(one, mine):
                gone.append(one)
            else:
                found.append(one)
        return found

    def _ended(self, one: Entry, mine: Entry | None = None) -> bool:
        if mine is not None and one.job == mine.job:
            return False
        asked = self._asked.get(one.job)
        if asked is not None and self._clock() - asked < ASKED_AGAIN:
            return False
        try:
            ended = self._jobs.job_ended(one.job, one.since)
        except CiAgentError as error:
            self._say(f"Job {one.job} counts as at work, because the platform does not say: {error}")
            ended = False
        if not ended:
            self._asked[one.job] = self._clock()
        return ended

    def _doubt(self, why: str) -> None:
        self._say(f"The roster of who is at work is taken to be empty: {why}.")

    def _say(self, text: str) -> None:
        print(text, file=self._log, flush=True)
