"""The state machine of a session: which status follows which, and why. Pure.

The status stands in the journal, so whatever shows it shows the same. A session whose job is gone keeps the status that it
had; who is at work says the roster (`job/roster.py`), and a later job goes on, or brings it to an end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ci_agent.journal import Event
from ci_agent.journal.events import SessionEnded, SessionStarted, StatusChanged
from ci_agent.task import Status

S = Status

WORKING: Final = (S.PENDING, S.CLONING, S.ANALYZING, S.CODING, S.TESTING, S.COMMITTING)
ENDED: Final = (S.COMPLETED, S.FAILED, S.SUSPENDED, S.CANCELLED)


@dataclass(frozen=True, slots=True)
class Transition:
    """From any of `before` to `after`."""

    before: tuple[Status, ...]
    after: Status
    when: str


TRANSITIONS: Final = (
    Transition((), S.PENDING, "a job begins with the session"),
    Transition((S.PENDING,), S.CLONING, "who may ask asked, the issue is ours, and it is our turn"),
    Transition((S.CLONING,), S.ANALYZING, "the checkout is laid out: set-up, tests on the base"),
    Transition((S.ANALYZING,), S.CODING, "the model works, or goes on where it was"),
    Transition(
        (S.ANALYZING, S.CODING), S.TESTING, "it handed in, now or in a job that was lost: tests on the result"
    ),
    Transition((S.CODING,), S.CODING, "another model takes over, or goes on in a new job"),
    Transition((S.TESTING,), S.CODING, "the hand-in does not hold, or lacks something"),
    Transition((S.CODING, S.TESTING), S.COMMITTING, "there is work to keep, whatever the end is"),
    Transition(
        (*WORKING[:3], S.COMMITTING, S.SUSPENDED),
        S.COMMITTING,
        "what an earlier job left is published by one that does not go on with it",
    ),
    Transition((S.COMMITTING,), S.COMPLETED, "it holds, and is pushed with a merge request"),
    Transition(
        WORKING, S.FAILED, "a limit, an error, or tests that say otherwise; what there is becomes a draft"
    ),
    Transition(WORKING, S.CANCELLED, "somebody stopped it, or the CI did"),
    Transition(
        (S.ANALYZING, S.CODING, S.TESTING, S.COMMITTING),
        S.SUSPENDED,
        "a question, a plan or a change waits for a person",
    ),
    Transition((S.SUSPENDED,), S.PENDING, "a person answers, decides, or asks to go on: the next job begins"),
    Transition((S.SUSPENDED,), S.FAILED, "nobody answers for too long"),
    Transition((S.SUSPENDED,), S.CANCELLED, "somebody stops it while it waits"),
    Transition((S.FAILED, S.CANCELLED), S.PENDING, "a person asks to go on: the next job begins"),
    Transition(WORKING, S.PENDING, "the job was lost: the next one goes on from the checkpoint"),
)

_ALLOWED: Final = frozenset(
    (before, transition.after) for transition in TRANSITIONS for before in transition.before or (None,)
)


def allowed(before: Status | None, after: Status) -> bool:
    """Whether `after` may follow `before` (None: there was no session)."""
    return (before, after) in _ALLOWED


def wrong(events: Iterable[Event]) -> list[str]:
    """What of a journal is not in the table; nothing where all of it is."""
    found = []
    now: Status | None = None
    begun = False  # a job has, and has not said so; one that ends at once does not come to it
    for event in events:
        fact = event.fact
        match fact:
            case SessionStarted():
                after = S.PENDING
            case StatusChanged() | SessionEnded():
                after = fact.status
                if isinstance(fact, StatusChanged) and begun != (after is S.PENDING):
                    where = "begin" if begun else "middle"
                    found.append(f"event {event.sequence}: {after} at the {where} of a job")
                if begun and after is S.PENDING:
                    begun = False
                    continue
            case _:
                continue
        if not allowed(now, after):
            found.append(f"event {event.sequence}: {now or 'nothing'} can't become {after}")
        now, begun = after, isinstance(fact, SessionStarted)
    return found


def table() -> str:
    """The transitions for people, in Markdown."""
    rows = [
        f"| {', '.join(transition.before) or 'no session'} | {transition.after} | {transition.when} |"
        for transition in TRANSITIONS
    ]
    return "\n".join(["| from | to | when |", "|---|---|---|", *rows])
