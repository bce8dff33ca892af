"""Who may ask for work, and what is said where nothing is done."""

from __future__ import annotations

import re

import pytest

from tests.job.conftest import a_bot, commented, labelled
from tests.support.model_server import Say
from tests.support.pipelines import Done, Pipeline

pytestmark = pytest.mark.slow


def nothing_happened(project: Pipeline, done: Done) -> None:
    assert done.exit_code == 0, done.log
    assert project.merge_requests() == []
    assert project.model.requests == []


def test_a_person_who_may_not_is_told_so_once(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "", by="guest")
    for event in (
        labelled(project, number, by="guest"),
        commented(project, number, "/agent run", by="guest"),
        commented(project, number, "/agent run --budget 9999", by="guest"),
    ):
        done = project.run(*event)
        nothing_happened(project, done)
        assert "guest may not write here" in done.log
    ours = [text for who, text in project.said(number) if who != "guest"]
    assert ours == [
        (
            "Only people who may write to this repository can start me; @guest may not, or the platform does not let me see "
            "it. Somebody who may can comment `/agent run`."
        )
    ]
    assert project.labels(number) == ["ai-task"]


def test_a_stranger_whose_rights_can_not_be_looked_up_is_refused(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    project.forge.person("mallory")
    nothing_happened(project, project.run(*commented(project, number, "/agent run", by="mallory")))
    assert any("@mallory may not" in text for _, text in project.said(number))


def test_the_permission_that_is_needed_can_be_raised(project: Pipeline) -> None:
    project.forge.files[".ci-agent.yml"] = b"trigger:\n  permission: maintain\n"
    number = project.forge.write_issue("add() subtracts", "")
    nothing_happened(project, project.run(*labelled(project, number, by="robin")))
    assert any("Only people who maintain this repository" in text for _, text in project.said(number))


def test_bots_are_refused_without_a_word_unless_they_are_listed(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    bot = a_bot(project)
    event = commented(project, number, "/agent run", by=bot)
    done = project.run(*event)
    nothing_happened(project, done)
    assert f"{bot} is a bot" in done.log
    assert len(project.said(number)) == 1
    listed = str(project.forge.people[bot]["id"])
    assert "**Done" in _last_word(project, number, project.run(*event, CI_AGENT_TRIGGER_BOTS=listed))


def _last_word(project: Pipeline, number: int, done: Done) -> str:
    assert done.exit_code == 0, done.log
    return project.said(number)[-1][1]


def test_our_own_doing_starts_nothing(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    token = project.environment("x", {})[f"{project.platform.upper()}_TOKEN"]
    ours = project.forge.tokens[token].login
    listed = str(project.forge.people[ours]["id"])
    for event in (labelled(project, number, by=ours), commented(project, number, "/agent run", by=ours)):
        done = project.run(*event, CI_AGENT_TRIGGER_BOTS=listed)
        nothing_happened(project, done)
        assert "our own doing" in done.log


def test_an_issue_is_not_worked_on_again_and_again(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    project.forge.today()
    for _ in range(2):
        project.run(*commented(project, number, "/agent run"), CI_AGENT_TRIGGER_RUNS_PER_DAY="2")
        project.end()
    asked = len(project.model.requests)
    done = project.run(*commented(project, number, "/agent run"), CI_AGENT_TRIGGER_RUNS_PER_DAY="2")
    assert done.exit_code == 0
    assert len(project.model.requests) == asked
    assert "2 times within a day, which is the limit" in project.said(number)[-1][1]
    raw = project.forge.comments if project.platform == "github" else project.forge.notes
    for comment in raw.values():  # that was yesterday
        comment["body"] = re.sub(r"too many runs \S+", "too many runs 2026-01-01", comment["body"])
    for _ in range(2):
        project.run(*commented(project, number, "/agent run"), CI_AGENT_TRIGGER_RUNS_PER_DAY="2")
    explained = [text for _, text in project.said(number) if "which is the limit" in text]
    assert len(explained) == 2


def test_each_job_of_a_session_counts(project: Pipeline) -> None:
    question = ("ask_user", {"question": "Which sign?"})
    project.model.say([Say(calls=[question])] * 3)
    number = project.forge.write_issue("add() is wrong", "")
    project.forge.today()
    assert project.run(*labelled(project, number)).exit_code == 5
    for code in (5, 0):
        project.end()
        asked = len(project.model.requests)
        event = commented(project, number, "/agent answer plus")
        done = project.run(*event, CI_AGENT_TRIGGER_RUNS_PER_DAY="2")
        assert done.exit_code == code, done.log
    assert len(project.model.requests) == asked
    assert "2 times within a day, which is the limit" in project.said(number)[-1][1]


def test_runs_of_earlier_days_do_not_count(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "")  # the platform's clock stands in the past
    asked = 0
    for _ in range(2):
        project.run(*commented(project, number, "/agent run"), CI_AGENT_TRIGGER_RUNS_PER_DAY="1")
        project.end()
        assert len(project.model.requests) > asked
        asked = len(project.model.requests)


def test_a_schedule_that_finds_the_same_again_says_it_once(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "", by="guest")
    project.forge.label(number, "ai-task", by="robin")
    project.forge.edit_issue(number, by="guest", text="Something else")
    for _ in range(3):
        done = project.run("schedule", {}, "--issue", str(number))
        assert "guest changed the issue meanwhile" in done.log
    assert [text.startswith("@guest changed this issue") for _, text in project.said(number)] == [True]


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("/agent help", "| `/agent retry [HINT]` |"),
        ("/agent runn", "there is no command `runn`; did you mean `/agent run`?"),
        ("/agent run --budget lots", "is no amount in dollars"),
        ("/agent run --model replay:/etc/passwd", "names no model"),
        ("/agent status", "I have not worked on this issue yet"),
        ("/agent stop", "there is nothing to stop"),
        ("/agent answer 1", "I have asked no question here"),
        ("/agent approve", "Nothing waits for a decision here"),
        ("/agent reject because", "Nothing waits for a decision here"),
    ],
)
def test_commands_that_are_no_work_are_answered_once_each(
    command: str, answer: str, project: Pipeline
) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    event = commented(project, number, command)
    for _ in range(2):  # a job that is run again
        nothing_happened(project, project.run(*event))
        project.end()
    answers = [text for _, text in project.said(number)[1:]]
    assert len([text for text in answers if answer in text]) == len(answers) >= 1


def test_what_is_done_is_acknowledged_on_the_comment(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    name, payload = commented(project, number, "/agent status")
    project.run(name, payload)
    comment = payload["comment"]["id"] if project.platform == "github" else payload["object_attributes"]["id"]
    given = project.forge.reactions if project.platform == "github" else project.forge.awards
    assert [(place.split()[-1], what) for place, what, _ in given] == [(str(comment), "eyes")]
