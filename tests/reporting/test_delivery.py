"""When the comment is published."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from ci_agent.errors import CiAgentError
from ci_agent.journal import Fact, Journal
from ci_agent.journal.events import (
    CommandStarted,
    CommentWritten,
    MergeRequestWritten,
    ObserverFailed,
    SessionEnded,
    SetupRan,
    StatusChanged,
)
from ci_agent.reporting.delivery import EDITS, FOR_END, FOR_STATUS, GAP, PATIENCE, SHARE, CommentObserver
from ci_agent.task import Ending, Status
from tests.support.stories import answered, called, ended, facts, plan, replied, started, success, working

END = SessionEnded(Status.CANCELLED, Ending.CANCELLED, "Over.", 130, 1.0)


class Thread:
    """An issue's comment that remembers its versions, a journal, and a clock that is moved by hand."""

    def __init__(self, folder: Path, *earlier: Fact) -> None:
        self.versions: list[str] = []
        self.seconds = 0.0
        self.broken = 0  # so many of the next tries fail
        self.journal = Journal(folder / "session.jsonl")
        for fact in earlier:
            self.journal.append(fact)
        self.journal.watch(
            CommentObserver(self.publish, lambda: self.journal.events, now=lambda: self.seconds)
        )

    def publish(self, text: str) -> None:
        if self.broken:
            self.broken -= 1
            raise CiAgentError("502")
        self.versions.append(text)
        self.journal.append(CommentWritten("url", "progress", len(self.versions) == 1))

    def tell(self, *facts: Fact) -> int:
        """Append the facts; gives how often the comment was published for them."""
        before = len(self.versions)
        for fact in facts:
            self.journal.append(fact)
        return len(self.versions) - before


@pytest.fixture
def thread(tmp_path: Path) -> Iterator[Thread]:
    made = Thread(tmp_path)
    yield made
    made.journal.close()


def test_the_first_event_is_told_at_once(thread: Thread) -> None:
    assert thread.tell(started()) == 1


def test_a_change_of_status_is_told_at_once(thread: Thread) -> None:
    thread.tell(started())
    assert thread.tell(StatusChanged(Status.CLONING), StatusChanged(Status.CODING)) == 2


def test_steps_are_told_at_most_every_ten_seconds(thread: Thread) -> None:
    thread.tell(started(), StatusChanged(Status.CODING))
    assert thread.tell(*(called(n, "bash", command=f"make {n}") for n in range(20))) == 0
    thread.seconds += GAP
    assert thread.tell(called(21, "bash", command="make x"), called(22, "bash", command="make y")) == 1


def test_what_may_take_long_is_told_when_it_begins_and_not_what_just_ended(thread: Thread) -> None:
    thread.tell(started(), StatusChanged(Status.ANALYZING))
    assert thread.tell(CommandStarted("set-up (work)", "make")) == 0
    thread.seconds += GAP
    thread.tell(SetupRan("make", 0, 12.0, False, "", ""))
    told: list[Fact] = [
        answered(1, "bash"),
        replied(2),
        called(2, "bash", command="make slow"),
        answered(2, "bash"),
    ]
    assert [thread.tell(fact) for fact in told] == [0, 0, 1, 0]
    assert "`bash: make slow`" in thread.versions[-1]
    thread.seconds += GAP
    assert [thread.tell(fact) for fact in (replied(3), called(3, "update_plan"), plan(1))] == [0, 0, 1]
    assert "- [x] Reproduce" in thread.versions[-1]


def test_between_two_edits_are_ten_seconds_or_a_change_of_status(thread: Thread) -> None:
    at: list[tuple[float, bool]] = []
    for number, fact in enumerate(facts(working()) * 3):
        if thread.tell(fact):
            at.append((thread.seconds, isinstance(fact, StatusChanged)))
        thread.seconds += number % 5
    assert len(at) > 10
    for (before, _), (after, status) in pairwise(at):
        assert status or after - before >= GAP


