"""The examples hold what GitHub would only show when it is too late: permissions, concurrency, credentials."""

from __future__ import annotations

from typing import Any

import pytest

from tests.templates.documents import ACTION, EXAMPLES, load

NAMES = ("github-issues.yml", "github-app.yml", "github-schedule.yml", "github-split.yml")
ISSUE = "ci-agent-${{ fromJSON(needs.route.outputs.issues)[0] }}"


def example(name: str) -> dict[str, Any]:
    found = load((EXAMPLES / name).read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_workflow_has_no_permission_that_a_job_did_not_ask_for(name: str) -> None:
    assert example(name)["permissions"] == {}
    assert all("permissions" in job for job in example(name)["jobs"].values())


@pytest.mark.parametrize("name", NAMES)
def test_sessions_of_an_issue_queue_and_none_is_cancelled(name: str) -> None:
    workflow = example(name)
    assert "concurrency" not in workflow
    group = "ci-agent-${{ matrix.issue }}" if "schedule" in name else ISSUE
    assert workflow["jobs"]["work"]["concurrency"] == {"group": group, "queue": "max"}


@pytest.mark.parametrize("name", ["github-issues.yml", "github-app.yml", "github-split.yml"])
def test_what_is_decided_and_answered_does_not_queue_behind_a_session_and_has_no_key(name: str) -> None:
    jobs = example(name)["jobs"]
    assert "concurrency" not in jobs["route"]
    assert jobs["route"]["steps"][-1]["with"]["mode"] == "route"
    assert "LLM_API_KEY" not in str(jobs["route"])
    assert jobs["work"]["needs"] == "route"


@pytest.mark.parametrize("name", NAMES)
def test_no_checkout_leaves_its_token_behind(name: str) -> None:
    checkouts = [
        step
        for job in example(name)["jobs"].values()
        for step in job["steps"]
        if step.get("uses", "").startswith("actions/checkout@")
    ]
    assert checkouts
    assert all(
        step["with"]["persist-credentials"] == "false" or not step["with"]["persist-credentials"]
        for step in checkouts
    )


@pytest.mark.parametrize("name", NAMES)
def test_each_job_outlives_the_session_s_own_limit(name: str) -> None:
    assert example(name)["jobs"]["work"]["timeout-minutes"] >= 70  # limits.timeout is 60


@pytest.mark.parametrize("name", NAMES)
def test_an_example_gives_only_inputs_that_the_action_has(name: str) -> None:
    inputs = load(ACTION.read_text(encoding="utf-8"))["inputs"].keys()
    given = [
        step.get("with", {}).keys()
        for job in example(name)["jobs"].values()
        for step in job["steps"]
        if step.get("uses", "").startswith("your-org/ci-agent@")
    ]
    assert given
    assert all(keys <= inputs for keys in given)


def test_the_example_with_an_app_differs_in_the_token_alone() -> None:
    plain, app = example("github-issues.yml"), example("github-app.yml")
    assert plain["on"] == app["on"]
    for name, job in plain["jobs"].items():
        other = app["jobs"][name]
        different = {key for key in job.keys() | other.keys() if job.get(key) != other.get(key)}
        assert different == {"permissions", "steps"}
        asked = {f"permission-{right}": level for right, level in job["permissions"].items()}
        token = next(
            step["with"] for step in other["steps"] if "create-github-app-token" in step.get("uses", "")
        )
        assert {key: value for key, value in token.items() if key.startswith("permission-")} == asked


def test_where_two_jobs_share_the_work_none_has_both_the_right_to_write_and_the_model() -> None:
    jobs = example("github-split.yml")["jobs"]
    route = example("github-issues.yml")["jobs"]["route"]
    reads = {
        "permissions": route["permissions"] | {"contents": "read"}
    }  # nobody listens: it has nobody to tell
    assert jobs["route"] == route | reads
    assert set(jobs["work"]["permissions"].values()) == {"read"}
    assert "LLM_API_KEY" in str(jobs["work"])
    assert jobs["publish"]["permissions"]["contents"] == "write"
    assert "LLM_API_KEY" not in str(jobs["publish"])
    assert "checkout" not in str(jobs["publish"])
    assert [job["steps"][-1]["with"]["mode"] for job in jobs.values()] == ["route", "work", "publish"]
    assert jobs["publish"]["if"].startswith("always() && ")


def test_on_gitlab_the_environment_decides_which_job_gets_which_token() -> None:
    route = example("gitlab-split.yml")["ci-agent-route"]
    assert route == {"environment": {"name": "ci-agent/publish", "action": "access"}}
    assert example("gitlab-split.yml")["variables"]["CI_AGENT_SPLIT"] == "true"
