"""A session that goes on in a later job: with its work, its conversation and its limits."""

from __future__ import annotations

from typing import Any

import pytest

from ci_agent.journal.events import ModelReplied, Moment, SessionResumed, TestsRan
from tests.job.conftest import commented, labelled, start, until, until_asked
from tests.job.test_checkpoints import looks, state
from tests.job.test_kill_everywhere import dying
from tests.support.jobs import FIX, SUBMIT, last_results
from tests.support.model_server import Hang, Request, Say, Step
from tests.support.pipelines import Done, Pipeline
from tests.support.repositories import Repository

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
    assert "was edited" not in answer
    [resumed] = facts(done, SessionResumed)
    assert (resumed.job, resumed.why, resumed.restored) == (2, "dana answered", True)
    assert resumed.answer == "plus"
    assert "dana answered: plus" in project.said(number)[0][1]
    assert "job 2 of this session goes on with it: dana answered: plus" in done.log
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


def killed(
    project: Pipeline, event: tuple[str, dict[str, Any]], requests: int, **more: str
) -> dict[str, str]:
    """A job that the event starts is killed once the model was asked so many times more; its environment."""
    asked = len(project.model.requests)
    environment = project.environment(*event)
    job = start(project, environment)
    until_asked(project, asked + requests)
    job.kill()
    job.communicate(timeout=30)
    project.end()
    return environment


def last_content(project: Pipeline) -> str:
    """What the model was told last."""
    return str(project.model.requests[-1].body["messages"][-1]["content"])


def asked_about_the_sign(project: Pipeline) -> int:
    """An issue whose session waits for an answer."""
    project.model.say([Say(calls=[("bash", {"command": "cat calculator.py"})]), Say(calls=[ASK])])
    number: int = project.forge.write_issue("add() is wrong", "")
    asked = project.run(*labelled(project, number))
    assert asked.exit_code == 5, asked.log
    project.end()
    return number


def test_an_issue_that_was_edited_meanwhile_is_told_as_it_is_now(project: Pipeline) -> None:
    number = asked_about_the_sign(project)
    project.forge.edit_issue(number, text="It is to add.")
    asked = len(project.model.requests)
    project.model.say([Say(calls=[FIX]), Say(calls=[ASK])])
    done = project.run(*commented(project, number, "/agent answer 1"))
    assert done.exit_code == 5, done.log
    [answer] = last_results(project.model.requests[asked].body)
    assert (
        "The issue was edited since you read it. It says now:\n\n# The issue: add() is wrong\n\n<issue"
        in answer
    )
    assert "It is to add." in answer
    project.end()
    asked = len(project.model.requests)
    project.model.say([Say(calls=[FIX]), Say(calls=[SUBMIT])])
    project.run(*commented(project, number, "/agent answer 1"))
    [answer] = last_results(project.model.requests[asked].body)
    assert "was edited" not in answer


def test_where_no_session_is_kept_the_question_is_told_with_its_answer(project: Pipeline) -> None:
    project.model.say([Say(calls=[ASK])])
    number = project.forge.write_issue("add() is wrong", "")
    nothing = {"CI_AGENT_CHECKPOINT_KEEP": "false"}
    name, payload = labelled(project, number)
    assert project.call(project.environment(name, payload, **nothing)).exit_code == 5
    project.end()
    project.model.say([Say(calls=[FIX]), Say(calls=[SUBMIT])])
    asked = len(project.model.requests)
    name, payload = commented(project, number, "/agent answer 1")
    done = project.call(project.environment(name, payload, **nothing))
    assert done.exit_code == 0, done.log
    told = str(project.model.requests[asked].body["messages"][1]["content"])
    assert "You asked this before, in a conversation of which nothing is left" in told
    assert "1. plus" in told
    first, second = [text for who, text in project.said(number) if who != "dana"]
    assert first.startswith("This session is not gone on with, and needs no answer")
    assert second.startswith("**Done:")


