"""A question on the issue, how the CI shows it, and the plain comment that answers it."""

from __future__ import annotations

from typing import Any

import pytest

from ci_agent.journal.events import SessionEnded
from ci_agent.task import Status
from tests.job.conftest import commented, labelled
from tests.job.split.conftest import pipeline_of
from tests.support.jobs import FIX, SOLVE
from tests.support.model_server import Say
from tests.support.pipelines import Done, Pipeline

pytestmark = pytest.mark.slow

ASK = ("ask_user", {"question": "Which one is right?", "choices": ["The test", "The code"]})
GREEN = "--waiting-is-success"
SUSPENDED = "The session is suspended (exit code 5): issue 1 waits for an answer."


def asked(project: Pipeline, *words: str) -> tuple[int, Done]:
    """An issue on which a session has asked its question, and the job that did."""
    project.model.say([Say(calls=[ASK])])
    number = project.forge.write_issue("add() subtracts", "")
    done = project.run(*labelled(project, number), *words)
    project.end()
    project.model.say(list(SOLVE))
    return number, done


def status(project: Pipeline, done: Done) -> str:
    return done.outputs[{"github": "status", "gitlab": "CI_AGENT_STATUS"}[project.platform]]


def untouched(project: Pipeline, number: int, before: list[tuple[str, str]], asked_the_model: int) -> None:
    assert project.said(number) == before
    assert len(project.model.requests) == asked_the_model
    assert project.labels(number) == ["ai-waiting"]


# --- the question -----------------------------------------------------------------------------------------


def test_a_question_mentions_who_asked_numbers_the_choices_and_says_how_to_answer(project: Pipeline) -> None:
    number, done = asked(project)
    assert done.exit_code == 5
    assert project.labels(number) == ["ai-waiting"]
    [(_, said)] = project.said(number)
    assert "**A question before I go on** · waiting for @dana · " in said
    assert "> *The model asks:* Which one is right?\n> 1. The test\n> 2. The code\n" in said
    assert "\n\nReply to this issue with a comment, or with `/agent answer …`.\n" in said


def looked_after(project: Pipeline, **ask: str) -> Done:
    """The schedule, with these settings of `ask`."""
    settings = {f"CI_AGENT_ASK_{name}": value for name, value in ask.items()}
    environment = project.environment("schedule", {})
    done = project.call({**environment, **settings}, command="poll")
    assert done.exit_code == 0, done.log
    return done


def test_who_was_asked_is_reminded_once_and_after_a_while_it_ends_with_what_there_is(
    project: Pipeline,
) -> None:
    number, _ = asked(project)
    looked_after(project)
    assert len(project.said(number)) == 1
    for _ in range(2):
        looked_after(project, REMIND_AFTER="0.000001")
    progress, reminder = [text for _, text in project.said(number)]
    assert reminder.startswith("@dana: [my question](")
    assert "still waits for an answer. Without one, I stop waiting 14 days from now" in reminder
    assert project.labels(number) == ["ai-waiting"]
    looked_after(project, REMIND_AFTER="0.0000005", GIVE_UP_AFTER="0.000001")
    assert project.labels(number) == ["ai-failed"]
    assert project.merge_requests() == []  # nothing was changed
    progress, again = [text for _, text in project.said(number)]
    assert "Nobody answered within" in progress
    assert again == reminder


def test_work_on_which_nobody_answers_becomes_a_draft(project: Pipeline) -> None:
    project.model.say([Say(calls=[FIX]), Say(calls=[ASK])])
    number = project.forge.write_issue("add() subtracts", "")
    assert project.run(*labelled(project, number)).exit_code == 5
    project.end()
    looked_after(project, REMIND_AFTER="0.0000005", GIVE_UP_AFTER="0.000001")
    [request] = project.merge_requests()
    assert (request["draft"], request["branch"]) == (True, f"feat/ai-task-{number}")
    assert "return a + b" in project.origin.git("show", f"feat/ai-task-{number}:calculator.py")
    assert project.labels(number) == ["ai-failed"]


def test_a_ci_is_told_of_success_where_it_asks_for_that_and_sees_what_it_was(project: Pipeline) -> None:
    _, done = asked(project, GREEN)
    assert done.exit_code == 0, done.log
    assert f"{SUSPENDED} To the CI this is a success." in done.log
    assert status(project, done) == "suspended"
    [end] = [event.fact for event in done.events if isinstance(event.fact, SessionEnded)]
    assert (end.status, end.exit_code) == (Status.SUSPENDED, 5)


def test_other_endings_are_no_success_because_of_that(project: Pipeline) -> None:
    project.model.say([Say(calls=[FIX])])
    number = project.forge.write_issue("add() subtracts", "")
    done = project.run(*labelled(project, number), GREEN, CI_AGENT_LIMITS_MAX_ITERATIONS="1")
    assert done.exit_code == 4, done.log
    assert "To the CI this is a success." not in done.log


def test_both_of_two_jobs_that_share_the_work_are_a_success(project: Pipeline) -> None:
    project.model.say([Say(calls=[ASK])])
    number = project.forge.write_issue("add() subtracts", "")
    jobs = pipeline_of(project, number, *labelled(project, number))
    for done in (jobs.work(GREEN), jobs.publish(GREEN)):
        assert done.exit_code == 0, done.log
        assert SUSPENDED in done.log
        assert status(project, done) == "suspended"
    assert "Reply to this issue with a comment" in jobs.comment()


