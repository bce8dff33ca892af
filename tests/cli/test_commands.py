"""The other commands, and what the command line as a whole promises."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ci_agent.cli import main
from ci_agent.cli.document import PAGE, page
from ci_agent.session import document, states
from tests.support.jobs import calculator
from tests.support.repositories import Repository

_DOCS = Path(__file__).parents[2] / "docs"


def _ci_agent(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {"PATH": os.environ["PATH"], "HOME": str(cwd)}
    return subprocess.run(
        [sys.executable, "-m", "ci_agent", *words],
        cwd=cwd,
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
    )


# --- demo -------------------------------------------------------------------------------------------------


def test_the_demo_fixes_its_bug_for_real_and_says_that_the_model_is_a_recording(tmp_path: Path) -> None:
    done = _ci_agent("demo", str(tmp_path / "demo"), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The model is a RECORDING" in done.stdout
    assert "ci-agent demo --live" in done.stdout
    assert "1 test fixed, none newly broken" in done.stdout
    repository = Repository(tmp_path / "demo" / "hourglass")
    branch = "feat/ai-task-1"
    assert repository.git("rev-parse", "--abbrev-ref", "HEAD") == "main"
    assert repository.git("status", "--porcelain") == ""
    # The proof without any of our code: the tests fail on main and pass on the branch.
    unittest = [sys.executable, "-m", "unittest", "-q"]
    assert subprocess.run(unittest, cwd=repository.path, capture_output=True, check=False).returncode == 1
    repository.git("checkout", "--quiet", branch)
    assert subprocess.run(unittest, cwd=repository.path, capture_output=True, check=False).returncode == 0
    report = {path.name for path in (tmp_path / "demo" / "ci-agent-report").iterdir()}
    assert report >= {"junit.xml", "session.jsonl", "merge-request.md", "diff.patch", "logs"}


def test_the_demo_does_not_write_over_anything(tmp_path: Path) -> None:
    (tmp_path / "hourglass").mkdir()
    done = _ci_agent("demo", str(tmp_path), cwd=tmp_path)
    assert done.returncode == 2
    assert "is there already" in done.stderr


def test_the_live_demo_needs_a_key_and_says_so(tmp_path: Path) -> None:
    done = _ci_agent("demo", "--live", str(tmp_path / "demo"), cwd=tmp_path)
    assert done.returncode == 3
    assert "OPENAI_API_KEY" in done.stderr
    assert "RECORDING" not in done.stdout


# --- config -----------------------------------------------------------------------------------------------


def test_config_show_names_the_origin_of_each_value_and_hides_the_key(tmp_path: Path) -> None:
    repository = calculator(tmp_path, {".ci-agent.yml": "limits:\n  max_cost: 0.5\n"})
    done = _ci_agent(
        *("config", "show", "--repo", str(repository.path), "--state-dir", str(tmp_path / "state")),
        cwd=tmp_path,
        OPENAI_API_KEY="sk-very-secret",
        MAX_ITERATIONS="7",
        COLUMNS="200",
    )
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()}
    assert rows["limits.max_cost"] == ["0.5", ".ci-agent.yml:2"]
    assert rows["limits.max_iterations"][0] == "7"
    assert "MAX_ITERATIONS" in " ".join(rows["limits.max_iterations"])
    assert rows["model.api_key"][0] == "***"
    assert "default" in rows["limits.timeout"]
    assert "--state-dir" in " ".join(rows["state_dir"])
    assert "sk-very-secret" not in done.stdout + done.stderr


# --- the command line as a whole --------------------------------------------------------------------------

_HEAVY = {
    "openai",
    "git",
    "gitlab",
    "github",
    "rich",
    "yaml",
    "msgspec",
    "platformdirs",
    "junit_xml",
    "requests",
}


def test_models_are_listed_with_what_is_known_of_them(tmp_path: Path) -> None:
    file = """
model: gpt-5-mini
models:
  strong: anthropic:claude-sonnet-4-5
  cheap: our-own
  fallback: responses:theirs
  prices: [theirs 1 0.1 2, responses:theirs 1 0.5 2]
