"""What is the plain sandbox's own; how commands end in it is in test_commands.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ci_agent.sandbox.plain import Plain
from tests.sandbox.confining import run


def test_a_hundred_megabytes_of_output_cost_no_memory(tmp_path: Path) -> None:
    program = f"""
import resource
from pathlib import Path
from ci_agent.sandbox import Command
from ci_agent.sandbox.plain import Plain
folder = Path({str(tmp_path)!r})
sandbox = Plain(folder / "home", folder / "temporary")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
words = sandbox.shell("head -c 100000000 /dev/zero")
assert sandbox.run(Command(words, folder, 60, folder / "output", {{}})).exit_code == 0
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    grown = int(subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout)
    assert (tmp_path / "output").stat().st_size == 100_000_000
    assert grown < 10_000  # kilobytes


@pytest.mark.parametrize(("there", "used"), [(["bash", "sh"], "bash"), (["sh"], "sh")])
def test_scripts_run_in_bash_or_else_in_sh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: list[str], used: str
) -> None:
    for name in there:
        (tmp_path / name).symlink_to(f"/bin/{name}")
    monkeypatch.setenv("PATH", str(tmp_path))
    sandbox = Plain(tmp_path / "home", tmp_path / "temporary")
    assert Path(sandbox.shell("true")[0]).name == used
    assert run(sandbox, tmp_path, "echo ran")[1] == "ran\n"


def test_without_any_shell_a_script_is_127(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    completed, text = run(Plain(tmp_path / "home", tmp_path / "temporary"), tmp_path, "echo ran")
    assert completed.exit_code == 127
    assert text == "sh: command not found\n"


def test_secrets_of_the_job_are_not_visible_to_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    monkeypatch.setenv("DATABASE_URL", "sqlite://named")
    sandbox = Plain(tmp_path / "home", tmp_path / "temporary", ["DATABASE_URL"])
    _, text = run(sandbox, tmp_path, "env; cat /proc/self/environ; set")
    assert "sk-canary" not in text
    assert "DATABASE_URL=sqlite://named" in text


def test_git_finds_no_repository_above_the_ceiling(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path / "real"], check=True)
    session = tmp_path / "real" / "session"
    (session / "work" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(session)
    sandbox = Plain(session / "home", session / "tmp", ceiling=tmp_path / "link")
    completed, text = run(sandbox, session / "work", "git rev-parse --show-toplevel")
    assert completed.exit_code == 128
    assert "not a git repository" in text
    script = "git init -q && cd deep && git rev-parse --show-toplevel"
    assert run(sandbox, session / "work", script)[1] == f"{session.resolve() / 'work'}\n"
