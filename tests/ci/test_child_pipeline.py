"""The pipeline that the routing job writes: what is in it, and that nothing anybody wrote can change it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.ci.child_pipeline import child_pipeline, install_script
from ci_agent.errors import ConfigError


def jobs(
    sessions: list[tuple[str, str]], environment: dict[str, str] | None = None, why: str = ""
) -> dict[str, Any]:
    found = yaml.safe_load(child_pipeline(sessions, environment or {}, why=why))
    assert isinstance(found, dict)
    return found


def value(job: dict[str, Any], name: str) -> Any:
    found = job["variables"][name]
    assert found["expand"] is False
    return found["value"]


def test_each_session_has_a_job_and_a_queue_of_its_issue() -> None:
    found = jobs([("12", "abc="), ("7", "def=")])
    assert list(found) == ["ci-agent-12", "ci-agent-7"]
    assert [job["resource_group"] for job in found.values()] == ["ci-agent-12", "ci-agent-7"]
    assert [value(job, "CI_AGENT_TRIGGER") for job in found.values()] == ["abc=", "def="]
    assert all(job["interruptible"] is False for job in found.values())


def test_a_job_installs_works_and_says_the_last_word() -> None:
    job = jobs([("12", "abc=")])["ci-agent-12"]
    assert job["before_script"] == [install_script()]
    assert job["script"] == [".ci-agent/ci-agent job --waiting-is-success"]
    assert job["after_script"] == [
        "if [ -x .ci-agent/ci-agent ]; then .ci-agent/ci-agent job --final-word; fi"
    ]
    assert job["artifacts"]["when"] == "always"
    assert job["artifacts"]["reports"] == {"junit": "ci-agent-report/junit.xml", "dotenv": "report.env"}
    assert job["artifacts"]["paths"] == ["ci-agent-report/"]


def test_a_job_takes_from_the_cache_and_puts_nothing_there() -> None:
    assert jobs([("12", "x")])["ci-agent-12"]["cache"]["policy"] == "pull"


def test_with_nothing_to_do_there_is_a_job_that_waits_for_a_click() -> None:
    (job,) = jobs([], why="the comment asks for nothing").values()
    assert (job["when"], job["allow_failure"]) == ("manual", True)


def test_image_and_tags_come_from_the_project_s_variables() -> None:
    job = jobs([("1", "x")], {"CI_AGENT_IMAGE": "node:22", "CI_AGENT_TAGS": "linux, big,"})["ci-agent-1"]
    assert (job["image"], job["tags"]) == ("node:22", ["linux", "big"])


def test_without_them_the_image_is_the_routing_job_s() -> None:
    assert jobs([("1", "x")], {"CI_JOB_IMAGE": "python:3.13"})["ci-agent-1"]["image"] == "python:3.13"
    assert not {"image", "tags"} & jobs([("1", "x")])["ci-agent-1"].keys()


@pytest.mark.parametrize(
    ("given", "timeout", "script"),
    [("", "75m", "65m"), ("1h 10m", "70m", "60m"), ("3 hours", "180m", "170m"), ("45 minutes", "45m", "35m"),
     ("1d", "1440m", "1430m")],
)  # fmt: skip
def test_the_work_ends_before_the_job_does(given: str, timeout: str, script: str) -> None:
    job = jobs([("1", "x")], {"CI_AGENT_TIMEOUT": given})["ci-agent-1"]
    assert job["timeout"] == timeout
    assert value(job, "RUNNER_SCRIPT_TIMEOUT") == script
    assert value(job, "RUNNER_AFTER_SCRIPT_TIMEOUT") == "5m"


@pytest.mark.parametrize(
    "given", ["soon", "10m", "1 fortnight", "90", "1h30", "-2h", "9" * 5000 + "h", "1h\n2h;", "h"]
)
def test_a_time_out_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(ConfigError, match="CI_AGENT_TIMEOUT"):
        child_pipeline([("1", "x")], {"CI_AGENT_TIMEOUT": given})


def test_settings_go_on_and_secrets_do_not() -> None:
    environment = {
        "MODEL_NAME": "m$1", "CI_AGENT_LIMITS_MAX_COST": "2", "CI_AGENT_PACKAGE": "p", "CI_AGENT_TRIGGER_LABEL": "",
        "LLM_API_KEY": "sk-1", "GITLAB_TOKEN": "glpat-1", "CI_AGENT_GITLAB_TOKEN": "glpat-1", "OPENAI_API_KEY": "sk-1",
        "LLM_BASE_URL": "https://me:pass@llm.example.org/v1", "CI_SERVER_URL": "https://gitlab.example.org", "HOME": "/x",
    }  # fmt: skip
    text = child_pipeline([("1", "x")], environment)
    assert not any(secret in text for secret in ("sk-1", "glpat-1", "pass@"))
    job = yaml.safe_load(text)["ci-agent-1"]
    assert job["variables"].keys() == {
        "MODEL_NAME", "CI_AGENT_LIMITS_MAX_COST", "CI_AGENT_PACKAGE", "CI_AGENT_TRIGGER",
        "GIT_SUBMODULE_STRATEGY", "RUNNER_SCRIPT_TIMEOUT", "RUNNER_AFTER_SCRIPT_TIMEOUT",
    }  # fmt: skip
    assert value(job, "MODEL_NAME") == "m$1"


@pytest.mark.parametrize("number", ["", "0", "12a", "-1", "1\n", "../x", "$X", "12345678901", "١٢"])
def test_what_is_no_number_makes_no_job(number: str) -> None:
    with pytest.raises(ValueError, match="no number"):
        child_pipeline([(number, "x")], {})


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(TEXTS, TEXTS, TEXTS)
def test_whatever_people_wrote_stays_the_value_it_is(trigger: str, model: str, why: str) -> None:
    (job,) = jobs([("3", trigger)], {"MODEL_NAME": model, "CI_AGENT_IMAGE": f"i{model}".strip()}).values()
    assert value(job, "CI_AGENT_TRIGGER") == trigger
    assert job["image"] == f"i{model}".strip()
    if model.strip():
        assert value(job, "MODEL_NAME") == model
    assert jobs([], why=why) == jobs([])


def test_bytes_that_are_no_text_do_no_harm() -> None:
    (job,) = jobs([("3", "x")], {"MODEL_NAME": b"m\xff\xfe".decode("utf-8", "surrogateescape")}).values()
    assert value(job, "MODEL_NAME") == "m\ufffd\ufffd"


def test_gitlab_s_schema_takes_both_kinds_of_pipeline(tmp_path: Path) -> None:
    environment = {"CI_AGENT_IMAGE": "node:22", "CI_AGENT_TAGS": "a", "MODEL_NAME": "m"}
    (tmp_path / "work.yml").write_text(child_pipeline([("12", "x")], environment), encoding="utf-8")
    (tmp_path / "idle.yml").write_text(child_pipeline([], {}, why="no"), encoding="utf-8")
    program = Path(sys.executable).parent / "check-jsonschema"
    words: list[str | Path] = [program, "--builtin-schema", "vendor.gitlab-ci", *tmp_path.iterdir()]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_package_address_with_a_password_is_not_written_into_the_artifact() -> None:
    secret = "git+https://oauth2:glpat-secret@gitlab.example/tools/ci-agent@v1"
    text = child_pipeline([("12", "t")], {"CI_AGENT_PACKAGE": secret})
    assert "glpat-secret" not in text
    plain = "git+https://gitlab.example/tools/ci-agent@v1"
    assert plain in child_pipeline([("12", "t")], {"CI_AGENT_PACKAGE": plain})


def test_where_one_job_works_another_publishes_in_an_environment_of_its_own() -> None:
    found = jobs([("12", "abc=")], {"CI_AGENT_SPLIT": "true"})
    work, publish = found["ci-agent-12"], found["ci-agent-12-publish"]
    assert work["script"] == [
        ".ci-agent/ci-agent job --waiting-is-success --no-publish --bundle ci-agent-bundle"
    ]
    assert "after_script" not in work
    assert work["artifacts"]["paths"] == ["ci-agent-report/", "ci-agent-bundle/"]
    assert publish["script"] == [
        ".ci-agent/ci-agent publish ci-agent-bundle --waiting-is-success --output-dir ci-agent-published"
    ]
    assert (publish["needs"], publish["when"]) == ([{"job": "ci-agent-12", "artifacts": True}], "always")
    assert "cache" not in publish
    environments = [job["environment"] for job in (work, publish)]
    assert environments == [
        {"name": "ci-agent/work", "action": "access"},
        {"name": "ci-agent/publish", "action": "access"},
    ]
    assert work["variables"]["CI_AGENT_TRIGGER"] == publish["variables"]["CI_AGENT_TRIGGER"]
    assert work["resource_group"] == publish["resource_group"] == "ci-agent-12"
