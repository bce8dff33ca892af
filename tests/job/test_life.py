"""The life of sessions as a state machine: real roster, real checkpoints, real decisions, in any order of what can happen.

Jobs begin, go on, ask, end, die, and come back from the dead; persons ask again; whoever repairs comes along.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ci_agent.errors import MovedError
from ci_agent.guard import Guard
from ci_agent.job.repairing import lost
from ci_agent.job.resuming import goes_on
from ci_agent.job.roster import SHELF, Busy, Entry, Granted, Queued, Roster
from ci_agent.journal import Event, Fact
from ci_agent.journal.archive import unpacked
from ci_agent.journal.events import SessionEnded, SessionStarted, StatusChanged
from ci_agent.session import states
from ci_agent.session.checkpoint import JOURNAL, State, checked, contents
from ci_agent.task import Ending, Limits, Status
from ci_agent.triggers import Command, Verb
from ci_agent.workspace import Store

KEY = b"k" * 32
NOW = datetime(2026, 5, 4, tzinfo=UTC)
LIMITS = Limits(50, 60, 5, 10**6, 10**5, 3)
ISSUES = ("1", "2", "3")
MOST = 2
ENDINGS = {
    Status.COMPLETED: Ending.SUBMITTED,
    Status.FAILED: Ending.UNVERIFIED,
    Status.SUSPENDED: Ending.NEEDS_INPUT,
    Status.CANCELLED: Ending.CANCELLED,
}


@dataclass
class Job:
    """A CI's job, which may not know that it is dead."""

    number: str
    issue: str
    entry: Entry
    events: list[Event] = field(default_factory=list)
    known: str = ""  # the commit of the checkpoint that it goes on from
    session: str = ""
    working: bool = False
    alive: bool = True

    @property
    def status(self) -> Status | None:
        facts = [event.fact for event in self.events if isinstance(event.fact, StatusChanged | SessionEnded)]
        return facts[-1].status if facts else None


