"""CI jobs, measured from outside: the process on one side, what a stand-in for the platform received on the other."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

_ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(_ROOT))  # the stand-ins are the tests' own

from tests.forges.http import Answer, Request  # noqa: E402
from tests.support.jobs import SOLVE  # noqa: E402
from tests.support.model_server import ModelServer, Say  # noqa: E402
from tests.support.pipelines import Pipeline, pipeline  # noqa: E402

_JOB = (str(Path(sys.executable).parent / "ci-agent"), "job")
_ASKED, _TALKED = "/agent retry", "Thank you!"


def ignored(platform: str, runs: int) -> float:
    """Median seconds of a job whose event is a comment that is not for us. It may not speak to the platform."""
    with _project(platform) as project:
        number = project.forge.write_issue("add() subtracts", "")
        environment = project.environment(*_comment(project, number, _TALKED))
        project.server.requests.clear()
        seconds = [_seconds(environment) for _ in range(runs + 1)]
        if project.server.requests:
            raise RuntimeError(f"asked for {project.server.requests[0].path} though nothing was asked of it")
        return median(seconds[1:])  # the first one fills the caches


def acknowledged(platform: str, runs: int) -> tuple[float, float]:
    """Median seconds from the start of a job to its sign on the comment that asked, and to its own comment."""
    signs, comments = [], []
    for _ in range(runs):
        with _project(platform) as project:
            number = project.forge.write_issue("add() subtracts", "")
            environment = project.environment(*_comment(project, number, _ASKED))
            received = _watched(project)
            started = time.monotonic()
            _seconds(environment)
            signs.append(_first(received, "eyes") - started)
            comments.append(_first(received, "**Working on it**") - started)
    return median(signs), median(comments)


def libraries(platform: str, runs: int) -> float:
    """Median seconds of a process that only imports the platform's library."""
    words = [sys.executable, "-c", f"import {platform}"]
    return median([_taken(words, None) for _ in range(runs + 1)][1:])


@contextmanager
def _project(platform: str) -> Iterator[Pipeline]:
    folder = Path(tempfile.mkdtemp(prefix="ci-agent-bench-"))
    try:
        with ModelServer([*SOLVE, *([Say()] * 3)]) as model, pipeline(platform, folder, model) as project:
            yield project
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _comment(project: Pipeline, number: int, text: str) -> tuple[str, dict[str, Any]]:
    name = "issue_comment" if project.platform == "github" else "trigger"
    return name, project.forge.say(number, text, by="dana")


def _watched(project: Pipeline) -> list[tuple[str, float]]:
    """What is posted from now on, each with the time at which it was answered."""
    received: list[tuple[str, float]] = []
    answer: Callable[[Request], Answer] = project.server.answer

    def timed(request: Request) -> Answer:
        answered = answer(request)
        if request.method == "POST":
            received.append((f"{request.query} {request.body}", time.monotonic()))
        return answered

    project.server.answer = timed
    return received


def _first(received: list[tuple[str, float]], words: str) -> float:
    return next(at for said, at in received if words in said)


def _seconds(environment: Mapping[str, str]) -> float:
    return _taken(list(_JOB), environment)


def _taken(words: list[str], environment: Mapping[str, str] | None) -> float:
    cwd = Path(environment["HOME"]).parent if environment else None
    started = time.monotonic()
    subprocess.run(words, env=environment, cwd=cwd, check=True, capture_output=True)
    return time.monotonic() - started
