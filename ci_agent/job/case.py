"""What a CI job has in hand while it decides and works: the trigger, the platform, the settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ci_agent.ci import Host
from ci_agent.config import Config
from ci_agent.job.deadline import Deadline
from ci_agent.platforms import Forge
from ci_agent.triggers import Kind, Trigger


@dataclass(frozen=True, slots=True)
class Case:
    host: Host
    forge: Forge
    settings: Config  # as the default branch's file has them
    trigger: Trigger
    silent: bool = False  # nothing is said here; the job that publishes decides again, and says it
    deadline: Deadline | None = None  # of this job; None: it is not known, or not yet looked up
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    @property
    def answer(self) -> str:
        """The marker of our answer to this trigger: a job that is run again answers once, and so does a schedule
        that finds the same label again."""
        trigger = self.trigger
        if trigger.kind is Kind.POLL:
            return f"reply label-{trigger.at:%Y%m%dT%H%M%S}"
        return f"reply {trigger.comment or self.host.job.pipeline}"


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing will be done."""

    why: str  # one line of plain text for the log
    marker: str = ""
    text: str = ""  # Markdown that is said on the thread, once under this marker; "": nothing is


def turn_away(case: Case, refused: Refused) -> None:
    """Say that nothing will be done: in the log, and on the thread if somebody waits there."""
    print(f"Nothing to work on: {refused.why}.", file=case.host.output.log, flush=True)
    if case.trigger.thread and refused.text and not case.silent:
        case.forge.reply(case.trigger.thread, refused.marker, refused.text)
