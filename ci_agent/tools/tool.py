"""The nouns of the tools, and the seam itself. Pure data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ci_agent.journal.events import PlanItem, TurnEnd
from ci_agent.sandbox import Sandbox
from ci_agent.tools.memory import Memory, Shown


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of a tool. `kind` is a JSON type, `array` holds strings; an int is clamped to its range."""

    name: str
    kind: str  # string, integer, boolean, array, object
    description: str
    required: bool = True
    default: Any = None
    minimum: int | None = None
    maximum: int | None = None
    items: Mapping[str, Any] | None = None  # JSON schema of the members of an array
    example: Any = None  # what a good call holds here; shown when a call was wrong


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call came to. `ends` hands the turn back to the session: a hand-in, a question or a plan.

    `shown` says what `text` shows, where the model need not be shown that twice. `unchanged` is what would have been
    shown, where `text` only says that it was shown before.
    """

    text: str
    ok: bool = True
    output: str = ""  # the file in the outputs folder that holds the full text, where `text` is cut
    plan: tuple[PlanItem, ...] | None = None
    ends: TurnEnd | None = None
    shown: Shown | None = None
    unchanged: str = ""


@dataclass(frozen=True, slots=True)
class World:
    """What a tool may touch.

    `root` is the workspace. `outputs` is a folder outside it for output that is too long to show; commands
    find it as `$AGENT_OUTPUTS`. `remaining` gives the seconds the session has left. `run_tests` runs the
    project's tests, all of them or those its argument selects, and gives the facts as text. `memory` is of one
    conversation. `hide` takes the job's secrets out of a text.
    """

    root: Path
    outputs: Path
    sandbox: Sandbox
    remaining: Callable[[], float]
    run_tests: Callable[[str], str]
    command_timeout: int  # seconds, the default of `bash`
    memory: Memory = field(default_factory=Memory)
    hide: Callable[[str], str] = str


class ToolError(Exception):
    """What a tool can't do, in words for the model: what is wrong, and how to call again."""


class Tool(Protocol):
    """One thing the model may do."""

    name: str
    description: str
    parameters: tuple[Parameter, ...]

    def run(self, arguments: Mapping[str, Any], world: World) -> Answer:
        """Do it. `arguments` was checked against `parameters`, defaults filled in.

        Raises `ToolError` for what the model can mend, and `OSError`; both become its answer.
        """
        ...
