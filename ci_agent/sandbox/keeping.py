"""The harness's end of the keeper: started when it is needed first, and anew should it be gone."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from ci_agent.errors import CiAgentError
from ci_agent.sandbox.keeper.messages import Reply, Request, receive_reply, send
from ci_agent.sandbox.plain import deferred

# Where the package is imported from; the keeper has no other way to find it, nor to anything else that is installed.
_ORIGIN: Final = str(Path(__file__).parents[2])
_PROGRAM: Final = "import sys; sys.path.append(sys.argv[2]); from ci_agent.sandbox.keeper.main import main; main(int(sys.argv[1]))"
_ENVIRONMENT: Final = ("LD_LIBRARY_PATH",)  # without which a Python may not start
_SLACK: Final = 60.0  # seconds beyond a command's own after which the keeper counts as lost
_ENDING: Final = 8.0  # seconds for the end of a command that we asked to end


class KeeperError(CiAgentError):
    """The process that runs commands is gone, or does not answer."""


class UnconfinedError(CiAgentError):
    """A means of confinement failed, so the command was not run. `stage` is which: `landlock`, `filter`, `start`."""

    def __init__(self, stage: str, problem: str) -> None:
        super().__init__(f"a command can't be confined ({stage}: {problem}), so it was not run")
        self.stage = stage
        self.problem = problem


class Keeper:
    """One at a time: a second command waits for the first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._link: socket.socket | None = None

    def start(self) -> None:
        """Start it in the background, if it is not there. Raises `KeeperError`."""
        if self._link is not None and self._process is not None and self._process.poll() is None:
            return
        self._forget()
        # An interruption halfway would leave a process nobody knows of.
        with deferred(signal.SIGINT), deferred(signal.SIGTERM), deferred(signal.SIGHUP):
            self._process, self._link = _started()

    @property
    def process(self) -> int:
        """Its process id; 0: it was not started."""
        return self._process.pid if self._process else 0

    def run(self, request: Request, output: int) -> Reply:
        """Have a command run to its end. When this is interrupted, the command is ended before the interruption goes
        on. Raises `KeeperError`."""
        with self._lock:
            self.start()
            link = self._link
            assert link is not None  # noqa: S101 - `start` has made it
            try:
                link.settimeout(request.timeout + request.grace + _SLACK)
                send(link, request, output)
                reply = receive_reply(link)
            except OSError as error:
                self._forget()
                raise KeeperError(f"the process that runs commands does not answer: {error}") from error
            except BaseException:
                self._end_it(link)
                raise
            if reply is None:
                self._forget()
                raise KeeperError("the process that runs commands is gone; was it killed?")
            return reply

    def close(self) -> None:
        """End it, and with it whatever still runs."""
        with self._lock:
            self._forget()

    def _end_it(self, link: socket.socket) -> None:
        """End the command that runs. The keeper ends with it; the next command gets another one."""
        try:
            with suppress(OSError):
                link.shutdown(socket.SHUT_WR)
                link.settimeout(_ENDING)
                while link.recv(1 << 16):
                    pass
        finally:
            self._forget()

    def _forget(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None
        if self._process is not None:
            assert self._process.stdin is not None  # noqa: S101 - it is a pipe
            self._process.stdin.close()
            try:
                self._process.wait(_ENDING)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


def _started() -> tuple[subprocess.Popen[bytes], socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with theirs:
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _PROGRAM, str(theirs.fileno()), _ORIGIN],
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
                cwd="/",
                stdin=subprocess.PIPE,  # by its end it knows that we are gone
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # signals from a terminal are for us
            )
        except OSError as error:
            ours.close()
            raise KeeperError(f"the process that runs commands can't be started: {error.strerror}") from error
    return process, ours