def test_work_that_nobody_wants_is_not_taken_over_by_the_last_word(project: Pipeline) -> None:
    number = asked_about_the_sign(project)
    project.model.say([Say(calls=[FIX]), Say(calls=[ASK])])
    project.run(*commented(project, number, "/agent answer 1"))
    project.end()
    before = state(project, number)
    assert before["work"]
    environment = project.environment(*commented(project, number, "/agent retry --fresh"))
    killed = dying(project, environment, "kill", 2)  # before its first save
    assert killed.exit_code < 0, killed.log
    assert state(project, number)["session"] == before["session"]
    assert project.call(environment, "--final-word").exit_code == 0
    after = state(project, number)
    assert after["session"] != before["session"]
    assert (after["status"], after["work"]) == ("cancelled", "")


def test_an_answer_is_not_lost_with_the_job_that_it_started(project: Pipeline) -> None:
    number = asked_about_the_sign(project)
    project.model.say([Hang()])
    killed(project, commented(project, number, "/agent answer 1"), 1)
    project.model.say([Say(calls=[FIX]), Say(calls=[SUBMIT])])
    asked = len(project.model.requests)
    done = project.run(*commented(project, number, "/agent retry"))
    assert done.exit_code == 0, done.log
    told = str(project.model.requests[asked].body["messages"])
    assert told.count("That is the choice: plus") == 1
    assert told.count("/agent answer 1") == 0


def test_a_job_that_ends_before_its_model_is_at_work_keeps_what_there_is(project: Pipeline) -> None:
    number = asked_about_the_sign(project)
    failed = project.run(*commented(project, number, "/agent answer 1"), CI_AGENT_VERIFICATION_SETUP="exit 7")
    assert failed.exit_code == 1, failed.log
    project.end()
    project.model.say([Say(calls=[FIX]), Say(calls=[SUBMIT])])
    asked = len(project.model.requests)
    done = project.run(*commented(project, number, "/agent retry"))
    assert done.exit_code == 0, done.log
    assert facts(done, SessionResumed)[-1].restored
    [answer] = last_results(project.model.requests[asked].body)
    assert "/agent answer 1" in answer


def test_work_outlives_a_job_that_ends_before_its_model_is_at_work(project: Pipeline) -> None:
    steps = iter([Say(calls=[FIX]), *looks(20)])
    project.model.say(lambda _: next(steps, Hang()))
    number = project.forge.write_issue("add() subtracts", "")
    environment = killed(project, labelled(project, number), 22)
    assert project.call(environment, "--final-word").exit_code == 0
    assert state(project, number)["status"] == "cancelled"
    failed = project.run(*commented(project, number, "/agent retry"), CI_AGENT_VERIFICATION_SETUP="exit 7")
    assert failed.exit_code == 1, failed.log
    project.end()
    project.model.say([Say(calls=[SUBMIT])])
    done = project.run(*commented(project, number, "/agent retry"))
    assert done.exit_code == 0, done.log
    assert "return a + b" in project.origin.git("show", f"feat/ai-task-{number}:calculator.py")


def test_what_is_asked_for_now_is_not_passed_over_by_a_hand_in_that_waits(project: Pipeline) -> None:
    """The job was lost while the tests ran on what was handed in, which holds."""
    number = project.forge.write_issue("add() subtracts", "")
    hook = project.origin.path / "hooks" / "post-receive"
    testing, killed = project.folder / "testing", project.folder / "killed"
    hook.write_text(
        "#!/bin/sh\nread old new ref\n"
        f'git show "$new:state.json" 2>&1 | grep -q \'"testing"\' || exit 0\n'
        f"touch {testing}; while [ ! -e {killed} ]; do sleep 0.1; done\n"
    )
    hook.chmod(0o755)
    project.model.say([Say(calls=[FIX]), Say(calls=[SUBMIT])])
    job = start(project, project.environment(*labelled(project, number)))
    until(testing.exists)
    job.kill()
    killed.touch()
    job.communicate(timeout=30)
    project.end()
    hook.unlink()
    project.model.say([Say(calls=[SUBMIT])])
    asked = len(project.model.requests)
    done = project.run(*commented(project, number, "/agent retry And say so in the changelog."))
    assert done.exit_code == 0, done.log
    [told] = last_results(project.model.requests[asked].body)
    assert "And say so in the changelog." in told


