"""What it takes to publish work that another job did: no model and no sandbox."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ci_agent import session
from ci_agent.config import Config
from ci_agent.guard import Guard
from ci_agent.interrupts import Interrupts
from ci_agent.journal import Journal
from ci_agent.platforms import Platform
from ci_agent.task import Task
from ci_agent.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Delivered:
    """See `session.Delivery`. `started` is on the clock of `time.monotonic`."""

    task: Task
    config: Config
    platform: Platform
    workspace: Workspace
    journal: Journal
    folder: Path
    marker: str
    guard: Guard
    started: float
    interrupts: Interrupts = field(default_factory=Interrupts)
    publishes: bool = True

    @property
    def patch(self) -> Path:
        return self.folder / session.PATCH

    @property
    def merge_request_text(self) -> Path:
        return self.folder / session.MERGE_REQUEST_TEXT
