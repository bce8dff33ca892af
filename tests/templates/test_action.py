"""The action's own scripts, run as GitHub's runner runs them, with a program at the installed place that records."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ci_agent.config.definitions import SETTINGS
from tests.support.act import interrupt_as_the_runner_does
from tests.templates.documents import ACTION, load

RECORDER = f"""#!{sys.executable}
import json, os, pathlib, sys
record = {{"arguments": sys.argv[1:], "environment": dict(os.environ), "pid": os.getpid()}}
pathlib.Path(os.environ["RUNNER_TEMP"], "record.json").write_text(json.dumps(record))
"""
SLEEPER = f"""#!{sys.executable}
import os, signal, sys
signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
print("here", flush=True)
signal.pause()
"""
GREEN = "--waiting-is-success"
WILD = "a 'b' \"c\" $HOME $(id) `id` ${{ x }} \\ \n; rm -rf é"


def step(name: str) -> dict[str, Any]:
    steps = load(ACTION.read_text(encoding="utf-8"))["runs"]["steps"]
    return next(found for found in steps if found["name"] == name)


def installed(folder: Path, program: str) -> None:
    (folder / "ci-agent").mkdir()
    (folder / "ci-agent/ci-agent").write_text(program, encoding="utf-8")
    (folder / "ci-agent/ci-agent").chmod(0o755)


def begin(folder: Path, name: str, inputs: Mapping[str, str], **more: str) -> subprocess.Popen[str]:
    """The step as the runner starts it: `shell: bash`, and the expressions in `env` filled in."""
    given = {"mode": "job", **inputs}
    environment = {
        variable: given.get(expression.removeprefix("${{ inputs.").removesuffix(" }}"), "")
        for variable, expression in step(name)["env"].items()
    }
    script = folder / "step.sh"
    script.write_text(step(name)["run"], encoding="utf-8")
    return subprocess.Popen(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", script],
        env={"PATH": "/usr/bin:/bin", "RUNNER_TEMP": str(folder), **more, **environment},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip


def recorded(folder: Path, name: str, inputs: Mapping[str, str], **more: str) -> dict[str, Any]:
    installed(folder, RECORDER)
    with begin(folder, name, inputs, **more) as process:
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    record: dict[str, Any] = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    assert record["pid"] == process.pid  # it took the place of the shell
    return record


def test_inputs_reach_the_program_as_they_are(tmp_path: Path) -> None:
    inputs = {
        "model": "m", "api-key": "k", "base-url": "u", "token": "t", "setup": WILD, "test": WILD,
        "max-cost": "1", "timeout": "2", "label": "l", "issue": "12", "intent": WILD,
    }  # fmt: skip
    record = recorded(tmp_path, "Work", inputs)
    report = str(tmp_path / "ci-agent-report")
    assert record["arguments"] == ["job", GREEN, "--output-dir", report, "--issue", "12", "--intent", WILD]
    seen = record["environment"]
    assert {name: seen.get(name) for name in (
        "MODEL_NAME", "LLM_API_KEY", "LLM_BASE_URL", "GITHUB_TOKEN", "CI_AGENT_VERIFICATION_SETUP",
        "CI_AGENT_VERIFICATION_TEST", "CI_AGENT_LIMITS_MAX_COST", "CI_AGENT_LIMITS_TIMEOUT", "CI_AGENT_TRIGGER_LABEL",
    )} == {
        "MODEL_NAME": "m", "LLM_API_KEY": "k", "LLM_BASE_URL": "u", "GITHUB_TOKEN": "t",
        "CI_AGENT_VERIFICATION_SETUP": WILD, "CI_AGENT_VERIFICATION_TEST": WILD, "CI_AGENT_LIMITS_MAX_COST": "1",
        "CI_AGENT_LIMITS_TIMEOUT": "2", "CI_AGENT_TRIGGER_LABEL": "l",
    }  # fmt: skip
    assert [name for name in seen if name.startswith("INPUT_")] == []


def test_inputs_that_are_not_given_leave_the_job_s_variables_alone(tmp_path: Path) -> None:
    record = recorded(tmp_path, "Work", {}, MODEL_NAME="the job's", CI_AGENT_LIMITS_TIMEOUT="30")
    assert record["environment"]["MODEL_NAME"] == "the job's"
    assert record["environment"]["CI_AGENT_LIMITS_TIMEOUT"] == "30"
    assert record["arguments"] == ["job", GREEN, "--output-dir", str(tmp_path / "ci-agent-report")]


def test_each_variable_the_action_sets_is_a_setting(tmp_path: Path) -> None:
    known = {name for setting in SETTINGS for name in setting.variables}
    given = [line.split()[1] for line in step("Work")["run"].splitlines() if line.startswith("give ")]
    assert len(given) == 10
    assert set(given) <= known


@pytest.mark.parametrize(("mode", "arguments"), [("poll", ["poll"]), ("route", ["job", "--route"])])
def test_polling_and_routing_are_other_commands(tmp_path: Path, mode: str, arguments: list[str]) -> None:
    assert recorded(tmp_path, "Work", {"mode": mode})["arguments"] == arguments


def test_a_mode_that_is_none_is_said_and_starts_nothing(tmp_path: Path) -> None:
    installed(tmp_path, RECORDER)
    with begin(tmp_path, "Work", {"mode": "$(touch x)"}) as process:
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 2
    assert output == "The input mode is `job`, `route`, `poll`, `work` or `publish`.\n"
    assert not (tmp_path / "record.json").exists()


def test_the_last_word_finds_the_same_report(tmp_path: Path) -> None:
    record = recorded(tmp_path, "Say the last word", {"token": "t", "label": "l"})
    assert record["arguments"] == ["job", "--final-word", "--output-dir", str(tmp_path / "ci-agent-report")]
    assert record["environment"]["GITHUB_TOKEN"] == "t"
    assert record["environment"]["CI_AGENT_TRIGGER_LABEL"] == "l"


def test_there_is_no_last_word_where_nothing_was_installed(tmp_path: Path) -> None:
    with begin(tmp_path, "Say the last word", {}) as process:
        output, _ = process.communicate(timeout=30)
    assert (process.returncode, output) == (0, "")


def test_a_job_that_publishes_nothing_leaves_a_bundle_and_another_publishes_it(tmp_path: Path) -> None:
    for name in ("work", "publish"):
        (tmp_path / name).mkdir()
    work = recorded(tmp_path / "work", "Work", {"mode": "work", "bundle-key": "k", "api-key": "m"})
    publish = recorded(tmp_path / "publish", "Work", {"mode": "publish", "bundle-key": "k"})
    place, report = str(tmp_path / "work/ci-agent-bundle"), str(tmp_path / "work/ci-agent-report")
    assert work["arguments"] == ["job", GREEN, "--no-publish", "--bundle", place, "--output-dir", report]
    place, report = str(tmp_path / "publish/ci-agent-bundle"), str(tmp_path / "publish/ci-agent-report")
    assert publish["arguments"] == ["publish", place, GREEN, "--output-dir", report]
    assert work["environment"]["CI_AGENT_BUNDLE_KEY"] == publish["environment"]["CI_AGENT_BUNDLE_KEY"] == "k"
    assert step("Keep the bundle")["with"]["path"] == step("Fetch the bundle")["with"]["path"]
    assert step("Keep the bundle")["with"]["name"] == step("Fetch the bundle")["with"]["name"]


def test_the_job_that_publishes_takes_nothing_from_the_cache() -> None:
    assert step("Fetch ci-agent from the cache")["if"] == "inputs.mode != 'publish'"


@pytest.mark.parametrize(
    ("name", "modes"),
    [
        ("Say the last word", "(inputs.mode == 'job' || inputs.mode == 'publish')"),
        ("Keep the bundle", "inputs.mode == 'work'"),
        ("Keep the report", """contains(fromJSON('["job", "work", "publish"]'), inputs.mode)"""),
    ],
)
def test_what_must_happen_happens_whatever_became_of_the_work(name: str, modes: str) -> None:
    assert step(name)["if"] == f"always() && {modes}"


def test_nothing_is_kept_in_the_cache_once_the_model_may_have_touched_it() -> None:
    steps = load(ACTION.read_text(encoding="utf-8"))["runs"]["steps"]
    names = [found["name"] for found in steps]
    assert names.index("Keep ci-agent in the cache") < names.index("Work")
    assert [found for found in steps if found.get("uses", "").startswith("actions/cache@")] == []


def test_a_cancel_reaches_the_program_though_the_runner_tells_only_the_shell(tmp_path: Path) -> None:
    installed(tmp_path, SLEEPER)
    with begin(tmp_path, "Work", {}) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        interrupt_as_the_runner_does(process.pid)
        assert process.wait(timeout=7.5) == 130
