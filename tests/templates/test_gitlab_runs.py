"""Whole pipelines with the template as it is shipped, on gitlab-ci-local: from a webhook to the end of the child."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ci_agent.ci.child_pipeline import child_pipeline
from tests.support.ci_local import make_project, run
from tests.support.packages import source
from tests.support.web import Silent, folder_served, silent
from tests.templates.documents import PLAIN

pytestmark = pytest.mark.slow

NOTE = {
    "object_kind": "note",
    "user": {"id": 7, "username": "ann"},
    "object_attributes": {
        "id": 5, "note": "see /agents.md", "noteable_type": "Issue", "system": False, "action": "create",
        "created_at": "2026-11-20 10:00:00 UTC", "updated_at": "2026-11-20 10:00:00 UTC",
    },
    "issue": {"iid": 23, "labels": []},
}  # fmt: skip


def test_an_event_that_asks_for_nothing_is_over_with_one_short_job(tmp_path: Path) -> None:
    package = source(tmp_path / "package")
    (tmp_path / "payload.json").write_text(json.dumps(NOTE), encoding="utf-8")
    with folder_served(PLAIN.parent) as address:
        include = f"include:\n  - remote: {address}/{PLAIN.name}\n"
        project = make_project(tmp_path / "widget", {".gitlab-ci.yml": include})
        done = run(project, {
            "CI_PIPELINE_SOURCE": "trigger", "TRIGGER_PAYLOAD": str(tmp_path / "payload.json"),
            "CI_AGENT_PACKAGE": str(package), "CI_SERVER_URL": "http://127.0.0.1:9", "GITLAB_TOKEN": "glpat-1",
        })  # fmt: skip
    log = done.stdout + done.stderr
    assert done.returncode == 0, log
    assert "Nothing to do: " in log
    assert " PASS  ci-agent:route" in log
    assert " PASS  ci-agent:work" in log
    pipeline = (project / ".ci-agent/pipeline.yml").read_text(encoding="utf-8")
    assert "ci-agent:idle" in pipeline


def test_a_platform_that_refuses_fails_the_routing_job_and_starts_no_work(tmp_path: Path) -> None:
    package = source(tmp_path / "package")
    project = make_project(tmp_path / "widget", {".gitlab-ci.yml": PLAIN.read_text(encoding="utf-8")})
    done = run(project, {
        "CI_PIPELINE_SOURCE": "api", "CI_AGENT_ISSUE": "23", "CI_AGENT_PACKAGE": str(package),
        "CI_SERVER_URL": "http://127.0.0.1:9", "GITLAB_TOKEN": "glpat-1",
    })  # fmt: skip
    log = done.stdout + done.stderr
    assert done.returncode != 0
    assert " FAIL  ci-agent:route" in log
    assert " PASS  ci-agent:work" not in log
    assert not (project / ".ci-agent/pipeline.yml").exists()


def test_the_job_that_works_says_its_last_word_when_its_process_is_killed(tmp_path: Path) -> None:
    package = source(tmp_path / "package")
    variables = {"CI_AGENT_PACKAGE": str(package)}
    files = {".gitlab-ci.yml": child_pipeline([("23", "eyJ9")], variables)}
    project = make_project(tmp_path / "widget", files)
    with silent() as server:
        done = run(project, {
            "CI_PIPELINE_SOURCE": "api", "CI_AGENT_ISSUE": "23", "CI_SERVER_URL": server.url, "GITLAB_TOKEN": "glpat-1",
        })  # fmt: skip
    log = done.stdout + done.stderr
    assert server.asked
    assert done.returncode != 0
    assert "Everything has been said." in log
