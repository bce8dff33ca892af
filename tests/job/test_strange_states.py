"""What people, strangers and the order of events can do to an issue between two jobs: no two agents, no work or request lost,
nothing untrue that stays."""

from __future__ import annotations

import io

import pytest

from ci_agent.job.roster import SHELF, Granted, Roster
from ci_agent.workspace import Store
from tests.job.conftest import commented, labelled, start, until, until_asked
from tests.job.racing import entry
from tests.job.test_meanwhile import NeverEnded, job_key
from tests.job.test_resuming import ASK, killed
from tests.support.jobs import FIX, SOLVE
from tests.support.model_server import Hang, Say
from tests.support.pipelines import Done, Pipeline

pytestmark = pytest.mark.slow

AT_ONCE = {"CI_AGENT_ASK_GIVE_UP_AFTER": "0.000001", "CI_AGENT_ASK_REMIND_AFTER": "0.0000005"}


def polled(project: Pipeline, **more: str) -> Done:
    """The schedule looks after everything."""
    done = project.call(project.environment("schedule", {}, **more), command="poll")
    assert done.exit_code == 0, done.log
    return done


def comments(project: Pipeline, number: int) -> list[str]:
    return [text for who, text in project.said(number) if who != "dana"]


# --- a roster that somebody took away -------------------------------------------------------------------------


def test_a_job_at_work_is_not_taken_to_be_lost_because_somebody_took_the_roster_away(
    project: Pipeline,
) -> None:
    project.model.say([Hang()])
    number = project.forge.write_issue("add() subtracts", "")
    job = start(project, project.environment(*labelled(project, number)))
    until_asked(project)
    until(lambda: project.labels(number) == ["ai-running"])
    project.origin.git("update-ref", "-d", "refs/ci-agent/roster/all")
    looked = polled(project)
    assert project.labels(number) == ["ai-running"], looked.log
    assert comments(project, number)[0].startswith("**Working on it**")
    job.kill()
    job.communicate(timeout=30)


def test_nobody_begins_beside_a_job_at_work_because_somebody_took_the_roster_away(project: Pipeline) -> None:
    project.model.say([Hang()])
    number = project.forge.write_issue("add() subtracts", "")
    job = start(project, project.environment(*labelled(project, number)))
    until_asked(project)
    project.origin.git("update-ref", "-d", "refs/ci-agent/roster/all")
    project.model.say(list(SOLVE))
    second = project.run(*commented(project, number, "/agent retry"))
    assert len(project.model.requests) == 1, second.log
    assert "Another job is at work" in comments(project, number)[-1]
    job.kill()
    job.communicate(timeout=30)


# --- sessions that nobody goes on with --------------------------------------------------------------------------


def test_a_session_that_is_given_up_leaves_its_draft_for_the_branch_that_it_started_from(
    project: Pipeline,
) -> None:
    project.origin.git("branch", "release", "main")
    project.model.say([Say(calls=[FIX]), Say(calls=[ASK])])
    number = project.forge.write_issue("add() is wrong", "")
    asked = project.run(*commented(project, number, "/agent run --base release"))
    assert asked.exit_code == 5, asked.log
    project.end()
    looked = polled(project, **AT_ONCE)
    assert project.labels(number) == ["ai-failed"], looked.log
    bases = [
        raw["base"]["ref"] if project.platform == "github" else raw["target_branch"]
        for raw in (project.forge.pulls if project.platform == "github" else project.forge.requests).values()
    ]
    assert bases == ["release"]


@pytest.mark.parametrize("project", ["gitlab"], indirect=True)
def test_nothing_is_published_of_an_issue_that_became_confidential(project: Pipeline) -> None:
    project.forge.visibility = "public"
    project.model.say([Say(calls=[FIX]), Say(calls=[ASK])])
    number = project.forge.write_issue("add() is wrong", "")
    assert project.run(*labelled(project, number)).exit_code == 5
    project.end()
    project.forge.issues[number]["confidential"] = True
    before = project.origin.git("for-each-ref", "refs/heads")
    looked = polled(project, **AT_ONCE)
    assert project.merge_requests() == [], looked.log
    assert project.origin.git("for-each-ref", "refs/heads") == before
    assert "The work is kept with the session and not published" in comments(project, number)[0]
    assert project.labels(number) == ["ai-failed"]


