"""Which CI we run in, what it tells a job, and what a job tells it.

The only place that knows the variables and files of a CI. Everything else gets a `Job` and writes through an
`Output`. Nothing here asks a platform anything, and nothing heavy is imported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TextIO

from ci_agent.guard import Guard
from ci_agent.task import Account


@dataclass(frozen=True, slots=True)
class Happening:
    """What the CI says has happened, as it says it."""

    name: str  # GitHub's event, or GitLab's CI_PIPELINE_SOURCE
    payload: Mapping[str, Any]  # {} where there is none
    at: datetime  # when the pipeline was created, or now where the CI does not say


@dataclass(frozen=True, slots=True)
class Definition:
    """Where the repository says how long a job may take."""

    path: str  # of the file
    sha: str  # the commit that it counts in
    job: str  # what the job is called there
    longer: bool  # the file may allow more than the CI does by itself


@dataclass(frozen=True, slots=True)
class Job:
    """The job we are, as its CI describes it."""

    platform: str  # `github` or `gitlab`: whose issues these are
    repository: str  # `owner/name`, or the path with its groups
    api_url: str  # GitHub: of the REST API; GitLab: of the server
    happening: Happening
    actor: Account | None  # who started the pipeline, or acted
    default_branch: str  # "" where the CI does not say
    url: str  # of the job's own log
    run: str  # what the platform cancels by: GitHub's run id, GitLab's job id
    pipeline: str  # stays the same when a job is run again: GitHub's run id, GitLab's pipeline id
    checkout: Path | None  # the CI's own checkout of the repository; None: there is none
    scratch: Path  # for files that live as long as the job
    minutes: float | None = None  # that the job may take, where the CI says so and its definition does not
    began: datetime | None = None  # where the CI says so
    definition: Definition | None = None  # None: what the CI says is all there is
    runner: str = ""  # the name of the runner, which does one job at a time; empty: the CI does not say
    sha: str = ""  # the commit whose pipeline this is; empty: the CI does not say


@dataclass(frozen=True, slots=True)
class Annotation:
    """Something people should see beside the pipeline, or at a line of a file. Plain text of anybody's."""

    title: str
    message: str
    file: str = ""  # relative to the repository's root
    line: int = 0


class Output(Protocol):
    """How a job talks to its CI."""

    log: TextIO
    """The job's log. What is written into it can start no command of the CI and no section."""

    def section(self, name: str, title: str) -> AbstractContextManager[None]:
        """Lines of the log that can be folded away. `name` is a short word, `title` is for people."""
        ...

    def mask(self, secret: str) -> None:
        """Ask the CI to show `secret` nowhere from now on, where it can."""
        ...

    def values(self, values: Mapping[str, str]) -> None:
        """What later steps or jobs can use: `status`, `branch`, `merge-request-url`, `cost`, …"""
        ...

    def summary(self, markdown: str) -> None:
        """Show Markdown on the page of the run, where the CI has a place for it."""
        ...

    def annotate(self, annotations: Sequence[Annotation]) -> None:
        """Show these, as many as the CI takes."""
        ...


@dataclass(frozen=True, slots=True)
class Host:
    """The CI we run in."""

    job: Job
    output: Output = field(repr=False)
    guard: Guard = field(repr=False)  # knows the secrets of the job
