"""One command: how it is started, looked after and ended, and what is told about it."""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from dataclasses import dataclass
from typing import Final

from ci_agent.sandbox.keeper import descendants
from ci_agent.sandbox.keeper.child import become, program_of
from ci_agent.sandbox.keeper.judge import Judge
from ci_agent.sandbox.keeper.messages import Reply, Request
from ci_agent.sandbox.keeper.rules import Rules
from ci_agent.sandbox.keeper.sockets import Made, Taken
from ci_agent.sandbox.keeper.supervisor import Supervisor

_LOOK_EVERY: Final = 0.1  # seconds between two looks at what a command uses
_LAST = 1 << 16  # bytes of what a child tells before it is the command


@dataclass(frozen=True, slots=True)
class Powers:
    """What is the same for all commands. `wake` can be read from when a child has ended; `enclosed`: signals reach
    nobody but those below us; `takes`: sockets can be taken from commands."""

    link: socket.socket
    wake: int
    enclosed: bool
    takes: bool
    rules: Rules


class Run:
    """One command, from its start until nothing is left of it."""

    def __init__(self, request: Request, output: int, powers: Powers) -> None:
        self._request = request
        self._output = output
        self._link = powers.link
        self._wake = powers.wake
        self._powers = powers
        self._supervisor: Supervisor | None = None
        self._judge = Judge(request.plan, request.writable)
        self._process = 0
        self._status: int | None = None  # as waitpid(2) gives it

    def whole(self) -> Reply:
        """Run it to its end."""
        problem = self._start()
        if problem is not None:
            descendants.end_all(enclosed=self._powers.enclosed)
            return problem
        try:
            ended = self._watch()
        finally:
            self._release()  # also gives back the descriptors that looking after the rest takes
        left_behind = bool(descendants.living())
        survivors = descendants.end_all(enclosed=self._powers.enclosed)
        code = os.waitstatus_to_exitcode(self._status) if self._status is not None else -signal.SIGKILL
        return Reply(
            exit_code=code if code >= 0 else 128 - code,
            ended=ended,
            left_behind=left_behind and not ended,
            survivors=survivors,
            refused=dict(self._judge.refused),
        )

    # --- the start ----------------------------------------------------------------------------------------

    def _start(self) -> Reply | None:
        """Start it; what prevented that."""
        request, rules = self._request, None
        try:
            if request.plan.landlock:
                rules = self._powers.rules.of(request, self._output)
        except OSError as error:
            return Reply(problem=str(error.strerror), stage="landlock")
        try:
            return self._fork(rules)
        finally:
            if rules is not None:
                os.close(rules)

    def _fork(self, rules: int | None) -> Reply | None:
        program = program_of(self._request.plan, sockets_made=not self._powers.takes)
        hearing, telling = os.pipe2(os.O_CLOEXEC)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with ours, theirs:
            try:
                self._process = os.fork()
            except OSError as error:
                os.close(telling)
                os.close(hearing)
                return Reply(exit_code=126, problem=str(error.strerror), stage="start")
            if self._process == 0:
                become(self._request, self._output, rules, telling, theirs, program=program)
            os.close(telling)
            theirs.close()
            listener = _listener(ours)
            if listener is not None:
                sockets = Taken() if self._powers.takes else Made()
                is_open = not self._request.plan.loopback_only
                self._supervisor = Supervisor(listener, self._judge, sockets, open_network=is_open)
            told = os.read(hearing, _LAST)  # nothing, once the program has taken the place of the copy
            os.close(hearing)
        if not told:
            return None
        if self._supervisor:
            self._supervisor.close()
        stage, code, reason = told.decode("utf-8", "replace").split("|", 2)
        return Reply(exit_code=int(code), problem=reason, stage=stage)

    def _release(self) -> None:
        """Nobody is left who could ask for anything."""
        if self._supervisor:
            self._supervisor.close()
            self._supervisor = None

    # --- until its end ------------------------------------------------------------------------------------

    def _watch(self) -> str:
        """Wait for its end, or make it end; what for."""
        deadline = time.monotonic() + self._request.timeout
        look = time.monotonic() + _LOOK_EVERY
        while True:
            if self._ended(min(deadline, look)):
                return ""
            now = time.monotonic()
            if now >= look:
                look = now + _LOOK_EVERY
                if too_much := self._too_much():
                    return too_much
            if self._gone():
                return "asked"
            if now >= deadline:
                self._ask_to_end()
                return "time"

    def _ended(self, until: float) -> bool:
        """Serve what comes in until a moment has come, or the command has ended: True."""
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        poll.register(self._link.fileno(), select.POLLIN)
        impatient = None
        if self._supervisor:
            for descriptor, events in self._supervisor.watched():
                poll.register(descriptor, events)
            impatient = self._supervisor.impatient
        wait = max(0.0, until - time.monotonic())
        for descriptor, events in poll.poll(1000 * min(wait, impatient or wait)):
            if descriptor == self._wake:
                os.read(self._wake, _LAST)
            elif descriptor == self._link.fileno():
                break
            elif self._supervisor and not self._supervisor.ready(descriptor, events):
                self._release()
                break
        if self._supervisor:
            self._supervisor.tick()
        if self._status is None:
            self._status = descendants.collect(self._process)
        return self._status is not None

    def _gone(self) -> bool:
        """Whether the harness has closed its end: it wants the command to end, or is not there any more."""
        poll = select.poll()
        poll.register(self._link.fileno(), select.POLLIN)
        return bool(poll.poll(0))

    def _ask_to_end(self) -> None:
        """SIGTERM, and a little time."""
        try:
            os.killpg(self._process, signal.SIGTERM)
        except OSError:
            return
        until = time.monotonic() + self._request.grace
        while time.monotonic() < until and not self._ended(until):
            if self._gone():
                return

    def _too_much(self) -> str:
        """What it uses more of than it may."""
        request = self._request
        if os.fstat(self._output).st_size > request.output_limit:
            return "output"
        use = descendants.use()
        if use.threads > request.bounds.processes:
            return "processes"
        if use.memory > request.bounds.memory:
            return "memory"
        return "disk" if any(_free(folder) < request.bounds.free_disk for folder in request.disks) else ""


def _listener(link: socket.socket) -> int | None:
    """The listener of the child's filter; None: it has none, or did not come so far."""
    _, descriptors, _, _ = socket.recv_fds(link, 1, 1)
    return descriptors[0] if descriptors else None


def _free(folder: str) -> int:
    """Bytes that may still be written there."""
    try:
        disk = os.statvfs(folder)
    except OSError:  # the command deleted it
        return 1 << 62
    return disk.f_bavail * disk.f_frsize
