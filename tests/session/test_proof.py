"""Tests that the model asks for, in a whole session: of an unchanged tree they are not run twice."""

from __future__ import annotations

from pathlib import Path

from ci_agent.journal.events import Moment, TestsRan
from tests.support.jobs import FIX, SUBMIT, Runner, calculator, last_results
from tests.support.model_server import ModelServer, Say

_ALL: tuple[str, dict[str, str]] = ("run_tests", {})
_SOME = ("run_tests", {"selector": "test_calculator"})
_NOTE = "[Not run again: nothing that git would commit has changed since this result."


def test_tests_of_an_unchanged_tree_are_run_once_and_again_when_that_is_asked_for(tmp_path: Path) -> None:
    asked = [_ALL, _ALL, _ALL, _SOME, _ALL, FIX, _ALL]
    with ModelServer([Say(calls=asked), Say(calls=[SUBMIT])]) as server:
        job = Runner(tmp_path).run(calculator(tmp_path).path, server=server)
        told = last_results(server.requests[1].body)
    assert job.exit_code == 0
    assert [_NOTE in text for text in told] == [False, True, False, False, True, False, False]
    assert told[1].startswith(told[0])
    assert len([ran for ran in job.facts(TestsRan) if ran.moment is Moment.ASKED]) == 4