def test_the_longer_it_takes_the_more_seldom_it_is_told(thread: Thread) -> None:
    """Else a session of an hour would have said everything in its first minutes."""
    thread.tell(started())
    edits = 0
    while thread.seconds < 3600:
        thread.seconds += 1
        edits += thread.tell(called(int(thread.seconds), "bash", command=f"make {thread.seconds}"))
    assert EDITS - FOR_STATUS - 5 <= edits + 1 <= EDITS - FOR_STATUS
    last = thread.versions[-1]
    thread.seconds += 3600 / SHARE
    assert thread.tell(StatusChanged(Status.TESTING)) == 1
    assert thread.versions[-1] != last


def test_the_same_text_is_not_published_twice(thread: Thread) -> None:
    thread.tell(started(), StatusChanged(Status.CODING))
    assert thread.tell(StatusChanged(Status.CODING)) in {0, 1}
    version = thread.versions[-1]
    assert thread.versions.count(version) == 1


def test_the_final_word_is_always_told_and_never_more_than_sixty(thread: Thread) -> None:
    for number in range(EDITS * 2):
        thread.seconds += thread.seconds + GAP
        thread.tell(called(number, "bash", command=f"make {number}"))
    assert len(thread.versions) == EDITS - FOR_STATUS
    for number in range(EDITS * 2):
        thread.seconds += GAP
        thread.tell(StatusChanged((Status.CODING, Status.TESTING)[number % 2]))
    assert len(thread.versions) == EDITS - FOR_END
    assert thread.tell(END) == 1
    assert thread.versions[-1].startswith("**Cancelled.** Over.")
    for number in range(EDITS):
        thread.tell(MergeRequestWritten(str(number), "", "", True, True))
    assert len(thread.versions) == EDITS == 60


def test_edits_of_earlier_jobs_count(tmp_path: Path) -> None:
    thread = Thread(tmp_path, *(CommentWritten("url", "progress", False) for _ in range(EDITS)))
    assert thread.tell(StatusChanged(Status.CODING)) == 0
    thread.journal.close()


def test_comments_for_other_purposes_do_not_count(tmp_path: Path) -> None:
    thread = Thread(tmp_path, *(CommentWritten("url", "review", False) for _ in range(EDITS)))
    assert thread.tell(StatusChanged(Status.CODING)) == 1
    thread.journal.close()


def test_what_comes_after_the_end_is_still_told(thread: Thread) -> None:
    """The merge request may be written after the session's end, and belongs into the final word."""
    told = facts(success())
    merge_request = next(fact for fact in told if type(fact).__name__ == "MergeRequestWritten")
    thread.tell(
        *(fact for fact in told if fact is not merge_request and not isinstance(fact, CommentWritten))
    )
    assert thread.tell(merge_request) == 1
    assert thread.versions[-1].startswith("**Done: merge request 1**")


def failures(thread: Thread) -> list[ObserverFailed]:
    return [event.fact for event in thread.journal.events if isinstance(event.fact, ObserverFailed)]


def test_one_failure_does_not_cost_the_final_word(thread: Thread) -> None:
    thread.broken = PATIENCE - 1
    thread.tell(started(), StatusChanged(Status.CODING))
    assert thread.tell(END) == 1
    assert failures(thread) == []


def test_a_comment_that_keeps_failing_is_given_up_and_recorded(thread: Thread) -> None:
    thread.broken = 100
    thread.tell(
        started(), StatusChanged(Status.CLONING), StatusChanged(Status.CODING), StatusChanged(Status.TESTING)
    )
    assert failures(thread) == [ObserverFailed("progress comment", "CiAgentError: 502")]
    assert thread.broken == 100 - PATIENCE


def test_a_final_word_that_fails_is_recorded(thread: Thread) -> None:
    thread.tell(started())
    thread.broken = 1
    thread.tell(*ended(Status.FAILED, Ending.STUCK, "Stuck.", 1)[1:])
    assert len(failures(thread)) == 1


def test_a_publisher_that_writes_to_the_journal_is_not_called_from_within(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "session.jsonl")
    depth: list[str] = []

    def publish(text: str) -> None:
        assert not depth
        depth.append(text)
        journal.append(StatusChanged(Status.CODING))
        depth.pop()

    journal.watch(CommentObserver(publish, lambda: journal.events))
    journal.append(started())
    journal.append(StatusChanged(Status.CLONING))
    journal.close()
    assert not any(isinstance(event.fact, ObserverFailed) for event in journal.events)
