"""What starts a job: the events of the platforms, and the commands people write.

Pure functions from what a CI hands us to a `Trigger`, or to `Ignored` with the reason. Nothing here asks a
platform anything: whether the person may is decided later, with the platform's own word. Nothing heavy is
imported, because most events are none of our business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from ci_agent.config.definitions import TriggerSettings
from ci_agent.task import Account, Thread


class Kind(StrEnum):
    """Which kind of event it was."""

    LABEL = "label"
    ASSIGNMENT = "assignment"
    COMMAND = "command"  # a comment with a line that starts with `/agent`
    MENTION = "mention"  # a comment that addresses our account
    REPLY = "reply"  # a comment with neither, on an issue that waits for an answer
    DISPATCH = (
        "dispatch"  # somebody started the pipeline by hand or by API, or named an issue on the command line
    )
    POLL = "poll"  # a schedule found the issue waiting


class Verb(StrEnum):
    """What a command asks for."""

    HELP = "help"
    RUN = "run"
    RETRY = "retry"
    STOP = "stop"
    STATUS = "status"
    ANSWER = "answer"
    APPROVE = "approve"
    REJECT = "reject"
    UNKNOWN = "unknown"  # `problem` says what is wrong with it


@dataclass(frozen=True, slots=True)
class Command:
    """A command with its options."""

    verb: Verb
    text: str = ""  # the hint, the answer, the reason
    model: str | None = None
    budget: float | None = None  # US dollars
    base: str | None = None  # a branch
    fresh: bool = False  # begin anew, whatever is left of an earlier session
    problem: str = ""  # for people, one line of plain text with what they wrote: what can't be understood


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The issue as it stood at the trigger."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Trigger:
    kind: Kind
    thread: Thread | None  # None: an intent without an issue, whose words are in `command.text`
    actor: Account | None  # who acted; None: whoever labelled the issue, which the platform must be asked
    at: datetime
    command: Command
    comment: str = ""  # the id of the comment it stands in
    issue: Snapshot | None = None  # None: it has to be read from the platform


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event that is none of our business."""

    why: str  # one line of plain text for the log


def read(
    platform: str,
    name: str,
    payload: Mapping[str, Any],
    at: datetime,
    actor: Account | None,
    settings: TriggerSettings,
) -> Trigger | Ignored:
    """What the event `name` of a platform asks for. `at` is the time and `actor` the person where the payload
    names none."""
    if platform == "github":
        from ci_agent.triggers import github

        return github.read(name, payload, at, actor, settings)
    from ci_agent.triggers import gitlab

    return gitlab.read(name, payload, at, actor, settings)
