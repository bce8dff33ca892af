"""When a job goes on with what an earlier one left, and when it begins anew: the whole table."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest

from ci_agent.guard import Guard
from ci_agent.job.checkpoints import Kept
from ci_agent.job.resuming import Earlier, goes_on, granted, limits_of
from ci_agent.session.checkpoint import State, checked, contents
from ci_agent.task import Ending, Limits, Status
from ci_agent.triggers import Command, Verb
from ci_agent.workspace import Stored
from tests.support.stories import HEAD, started, story, working

LIMITS = Limits(
    iterations=100, minutes=60, cost=10.0, input_tokens=1_000_000, output_tokens=100_000, verifications=3
)
KEY = b"k" * 32
RETRY = Command(Verb.RETRY)


def left(status: Status, ending: str = "", **more: object) -> State:
    """A session that a job left, with little used up."""
    at = datetime(2026, 11, 21, 12, tzinfo=UTC)
    files = contents(tuple(working()), "101", at, HEAD, KEY, Guard([]))
    state = checked(Stored("c0ffee", files, HEAD), KEY)
    given = {"steps": 10, "seconds": 60.0, "cost": 0.1, "base": "main"} | more
    return msgspec.structs.replace(state, status=status, ending=ending, **given)


def why_not(state: State, command: Command = RETRY) -> str:
    return goes_on(state, command, LIMITS)


@pytest.mark.parametrize(
    "status", [status for status in Status if status not in (Status.COMPLETED, Status.FAILED)]
)
def test_one_that_was_left_in_the_middle_goes_on(status: Status) -> None:
    assert why_not(left(status)) == ""


def test_one_that_was_left_in_the_middle_goes_on_to_its_end_with_little_left() -> None:
    """What it holds is nowhere else: it ends by its limit, and says so."""
    assert why_not(left(Status.CODING, steps=99, seconds=3_590.0, cost=9.99)) == ""


def test_one_that_is_done_is_not_gone_on_with() -> None:
    assert why_not(left(Status.COMPLETED, Ending.SUBMITTED)) == "it was done"


@pytest.mark.parametrize("ending", Ending)
def test_after_each_ending(ending: Ending) -> None:
    anew = {
        Ending.STUCK,
        Ending.FORMAT,
        Ending.CONTEXT,
        Ending.LIMIT_STEPS,
        Ending.LIMIT_COST,
        Ending.LIMIT_TOKENS,
        Ending.WITHHELD,
        Ending.LLM_POLICY,
    }
    assert bool(why_not(left(Status.FAILED, ending))) == (ending in anew)


@pytest.mark.parametrize(
    ("used", "said"),
    [
        ({"steps": 89, "seconds": 3_200.0, "cost": 8.9}, ""),
        ({"steps": 90}, "its steps are used up"),
        ({"seconds": 3_240.0}, "its time is used up"),
        ({"cost": 9.0}, "its money is used up"),
        ({"steps": 90, "seconds": 3_240.0}, "its time and steps are used up"),
    ],
)
def test_with_nearly_nothing_left_of_a_limit_it_begins_anew(used: dict[str, object], said: str) -> None:
    assert why_not(left(Status.FAILED, Ending.UNVERIFIED, **used)) == said


def test_time_that_was_over_is_over_although_some_was_kept_for_the_tests() -> None:
    """A quarter of the time is for the tests after the work; where nothing was changed none of it is used."""
    assert why_not(left(Status.FAILED, Ending.LIMIT_WALL, seconds=0.76 * 3_600)) == "its time is used up"
    assert (
        goes_on(
            left(Status.FAILED, Ending.LIMIT_WALL, seconds=0.76 * 3_600), RETRY, replace(LIMITS, minutes=120)
        )
        == ""
    )


def test_who_wants_it_anew_gets_it_anew() -> None:
    for status in Status:
        assert why_not(left(status), replace(RETRY, fresh=True)) == "it was asked to begin anew"


def test_who_wants_another_base_gets_another_session() -> None:
    assert why_not(left(Status.CODING), replace(RETRY, base="release")) == "it started from main"
    assert why_not(left(Status.CODING), replace(RETRY, base="main")) == ""


def test_money_that_is_granted_comes_on_top() -> None:
    spent = left(Status.FAILED, Ending.UNVERIFIED, cost=9.5)
    more = replace(RETRY, budget=2.0)
    assert why_not(spent, more) == ""
    assert limits_of(LIMITS, Earlier(spent, (), None), more).cost == 11.5
    assert limits_of(LIMITS, Earlier(spent, (), None), RETRY) == LIMITS


@pytest.mark.parametrize(
    ("status", "before", "said", "now"),
    [
        (Status.CODING, 12.0, True, 12.0),  # its job was lost
        (Status.SUSPENDED, 12.0, True, 12.0),
        (Status.SUSPENDED, 3.0, True, 3.0),
        (Status.SUSPENDED, 12.0, False, 10.0),  # so much was in the settings, and is no more
        (Status.FAILED, 12.0, True, 10.0),
    ],
)
def test_money_that_was_granted_counts_until_the_session_has_ended(
    status: Status, before: float, said: bool, now: float
) -> None:
    events = tuple(story(started(limits=replace(LIMITS, cost=before), granted=said)))
    earlier = Earlier(left(status), events, None)
    assert limits_of(LIMITS, earlier, RETRY).cost == now
    assert granted(earlier, RETRY) == (now == before)
    assert granted(earlier, replace(RETRY, budget=1.0))
    assert not granted(None, RETRY)


@pytest.mark.parametrize(
    ("status", "goes_on_so", "fresh", "work"),
    [
        (Status.CODING, True, False, HEAD),
        (
            Status.CANCELLED,
            True,
            False,
            HEAD,
        ),  # its last word came from outside, and the work is on no branch
        (Status.CODING, False, False, HEAD),
        (Status.CODING, False, True, ""),
        (Status.COMPLETED, False, False, ""),
        (Status.FAILED, False, False, ""),
    ],
)
def test_what_is_kept_of_it_until_there_is_more(
    status: Status, goes_on_so: bool, fresh: bool, work: str
) -> None:
    kept = Kept(KEY, "c0ffee", left(status))
    assert kept.keeping("102", goes_on=goes_on_so, fresh=fresh).work == work
    assert Kept(KEY).keeping("102", goes_on=False, fresh=False).work == ""