def test_a_question_that_somebody_answers_just_now_is_not_given_up(project: Pipeline) -> None:
    """The job of the answer has the issue, and has saved nothing yet."""
    project.model.say([Say(calls=[FIX]), Say(calls=[ASK])])
    number = project.forge.write_issue("add() is wrong", "")
    assert project.run(*labelled(project, number)).exit_code == 5
    project.end()
    jobs = project.forge.runs if project.platform == "github" else project.forge.jobs
    jobs[999] = "in_progress" if project.platform == "github" else "running"
    roster = Roster(Store(project.origin.path, None, SHELF), NeverEnded(), job_key(project), io.StringIO())
    assert roster.claim(entry("999", str(number)), 2) == Granted()
    polled(project, **AT_ONCE)
    assert project.labels(number) == ["ai-waiting"]
    assert project.merge_requests() == []
    roster.release(entry("999", str(number)))
    polled(project, **AT_ONCE)
    assert project.labels(number) == ["ai-failed"]


def test_a_request_whose_job_died_in_the_row_is_not_answered_with_the_end_of_an_earlier_session(
    project: Pipeline,
) -> None:
    project.model.say(list(SOLVE))
    number = project.forge.write_issue("add() subtracts", "")
    assert project.run(*labelled(project, number)).exit_code == 0
    project.end()
    project.model.say([Hang()])
    asked = len(project.model.requests)
    busy = start(project, project.environment(*labelled(project, project.forge.write_issue("one", ""))))
    until_asked(project, asked + 1)
    event = commented(project, number, "/agent retry")
    waiting = start(project, project.environment(*event, CI_AGENT_LIMITS_MAX_CONCURRENT="1"))
    until(lambda: comments(project, number)[-1].startswith("**Waiting**"))
    waiting.kill()
    waiting.communicate(timeout=30)
    jobs = project.forge.runs if project.platform == "github" else project.forge.jobs
    jobs[max(jobs)] = "completed" if project.platform == "github" else "failed"
    looked = polled(project)
    assert comments(project, number)[-1].startswith("**Stopped.**"), looked.log
    assert comments(project, number)[0].startswith("**Done")
    assert project.labels(number) == ["ai-failed"]
    assert polled(project).log.count("is gone") == 0
    busy.kill()
    busy.communicate(timeout=30)


def test_an_issue_whose_job_is_gone_is_found_although_somebody_put_the_label_there_again(
    project: Pipeline,
) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    project.forge.label(number, "ai-running")
    project.forge.label(number, "ai-task")
    looked = polled(project)
    assert "1 issue waits" in looked.log
    assert project.labels(number) == ["ai-task"]


# --- labels that are set by hand ----------------------------------------------------------------------------------


def test_a_plain_comment_where_we_have_asked_nothing_is_no_answer(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    project.forge.label(number, "ai-waiting", by="guest")
    done = project.run(*commented(project, number, "Thanks for the report."))
    assert done.exit_code == 0
    assert project.model.requests == [], done.log


# --- people who may not any more ------------------------------------------------------------------------------------


def test_a_lost_job_of_somebody_who_may_not_any_more_is_for_nobody(project: Pipeline) -> None:
    project.model.say([Hang()])
    number = project.forge.write_issue("add() subtracts", "")
    killed(project, labelled(project, number, by="robin"), 1)
    loses_the_right(project, "robin")
    looked = polled(project)
    assert "0 issues wait" in looked.log
    assert project.labels(number) == ["ai-failed"]
    [said] = comments(project, number)
    assert "whoever asked for it may not ask for work any more" in said


def loses_the_right(project: Pipeline, login: str) -> None:
    if project.platform == "github":
        project.forge.roles[login] = "read"
    else:
        project.forge.members[login] = 20
