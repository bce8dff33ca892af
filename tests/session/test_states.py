"""The state machine's own judgement of a journal."""

from __future__ import annotations

import pytest

from ci_agent.journal import Event, Fact
from ci_agent.journal.events import SessionEnded, StatusChanged
from ci_agent.session.states import wrong
from ci_agent.task import Ending, Status
from tests.support.stories import started, story

P, CL, A, C, T = Status.PENDING, Status.CLONING, Status.ANALYZING, Status.CODING, Status.TESTING


def journal(*steps: Status | SessionEnded) -> list[Event]:
    """A job's journal."""
    facts: list[Fact] = [started()]
    return story(*facts, *(StatusChanged(step) if isinstance(step, Status) else step for step in steps))


def over(status: Status) -> SessionEnded:
    return SessionEnded(status, Ending.CANCELLED, "", 0, 1.0)


@pytest.mark.parametrize(
    "events",
    [
        journal(P, CL, A, C, T, C, T, Status.COMMITTING, over(Status.COMPLETED)),
        journal(P, CL),  # it was killed
        journal(over(Status.CANCELLED)),  # before its first status
        story(*(event.fact for event in [*journal(P, CL), *journal(P, CL, A)])),  # lost, and gone on with
        story(*(event.fact for event in [*journal(), *journal(P)])),
    ],
)
def test_what_the_table_has_is_right(events: list[Event]) -> None:
    assert wrong(events) == []


@pytest.mark.parametrize(
    ("events", "said"),
    [
        (journal(P, C), ["event 3: pending can't become coding"]),
        (journal(CL), ["event 2: cloning at the begin of a job"]),
        (journal(P, P), ["event 3: pending at the middle of a job"]),
        (journal(P, CL, A, over(Status.COMPLETED)), ["event 5: analyzing can't become completed"]),
        (
            story(StatusChanged(P)),
            ["event 1: pending at the middle of a job"],
        ),
        (
            story(*(event.fact for event in [*journal(P, CL, A, C, T, over(Status.FAILED)), *journal(P, A)])),
            ["event 10: pending can't become analyzing"],
        ),
        (
            story(
                *(
                    event.fact
                    for event in [
                        *journal(P, CL, A, C, T, Status.COMMITTING, over(Status.COMPLETED)),
                        *journal(P),
                    ]
                )
            ),
            ["event 9: completed can't become pending"],
        ),
    ],
)
def test_what_it_has_not_is_wrong(events: list[Event], said: list[str]) -> None:
    assert wrong(events) == said
