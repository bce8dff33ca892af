"""Plans and changes that a person has to approve before a job goes on."""

from __future__ import annotations

import os
import subprocess
from typing import Any

import pytest

from ci_agent.journal.events import ChangeProposed, PlanCompared, PlanProposed, ProposalDecided, Pushed
from ci_agent.session.endings import PLAN_FIRST
from tests.job.conftest import commented, labelled
from tests.job.test_checkpoints import KEY, sessions, state
from tests.job.test_resuming import facts
from tests.support.jobs import BREAK, FIX, SUBMIT, Runner, calculator, last_results
from tests.support.model_server import Say
from tests.support.pipelines import Done, Pipeline

pytestmark = pytest.mark.slow

PLAN = ("propose_plan", {"plan": "add() subtracts. Add instead.", "files": ["calculator.py"]})
WIDER = ("propose_plan", {"plan": "Add, and say so.", "files": ["calculator.py", "NOTES.md"]})
NOTE = ("write_file", {"path": "NOTES.md", "content": "add() adds.\n"})
DOUBLE = ("edit_file", {"path": "calculator.py", "old": "a * 2", "new": "2 * a"})


def first(project: Pipeline, *steps: Say, label: str = "", **settings: str) -> tuple[int, Done]:
    """The first job on a new issue, in which the model takes these steps; the issue's number, and the job."""
    number = project.forge.write_issue("add() subtracts", "")
    if label:
        project.forge.label(number, label, by="dana")
    project.model.say(list(steps))
    project.forge.today()
    done = project.run(*labelled(project, number), **settings)
    project.end()
    return number, done


def said(project: Pipeline, number: int, text: str, *steps: Say, by: str = "dana", **settings: str) -> Done:
    """The job that a comment starts, in which the model takes these steps."""
    project.model.say(list(steps))
    project.forge.today()
    done = project.run(*commented(project, number, text, by=by), **settings)
    project.end()
    return done


def told(project: Pipeline, before: int) -> str:
    """What the model was told first in a job, before which there were so many requests."""
    [text] = last_results(project.model.requests[before].body)
    return text


def needed(what: str, **more: str) -> dict[str, str]:
    return {"CI_AGENT_APPROVAL_NEEDED": what} | more


def branches(project: Pipeline) -> str:
    return project.origin.git("for-each-ref", "--format=%(refname)", "refs/heads/feat")


def comment(project: Pipeline, number: int) -> str:
    """The last progress comment."""
    return [text for _, text in project.said(number) if "<sub>" in text][-1]


def test_a_plan_is_rejected_then_approved_and_then_carried_out(project: Pipeline) -> None:
    settings = needed("plan")
    number, done = first(project, Say(calls=[FIX]), Say(calls=[PLAN]), **settings)
    assert done.exit_code == 5, done.log
    assert facts(done, PlanProposed) == [PlanProposed(PLAN[1]["plan"], ("calculator.py",))]
    assert "ai-waiting" in project.labels(number)
    text = comment(project, number)
    assert "add() subtracts. Add instead." in text
    assert "- `calculator.py`" in text
    assert "@dana" in text
    assert "/agent approve" in text
    assert "/agent reject WHY" in text
    assert branches(project) == ""
    asked = len(project.model.requests)
    done = said(project, number, "/agent reject Say it in the notes too.", Say(calls=[WIDER]), **settings)
    assert done.exit_code == 5, done.log
    assert "Rejected by dana" in told(project, asked)
    assert "Say it in the notes too." in told(project, asked)
    assert facts(done, ProposalDecided) == [ProposalDecided(False, "dana", "Say it in the notes too.")]
    assert "- `NOTES.md` (new)" in comment(project, number)
    asked = len(project.model.requests)
    done = said(project, number, "/agent approve", Say(calls=[FIX, NOTE]), Say(calls=[SUBMIT]), **settings)
    assert done.exit_code == 0, done.log
    assert "Approved by dana" in told(project, asked)
    assert [fact.outside for fact in facts(done, PlanCompared)] == [()]
    [request] = project.merge_requests()
    assert not request["draft"]
    assert "The plan, approved by dana" in request["text"]
    assert state(project, number)["jobs"] == 3


