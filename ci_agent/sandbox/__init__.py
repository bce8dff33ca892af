"""How commands that we did not write are run: which environment, which limits, how they end.

Everything the model or the project's tests execute goes through a `Sandbox`. Levels are files of this
folder; today there is one, `plain`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol


@dataclass(frozen=True, slots=True)
class Command:
    """A command to run.

    `words` is the argument list. `cwd` must exist. After `timeout` seconds the whole process group is ended.
    Standard output and standard error go, mixed, to the file `output`, at most `output_limit` bytes of it:
    a command that writes more is ended too. `environment` is added to the sandbox's own. Beside the sandbox's own
    places it may read what is below `readable`, and change what is below `writable`. `setup` marks the project's
    set-up, which may use the network where other commands may not.
    """

    words: Sequence[str]
    cwd: Path
    timeout: float
    output: Path
    environment: Mapping[str, str]
    output_limit: int = 200_000_000
    readable: Sequence[Path] = ()
    writable: Sequence[Path] = ()
    setup: bool = False


class End(StrEnum):
    """Why we ended a command: it used more than it may of this."""

    TIME = "time"
    OUTPUT = "output"
    MEMORY = "memory"
    PROCESSES = "processes"
    DISK = "disk"


# In words: it …; the setting that says how much is named where there is one.
TOO_MUCH: Final[Mapping[End, str]] = {
    End.TIME: "took too long",
    End.OUTPUT: "wrote too much output",
    End.MEMORY: "used more memory than commands may, see `sandbox.memory`",
    End.PROCESSES: "had more processes than commands may, see `sandbox.processes`",
    End.DISK: "left hardly any room on the disk",
}


@dataclass(frozen=True, slots=True)
class Completed:
    """How a command ended. `exit_code` is None when we ended it, 128 + n when signal n did."""

    exit_code: int | None
    seconds: float
    ended: End | None  # by us; also where it ended by itself but had written too much
    left_behind: bool  # processes it had started were still there afterwards, and were ended

    @property
    def timed_out(self) -> bool:
        return self.ended is End.TIME


class Sandbox(Protocol):
    """One way to run commands."""

    def run(self, command: Command) -> Completed:
        """Run `command` to its end. A program that does not exist is exit code 127, as in a shell."""
        ...

    def within(self, environment: Path) -> Sandbox:
        """The same, but commands use this virtual environment: its `bin` comes first on PATH."""
        ...

    def shell(self, script: str) -> Sequence[str]:
        """The words that run `script` in a shell."""
        ...
