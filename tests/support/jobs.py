"""Whole jobs as a person starts them: `ci-agent run` as a process of its own, the model on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ci_agent.journal import Event, read
from ci_agent.journal.events import Fact, SessionEnded
from ci_agent.session import states
from tests.support.model_server import ModelServer, Say
from tests.support.repositories import Repository, make_repository

BRANCH = "feat/ai-task-1"

CALCULATOR = """\
def add(a, b):
    return a - b


def double(a):
    return a * 2
"""

TESTS = """\
import unittest

from calculator import add, double


class Calculator(unittest.TestCase):
    def test_add(self):
        self.assertEqual(add(1, 2), 3)

    def test_double(self):
        self.assertEqual(double(4), 8)
"""

FIX = ("edit_file", {"path": "calculator.py", "old": "a - b", "new": "a + b"})
BREAK = ("edit_file", {"path": "calculator.py", "old": "a * 2", "new": "a * 3"})
MEND = ("edit_file", {"path": "calculator.py", "old": "a * 3", "new": "a * 2"})
SUBMIT = ("submit", {"title": "Add instead of subtracting", "summary": "`add` subtracted its arguments."})

SOLVE = (Say(calls=[FIX]), Say(calls=[SUBMIT]))

F = TypeVar("F", bound=Fact)


def calculator(folder: Path, files: Mapping[str, str | bytes] | None = None) -> Repository:
    """A repository with a bug and a test that shows it."""
    content: dict[str, str | bytes] = {"calculator.py": CALCULATOR, "test_calculator.py": TESTS}
    return make_repository(folder / "calculator", content | dict(files or {}))


@dataclass(frozen=True)
class Job:
    """A finished run of the command."""

    exit_code: int
    stdout: str
    stderr: str
    report: Path
    state: Path
    events: tuple[Event, ...] = field(repr=False)

    def facts(self, kind: type[F]) -> list[F]:
        return [event.fact for event in self.events if isinstance(event.fact, kind)]

    @property
    def end(self) -> SessionEnded:
        [end] = self.facts(SessionEnded)
        return end

    def comment(self) -> str:
        """What the issue's one comment says at the end."""
        [path] = self.state.glob("local/*/issues/*/comments/*.md")
        return path.read_text(encoding="utf-8")

    def merge_requests(self) -> list[str]:
        return [
            path.read_text(encoding="utf-8")
            for path in sorted(self.state.glob("local/*/merge-requests/*.md"))
        ]


@dataclass(frozen=True)
class Runner:
    """Starts `ci-agent run` in `folder`, with a state and a report there."""

    folder: Path

    def command(self, repository: Path | str, *words: str) -> list[str]:
        described = () if "--issue" in words else ("-d", "add() subtracts")
        return [
            *(sys.executable, "-m", "ci_agent", "run", *described, "--repo", str(repository)),
            *("--state-dir", str(self.folder / "state"), "--output-dir", str(self.folder / "report"), *words),
        ]

    def environment(self, server: ModelServer | None, **more: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH") if name in os.environ}
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        model = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": server.key} if server else {}
        return kept | {"HOME": str(home), "LOGNAME": "dana", "MODEL_NAME": "scripted"} | model | more

    def run(
        self,
        repository: Path | str,
        *words: str,
        server: ModelServer | None = None,
        prefix: tuple[str, ...] = (),
        **environment: str,
    ) -> Job:
        done = subprocess.run(
            [*prefix, *self.command(repository, *words)],
            env=self.environment(server, **environment),
            cwd=self.folder,
            capture_output=True,
            timeout=100,
            check=False,
        )
        return self.job(done.returncode, done.stdout, done.stderr)

    def job(self, exit_code: int, stdout: bytes, stderr: bytes) -> Job:
        """What a run that ended left behind."""
        journals = sorted((self.folder / "state" / "sessions").glob("*/session.jsonl"))
        events = tuple(read(journals[-1])) if journals else ()
        assert not states.wrong(events)
        return Job(
            exit_code=exit_code,
            stdout=stdout.decode(),
            stderr=stderr.decode(),
            report=self.folder / "report",
            state=self.folder / "state",
            events=events,
        )


def last_results(body: Mapping[str, Any]) -> list[str]:
    """The tool results that a request brings since the model's last reply."""
    found: list[str] = []
    for message in reversed(body["messages"]):
        if message["role"] == "assistant":
            break
        found.insert(0, str(message["content"]))
    return found
