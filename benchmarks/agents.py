"""The agents that are measured side by side: how each is installed and started, and how it runs commands.

Each is given the same repository, the same task and the same model, and run the way a person runs it: as a
process, with its own defaults where they don't end the session early.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripted_model import NAME, Call

MINI_VERSION = "2.4.6"
# litellm, which mini depends on, imports `mcp` on requests with tools and does not declare it.
_MINI_PACKAGES = (f"mini-swe-agent=={MINI_VERSION}", "mcp")
_MINI_NEEDS = 2_000_000_000  # bytes free: about 750 MB installed, and pip's copies on the way

_TASK = "The parser accepts an abbreviated option even where abbreviations are switched off. Find out why."


@dataclass(frozen=True, slots=True)
class Agent:
    """One contestant. `words` and `environment` take the session's folder and the model's address."""

    name: str
    words: Callable[[Path], Sequence[str]]
    environment: Callable[[Path, str], Mapping[str, str]]
    shell: Sequence[str]  # what it puts before a command to run it; the control does the same
    last: Call  # how the model hands in


def ci_agent(executable: Path, compact_at: int | None = None) -> Agent:
    """ci-agent as it is installed at `executable`. `compact_at`: tokens from which on it shortens its context, where
    that is not to be its default."""

    def words(folder: Path) -> Sequence[str]:
        places = ("--state-dir", str(folder / "state"), "--output-dir", str(folder / "report"))
        limits = ("--max-iterations", "1000", "--max-cost", "1000", "--test", "none")
        return (str(executable), "run", "-d", _TASK, "--model", NAME, *limits, *places)

    def environment(folder: Path, base_url: str) -> Mapping[str, str]:
        settings = {"CI_AGENT_LIMITS_MAX_INPUT_TOKENS": "1000000000"}
        if compact_at is not None:
            settings["CI_AGENT_CONTEXT_COMPACT_AT"] = str(compact_at)
        return _environment(folder, base_url) | settings

    return Agent(
        name="ci-agent",
        words=words,
        environment=environment,
        shell=("bash", "-c"),
        last=("submit", {"title": "Leave a note", "summary": "A note on where the prefix is matched."}),
    )


def mini_swe_agent(venv: Path) -> Agent:
    """mini-swe-agent in a virtual environment of its own, made where it is missing."""
    _install(venv)

    def words(folder: Path) -> Sequence[str]:
        output = str(folder / "trajectory.json")
        return (
            str(venv / "bin/mini"),
            "-m",
            f"openai/{NAME}",
            "-t",
            _TASK,
            "-y",
            "--exit-immediately",
            "--cost-limit",
            "0",  # none
            "-o",
            output,
        )

    def environment(folder: Path, base_url: str) -> Mapping[str, str]:
        return {
            **_environment(folder, base_url),
            "OPENAI_API_BASE": base_url,
            "MSWEA_GLOBAL_CONFIG_DIR": str(folder / "mini"),
            "MSWEA_CONFIGURED": "true",  # else it asks for a key first
            "MSWEA_SILENT_STARTUP": "1",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it downloads prices while starting
        }

    return Agent(
        name="mini-swe-agent",
        words=words,
        environment=environment,
        shell=("/bin/sh", "-c"),
        last=("bash", {"command": "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"}),
    )


def _environment(folder: Path, base_url: str) -> dict[str, str]:
    home = folder / "home"
    home.mkdir(exist_ok=True)
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "OPENAI_BASE_URL": base_url,
        "OPENAI_API_KEY": "sk-benchmark",
    }


def _install(venv: Path) -> None:
    done = venv / f"installed-{MINI_VERSION}"
    if done.exists():
        return
    venv.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(venv.parent).free
    if free < _MINI_NEEDS:
        sys.exit(f"mini-swe-agent needs {_MINI_NEEDS / 1e9:.0f} GB of disk, {free / 1e9:.1f} GB are free")
    print(f"installing {' and '.join(_MINI_PACKAGES)} in {venv} (about 750 MB)", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
    pip = (venv / "bin/pip", "install", "--quiet", "--disable-pip-version-check")
    subprocess.run([*pip, *_MINI_PACKAGES], check=True)
    done.touch()
