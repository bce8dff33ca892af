"""What a session is made of. Chosen by whoever starts it; the session itself never asks which ones it has."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from ci_agent.agent import Models
from ci_agent.config import Config
from ci_agent.guard import Guard
from ci_agent.interrupts import Interrupts
from ci_agent.journal import Journal
from ci_agent.platforms import Platform
from ci_agent.reporting.delivery import PURPOSE
from ci_agent.sandbox import Sandbox
from ci_agent.sandbox.confinement import Confinement
from ci_agent.session.conversation import Conversation
from ci_agent.task import Limits, Task
from ci_agent.workspace import Carried, Workspace

# What is where in the folder of a session.
JOURNAL: Final = "session.jsonl"
LOGS: Final = "logs"
PATCH: Final = "diff.patch"
MERGE_REQUEST_TEXT: Final = "merge-request.md"


@dataclass(frozen=True, slots=True)
class Keeping:
    """How a session is kept for later jobs, see `checkpoint.py`."""

    key: bytes = field(repr=False)  # checkpoints are signed with it
    job: str  # the CI's run
    known: str  # the commit of the checkpoint that this session takes the place of; empty: none
    work: str = ""  # what that one keeps of a session that never ended: it stays until there is more


@dataclass(frozen=True, slots=True)
class Resumption:
    """What an earlier job of the same session left, and what happened since."""

    events: int  # that the journal had
    job: int  # the how-manieth job this is, from 2
    why: str  # it goes on, as a clause for people: `dana answered`
    began: str  # the commit that the session's work began on
    carried: Carried  # its work, on what there is now
    conversation: Conversation | None  # of the model that was at work; None: there is none to go on with
    over: bool  # the session had ended, and somebody wants it to go on
    said: str = ""  # by who has it go on, and not told the model yet: an answer, a hint
    by: str = ""
    approves: bool | None = (
        None  # their word on the plan or the change that waited; None: they did not decide
    )


@dataclass(slots=True)
class Context:
    """What the model at work sees. The work says where it is, and a checkpoint takes it along."""

    seen: Callable[[], Conversation | None] = lambda: None  # None: nobody is at work yet


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody said who may ask for work, while the session works."""

    id: str  # the same for the same words, in every job
    by: str  # the person's name on the platform
    text: str


class Hears(Protocol):
    """Whoever listens to people while the session works."""

    def waits(self) -> bool:
        """Whether there is something to take."""
        ...

    def take(self) -> Sequence[Said]:
        """What was said since, each once, oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """All that a session is made of. `folder` is the session's own, outside the workspace."""

    task: Task
    limits: Limits
    config: Config
    platform: Platform
    workspace: Workspace
    confinement: Confinement
    sandbox: Sandbox  # of the workspace
    models: Models
    journal: Journal
    folder: Path
    marker: str  # of the progress comment, hidden in it
    interrupts: Interrupts
    guard: Guard  # that everything passes on its way out
    remembered: Path | None = None  # where runs on the base are kept for later sessions
    keeping: Keeping | None = None  # None: nothing of it outlives this job but the branch
    resumed: Resumption | None = None  # None: the session begins with this job
    hears: Hears | None = None  # None: nobody listens
    context: Context = field(default_factory=Context)
    publishes: bool = True  # False: another job does, from the journal; see `publish`
    started: float = field(default_factory=time.monotonic)  # on the clock of `time.monotonic`

    @property
    def session(self) -> str:
        """Its name, the same in all of its jobs."""
        return self.marker.removeprefix(f"{PURPOSE} ")

    @property
    def logs(self) -> Path:
        return self.folder / LOGS

    @property
    def outputs(self) -> Path:
        return self.folder / "outputs"

    @property
    def patch(self) -> Path:
        """Where the change is kept as a patch, once there is one."""
        return self.folder / PATCH

    @property
    def merge_request_text(self) -> Path:
        """Where the merge request's text is kept, once there is one."""
        return self.folder / MERGE_REQUEST_TEXT

    def seconds_left(self) -> float:
        """Of the session's whole time."""
        return self.started + self.limits.minutes * 60 - time.monotonic()

    @property
    def limit(self) -> str:
        """The setting that this time comes from; empty: the CI's job ends before that."""
        return "limits.timeout" if self.limits.job_minutes is None else ""


class Delivery(Protocol):
    """As much of the parts as publishing needs: no model, no sandbox."""

    @property
    def task(self) -> Task: ...
    @property
    def config(self) -> Config: ...
    @property
    def platform(self) -> Platform: ...
    @property
    def workspace(self) -> Workspace: ...
    @property
    def journal(self) -> Journal: ...
    @property
    def folder(self) -> Path: ...
    @property
    def marker(self) -> str: ...
    @property
    def interrupts(self) -> Interrupts: ...
    @property
    def guard(self) -> Guard: ...
    @property
    def publishes(self) -> bool: ...
    @property
    def started(self) -> float: ...
    @property
    def patch(self) -> Path: ...
    @property
    def merge_request_text(self) -> Path: ...


class Checkout(Protocol):
    """As much of the parts as set-up and tests need: no issue, no model, no platform."""

    @property
    def config(self) -> Config: ...
    @property
    def workspace(self) -> Workspace: ...
    @property
    def confinement(self) -> Confinement: ...
    @property
    def sandbox(self) -> Sandbox: ...
    @property
    def journal(self) -> Journal: ...
    @property
    def guard(self) -> Guard: ...
    @property
    def folder(self) -> Path: ...
    @property
    def logs(self) -> Path: ...
    @property
    def remembered(self) -> Path | None: ...
    def seconds_left(self) -> float: ...
    @property
    def limit(self) -> str: ...