def test_until_the_plan_is_approved_files_stay_as_they_are(project: Pipeline) -> None:
    change = ("bash", {"command": "sed -i 's/a - b/a + b/' calculator.py; echo x > new.py"})
    number, done = first(
        project,
        Say(calls=[FIX]),
        Say(calls=[change]),
        Say(calls=[SUBMIT]),
        Say(calls=[PLAN]),
        **needed("plan"),
    )
    assert done.exit_code == 5, done.log
    answers = [last_results(request.body)[0] for request in project.model.requests[1:4]]
    assert "approve your plan first" in answers[0]
    assert "Put back as before, because your plan is not approved yet: calculator.py, new.py." in answers[1]
    assert "approve your plan first" in answers[2]
    assert state(project, number)["work"] == ""


def test_the_label_asks_for_a_plan_on_one_issue(project: Pipeline) -> None:
    number, done = first(project, Say(calls=[PLAN]), label=PLAN_FIRST.name)
    assert done.exit_code == 5, done.log
    assert "propose_plan" in str(project.model.requests[0].body["tools"])
    done = said(project, number, "/agent approve", Say(calls=[FIX]), Say(calls=[SUBMIT]))
    assert done.exit_code == 0, done.log


def test_nobody_else_pays_for_plans(project: Pipeline) -> None:
    number, done = first(project, Say(calls=[FIX]), Say(calls=[SUBMIT]))
    assert done.exit_code == 0, done.log
    assert "propose_plan" not in str(project.model.requests[0].body)
    assert number


def test_a_change_is_approved_and_pushed_as_it_was_shown(project: Pipeline) -> None:
    settings = needed("push")
    number, done = first(project, Say(calls=[FIX]), Say(calls=[SUBMIT]), **settings)
    assert done.exit_code == 5, done.log
    assert branches(project) == ""
    assert project.merge_requests() == []
    text = comment(project, number)
    assert "`calculator.py` (+1 \u22121)" in text
    assert "1 test fixed" in text
    assert "Add instead of subtracting" in text
    assert "return a + b" in project.origin.git("show", f"{state_ref(number)}^:calculator.py")
    project.checkout.git("commit", "--allow-empty", "-m", "main goes on")
    asked = len(project.model.requests)
    done = said(project, number, "/agent approve", **settings)
    assert done.exit_code == 0, done.log
    assert len(project.model.requests) == asked
    assert len(facts(done, Pushed)) == 1
    assert len(project.merge_requests()) == 1
    assert "return a + b" in project.origin.git("show", f"feat/ai-task-{number}:calculator.py")


def state_ref(number: int) -> str:
    return f"refs/ci-agent/issues/{number}"


def test_a_rejected_change_is_made_anew_and_asked_about_anew(project: Pipeline) -> None:
    settings = needed("push")
    number, _ = first(project, Say(calls=[FIX]), Say(calls=[SUBMIT]), **settings)
    asked = len(project.model.requests)
    done = said(
        project,
        number,
        "/agent reject Factor first, please.",
        Say(calls=[DOUBLE]),
        Say(calls=[SUBMIT]),
        **settings,
    )
    assert done.exit_code == 5, done.log
    assert "Rejected by dana" in told(project, asked)
    assert "Factor first, please." in told(project, asked)
    assert branches(project) == ""
    assert len({fact.change for fact in facts(done, ChangeProposed)}) == 2
    done = said(project, number, "/agent approve", **settings)
    assert done.exit_code == 0, done.log
    assert "2 * a" in project.origin.git("show", f"feat/ai-task-{number}:calculator.py")


def test_a_file_outside_of_the_plan_is_named(project: Pipeline) -> None:
    settings = needed("plan")
    number, _ = first(project, Say(calls=[PLAN]), **settings)
    done = said(project, number, "/agent approve", Say(calls=[FIX, NOTE]), Say(calls=[SUBMIT]), **settings)
    assert done.exit_code == 0, done.log
    [request] = project.merge_requests()
    for text in (request["text"], comment(project, number)):
        assert "**Not in the approved plan:** `NOTES.md`" in text


def test_a_file_outside_of_the_plan_can_need_an_approval_of_its_own(project: Pipeline) -> None:
    settings = needed("plan", CI_AGENT_APPROVAL_STRICT="true")
    number, _ = first(project, Say(calls=[PLAN]), **settings)
    done = said(project, number, "/agent approve", Say(calls=[FIX, NOTE]), Say(calls=[SUBMIT]), **settings)
    assert done.exit_code == 5, done.log
    assert branches(project) == ""
    assert "**Not in the approved plan:** `NOTES.md`" in comment(project, number)
    done = said(project, number, "/agent approve", **settings)
    assert done.exit_code == 0, done.log
    assert len(project.merge_requests()) == 1
