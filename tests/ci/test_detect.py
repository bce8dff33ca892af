"""What a CI's variables and files say about the job we are."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.ci import Definition, Happening, Job
from ci_agent.ci.detect import LARGEST_PAYLOAD, here
from ci_agent.errors import UsageError
from ci_agent.task import Account

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


def job(environment: dict[str, str]) -> Job:
    found = here(environment, lambda: NOW)
    assert found is not None
    return found


def refused(environment: dict[str, str]) -> str:
    with pytest.raises(UsageError) as caught:
        here(environment, lambda: NOW)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500
    return str(caught.value)


@pytest.fixture
def github(tmp_path: Path) -> dict[str, str]:
    """The environment of a step, as GitHub documents it."""
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"action": "labeled", "repository": {"default_branch": "trunk"}}))
    (tmp_path / "work" / ".git").mkdir(parents=True)
    return {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_ACTOR": "dana",
        "GITHUB_ACTOR_ID": "7",
        "GITHUB_API_URL": "https://github.example/api/v3",
        "GITHUB_EVENT_NAME": "issues",
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_JOB": "agent",
        "GITHUB_REPOSITORY": "acme/widget",
        "GITHUB_RUN_ATTEMPT": "1",
        "GITHUB_RUN_ID": "1658821493",
        "GITHUB_SERVER_URL": "https://github.example",
        "GITHUB_WORKSPACE": str(tmp_path / "work"),
        "RUNNER_TEMP": str(tmp_path / "temp"),
    }


@pytest.fixture
def gitlab(tmp_path: Path) -> dict[str, str]:
    """The environment of a job in a pipeline that a webhook started, as GitLab documents it."""
    payload = tmp_path / "TRIGGER_PAYLOAD"
    payload.write_text(json.dumps({"object_kind": "issue", "id": "5", "ref": "main"}))
    return {
        "CI": "true",
        "GITLAB_CI": "true",
        "CI_DEFAULT_BRANCH": "trunk",
        "CI_JOB_ID": "4711",
        "CI_PIPELINE_ID": "815",
        "CI_JOB_URL": "https://gitlab.example/acme/tools/widget/-/jobs/4711",
        "CI_PIPELINE_CREATED_AT": "2026-01-02T03:04:05Z",
        "CI_PIPELINE_SOURCE": "trigger",
        "CI_PROJECT_DIR": str(tmp_path / "builds"),
        "CI_PROJECT_ID": "5",
        "CI_PROJECT_PATH": "acme/tools/widget",
        "CI_SERVER_URL": "https://gitlab.example",
        "GITLAB_USER_ID": "7",
        "GITLAB_USER_LOGIN": "dana",
        "TRIGGER_PAYLOAD": str(payload),
    }


# --- which CI ---------------------------------------------------------------------------------------------


def test_a_step_of_github_knows_all_about_itself(github: dict[str, str], tmp_path: Path) -> None:
    payload = {"action": "labeled", "repository": {"default_branch": "trunk"}}
    assert job(github) == Job(
        platform="github",
        repository="acme/widget",
        api_url="https://github.example/api/v3",
        happening=Happening("issues", payload, NOW),
        actor=Account("dana", "7"),
        default_branch="trunk",
        url="https://github.example/acme/widget/actions/runs/1658821493",
        run="1658821493",
        pipeline="1658821493",
        checkout=tmp_path / "work",
        scratch=tmp_path / "temp" / "ci-agent-1658821493",
        minutes=360,
    )


def test_a_job_of_gitlab_knows_all_about_itself(gitlab: dict[str, str], tmp_path: Path) -> None:
    found = job(gitlab | {"CI_AGENT_ISSUE": "3", "CI_AGENT_INTENT": "Mend it", "CI_AGENT_TRIGGER": "abc"})
    payload = {
        "object_kind": "issue",
        "id": "5",
        "ref": "main",
        "inputs": {"issue": "3", "intent": "Mend it"},
        "travelled": "abc",
        "here": "acme/tools/widget",
    }
    assert found == Job(
        platform="gitlab",
        repository="acme/tools/widget",
        api_url="https://gitlab.example",
        happening=Happening("trigger", payload, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        actor=Account("dana", "7"),
        default_branch="trunk",
        url="https://gitlab.example/acme/tools/widget/-/jobs/4711",
        run="4711",
        pipeline="815",
        checkout=None,
        scratch=tmp_path / "builds.tmp" / "ci-agent-4711",
    )


def test_elsewhere_there_is_no_job(github: dict[str, str]) -> None:
    assert here({}) is None
    assert here({"CI": "true", "GITHUB_ACTIONS": "false", "GITHUB_REPOSITORY": "acme/widget"}) is None
    assert here({"GITHUB_ACTIONS": "true"}) is None
    assert here({"GITLAB_CI": "true"}) is None
    assert here({"CI_SERVER_URL": "https://gitlab.example"}) is None


@pytest.mark.parametrize("name", ["GITEA_ACTIONS", "FORGEJO_ACTIONS"])
def test_what_only_looks_like_github_is_not_claimed(github: dict[str, str], name: str) -> None:
    assert here(github | {name: "true"}) is None


def test_gitlab_is_known_where_its_own_variable_says_otherwise(gitlab: dict[str, str]) -> None:
    assert job(gitlab | {"GITLAB_CI": "false"}).platform == "gitlab"


# --- what may be missing ----------------------------------------------------------------------------------


def test_github_without_its_finer_variables_is_github_dot_com() -> None:
    found = job({"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "acme/widget", "GITHUB_API_URL": ""})
    assert (found.api_url, found.url, found.actor, found.checkout) == (
        "https://api.github.com",
        "",
        None,
        None,
    )
    assert (found.happening, found.default_branch) == (Happening("", {}, NOW), "")


def test_the_second_attempt_of_a_run_has_a_page_of_its_own(github: dict[str, str]) -> None:
    assert job(github | {"GITHUB_RUN_ATTEMPT": "2"}).url.endswith("/actions/runs/1658821493/attempts/2")


@pytest.mark.parametrize("repository", [None, "acme/widget", {}, {"default_branch": None}])
def test_a_default_branch_that_the_payload_does_not_name_is_not_known(
    github: dict[str, str], repository: Any
) -> None:
    Path(github["GITHUB_EVENT_PATH"]).write_text(json.dumps({"repository": repository}))
    assert job(github).default_branch == ""


def test_bots_are_known_by_their_names(github: dict[str, str], gitlab: dict[str, str]) -> None:
    for environment in (
        github | {"GITHUB_ACTOR": "renovate[bot]"},
        gitlab | {"GITLAB_USER_LOGIN": "project_5_bot_3f9a0c"},
    ):
        actor = job(environment).actor
        assert actor is not None
        assert actor.bot


@pytest.mark.parametrize(
    ("created", "moment"),
    [
        ("2026-01-02T04:04:05+01:00", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("", NOW),
        ("yesterday", NOW),
    ],
)
def test_a_pipeline_happened_when_it_was_created(
    gitlab: dict[str, str], created: str, moment: datetime
) -> None:
    found = job(gitlab | {"CI_PIPELINE_CREATED_AT": created}).happening.at
    assert found == moment
    assert found.tzinfo is not None


# --- the event --------------------------------------------------------------------------------------------


def test_a_payload_may_stand_in_the_variable_itself(gitlab: dict[str, str]) -> None:
    found = job(gitlab | {"TRIGGER_PAYLOAD": ' {"object_kind": "note"}\n'}).happening.payload
    assert found["object_kind"] == "note"


def test_a_pipeline_without_a_payload_has_only_what_people_gave(gitlab: dict[str, str]) -> None:
    expected = {"inputs": {"issue": "", "intent": ""}, "travelled": "", "here": "acme/tools/widget"}
    assert job(gitlab | {"TRIGGER_PAYLOAD": ""}).happening.payload == expected


@pytest.mark.parametrize("source", ["web", "api", "parent_pipeline", "schedule"])
def test_a_payload_is_only_read_where_a_webhook_may_have_sent_it(gitlab: dict[str, str], source: str) -> None:
    found = job(gitlab | {"CI_PIPELINE_SOURCE": source, "TRIGGER_PAYLOAD": "/gone"}).happening.payload
    assert "object_kind" not in found


def test_a_payload_cant_name_what_only_variables_say(gitlab: dict[str, str]) -> None:
    sent = {"inputs": {"issue": "1"}, "travelled": "x", "here": "evil/x", "object_kind": "push"}
    found = job(gitlab | {"TRIGGER_PAYLOAD": json.dumps(sent)}).happening.payload
    assert (found["inputs"]["issue"], found["travelled"], found["here"]) == ("", "", "acme/tools/widget")


def test_an_event_may_begin_with_a_byte_order_mark(github: dict[str, str]) -> None:
    Path(github["GITHUB_EVENT_PATH"]).write_bytes(b"\xef\xbb\xbf" + '{"action": "übergeben"}'.encode())
    assert job(github).happening.payload == {"action": "übergeben"}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is no JSON"),
        (b'{"action": ', "is no JSON"),
        (b"[" * 200_000, "is no JSON"),
        (b'{"n": ' + b"9" * 5000 + b"}", "is no JSON"),
        (b'{"action": "\xff"}', "is no text in UTF-8"),
        (b'["labeled"]', "is no JSON object"),
        (b"null", "is no JSON object"),
    ],
    ids=["empty", "cut", "deep", "number", "bytes", "list", "null"],
)
def test_an_event_that_is_no_object_is_refused(
    github: dict[str, str], gitlab: dict[str, str], content: bytes, why: str
) -> None:
    Path(github["GITHUB_EVENT_PATH"]).write_bytes(content)
    Path(gitlab["TRIGGER_PAYLOAD"]).write_bytes(content)
    assert refused(github) == f"the event in GITHUB_EVENT_PATH {why}; run the workflow again"
    said = refused(gitlab)
    assert said.startswith(f"the event in TRIGGER_PAYLOAD {why}")
    assert said.endswith("; a pipeline started by hand with the variable CI_AGENT_ISSUE does without it")


def test_a_payload_that_an_old_gitlab_broke_is_explained(gitlab: dict[str, str]) -> None:
    assert "older versions of GitLab fill in variables" in refused(gitlab | {"TRIGGER_PAYLOAD": '{"note": "'})


@pytest.mark.parametrize("path", ["/nowhere/event.json", "/", "x" * 100_000, "a\0b", "plain words"])
def test_an_event_that_is_not_there_is_refused(github: dict[str, str], path: str) -> None:
    assert "the event in GITHUB_EVENT_PATH can't be read from " in refused(
        github | {"GITHUB_EVENT_PATH": path}
    )


def test_an_event_above_the_limit_is_refused_before_it_is_read_whole(github: dict[str, str]) -> None:
    with Path(github["GITHUB_EVENT_PATH"]).open("wb") as file:
        os.truncate(file.fileno(), 1 << 40)  # a terabyte of nothing, of which no byte is on the disk
    assert f"is larger than {LARGEST_PAYLOAD:,} bytes" in refused(github)


NAMES = [
    *(
        "GITHUB_REPOSITORY",
        "GITHUB_EVENT_PATH",
        "GITHUB_RUN_ID",
        "GITHUB_ACTOR",
        "GITHUB_API_URL",
        "RUNNER_TEMP",
    ),
    *(
        "CI_SERVER_URL",
        "CI_PROJECT_PATH",
        "TRIGGER_PAYLOAD",
        "CI_PIPELINE_CREATED_AT",
        "CI_PROJECT_DIR",
        "CI_JOB_ID",
    ),
    *("CI_AGENT_ISSUE", "GITLAB_USER_LOGIN"),
]


@given(
    st.dictionaries(st.sampled_from(NAMES), st.text(st.characters(exclude_characters="\0"), max_size=20)),
    st.sampled_from([{}, {"GITHUB_ACTIONS": "true"}, {"CI_PIPELINE_SOURCE": "trigger"}]),
)
def test_no_variables_break_anything(variables: dict[str, str], more: dict[str, str]) -> None:
    try:
        found = here(variables | more)
    except UsageError as error:
        assert str(error).isprintable()
    else:
        assert found is None or found.happening.at.tzinfo is not None


_ALLOWED: list[tuple[dict[str, str], float | None]] = [
    ({}, None),
    ({"RUNNER_SCRIPT_TIMEOUT": "65m"}, 65),
    ({"RUNNER_SCRIPT_TIMEOUT": "1h"}, 60),
    ({"RUNNER_SCRIPT_TIMEOUT": "1h 5m 30s"}, 65.5),
    ({"RUNNER_SCRIPT_TIMEOUT": "m"}, None),
    ({"RUNNER_SCRIPT_TIMEOUT": "x5m"}, None),
    ({"RUNNER_SCRIPT_TIMEOUT": "-5m"}, None),
    ({"CI_JOB_TIMEOUT": "3600"}, 55),
    ({"CI_JOB_TIMEOUT": "3600", "RUNNER_AFTER_SCRIPT_TIMEOUT": "30s"}, 59.5),
    ({"CI_JOB_TIMEOUT": "3600", "RUNNER_SCRIPT_TIMEOUT": "soon"}, 55),
    ({"CI_JOB_TIMEOUT": "3600", "RUNNER_SCRIPT_TIMEOUT": "59m"}, 59),
    ({"CI_JOB_TIMEOUT": "3600", "RUNNER_SCRIPT_TIMEOUT": "3h"}, 60),
    ({"CI_JOB_TIMEOUT": "9" * 40}, None),
    ({"CI_JOB_TIMEOUT": "1h"}, None),
]


@pytest.mark.parametrize(("variables", "minutes"), _ALLOWED)
def test_a_job_of_gitlab_knows_how_long_its_commands_may_take(
    gitlab: dict[str, str], variables: dict[str, str], minutes: float | None
) -> None:
    assert job(gitlab | variables).minutes == minutes


@pytest.mark.parametrize(
    "moment", ["2026-01-02T03:04:05Z", "2026-01-02T05:04:05+02:00", "2026-01-02T03:04:05"]
)
def test_a_job_of_gitlab_knows_when_it_began(gitlab: dict[str, str], moment: str) -> None:
    assert job(gitlab | {"CI_JOB_STARTED_AT": moment}).began == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert job(gitlab | {"CI_JOB_STARTED_AT": "yesterday"}).began is None


_SHA = "5" * 40
_WORKFLOW = {
    "GITHUB_JOB": "work",
    "GITHUB_WORKFLOW_REF": "Acme/widget/.github/workflows/ci-agent.yml@refs/heads/a@b",
    "GITHUB_WORKFLOW_SHA": _SHA,
}


@pytest.mark.parametrize(
    ("environment", "longer"), [("self-hosted", True), ("github-hosted", False), ("", False)]
)
def test_a_step_of_github_knows_where_its_job_is_defined(
    github: dict[str, str], environment: str, longer: bool
) -> None:
    found = job(github | _WORKFLOW | {"RUNNER_ENVIRONMENT": environment, "RUNNER_NAME": "attic"})
    assert found.definition == Definition(".github/workflows/ci-agent.yml", _SHA, "work", longer)
    assert found.runner == "attic"


@pytest.mark.parametrize(
    "changed",
    [
        {"GITHUB_JOB": ""},
        {"GITHUB_WORKFLOW_SHA": "main"},
        {"GITHUB_WORKFLOW_REF": ""},
        {"GITHUB_WORKFLOW_REF": "acme/.github/.github/workflows/ci-agent.yml@refs/heads/main"},
        {"GITHUB_WORKFLOW_REF": "acme/widget/.github/workflows/../../x.yml@refs/heads/main"},
        {"GITHUB_WORKFLOW_REF": "acme/widget/.github/workflows/ci-agent.yml"},
    ],
)
def test_a_definition_that_is_elsewhere_or_odd_is_none(
    github: dict[str, str], changed: dict[str, str]
) -> None:
    assert job(github | _WORKFLOW | changed).definition is None
