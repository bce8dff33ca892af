"""What earlier jobs of the same session measured, by its journal. Pure.

What is taken over from there need not have passed: what seems mended by the change, and what broke, is run once more on
the base anyway.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ci_agent.evidence.suites import command_of
from ci_agent.journal import Event
from ci_agent.journal.events import (
    Judged,
    Moment,
    SessionStarted,
    SetupChosen,
    TestsChosen,
    TestsCompared,
    TestsRan,
)


def rounds(events: Sequence[Event]) -> int:
    """How many verifications there were."""
    numbers = [event.fact.round for event in events if isinstance(event.fact, (TestsCompared, Judged))]
    return max(numbers, default=0)


def before(
    events: Sequence[Event], tree: str, setup: SetupChosen, suites: Sequence[TestsChosen]
) -> TestsRan | None:
    """The run of all these tests on the base with this tree, after this set-up, which an earlier job finished; None:
    there is none."""
    starts = [at for at, event in enumerate(events) if isinstance(event.fact, SessionStarted)]
    prepared, found = "", None
    for event in events[: starts[-1] if starts else 0]:
        fact = event.fact
        if isinstance(fact, SetupChosen):
            prepared = fact.command
        elif isinstance(fact, TestsRan) and fact.moment is Moment.BEFORE and not fact.some:
            same = (fact.tree, fact.command, prepared) == (tree, command_of(suites), setup.command)
            found = found if not same else None if fact.problem else fact
    return found and replace(found, reused=True, log="")
