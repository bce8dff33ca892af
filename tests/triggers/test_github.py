"""GitHub's events, with the payloads that GitHub's own examples hold."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ci_agent import triggers
from ci_agent.config.definitions import TriggerSettings
from ci_agent.task import Account, Thread
from ci_agent.triggers import Command, Ignored, Kind, Snapshot, Trigger, Verb
from tests.support.webhook_examples import webhook_examples
from tests.triggers.mutations import mutated

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
DANA = Account("dana", "7")
SETTINGS = TriggerSettings(account="shop-bot")


def read(name: str, payload: dict[str, Any], config: TriggerSettings = SETTINGS) -> Trigger | Ignored:
    return triggers.read("github", name, payload, NOW, DANA, config)


def why(name: str, payload: dict[str, Any], config: TriggerSettings = SETTINGS) -> str:
    found = read(name, payload, config)
    assert isinstance(found, Ignored), found
    return found.why


@cache
def _example(name: str, action: str | None) -> dict[str, Any]:
    return next(
        example for event, example in webhook_examples() if event == name and example.get("action") == action
    )


def example(name: str, action: str | None = None) -> dict[str, Any]:
    """GitHub's first example of the event."""
    return deepcopy(_example(name, action))


def labelled() -> dict[str, Any]:
    payload = example("issues", "labeled")
    payload["label"]["name"] = "ai-task"
    return payload


def said(text: str) -> dict[str, Any]:
    payload = example("issue_comment", "created")
    payload["comment"]["body"] = text
    return payload


def answered(text: str, *labels: str, **issue: Any) -> dict[str, Any]:
    """A comment on an issue with these labels and fields."""
    payload = said(text)
    payload["issue"] |= {"labels": [{"id": 1, "name": label} for label in labels], **issue}
    return payload


def dispatched(name: str, **inputs: Any) -> dict[str, Any]:
    payload = example(name, "on-demand-test" if name == "repository_dispatch" else None)
    payload["inputs" if name == "workflow_dispatch" else "client_payload"] = inputs
    return payload | {"sender": {"login": "lee", "id": 8, "type": "User"}}


# --- what asks for work -----------------------------------------------------------------------------------


def test_the_label_asks_for_work_on_the_issue_as_it_stands_in_the_payload() -> None:
    payload = labelled()
    payload["issue"] |= {"title": "Crash on \u202eempty input", "body": "Steps:\r\n1. …"}
    assert read("issues", payload) == Trigger(
        kind=Kind.LABEL,
        thread=Thread("1"),
        actor=Account("Codertocat", "21031067"),
        at=datetime(2019, 5, 15, 15, 20, 18, tzinfo=UTC),
        command=Command(Verb.RUN),
        issue=Snapshot("Crash on \u202eempty input", "Steps:\r\n1. …"),
    )


def test_an_issue_without_a_text_is_worked_on_all_the_same() -> None:
    payload = labelled()
    payload["issue"]["body"] = None
    found = read("issues", payload)
    assert isinstance(found, Trigger)
    assert found.issue == Snapshot("Spelling error in the README file", "")


def test_whoever_put_the_label_there_has_acted_and_not_the_author() -> None:
    payload = labelled()
    payload["sender"] = {"login": "dana", "id": 7, "type": "User"}
    found = read("issues", payload)
    assert isinstance(found, Trigger)
    assert found.actor == DANA


def test_an_assignment_to_our_account_asks_for_work() -> None:
    payload = example("issues", "assigned")
    payload["assignee"]["login"] = "Shop-Bot"
    found = read("issues", payload)
    assert isinstance(found, Trigger)
    assert (found.kind, found.thread, found.command) == (Kind.ASSIGNMENT, Thread("1"), Command(Verb.RUN))


def test_a_command_in_a_comment_brings_the_comment_and_the_issue_along() -> None:
    payload = said("Please.\r\n\r\n/agent retry --budget 2 use `strip()`\r\nand keep the tests")
    assert read("issue_comment", payload) == Trigger(
        kind=Kind.COMMAND,
        thread=Thread("1"),
        actor=Account("Codertocat", "21031067"),
        at=datetime(2019, 5, 15, 15, 20, 21, tzinfo=UTC),
        command=Command(Verb.RETRY, "use `strip()`\nand keep the tests", budget=2.0),
        comment="492700400",
        issue=Snapshot(
            "Spelling error in the README file",
            "It looks like you accidently spelled 'commit' with two 't's.",
        ),
    )


def test_a_comment_on_a_pull_request_says_so_and_brings_no_issue() -> None:
    payload = said("/agent retry")
    payload["issue"]["pull_request"] = {"url": "https://api.github.com/repos/Codertocat/Hello-World/pulls/1"}
    del payload["issue"]["title"]  # that of the pull request, which nobody needs
    found = read("issue_comment", payload)
    assert isinstance(found, Trigger)
    assert (found.thread, found.issue) == (Thread("1", merge_request=True), None)


