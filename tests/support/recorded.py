"""Recorded sessions for tests: one of a real run, changed at will, and the commands that read them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ci_agent.journal import Event, encode, read
from ci_agent.journal.events import Fact
from tests.support.jobs import FIX, SUBMIT, Runner, calculator
from tests.support.model_server import ModelServer, Say
from tests.support.repositories import Repository

STEPS = (
    Say(
        "I look first.",
        calls=[("read_file", {"path": "calculator.py"}), ("bash", {"command": "ls; pwd; date"})],
    ),
    Say(calls=[("edit_file", {"path": "calculator.py", "old": "no such text", "new": "x"}), FIX]),
    Say(calls=[("run_tests", {}), ("write_file", {"path": "NOTES.txt", "content": "add() adds\n"})]),
    Say(calls=[SUBMIT]),
)


def record(folder: Path, steps: Sequence[Say] = STEPS) -> tuple[Repository, Path]:
    """A repository, and the report of a session that worked on it."""
    repository = calculator(folder)
    with ModelServer(steps) as server:
        job = Runner(folder).run(repository.path, server=server)
    assert job.exit_code == 0, job.stderr
    return repository, job.report


def rewritten(journal: Path, target: Path, change: Callable[[Fact], Iterable[Fact]]) -> Path:
    """A copy of the journal with other facts in the place of each one."""
    changed = [replace(event, fact=fact) for event in read(journal) for fact in change(event.fact)]
    return written(target, [event.fact for event in changed])


def written(target: Path, facts: Iterable[Fact]) -> Path:
    """A journal of these facts."""
    events = (
        Event(number, datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC), fact) for number, fact in enumerate(facts, 1)
    )
    target.write_text("".join(f"{encode(event)}\n" for event in events), encoding="utf-8")
    return target


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Of a person without any settings: home, state and temporary files are in `folder`."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH") if name in os.environ}
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    return (
        kept
        | {"HOME": str(folder), "TMPDIR": str(temporary), "CI_AGENT_STATE_DIR": str(folder / "state")}
        | more
    )


def ci_agent(
    *words: str | Path, cwd: Path, variables: Mapping[str, str] | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """The command, as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "ci_agent", *map(str, words)],
        cwd=cwd,
        env=environment(cwd, **(variables or {})),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        **options,
    )