def test_the_base_and_the_branch_that_a_session_began_with_stay_its_own(project: Pipeline) -> None:
    project.origin.git("branch", "release", "main")
    number = project.forge.write_issue("add() subtracts", "")
    project.model.say([Say(calls=[FIX]), Say(calls=[ASK])])
    asked = project.run(*commented(project, number, "/agent run --base release"))
    assert asked.exit_code == 5, asked.log
    project.end()
    project.model.say([Say(calls=[SUBMIT])])
    answered = commented(project, number, "/agent answer 1")
    done = project.run(*answered, CI_AGENT_GIT_BRANCH="bot/{issue}")
    assert done.exit_code == 0, done.log
    assert state(project, number)["base"] == "release"
    [request] = project.merge_requests()
    assert request["branch"] == f"feat/ai-task-{number}"
    assert "bot/" not in project.origin.git("for-each-ref", "refs/heads")


def test_a_branch_that_somebody_rewrote_meanwhile_is_gone_on_from(project: Pipeline) -> None:
    """The commit that the session began on is in nobody's repository any more."""
    number = project.forge.write_issue("add() subtracts", "")
    assert project.run(*labelled(project, number)).exit_code == 0
    project.end()
    steps = iter(looks(21))
    project.model.say(lambda _: next(steps, Hang()))
    killed(project, commented(project, number, "/agent retry"), 22)
    assert state(project, number)["work"] == ""
    branch = f"feat/ai-task-{number}"
    person = Repository(project.folder / "person")
    words = ("clone", "--quiet", "--branch", branch, project.origin.path.as_uri(), str(person.path))
    project.origin.git(*words)
    message = person.git("log", "-1", "--format=%B")
    person.git("commit", "--quiet", "--amend", "-m", f"Better words\n\n{message}")
    person.git("push", "--quiet", "--force", str(project.origin.path), branch)
    project.origin.git("reflog", "expire", "--expire=now", "--all")
    project.model.say(
        [Say(calls=[("bash", {"command": "echo '# sums' >> calculator.py"})]), Say(calls=[SUBMIT])]
    )
    done = project.run(*commented(project, number, "/agent retry"))
    assert done.exit_code == 0, done.log
    assert facts(done, SessionResumed)[-1].restored
    assert project.origin.git("log", "-2", "--format=%s", branch).splitlines()[-1] == "Better words"


def test_what_was_taken_back_does_not_come_back(project: Pipeline) -> None:
    undo = Say(calls=[("bash", {"command": "git checkout -q -- calculator.py"})])
    steps = iter([Say(calls=[FIX]), *looks(19), undo, *looks(40)[19:]])
    project.model.say(lambda _: next(steps, Hang()))
    number = project.forge.write_issue("add() subtracts", "")
    killed(project, labelled(project, number), 42)
    assert state(project, number)["steps"] == 40
    assert state(project, number)["work"] == ""


def test_who_begins_anew_gets_nothing_of_the_old_work(project: Pipeline) -> None:
    steps = iter([Say(calls=[FIX]), *looks(20)])
    project.model.say(lambda _: next(steps, Hang()))
    number = project.forge.write_issue("add() subtracts", "")
    killed(project, labelled(project, number), 22)
    first = state(project, number)
    assert first["work"]
    project.model.say([Hang()])
    killed(project, commented(project, number, "/agent retry --fresh"), 1)
    second = state(project, number)
    assert second["session"] != first["session"]
    assert (second["work"], second["steps"]) == ("", 0)