class Life(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="life-"))
        self.jobs: list[Job] = []
        self.clock = NOW
        self.saved: set[str] = set()  # issues, since what is kept was looked at last

    @initialize()
    def a_repository(self) -> None:
        subprocess.run(["git", "init", "--quiet", "--bare", str(self.folder)], check=True)

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def job_ended(self, job: str, heard: datetime | None = None) -> bool:
        return not any(one.alive for one in self.jobs if one.number == job)

    def roster(self) -> Roster:
        return Roster(Store(self.folder, None, SHELF), self, KEY, io.StringIO())

    def kept(self, issue: str) -> tuple[str, State, list[Event]] | None:
        stored = Store(self.folder, None).read(issue)
        if stored is None:
            return None
        return stored.commit, checked(stored, KEY), list(unpacked(stored.files[JOURNAL]))

    def append(self, job: Job, fact: Fact) -> None:
        self.clock += timedelta(seconds=1)
        job.events.append(Event(len(job.events) + 1, self.clock, fact))

    def save(self, job: Job) -> None:
        files = contents(tuple(job.events), job.number, self.clock, "", KEY, Guard())
        job.known = Store(self.folder, None).write(job.issue, files, None, job.known)
        self.saved.add(job.issue)

    def leave(self, job: Job) -> None:
        self.roster().release(job.entry)
        job.alive = job.working = False

    # --- what happens -------------------------------------------------------------------------------------

    @rule(
        issue=st.sampled_from(ISSUES),
        verb=st.sampled_from([Verb.RUN, Verb.RETRY, Verb.ANSWER]),
        fresh=st.booleans(),
    )
    def a_job_begins(self, issue: str, verb: Verb, fresh: bool) -> None:
        number = str(100 + len(self.jobs))
        entry = Entry(issue=issue, session=f"s{number}", job=number, job_url="", since=self.clock)
        job = Job(number, issue, entry)
        others = [one for one in self.jobs if one.alive and one.issue == issue]
        working = [one for one in self.jobs if one.alive and one.working]
        self.jobs.append(job)
        standing = self.roster().claim(entry, MOST)
        if isinstance(standing, Busy):
            assert others
            job.alive = False
        elif isinstance(standing, Queued):
            assert len(working) >= MOST or any(one.alive and not one.working for one in self.jobs[:-1])
        else:
            assert not others
            self.enter(job, Command(verb, fresh=fresh))

    @precondition(lambda self: any(one.alive and not one.working for one in self.jobs))
    @rule()
    def those_who_wait_look_again(self) -> None:
        for job in [one for one in self.jobs if one.alive and not one.working]:
            if isinstance(self.roster().claim(job.entry, MOST), Granted):
                self.enter(job, Command(Verb.RUN))

    def enter(self, job: Job, command: Command) -> None:
        """It is its turn: it goes on with what is kept, or begins."""
        job.working = True
        kept = self.kept(job.issue)
        job.session = f"s{job.number}"
        if kept is not None:
            job.known, state, events = kept
            if not goes_on(state, command, LIMITS):
                job.events, job.session = events, state.session
        self.append(
            job,
            SessionStarted(
                job.session,
                "1",
                "github",
                "r",
                job.issue,
                "#1",
                "t",
                "dana",
                "main",
                "b",
                "m",
                "full",
                LIMITS,
            ),
        )
        self.append(job, StatusChanged(Status.PENDING))

    @precondition(lambda self: any(one.working for one in self.jobs))
    @rule(data=st.data())
    def a_job_moves(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from([one for one in self.jobs if one.working]))
        following: list[Status] = [
            status
            for status in states.WORKING
            if status is not Status.PENDING and states.allowed(job.status, status)
        ]
        self.append(
            job, StatusChanged(data.draw(st.sampled_from(following or [job.status or Status.PENDING])))
        )
        if job.status not in (Status.PENDING, Status.CLONING):
            self.save(job)

    @precondition(lambda self: any(one.working for one in self.jobs))
    @rule(data=st.data())
    def a_job_ends(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from([one for one in self.jobs if one.working]))
        status = data.draw(st.sampled_from([one for one in states.ENDED if states.allowed(job.status, one)]))
        self.append(job, SessionEnded(status, ENDINGS[status], "It ended.", 0, 1.0))
        self.save(job)
        self.leave(job)

    @precondition(lambda self: any(one.alive for one in self.jobs))
    @rule(data=st.data())
    def a_job_dies(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from([one for one in self.jobs if one.alive]))
        job.alive = False

    @precondition(lambda self: any(one.working and not one.alive for one in self.jobs))
    @rule(data=st.data())
    def one_that_the_platform_calls_dead_saves_once_more(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from([one for one in self.jobs if one.working and not one.alive]))
        now = self.kept(job.issue)
        replaced = now is not None and now[0] != job.known
        try:
            self.save(job)
        except MovedError:
            assert replaced
        else:
            assert not replaced
        job.working = False

    @rule(issue=st.sampled_from(ISSUES))
    def somebody_repairs(self, issue: str) -> None:
        number = str(100 + len(self.jobs))
        entry = Entry(issue=issue, session=f"r{number}", job=number, job_url="", since=self.clock)
        job = Job(number, issue, entry)
        self.jobs.append(job)
        if not isinstance(self.roster().claim(entry, 500), Granted):
            job.alive = False
            return
        kept = self.kept(issue)
        if kept is not None and kept[1].status in states.WORKING and lost(kept[2]) >= MOST:
            job.known, _, job.events = kept
            self.append(job, SessionEnded(Status.FAILED, Ending.LOST, "It was lost.", 1, 1.0))
            self.save(job)
        self.leave(job)

    # --- what holds ---------------------------------------------------------------------------------------

    @invariant()
    def one_agent_on_an_issue_and_so_many_in_all(self) -> None:
        at_work = [one.issue for one in self.jobs if one.alive and one.working]
        assert len(at_work) == len(set(at_work)) <= MOST

    @invariant()
    def what_is_kept_is_whole_and_follows_the_table(self) -> None:
        while self.saved:
            kept = self.kept(self.saved.pop())
            assert kept is not None
            _, state, events = kept
            assert [event.sequence for event in events] == list(range(1, len(events) + 1))
            assert states.wrong(events) == []
            assert state.jobs == sum(isinstance(event.fact, SessionStarted) for event in events)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=12, stateful_step_count=20, deadline=None)
TestLife.pytestmark = [pytest.mark.slow]  # type: ignore[attr-defined]
