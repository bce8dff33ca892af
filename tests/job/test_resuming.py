"""A session that goes on in a later job: with its work, its conversation and its limits."""

from __future__ import annotations

from typing import Any

import pytest

from ci_agent.journal.events import ModelReplied, Moment, SessionResumed, TestsRan
from tests.job.conftest import commented, labelled, start, until_asked
from tests.job.test_checkpoints import looks, state
from tests.support.jobs import FIX, SUBMIT, last_results
from tests.support.model_server import Hang, Request, Say, Step
from tests.support.pipelines import Done, Pipeline

pytestmark = pytest.mark.slow

ASK = ("ask_user", {"question": "Which sign is right?", "choices": ["plus", "minus"]})


def facts(done: Done, kind: type[Any]) -> list[Any]:
    return [event.fact for event in done.events if isinstance(event.fact, kind)]


def test_an_answer_goes_on_in_the_conversation_that_asked(project: Pipeline) -> None:
    project.model.say([Say(calls=[("bash", {"command": "cat calculator.py"})]), Say(calls=[ASK])])
    number = project.forge.write_issue("add() is wrong", "")
    asked = project.run(*labelled(project, number))
    assert asked.exit_code == 5, asked.log
    project.end()
    before = list(project.model.requests)
    project.model.say([Say(calls=[FIX]), Say(calls=[SUBMIT])])
    done = project.run(*commented(project, number, "/agent answer 1"))
    assert done.exit_code == 0, done.log
    first = project.model.requests[len(before)].body["messages"]
    assert first[: len(before[-1].body["messages"])] == before[-1].body["messages"]
    [answer] = last_results(project.model.requests[len(before)].body)
    assert "dana answers" in answer
    assert "the choice: plus" in answer
    [resumed] = facts(done, SessionResumed)
    assert (resumed.job, resumed.why, resumed.restored) == (2, "dana answered", True)
    kept = state(project, number)
    assert (kept["status"], kept["jobs"], kept["steps"]) == ("completed", 2, 4)
    runs = [ran for ran in facts(done, TestsRan) if ran.moment is Moment.BEFORE]
    assert [ran.reused for ran in runs] == [False, True]
    assert len(project.merge_requests()) == 1


def test_a_job_that_was_lost_is_gone_on_with(project: Pipeline) -> None:
    steps = iter([Say(calls=[FIX]), *looks(20)])

    def work(_: Request) -> Step:
        return next(steps, Hang())

    project.model.say(work)
    number = project.forge.write_issue("add() subtracts", "")
    job = start(project, project.environment(*labelled(project, number)))
    until_asked(project, 22)
    job.kill()
    job.communicate(timeout=30)
    project.end()
    asked = len(project.model.requests)
    project.model.say([Say(calls=[SUBMIT])])
    done = project.run(*commented(project, number, "/agent retry"))
    assert done.exit_code == 0, done.log
    assert facts(done, SessionResumed)[0].why == "the job before was lost, and dana asked for it"
    assert len(project.model.requests) == asked + 1
    assert "new machine" in str(project.model.requests[-1].body["messages"][-1]["content"])
    assert len(facts(done, ModelReplied)) == 21
    assert "return a + b" in project.origin.git("show", f"feat/ai-task-{number}:calculator.py")