def test_a_comment_that_mentions_our_account_asks_for_work() -> None:
    found = read("issue_comment", said("Could you have a look, @shop-bot?"))
    assert isinstance(found, Trigger)
    assert (found.kind, found.command) == (Kind.MENTION, Command(Verb.RUN, "Could you have a look, ?"))


def test_a_command_on_a_closed_issue_gets_its_answer_from_the_job() -> None:
    payload = said("/agent status")
    payload["issue"]["state"] = "closed"
    assert isinstance(read("issue_comment", payload), Trigger)


@pytest.mark.parametrize("label", ["ai-waiting", "AI-Waiting"])
def test_a_plain_comment_on_an_issue_that_waits_is_the_answer(label: str) -> None:
    assert read("issue_comment", answered("The second one.", "bug", label)) == Trigger(
        kind=Kind.REPLY,
        thread=Thread("1"),
        actor=Account("Codertocat", "21031067"),
        at=datetime(2019, 5, 15, 15, 20, 21, tzinfo=UTC),
        command=Command(Verb.ANSWER, "The second one."),
        comment="492700400",
        issue=Snapshot(
            "Spelling error in the README file",
            "It looks like you accidently spelled 'commit' with two 't's.",
        ),
    )


def test_a_command_on_an_issue_that_waits_stays_what_it_is() -> None:
    for text in ("/agent retry the other way", "/agent stop", "/agent answer both"):
        assert read("issue_comment", answered(text, "ai-waiting")) == read("issue_comment", said(text))


def test_only_a_person_s_new_comment_on_an_open_issue_that_waits_is_an_answer() -> None:
    nothing = "the comment holds no command"
    assert why("issue_comment", answered("Yes", "ai-running")) == nothing
    assert why("issue_comment", answered("> Should tabs count?", "ai-waiting")) == nothing
    assert why("issue_comment", answered("Yes", "ai-waiting", state="closed")) == nothing
    assert why("issue_comment", answered("Yes", "ai-waiting", pull_request={})) == nothing
    robot = answered("Coverage: 80 %", "ai-waiting")
    robot["comment"]["user"] = {"login": "coverage[bot]", "id": 12, "type": "Bot"}
    assert why("issue_comment", robot) == nothing
    ours = answered("<!-- ci-agent: progress 1 2 -->\nA question", "ai-waiting")
    assert why("issue_comment", ours) == "it is a comment of ours"
    edited = answered("Yes", "ai-waiting") | {"action": "edited"}
    assert why("issue_comment", edited) == "a comment that was edited asks for nothing"


@pytest.mark.parametrize("name", ["workflow_dispatch", "repository_dispatch"])
def test_a_dispatch_names_an_issue_or_an_intent_or_both(name: str) -> None:
    for inputs, thread, words in (
        ({"issue": "12"}, Thread("12"), ""),
        ({"issue": "#12", "intent": ""}, Thread("12"), ""),
        ({"issue": 12}, Thread("12"), ""),
        ({"issue": "", "intent": " Raise the coverage "}, None, "Raise the coverage"),
        ({"issue": "12", "intent": "Only the parser"}, Thread("12"), "Only the parser"),
    ):
        found = read(name, dispatched(name, **inputs))
        assert isinstance(found, Trigger)
        assert (found.kind, found.thread, found.command.text) == (Kind.DISPATCH, thread, words)
        assert (found.at, found.actor) == (NOW, Account("lee", "8"))


def test_a_dispatch_without_a_sender_is_by_whoever_the_ci_says() -> None:
    found = read("workflow_dispatch", {"inputs": {"issue": "3"}})
    assert isinstance(found, Trigger)
    assert found.actor == DANA


@pytest.mark.parametrize(
    "sender",
    [{"login": "renovate", "id": 29139614, "type": "Bot"}, {"login": "renovate[bot]", "id": 29139614}],
)
def test_a_bot_is_known_by_its_type_or_name(sender: dict[str, Any]) -> None:
    payload = labelled() | {"sender": sender}
    found = read("issues", payload)
    assert isinstance(found, Trigger)
    assert found.actor is not None
    assert found.actor.bot