def test_a_question_is_withdrawn_where_another_session_begins_anew(project: Pipeline) -> None:
    number, _ = asked(project)
    done = project.run(*commented(project, number, "/agent retry --fresh The code is wrong."))
    assert done.exit_code == 0, done.log
    first, _, second = [text for _, text in project.said(number)]
    assert first.startswith("This session is not gone on with, and needs no answer")
    assert "waiting for" not in first
    assert second.startswith("**Done")


# --- the answer -------------------------------------------------------------------------------------------


def test_a_plain_comment_of_somebody_who_may_goes_on_with_the_work(project: Pipeline) -> None:
    number, _ = asked(project)
    done = project.run(
        *commented(project, number, "> Which one is right?\n\nThe test, of course.", by="robin")
    )
    assert done.exit_code == 0, done.log
    assert f"Asked for: answer on issue {number}, by a reply by robin." in done.log
    assert "The test, of course." in str(project.model.requests[-1].body["messages"])
    [said, _] = [text for _, text in project.said(number)]
    assert "> *The model asked:* Which one is right?\n\nrobin answered: " in said
    assert "Asked for by robin's reply · " in said
    [request] = project.merge_requests()
    assert "asked for by @dana, gone on with for @robin" in request["text"]
    assert "> *The model asked:* Which one is right?\n\nrobin answered: " in request["text"]
    assert project.labels(number) == ["ai-review"]
    assert len(project.merge_requests()) == 1


def test_a_comment_of_somebody_who_may_not_is_passed_over_without_a_word(project: Pipeline) -> None:
    number, _ = asked(project)
    event = commented(project, number, "I have the same question.", by="guest")
    before, requests = project.said(number), len(project.model.requests)
    done = project.run(*event)
    assert done.exit_code == 0
    assert "guest may not write here" in done.log
    untouched(project, number, before, requests)
    given: list[Any] = project.forge.reactions if project.platform == "github" else project.forge.awards
    assert len(given) == 1  # on the issue, when its label asked for the work


def test_a_comment_that_only_quotes_is_no_answer(project: Pipeline) -> None:
    number, _ = asked(project)
    event = commented(project, number, "> Which one is right?")
    before, requests = project.said(number), len(project.model.requests)
    assert "the comment holds no command" in project.run(*event).log
    untouched(project, number, before, requests)


def test_of_two_answers_at_once_the_second_is_told_that_it_came_too_late(project: Pipeline) -> None:
    number, _ = asked(project)
    first = commented(project, number, "The test.")
    second = commented(project, number, "And be quick.", by="robin")
    project.run(*first)
    project.end()
    requests = len(project.model.requests)
    for _ in range(2):  # a job that is run again
        assert project.run(*second).exit_code == 0
    assert project.said(number)[-1][1].startswith("My question was answered before this comment was read")
    assert len([text for _, text in project.said(number) if "was answered before" in text]) == 1
    assert len(project.model.requests) == requests


def test_an_answer_to_an_earlier_question_is_none_to_the_next(project: Pipeline) -> None:
    number, _ = asked(project)
    first = commented(project, number, "The test.")
    second = commented(project, number, "Sorry, I meant the code.")
    project.model.say([Say(calls=[ASK])])
    assert project.run(*first).exit_code == 5
    project.end()
    requests = len(project.model.requests)
    done = project.run(*second)
    assert done.exit_code == 0
    assert project.said(number)[-1][1].startswith("My question was answered before this comment was read")
    assert len(project.model.requests) == requests
    assert project.labels(number) == ["ai-waiting"]


def test_a_comment_with_which_an_issue_is_closed_is_passed_over_without_a_word(project: Pipeline) -> None:
    number, _ = asked(project)
    event = commented(project, number, "We don't need this any more.")
    project.forge.close(number)
    before, requests = project.said(number), len(project.model.requests)
    done = project.run(*event)
    assert (done.exit_code, "is closed" in done.log) == (0, True)
    untouched(project, number, before, requests)


@pytest.mark.parametrize("project", ["gitlab"], indirect=True)
def test_a_reply_that_lost_its_words_before_it_was_read_is_none(project: Pipeline) -> None:
    """On GitLab the words are read from the platform, not from the event."""
    number, _ = asked(project)
    event = commented(project, number, "The test.")
    project.forge.edit_note(event[1]["object_attributes"]["id"], "> Which one is right?")
    before, requests = project.said(number), len(project.model.requests)
    assert "the comment holds no command" in project.run(*event).log
    untouched(project, number, before, requests)


@pytest.mark.parametrize("project", ["gitlab"], indirect=True)
def test_an_event_that_only_says_that_the_issue_waits_starts_nothing(project: Pipeline) -> None:
    """Whoever has the trigger's token can send any payload."""
    number = project.forge.write_issue("add() subtracts", "")
    name, payload = commented(project, number, "I like this.")
    payload["issue"]["labels"] = [{"title": "ai-waiting"}]
    done = project.run(name, payload)
    assert done.exit_code == 0
    assert project.model.requests == []