"""
    repository = calculator(tmp_path, {".ci-agent.yml": file})
    done = _ci_agent("models", cwd=repository.path, OPENAI_API_KEY="sk-0123456789")
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows[1][:3] == ["default", "gpt-5-mini", "api.openai.com"]
    assert rows[1][-2:] == ["listed", "there"]
    assert rows[2][1:3] == ["anthropic:claude-sonnet-4-5", "api.anthropic.com"]
    assert rows[2][-1] == "missing"
    assert rows[3][1:] == ["our-own", "api.openai.com", "?", "?", "?", "?", "not", "known", "there"]
    assert rows[4][1:] == ["responses:theirs", "api.openai.com", "?", "1", "0.5", "2", "configured", "there"]
    assert "No price is known for our-own: for it the limits of tokens count alone" in done.stdout
    assert "sk-0123456789" not in done.stdout


def test_models_are_data_for_programs(tmp_path: Path) -> None:
    done = _ci_agent("models", "--json", cwd=calculator(tmp_path).path, MODEL_NAME="gpt-5-mini")
    [row] = json.loads(done.stdout)
    assert (row["role"], row["name"], row["key"], row["own_prices"]) == (
        "default",
        "gpt-5-mini",
        False,
        False,
    )
    assert row["prices"]["output"] > row["prices"]["input"] > row["prices"]["cached_input"] > 0


def test_a_configuration_that_can_not_be_used_is_shown_with_the_settings_there_are(tmp_path: Path) -> None:
    repository = calculator(tmp_path, {".ci-agent.yml": "limits:\n  max_cots: 3\n"})
    done = _ci_agent("config", "show", "--repo", str(repository.path), cwd=tmp_path)
    assert done.returncode == 2
    assert "did you mean `limits.max_cost`?" in done.stderr
    assert "limits.max_cost " in done.stdout


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["run", "--help"], ["demo", "--help"]])
def test_nothing_heavy_is_imported_to_answer_at_once(words: list[str]) -> None:
    code = (
        "import sys; from ci_agent.cli import cli; cli.main(sys.argv[1:], standalone_mode=False);"
        "print('\\n', *{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    imported = set(done.stdout.splitlines()[-1].split())
    assert "click" in imported
    assert imported & _HEAVY == set()


def test_the_page_of_the_command_line_is_what_help_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make docs`"


def test_the_tables_in_the_architecture_are_those_of_the_code() -> None:
    text = document.PAGE.read_text(encoding="utf-8")
    assert states.table() in text, "run `make docs`"
    assert document.endings() in text, "run `make docs`"
    assert document.filled(text) == text


def test_a_command_that_does_not_exist_is_a_usage_error(tmp_path: Path) -> None:
    done = _ci_agent("rum", cwd=tmp_path)
    assert done.returncode == 2
    assert "No such command 'rum'" in done.stderr


def test_a_fault_of_ours_has_an_exit_code_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fault(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by us")

    monkeypatch.setattr("ci_agent.cli.cli.main", fault)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 70
    said = capsys.readouterr().err
    assert "ZeroDivisionError: by us" in said
    assert "a fault of ci-agent itself" in said


def test_the_words_of_an_error_hold_no_secret(tmp_path: Path) -> None:
    """A key that somebody put where a path belongs is no more to be read in the CI's log than elsewhere."""
    key = "sk-live-0123456789abcdef"
    done = subprocess.run(
        [sys.executable, "-m", "ci_agent", "run", "-d", "x", "--repo", f"/nowhere/{key}"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "OPENAI_API_KEY": key},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "/nowhere/***" in done.stderr
    assert key not in done.stderr + done.stdout


def test_a_fault_is_told_without_secrets(tmp_path: Path) -> None:
    key = "sk-live-0123456789abcdef"
    program = f"""
import ci_agent.cli as command_line
def broken(**_):
    raise RuntimeError("could not use {key}")
command_line.cli.main = broken
command_line.main()
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "OPENAI_API_KEY": key},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 70
    assert "RuntimeError: could not use ***" in done.stderr
    assert key not in done.stderr
