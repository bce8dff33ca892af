"""Reading the other job's journal, whatever it is: it is taken whole, or refused in words."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ci_agent.job.split.first import take_journal
from ci_agent.job.split.manifest import BundleError
from ci_agent.journal import Event, Fact, encode, read
from ci_agent.journal.events import (
    AgentStopped,
    Committed,
    LabelsChanged,
    SessionEnded,
    SessionStarted,
    TakenOver,
    Warned,
)
from ci_agent.task import Ending, Limits, Status

STARTED = SessionStarted(
    *("s", "1", "github", "r", "1", "#1", "t", "dana", "main", "feat/ai-task-1", "m", "full"),
    Limits(1, 1.0, 1.0, 1, 1, 1),
)
STOPPED = AgentStopped(Ending.SUBMITTED, "It holds.")
ENDED = SessionEnded(Status.FAILED, Ending.WITHHELD, "Withheld.", 1, 3.5)
COMMITTED = Committed("1" * 40, "2" * 40, "Add", ())
USUAL = (STARTED, STOPPED, COMMITTED, ENDED)


def journal(*facts: Fact) -> bytes:
    at = datetime(2026, 3, 2, tzinfo=UTC)
    return "".join(f"{encode(Event(number, at, fact))}\n" for number, fact in enumerate(facts, 1)).encode()


def test_it_goes_on_before_its_end(tmp_path: Path) -> None:
    found = take_journal(journal(*USUAL, Warned("later")), tmp_path / "j")
    assert [event.fact for event in read(tmp_path / "j")] == [STARTED, STOPPED, COMMITTED]
    assert (found.stop.ending, found.stop.detail) == (Ending.SUBMITTED, "It holds.")


def test_where_nothing_was_committed_its_own_end_counts(tmp_path: Path) -> None:
    found = take_journal(journal(STARTED, STOPPED, ENDED), tmp_path / "j")
    assert (found.stop.ending, found.stop.detail) == (Ending.WITHHELD, "Withheld.")


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ((STARTED, STOPPED), "without one end"),
        ((*USUAL, ENDED), "without one end"),
        ((STOPPED, ENDED), "without SessionStarted"),
        ((STARTED, ENDED), "without AgentStopped"),
        ((STARTED, ENDED, STOPPED), "without AgentStopped"),
        ((STARTED, *USUAL), "SessionStarted more than once"),
        ((STARTED, STOPPED, COMMITTED, replace(COMMITTED, tree="3" * 40), ENDED), "Committed more than once"),
        ((*USUAL, LabelsChanged(("x",))), "published already"),
        ((*USUAL, TakenOver("", "")), "published already"),
    ],
)
def test_what_no_first_job_writes_is_refused(tmp_path: Path, facts: tuple[Fact, ...], why: str) -> None:
    with pytest.raises(BundleError, match=why):
        take_journal(journal(*facts), tmp_path / "j")


@given(some.binary(max_size=500))
def test_any_bytes_are_refused_in_words(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as place, pytest.raises(BundleError):
        take_journal(content, Path(place) / "j")


@given(at=some.integers(0, 10_000), bits=some.integers(1, 255))
def test_a_changed_byte_crashes_nothing(at: int, bits: int) -> None:
    content = bytearray(journal(*USUAL))
    content[at % len(content)] ^= bits
    with tempfile.TemporaryDirectory() as place:
        try:
            found = take_journal(bytes(content), Path(place) / "j")
        except BundleError:
            return
        assert found.started.session


def test_what_is_nested_without_end_is_refused(tmp_path: Path) -> None:
    deep = b'{"v":1,"sequence":1,"at":"2026-03-02T00:00:00Z","kind":"ModelReplied","fact":' + b"[" * 100_000
    with pytest.raises(BundleError):
        take_journal(deep + b"\n", tmp_path / "j")
