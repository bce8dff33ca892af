"""Which events start something, and which are none of our business."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.job.conftest import commented, labelled
from tests.support.pipelines import Pipeline

pytestmark = pytest.mark.slow

# --- events that start something --------------------------------------------------------------------------


def test_an_issue_that_is_assigned_to_the_bot_is_worked_on(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    bot = {"github": "github-actions[bot]", "gitlab": "project_7_bot_a1b2"}[project.platform]
    name = {"github": "issues", "gitlab": "trigger"}[project.platform]
    done = project.run(name, project.forge.assign(number, bot), CI_AGENT_TRIGGER_ACCOUNT=bot)
    assert done.exit_code == 0, done.log
    assert len(project.merge_requests()) == 1


def test_a_mention_of_the_bot_is_a_request_with_a_hint(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    bot = {"github": "github-actions[bot]", "gitlab": "project_7_bot_a1b2"}[project.platform]
    event = commented(project, number, f"Could you do that, @{bot}, without a loop?")
    done = project.run(*event, CI_AGENT_TRIGGER_ACCOUNT=bot)
    assert done.exit_code == 0, done.log
    assert "without a loop?" in str(project.model.requests[0].body["messages"])
    assert len(project.merge_requests()) == 1


@pytest.mark.parametrize("project", ["github"], indirect=True)
def test_another_program_can_ask_by_repository_dispatch(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    done = project.run("repository_dispatch", project.forge.dispatch({"issue": number}, workflow=False))
    assert done.exit_code == 0, done.log
    assert len(project.merge_requests()) == 1


def test_a_routing_job_decides_and_leaves_the_work_to_another(project: Pipeline, tmp_path: Path) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    child = tmp_path / "child.yml"
    pipeline = ("--child-pipeline", str(child)) if project.platform == "gitlab" else ()
    environment = project.environment(*labelled(project, number))
    routed = project.call(environment, "--route", *pipeline)
    assert routed.exit_code == 0, routed.log
    assert (project.model.requests, project.said(number)) == ([], [])
    if project.platform == "github":
        assert routed.outputs == {"issues": "[1]"}
    else:
        assert f"ci-agent-{number}" in child.read_text()
    environment = project.environment(*commented(project, number, "/agent retry say `/agent stop` nowhere"))
    routed = project.call(environment, "--route", *pipeline)
    issues = {"github": "issues", "gitlab": "CI_AGENT_ISSUES"}[project.platform]
    assert routed.outputs[issues] == "[1]"
    for nothing in (commented(project, number, "/agent status"), commented(project, number, "Thank you!")):
        environment = project.environment(*nothing)
        routed = project.call(environment, "--route", *pipeline)
        assert (routed.exit_code, routed.outputs[issues]) == (0, "[]")


def test_what_is_asked_for_is_acknowledged_on_the_issue_where_there_is_no_comment(project: Pipeline) -> None:
    number = project.forge.write_issue("add() subtracts", "")
    project.run(*labelled(project, number))
    given = project.forge.reactions if project.platform == "github" else project.forge.awards
    assert [(place.split()[-1], what) for place, what, _ in given] == [(str(number), "eyes")]


# --- events that are none of our business -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "payload", "why"),
    [
        ("push", {"ref": "refs/heads/main"}, "ask for nothing"),
        ("issues", {"action": "labeled"}, "the label (none) is not ai-task"),
        ("issues", {"action": "labeled", "label": {"name": "ai-task"}}, "the payload has no issue.number"),
        (
            "issue_comment",
            {"action": "created", "comment": {"body": "hello"}},
            "the comment holds no command",
        ),
        ("trigger", {"object_kind": "note", "object_attributes": {"note": "/agent run"}}, ""),
        ("schedule", {}, ""),
        ("", {}, ""),
    ],
)
def test_other_events_are_over_without_asking_the_platform(
    name: str, payload: dict[str, Any], why: str, project: Pipeline
) -> None:
    done = project.run(name, payload)
    assert done.exit_code == 0, done.log
    assert "Nothing to do: " in done.log
    assert why in done.log or project.platform == "gitlab"
    assert project.server.requests == []


def test_nothing_heavy_is_imported_for_an_event_that_is_none_of_our_business(project: Pipeline) -> None:
    environment = project.environment("push", {})
    words = [sys.executable, "-X", "importtime", "-m", "ci_agent", "job"]
    done = subprocess.run(
        words, env=environment, cwd=project.folder, capture_output=True, text=True, check=True
    )
    imported = {
        line.rpartition("|")[2].strip()
        for line in done.stderr.splitlines()
        if line.startswith("import time:")
    }
    heavy = {
        "github",
        "gitlab",
        "openai",
        "git",
        "requests",
        "rich",
        "msgspec",
        "junit_xml",
        "httpx",
        "urllib3",
    }
    assert not imported & heavy


def test_an_event_that_can_not_be_read_ends_with_an_error_for_people(
    project: Pipeline, tmp_path: Path
) -> None:
    github = project.platform == "github"
    name, variable = ("issues", "GITHUB_EVENT_PATH") if github else ("trigger", "TRIGGER_PAYLOAD")
    broken = tmp_path / "broken.json"
    for content, why in ((b'{"a": $HOME}', "is no JSON"), (b"[1]", "is no JSON object")):
        broken.write_bytes(content)
        done = project.call(project.environment(name, {}) | {variable: str(broken)})
        assert (done.exit_code, why in done.log) == (2, True)
    done = project.call(project.environment(name, {}) | {variable: str(tmp_path / "nothing")})
    assert (done.exit_code, "can't be read" in done.log) == (2, True)


def test_outside_of_a_ci_the_job_says_what_to_use(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "ci_agent", "job"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(words, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "use `ci-agent run`" in done.stderr
