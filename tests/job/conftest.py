"""A project on each platform, and the events of what people do there."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.jobs import SOLVE
from tests.support.model_server import ModelServer
from tests.support.pipelines import Pipeline, pipeline


@pytest.fixture(params=["github", "gitlab"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pipeline]:
    with ModelServer(list(SOLVE)) as model, pipeline(request.param, tmp_path, model) as made:
        yield made


def labelled(
    project: Pipeline, number: int, by: str = "dana", label: str = "ai-task"
) -> tuple[str, dict[str, Any]]:
    """The event of a label that is added."""
    return ("issues" if project.platform == "github" else "trigger"), project.forge.label(
        number, label, by=by
    )


def commented(
    project: Pipeline, number: int, text: str, by: str = "dana", *, on_request: bool = False
) -> tuple[str, dict[str, Any]]:
    """The event of a comment on an issue or a merge request."""
    if project.platform == "github":
        return "issue_comment", project.forge.say(number, text, by=by)
    return "trigger", project.forge.say(number, text, by=by, on_request=on_request)


def start(project: Pipeline, environment: dict[str, str], *words: str) -> subprocess.Popen[str]:
    """A job that runs on."""
    return subprocess.Popen(
        [sys.executable, "-m", "ci_agent", "job", *words],
        env=environment,
        cwd=project.place(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def until_asked(project: Pipeline, requests: int = 1) -> None:
    """Wait until the model was asked."""
    until(lambda: len(project.model.requests) >= requests)


def until(condition: Callable[[], bool]) -> None:
    """Wait until it holds."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)  # nothing tells us otherwise; the condition decides, not the time


def a_bot(project: Pipeline) -> str:
    """A bot of somebody else's joins that may write; its name."""
    if project.platform == "github":
        project.forge.person("helper[bot]", "write", kind="Bot")
        return "helper[bot]"
    project.forge.person("project_7_bot_ffff", "developer")
    return "project_7_bot_ffff"
