"""GitLab's pipelines: webhooks with the payloads of GitLab's documentation, people, and the routing job."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ci_agent import triggers
from ci_agent.config.definitions import TriggerSettings
from ci_agent.task import Account, Thread
from ci_agent.triggers import Command, Ignored, Kind, Trigger, Verb
from ci_agent.triggers.travel import packed
from tests.triggers import gitlab_payloads as payloads
from tests.triggers.gitlab_payloads import ON_COMMIT, ON_ISSUE, ON_REQUEST, ON_SNIPPET, relabelled, said
from tests.triggers.mutations import mutated

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
OWNER = Account("owner-of-the-token", "3")
ROOT = Account("root", "1")
SETTINGS = TriggerSettings(account="shop-bot")


def read(
    payload: dict[str, Any], source: str = "trigger", config: TriggerSettings = SETTINGS
) -> Trigger | Ignored:
    return triggers.read("gitlab", source, payload, NOW, OWNER, config)


def trigger(payload: dict[str, Any], source: str = "trigger") -> Trigger:
    found = read(payload, source)
    assert isinstance(found, Trigger), found
    return found


def why(payload: dict[str, Any], source: str = "trigger", config: TriggerSettings = SETTINGS) -> str:
    found = read(payload, source, config)
    assert isinstance(found, Ignored), found
    return found.why


def answered(text: str, *labels: str, **issue: Any) -> dict[str, Any]:
    """A comment on an open issue with these labels and fields."""
    payload = said(text)
    payload["issue"] |= {"state": "opened", "labels": [payloads.label(name) for name in labels], **issue}
    return payload


# --- what asks for work -----------------------------------------------------------------------------------


def test_the_label_asks_for_work_when_this_change_added_it() -> None:
    assert trigger(relabelled(["API"], ["API", "ai-task"])) == Trigger(
        kind=Kind.LABEL,
        thread=Thread("23"),
        actor=ROOT,
        at=datetime(2013, 12, 3, 17, 15, 43, tzinfo=UTC),
        command=Command(Verb.RUN),
        issue=None,  # the trigger's token lets anybody say anything, so the text is read from the platform
    )


def test_an_issue_that_is_opened_with_the_label_asks_for_work() -> None:
    assert trigger(relabelled(["ai-task"], ["ai-task"], action="open")).kind is Kind.LABEL
    assert trigger(relabelled([], ["ai-task"], action="open")).kind is Kind.LABEL


@pytest.mark.parametrize("action", ["open", "update"])
def test_an_assignment_to_our_account_asks_for_work(action: str) -> None:
    payload = relabelled([], [], action=action)
    us, other = {"id": 9, "username": "shop-bot"}, {"id": 10, "username": "lee"}
    payload["assignees"] = [other, us]
    if action == "update":
        payload["changes"]["assignees"] = {"previous": [other], "current": [other, us]}
    assert trigger(payload).kind is Kind.ASSIGNMENT


def test_a_command_in_a_comment_brings_the_comments_id_along() -> None:
    assert trigger(said("/agent retry use `strip()`")) == Trigger(
        kind=Kind.COMMAND,
        thread=Thread("17"),
        actor=ROOT,
        at=datetime(2015, 5, 17, 17, 6, 40, tzinfo=UTC),
        command=Command(Verb.RETRY, "use `strip()`"),
        comment="1241",
    )


def test_a_comment_on_a_merge_request_says_so() -> None:
    assert trigger(said("/agent retry", ON_REQUEST)).thread == Thread("1", merge_request=True)


def test_a_comment_that_mentions_our_account_asks_for_work() -> None:
    found = trigger(said("@shop-bot please"))
    assert (found.kind, found.command) == (Kind.MENTION, Command(Verb.RUN, "please"))


def test_a_plain_comment_on_an_issue_that_waits_is_the_answer() -> None:
    assert trigger(answered("The second one.", "API", "ai-waiting")) == Trigger(
        kind=Kind.REPLY,
        thread=Thread("17"),
        actor=ROOT,
        at=datetime(2015, 5, 17, 17, 6, 40, tzinfo=UTC),
        command=Command(Verb.ANSWER, "The second one."),
        comment="1241",
    )


def test_a_command_on_an_issue_that_waits_stays_what_it_is() -> None:
    for text in ("/agent retry the other way", "/agent stop", "/agent answer both"):
        assert trigger(answered(text, "ai-waiting")) == trigger(said(text))


def test_only_a_person_s_new_comment_on_an_open_issue_that_waits_is_an_answer() -> None:
    nothing = "the comment holds no command"
    assert why(answered("Yes", "ai-running")) == nothing
    assert why(answered("> Should tabs count?", "ai-waiting")) == nothing
    assert why(answered("Yes", "ai-waiting", state="closed")) == nothing
    assert why(answered("Yes", "ai-waiting", labels=None)) == nothing
    on_request = said("Yes", ON_REQUEST)
    on_request["merge_request"]["labels"] = [payloads.label("ai-waiting")]
    assert why(on_request) == nothing
    robot = {"user": {"id": 44, "username": "project_7_bot_3f9a0c"}}
    assert why(answered("Coverage: 80 %", "ai-waiting") | robot) == nothing
    ours = answered("<!-- ci-agent: progress 1 -->\nA question", "ai-waiting")
    assert why(ours) == "it is a comment of ours"
    edited = answered("Yes", "ai-waiting")
    edited["object_attributes"]["action"] = "update"
    assert why(edited) == "a comment that was changed asks for nothing"
    internal = answered("Yes", "ai-waiting") | {"event_type": "confidential_note"}
    assert why(internal).startswith("it is an internal note")


def test_a_comment_of_an_old_gitlab_that_names_no_action_is_a_new_one() -> None:
    assert trigger(said("/agent run", action=None)).comment == "1241"


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2024-01-02 03:04:05 UTC", datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2024-01-02T03:04:05Z", datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2024-01-02T03:04:05.123Z", datetime(2024, 1, 2, 3, 4, 5, 123000, tzinfo=UTC)),
        ("2024-01-02T03:04:05.123+05:30", datetime(2024, 1, 1, 21, 34, 5, 123000, tzinfo=UTC)),
        (
            "2020-01-20 13:18:06 +0100",
            datetime(2020, 1, 20, 12, 18, 6, tzinfo=UTC),
        ),  # a server set to local time
        ("2024-01-02T03:04:05", datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)),
    ],
)
def test_every_form_of_time_that_gitlab_writes_is_understood(written: str, moment: datetime) -> None:
    assert trigger(said("/agent run", created_at=written)).at == moment


@pytest.mark.parametrize("source", ["web", "api", "trigger"])
def test_a_person_names_an_issue_or_an_intent_in_variables(source: str) -> None:
    found = trigger({"inputs": {"issue": "12", "intent": ""}}, source)
    assert found == Trigger(Kind.DISPATCH, Thread("12"), OWNER, NOW, Command(Verb.RUN))
    found = trigger({"inputs": {"issue": "", "intent": "Raise the coverage\n"}}, source)
    assert found == Trigger(Kind.DISPATCH, None, OWNER, NOW, Command(Verb.RUN, "Raise the coverage"))


def test_a_routing_job_hands_its_trigger_on_and_nobody_else_can() -> None:
    mine = Trigger(Kind.LABEL, Thread("4"), ROOT, NOW, Command(Verb.RUN))
    payload = {"travelled": packed(mine), "inputs": {"issue": "", "intent": ""}}
    assert trigger(payload, "parent_pipeline") == mine
    for source in ("web", "api", "trigger", "push", "schedule"):
        assert isinstance(read(payload, source), Ignored)


@pytest.mark.parametrize(
    ("login", "bot"),
    [
        ("project_7_bot_3f9a0c", True),
        ("project_7_bot", True),
        ("group_12_bot_3f9a0c", True),
        ("service_account_group_9_1f", True),
        ("projects_bot", False),
        ("robot", False),
    ],
)
def test_the_users_of_access_tokens_are_bots(login: str, bot: bool) -> None:
    payload = said("/agent run") | {"user": {"id": 44, "username": login}}
    assert trigger(payload).actor == Account(login, "44", bot)


# --- what is ignored, and why -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (
            payloads.ISSUE,
            "the issue was opened without the label ai-task",
        ),
        (
            relabelled(["ai-task"], ["API", "ai-task"]),
            "the label ai-task was not added by this change, and it was not assigned to us",
        ),
        (
            relabelled(["API", "ai-task"], ["API"]),
            "no label was added by this change, and nobody was assigned",
        ),
        (
            relabelled(["ai-task"], ["ai-task"]),
            "no label was added by this change, and nobody was assigned",
        ),
        (relabelled([], ["ai-task"], "close"), "an issue that was closed asks for nothing"),
        (relabelled([], ["ai-task"], "reopen"), "an issue that was reopened asks for nothing"),
        (ON_ISSUE, "the comment holds no command"),
        (ON_COMMIT, "the comment holds no command"),
        (said("/agent run", ON_COMMIT), "comments on a Commit ask for nothing"),
        (said("/agent run", ON_SNIPPET), "comments on a Snippet ask for nothing"),
        (said("/agent run", action="update"), "a comment that was changed asks for nothing"),
        (said("/agent run", system=True), "it is a note of GitLab's own"),
        (said("<!-- ci-agent: progress 1 -->\n/agent retry"), "it is a comment of ours"),
        (
            said("/agent run", internal=True),
            "it is an internal note, and what comes of it would be seen by everybody",
        ),
        (
            said("/agent run") | {"event_type": "confidential_note"},
            "it is an internal note, and what comes of it would be seen by everybody",
        ),
        ({"object_kind": "push"}, "webhooks of the kind push ask for nothing"),
        ({"object_kind": "work_item"}, "webhooks of the kind work_item ask for nothing"),
        ({}, "it names neither an issue nor an intent"),
        ({"inputs": {"issue": "twelve", "intent": "Mend it"}}, "twelve is no number of an issue"),
        (
            said("/agent run") | {"here": "acme/widget"},
            "it happened in gitlab-org/gitlab-test, and this is acme/widget",
        ),
    ],
)
def test_all_else_is_ignored_with_a_reason(payload: dict[str, Any], reason: str) -> None:
    assert why(payload) == reason


def test_a_closed_issue_is_not_worked_on_for_a_label() -> None:
    payload = relabelled([], ["ai-task"])
    payload["object_attributes"]["state"] = "closed"
    assert why(payload) == "issue 23 is closed"


def test_a_comment_on_a_confidential_issue_is_heard() -> None:
    payload = said("/agent run") | {"event_type": "confidential_note"}
    payload["issue"] = payload["issue"] | {"confidential": True}
    assert trigger(payload).comment == "1241"


def test_what_our_own_account_does_is_ignored() -> None:
    us = {"user": {"id": 9, "username": "Shop-Bot"}}
    assert why(said("/agent run") | us) == "it is a comment of ours"
    assert why(relabelled([], ["ai-task"]) | us) == "it was our own doing"


def test_the_project_we_are_in_is_known_by_its_path_in_any_case() -> None:
    assert trigger(said("/agent run") | {"here": "GitLab-Org/gitlab-test"}).comment == "1241"


@pytest.mark.parametrize("source", ["push", "schedule", "merge_request_event", "parent_pipeline", ""])
def test_other_pipelines_ask_for_nothing_whatever_they_carry(source: str) -> None:
    payload = said("/agent run") | {"inputs": {"issue": "3", "intent": ""}}
    assert why(payload, source) == f"pipelines started by {source or '(nothing)'} ask for nothing"


@pytest.mark.parametrize("source", ["web", "api"])
def test_a_webhooks_payload_counts_only_where_its_token_started_the_pipeline(source: str) -> None:
    assert why(said("/agent run"), source) == "it names neither an issue nor an intent"


@pytest.mark.parametrize(
    ("payload", "path", "reason"),
    [
        (
            relabelled([], ["ai-task"]),
            ("object_attributes", "iid"),
            "the payload has no object_attributes.iid",
        ),
        (relabelled([], ["ai-task"]), ("user",), "the payload has no user.username"),
        (said("/agent run"), ("issue",), "the payload has no issue.iid"),
        (said("/agent run"), ("object_attributes", "id"), "the payload has no object_attributes.id"),
        (
            said("/agent run"),
            ("object_attributes", "created_at"),
            "the payload has no object_attributes.created_at",
        ),
    ],
)
def test_a_payload_without_a_field_is_ignored_and_the_field_named(
    payload: dict[str, Any], path: tuple[str, ...], reason: str
) -> None:
    payload = deepcopy(payload)
    place = payload[path[0]] if len(path) > 1 else payload
    del place[path[-1]]
    assert why(payload) == reason


@given(st.data())
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
def test_no_field_that_is_gone_or_wrong_breaks_anything(data: st.DataObject) -> None:
    assigned = relabelled([], [])
    assigned["changes"]["assignees"] = {"previous": [], "current": [{"id": 9, "username": "shop-bot"}]}
    payload = data.draw(
        st.sampled_from(
            [
                relabelled(["API"], ["API", "ai-task"]),
                relabelled([], ["ai-task"], "open"),
                assigned,
                said("/agent retry --budget 1 with care"),
                said("@shop-bot have a look", ON_REQUEST),
                answered("The second one", "ai-waiting"),
                {"inputs": {"issue": "1", "intent": "x"}, "travelled": "x", "here": "a/b"},
                *payloads.ALL,
            ]
        )
    )
    found = read(data.draw(mutated(payload)))
    if isinstance(found, Ignored):
        assert found.why.isprintable()
    else:
        assert found.thread is None or found.thread.number.isdecimal()
        assert found.at.tzinfo is UTC
        assert found.actor is not None
        assert found.actor.login
