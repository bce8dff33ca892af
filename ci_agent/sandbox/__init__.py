"""How commands that we did not write are run: which environment, which limits, how they end.

Everything the model or the project's tests execute goes through a `Sandbox`. Levels are files of this
folder; today there is one, `plain`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Command:
    """A command to run.

    `words` is the argument list. `cwd` must exist. After `timeout` seconds the whole process group is ended.
    Standard output and standard error go, mixed, to the file `output`, at most `output_limit` bytes of it:
    a command that writes more is ended too. `environment` is added to the sandbox's own.
    """

    words: Sequence[str]
    cwd: Path
    timeout: float
    output: Path
    environment: Mapping[str, str]
    output_limit: int = 200_000_000


@dataclass(frozen=True, slots=True)
class Completed:
    """How a command ended. `exit_code` is None when we ended it, 128 + n when signal n did."""

    exit_code: int | None
    seconds: float
    timed_out: bool
    flooded: bool  # ended because of its output limit
    left_behind: bool  # processes it had started were still there afterwards, and were ended


class Sandbox(Protocol):
    """One way to run commands."""

    level: str  # `none` … `full`, see docs/security.md

    def run(self, command: Command) -> Completed:
        """Run `command` to its end. A program that does not exist is exit code 127, as in a shell."""
        ...

    def within(self, environment: Path) -> Sandbox:
        """The same, but commands use this virtual environment: its `bin` comes first on PATH."""
        ...

    def shell(self, script: str) -> Sequence[str]:
        """The words that run `script` in a shell."""
        ...


def open_sandbox(
    home: Path, temporary: Path, extra: Sequence[str] = (), ceiling: Path | None = None
) -> Sandbox:
    """The sandbox for this machine. `home` and `temporary` are folders for the commands, created where they
    are missing; variables named in `extra` reach them. Their git looks for no repository in `ceiling` and above
    it. A new level is a file of this folder and a line here.
    """
    from ci_agent.sandbox.plain import Plain

    return Plain(home, temporary, extra, ceiling)