# --- what is ignored, and why -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "payload", "reason"),
    [
        ("push", lambda: example("push"), "events of the kind push ask for nothing"),
        ("", dict, "events of the kind (none) ask for nothing"),
        ("x\n::error::y", dict, "events of the kind x::error::y ask for nothing"),
        ("schedule", dict, "a schedule runs `ci-agent poll`, and then a job for each issue with --issue"),
        (
            "pull_request_review_comment",
            lambda: example("pull_request_review_comment", "created"),
            "a pull_request_review_comment asks for nothing; comments on issues and in a pull request's conversation do",
        ),
        ("issues", lambda: example("issues", "labeled"), "the label bug is not ai-task"),
        ("issues", lambda: labelled() | {"label": {"name": "ai-tasks"}}, "the label ai-tasks is not ai-task"),
        (
            "issues",
            lambda: labelled() | {"action": "unlabeled"},
            "an issue that was unlabeled asks for nothing",
        ),
        ("issues", lambda: labelled() | {"action": "opened"}, "an issue that was opened asks for nothing"),
        (
            "issues",
            lambda: example("issues", "assigned"),
            "it was assigned to Codertocat, not to us (trigger.account)",
        ),
        ("issue_comment", lambda: example("issue_comment", "created"), "the comment holds no command"),
        (
            "issue_comment",
            lambda: said("/agent run") | {"action": "edited"},
            "a comment that was edited asks for nothing",
        ),
        (
            "issue_comment",
            lambda: said("/agent run") | {"action": "deleted"},
            "a comment that was deleted asks for nothing",
        ),
        (
            "issue_comment",
            lambda: said("<!-- ci-agent: progress 1 2 -->\n/agent retry goes on"),
            "it is a comment of ours",
        ),
        (
            "workflow_dispatch",
            lambda: example("workflow_dispatch"),
            "it names neither an issue nor an intent",
        ),
        (
            "repository_dispatch",
            lambda: example("repository_dispatch", "on-demand-test"),
            "it names neither an issue nor an intent",
        ),
        (
            "workflow_dispatch",
            lambda: dispatched("workflow_dispatch", issue="twelve", intent="Mend it"),
            "twelve is no number of an issue",
        ),
        (
            "repository_dispatch",
            lambda: dispatched("repository_dispatch", issue=["12"], intent="Mend it"),
            "what was given is no number of an issue",
        ),
        (
            "workflow_dispatch",
            lambda: dispatched("workflow_dispatch", issue="1234567890123456"),
            "1234567890123456 is no number of an issue",
        ),
    ],
)
def test_all_else_is_ignored_with_a_reason(name: str, payload: Any, reason: str) -> None:
    assert why(name, payload()) == reason


def test_a_closed_issue_and_a_pull_request_are_not_worked_on_for_a_label() -> None:
    closed, request = labelled(), labelled()
    closed["issue"]["state"] = "closed"
    request["issue"]["pull_request"] = {}
    assert why("issues", closed) == "issue 1 is closed"
    assert why("issues", request) == "1 is a pull request, not an issue"


def test_what_our_own_account_does_is_ignored() -> None:
    ours = {"login": "shop-bot", "id": 9, "type": "User"}
    comment = said("/agent retry")
    comment["comment"]["user"] = ours
    assert why("issue_comment", comment) == "it is a comment of ours"
    assert why("issues", labelled() | {"sender": ours}) == "it was our own doing"


def test_without_an_account_assignments_and_mentions_ask_for_nothing() -> None:
    config = TriggerSettings()
    payload = example("issues", "assigned")
    assert "not to us (trigger.account)" in why("issues", payload, config)
    assert why("issue_comment", said("@shop-bot retry"), config) == "the comment holds no command"


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ("number", "the payload has no issue.number"),
        ("updated_at", "the payload has no issue.updated_at"),
        ("title", "the payload has no issue.title and issue.body"),
        ("body", "the payload has no issue.title and issue.body"),
    ],
)
def test_a_payload_without_a_field_is_ignored_and_the_field_named(field: str, reason: str) -> None:
    payload = labelled()
    del payload["issue"][field]
    assert why("issues", payload) == reason


# --- whatever GitHub sends --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("server", "labels", "comments"),
    [("api.github.com", 2, 5), ("ghes-31", 0, 1), ("ghes-34", 1, 2), ("ghes-35", 1, 2)],
)
def test_every_example_of_github_is_a_trigger_or_ignored_with_a_reason(
    server: str, labels: int, comments: int
) -> None:
    asked = []
    for name, payload in webhook_examples(server):
        if "comment" in payload:
            payload["comment"]["body"] = "/agent run"
        found = read(name, payload, TriggerSettings(label="bug"))
        if isinstance(found, Trigger):
            asked.append((name, payload["action"]))
        else:
            assert found.why.isprintable()
            assert 10 < len(found.why) < 150
    assert sorted(asked) == [("issue_comment", "created")] * comments + [("issues", "labeled")] * labels


@given(st.data())
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
def test_no_field_that_is_gone_or_wrong_breaks_anything(data: st.DataObject) -> None:
    name, payload = data.draw(
        st.sampled_from(
            [
                ("issues", labelled()),
                ("issues", example("issues", "assigned")),
                ("issue_comment", said("/agent retry --budget 1 with care")),
                ("issue_comment", answered("The second one", "ai-waiting")),
                ("workflow_dispatch", dispatched("workflow_dispatch", issue="1", intent="x")),
                ("repository_dispatch", dispatched("repository_dispatch", issue=1, intent="x")),
            ]
        )
    )
    found = read(name, data.draw(mutated(payload)))
    if isinstance(found, Ignored):
        assert found.why.isprintable()
    else:
        assert found.thread is None or found.thread.number.isdecimal()
        assert found.at.tzinfo is UTC
        assert found.actor is not None
        assert found.actor.login


def test_a_label_counts_in_whatever_capitals_github_keeps_it() -> None:
    payload = labelled() | {"label": {"name": "AI-Task"}}
    assert isinstance(read("issues", payload), Trigger)
