"""What a later job takes over of what an earlier one of its session measured."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ci_agent.evidence import earlier
from ci_agent.journal.events import Fact, Moment, SetupChosen, TestsChosen, TestsRan
from tests.support.stories import TREE, broken_round, ran, started, story, verified_round

SETUP = SetupChosen("pip install -e .", "pyproject.toml")
SUITE = TestsChosen("pytest", "pytest", "tests/")

GOOD = replace(ran(Moment.BEFORE), command="pytest", tree=TREE, problem="", some="")


def known(*facts: Fact, tree: str = TREE, setup: SetupChosen = SETUP) -> TestsRan | None:
    """What the next job knows after these facts of the one before."""
    return earlier.before(story(started(), *facts, started()), tree, setup, [SUITE])


def test_a_run_of_all_tests_on_the_same_base_is_taken_over() -> None:
    assert known(SETUP, GOOD) == replace(GOOD, reused=True, log="")


@pytest.mark.parametrize(
    "facts",
    [
        (),
        (SETUP,),
        (GOOD,),
        (SetupChosen("pip install .", "setup.py"), GOOD),
        (SETUP, replace(GOOD, command="tox")),
        (SETUP, replace(GOOD, moment=Moment.AFTER)),
        (SETUP, replace(GOOD, problem="it did not end")),
        (SETUP, replace(GOOD, some="only those that the change reaches")),
    ],
    ids=["nothing", "no run", "no set-up", "other set-up", "other tests", "of the result", "torn", "some"],
)
def test_no_other_run_is(facts: tuple[Fact, ...]) -> None:
    assert known(*facts) is None


def test_a_run_on_another_base_is_not() -> None:
    assert known(SETUP, GOOD, tree="u" * 40) is None


def test_the_last_run_counts() -> None:
    again = replace(GOOD, seconds=9.0)
    assert known(SETUP, GOOD, again) == replace(again, reused=True, log="")
    assert known(SETUP, GOOD, replace(GOOD, problem="it did not end")) is None


def test_runs_of_other_tests_on_the_base_leave_it_as_it_is() -> None:
    """Those of a project that only the change told of, and a part of them."""
    others = replace(GOOD, command="(cd web && npm test)"), replace(GOOD, some="a part")
    assert known(SETUP, GOOD, *others) == replace(GOOD, reused=True, log="")


def test_what_this_job_ran_is_not_of_an_earlier_one() -> None:
    assert earlier.before(story(started(), SETUP, GOOD), TREE, SETUP, [SUITE]) is None


def test_verifications_are_counted_over_all_jobs() -> None:
    assert earlier.rounds(story(started())) == 0
    assert earlier.rounds(story(started(), *broken_round(1), started(), *verified_round(2), started())) == 2
