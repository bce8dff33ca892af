"""Commands in confinement: their own world of files, processes and network, see docs/security.md.

How strong it is has to be proved for each machine; see `confinement.py`. This file only says what is to be done, to
the keeper, which does it.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ci_agent.sandbox import Command, Completed, End
from ci_agent.sandbox.environment import activated
from ci_agent.sandbox.keeper.messages import Bounds, Plan, Reply, Request
from ci_agent.sandbox.keeping import Keeper, UnconfinedError
from ci_agent.sandbox.output import cut_to, open_output

_NOT_STARTED: Final = {127: "{}: command not found", 126: "{}: can't be run: {}"}


@dataclass(frozen=True, slots=True)
class World:
    """What commands find: variables, and the places they may read and change, which include `home` and the like.
    `disks` are the folders on whose disks room must be left."""

    environment: Mapping[str, str]
    system: tuple[Path, ...]  # to be read, whatever the checkout
    readable: tuple[Path, ...]
    writable: tuple[Path, ...]
    disks: tuple[Path, ...]


class Confined:
    """Runs commands through `keeper` by `plan`. `online` gives the variables that lead a command to the network, if it
    may use it; `refused` is told the addresses that commands tried to reach in vain. `reclaim` is done after each."""

    grace = 2.0  # seconds between the request to end, SIGTERM, and the end, SIGKILL

    def __init__(
        self,
        keeper: Keeper,
        plan: Plan,
        bounds: Bounds,
        world: World,
        online: Callable[[Command], Mapping[str, str]],
        refused: Callable[[Mapping[str, int]], None],
        reclaim: Callable[[], None] = lambda: None,
    ) -> None:
        self._keeper = keeper
        self._plan = plan
        self._bounds = bounds
        self._world = world
        self._online = online
        self._refused = refused
        self._reclaim = reclaim
        self._shell = shutil.which("bash", path=world.environment["PATH"]) or "sh"

    def within(self, environment: Path) -> Confined:
        """The same sandbox, in which commands use this virtual environment as its own `activate` script has it."""
        other = copy(self)
        variables = activated(self._world.environment, environment)
        other._world = replace(self._world, environment=variables)  # noqa: SLF001 - one of us
        return other

    def shell(self, script: str) -> Sequence[str]:
        """The words that run `script` in bash, or in sh where there is no bash."""
        return (self._shell, "-c", script)

    def run(self, command: Command) -> Completed:
        """Run `command` to its end, whatever that is.

        What can't be started has exit code 127 (there is no such program) or 126 (anything else, a missing
        `cwd` too) and the reason in the output. Raises `OSError` where the output can't be written, `KeeperError` or
        `UnconfinedError` where there is no confinement to run it in. When this is interrupted, the command is ended before the
        interruption goes on.
        """
        started = time.monotonic()
        output = open_output(command.output)
        try:
            reply = self._start(command, output)
            if reply.refused:
                self._refused(reply.refused)
            too_long = cut_to(output, command.output_limit)
            return Completed(
                exit_code=None if reply.ended else reply.exit_code,
                seconds=time.monotonic() - started,
                ended=End.OUTPUT if too_long else End(reply.ended) if reply.ended else None,
                left_behind=reply.left_behind,
            )
        finally:
            os.close(output)
            self._reclaim()

    def _start(self, command: Command, output: int) -> Reply:
        if problem := _unfit(command):
            return _not_run(126, problem, output)
        reply = self._keeper.run(self._request(command), output)
        if not reply.problem:
            return reply
        if reply.stage:
            raise UnconfinedError(reply.stage, reply.problem)
        said = _NOT_STARTED[reply.exit_code].format(command.words[0], reply.problem)
        return _not_run(reply.exit_code, said, output)

    def _request(self, command: Command) -> Request:
        world = self._world
        return Request(
            words=[os.fspath(word) for word in command.words],
            cwd=str(command.cwd),
            environment={**world.environment, **self._online(command), **command.environment},
            system=[str(path) for path in world.system],
            readable=[str(path) for path in (*world.readable, *command.readable)],
            writable=[str(path) for path in (*world.writable, *command.writable)],
            disks=[str(path) for path in world.disks],
            plan=self._plan,
            bounds=self._bounds,
            timeout=command.timeout,
            grace=self.grace,
            output_limit=command.output_limit,
        )


def _unfit(command: Command) -> str:
    """Why a command can't be started; empty: it can be tried."""
    if not command.cwd.is_dir():
        return f"there is no folder {command.cwd} to run this in"
    if any("\0" in word for word in (*command.words, *command.environment.values())):
        return f"{command.words[0]!r}: can't be run: embedded null byte"
    return ""


def _not_run(code: int, reason: str, output: int) -> Reply:
    os.write(output, f"{reason}\n".encode(errors="replace"))
    return Reply(exit_code=code)
