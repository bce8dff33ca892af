"""A project on each platform whose pipelines have two jobs: one works with a token that may not write, one publishes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.job.conftest import labelled
from tests.support.jobs import SOLVE
from tests.support.model_server import ModelServer
from tests.support.pipelines import READING, Done, Pipeline, pipeline

KEY = "f3a1b2c4d5e6f7081920a1b2c3d4e5f60718293a4b5c6d7e"


@dataclass
class TwoJobs:
    """One pipeline of two jobs, started by a label."""

    project: Pipeline
    first: dict[str, str]  # the environments of its jobs
    second: dict[str, str]
    number: int  # of the issue
    bundle: Path

    def work(self, *words: str, **more: str) -> Done:
        """The job that works and publishes nothing."""
        place = ("--bundle", str(self.bundle))
        return self.project.call(self.first | more, "--no-publish", *place, *words)

    def publish(self, *words: str, **more: str) -> Done:
        """The job that publishes."""
        return self.project.call(self.second | more, str(self.bundle), *words, command="publish")

    def comment(self) -> str:
        """The one that stands on the issue."""
        [(_, text)] = self.project.said(self.number)
        return text

    def branches(self) -> str:
        return self.project.origin.git("for-each-ref", "--format=%(refname:short)", "refs/heads")


def two_jobs(project: Pipeline, text: str = "`add(1, 2)` gives -1.") -> TwoJobs:
    """The pipeline of a new issue with the label."""
    number = project.forge.write_issue("add() subtracts", text, by="guest")
    return pipeline_of(project, number, *labelled(project, number))


def pipeline_of(project: Pipeline, number: int, event: str, payload: dict[str, Any]) -> TwoJobs:
    """The pipeline that an event on an issue starts."""
    first, second = project.environment(event, payload), project.environment(event, payload)
    token = f"{project.platform.upper()}_TOKEN"
    first[token] = READING[project.platform]
    for name in ("LLM_API_KEY", "LLM_BASE_URL", "MODEL_NAME"):
        del second[name]
    sha = project.origin.git("rev-parse", "main")
    common = {"CI_AGENT_BUNDLE_KEY": KEY} | (
        {"GITHUB_RUN_ID": first["GITHUB_RUN_ID"], "GITHUB_SHA": sha}
        if project.platform == "github"
        else {"CI_PIPELINE_ID": f"77{project.runs}", "CI_COMMIT_SHA": sha}
    )
    place = project.folder / f"bundle-{project.runs}"
    return TwoJobs(project, first | common, second | common, number, place)


@pytest.fixture(params=["github", "gitlab"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pipeline]:
    with ModelServer(list(SOLVE)) as model, pipeline(request.param, tmp_path, model) as made:
        yield made


@pytest.fixture
def jobs(project: Pipeline) -> TwoJobs:
    return two_jobs(project)
