"""The level `none`: commands get a built environment and hard bounds, but nothing is closed to them.

What holds: secrets of the job are not in the environment; a command ends in time, with everything in its
process group; its output costs disk and not memory. What does not: files, network and other processes of the
same user stay open to it, and a process that starts a session of its own (`setsid`) escapes the clean-up.
"""

from __future__ import annotations

import os
import resource
import select
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from enum import Enum, auto
from pathlib import Path
from types import FrameType

from ci_agent.sandbox import Command, Completed
from ci_agent.sandbox.environment import build

_LOOK_EVERY = 0.1  # seconds between two looks at the size of the output
_DYING = 1.0  # seconds a killed process group gets to be gone
_OUTPUT_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class Plain:
    """Runs commands with HOME in `home` and TMPDIR in `temporary`, both created where they are missing.

    Variables named in `extra` reach the commands; for the others, and `ceiling`, see
    `ci_agent.sandbox.environment`.
    """

    level = "none"
    grace = 2.0  # seconds between the request to end, SIGTERM, and the end, SIGKILL

    def __init__(
        self, home: Path, temporary: Path, extra: Sequence[str] = (), ceiling: Path | None = None
    ) -> None:
        for folder in (home, temporary):
            folder.mkdir(parents=True, exist_ok=True)
        above = ceiling.resolve() if ceiling else None
        self._environment = build(os.environ, home.absolute(), temporary.absolute(), extra, above)
        self._shell = shutil.which("bash", path=self._environment["PATH"]) or "sh"
        if not (home / ".gitconfig").exists():
            (home / ".gitconfig").write_text(_GIT_CONFIG)

    def within(self, environment: Path) -> Plain:
        """The same sandbox, in which commands use this virtual environment as its own `activate` script has it."""
        path = os.pathsep.join([str(environment / "bin"), self._environment["PATH"]])
        other = copy(self)
        other._environment = self._environment | {"PATH": path, "VIRTUAL_ENV": str(environment)}  # noqa: SLF001 - one of us
        return other

    def shell(self, script: str) -> Sequence[str]:
        """The words that run `script` in bash, or in sh where there is no bash."""
        return (self._shell, "-c", script)

    def run(self, command: Command) -> Completed:
        """Run `command` to its end, whatever that is.

        What can't be started has exit code 127 (there is no such program) or 126 (anything else, a missing
        `cwd` too) and the reason in the output. Raises `OSError` where the output can't be written. When this
        is interrupted, the command is ended before the interruption goes on.
        """
        started = time.monotonic()
        process: subprocess.Popen[bytes] | None = None
        output = os.open(command.output, _OUTPUT_FLAGS, 0o600)
        try:
            # Between fork and the assignment an interruption would leave a process nobody knows of.
            with _deferred(signal.SIGINT), _deferred(signal.SIGTERM), _deferred(signal.SIGHUP):
                process = self._start(command, output)
            end = self._wait(process, output, started + command.timeout, command.output_limit)
            code = process.wait()
            left_behind = _end_group(process.pid)
            return Completed(
                exit_code=None if end else code if code >= 0 else 128 - code,
                seconds=time.monotonic() - started,
                timed_out=end is _End.TIME,
                flooded=_cut(output, command.output_limit) or end is _End.FLOOD,
                left_behind=left_behind,
            )
        except _NotStartedError as error:
            os.write(output, f"{error}\n".encode(errors="replace"))
            return Completed(error.exit_code, time.monotonic() - started, False, False, False)
        except BaseException:
            if process is not None:
                _kill(process.pid)
                process.wait()
                _end_group(process.pid)
            raise
        finally:
            os.close(output)

    def _start(self, command: Command, output: int) -> subprocess.Popen[bytes]:
        if not command.cwd.is_dir():
            raise _NotStartedError(126, f"there is no folder {command.cwd} to run this in")
        try:
            with _no_core_dumps():
                return subprocess.Popen(
                    command.words,
                    cwd=command.cwd,
                    env={**self._environment, **command.environment},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except FileNotFoundError as error:
            raise _NotStartedError(127, f"{command.words[0]}: command not found") from error
        except (OSError, ValueError) as error:  # not executable, too long, a NUL byte
            reason = error.strerror if isinstance(error, OSError) else error
            raise _NotStartedError(126, f"{command.words[0]}: can't be run: {reason}") from error

    def _wait(
        self, process: subprocess.Popen[bytes], output: int, deadline: float, limit: int
    ) -> _End | None:
        """Wait until the process ended, or end its group. None when it ended by itself."""
        with _end_of(process) as ended_within:
            while not ended_within(max(0.0, min(_LOOK_EVERY, deadline - time.monotonic()))):
                if os.fstat(output).st_size > limit:
                    _kill(process.pid)
                    return _End.FLOOD
                if time.monotonic() >= deadline:
                    _signal(process.pid, signal.SIGTERM)
                    if not ended_within(self.grace):
                        _kill(process.pid)
                    return _End.TIME
        return None


class _End(Enum):
    """Why we ended a command."""

    TIME = auto()
    FLOOD = auto()


class _NotStartedError(Exception):
    def __init__(self, exit_code: int, reason: str) -> None:
        super().__init__(reason)
        self.exit_code = exit_code


# In the sandbox's home and not in the environment, where it would win over what a test configures. The
# workspace may belong to another user than the job's, as checkouts in containers do.
_GIT_CONFIG = """\
[user]
\tname = ci-agent sandbox
\temail = ci-agent-sandbox@localhost
[safe]
\tdirectory = *
"""


@contextmanager
def _deferred(number: signal.Signals) -> Iterator[None]:
    """Hold the handler of a signal back until the body is done. Handlers only run in the main thread."""
    handler = signal.getsignal(number)
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[FrameType | None] = []
    try:
        signal.signal(number, lambda _, frame: arrived.append(frame))
        yield
    finally:
        signal.signal(number, handler)
        if arrived:
            handler(number, arrived[0])


@contextmanager
def _no_core_dumps() -> Iterator[None]:
    """Processes started meanwhile write no core files. Lowered here, since `preexec_fn` costs a slow fork."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


@contextmanager
def _end_of(process: subprocess.Popen[bytes]) -> Iterator[Callable[[float], bool]]:
    """A function that waits so many seconds at most and says whether the process has ended."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except (AttributeError, OSError):  # not Linux, or a kernel or container without it

        def ended_within(seconds: float) -> bool:
            with suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
            return process.returncode is not None

        yield ended_within
        return
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        yield lambda seconds: bool(poll.poll(seconds * 1000))
    finally:
        os.close(descriptor)


def _end_group(group: int) -> bool:
    """Kill what is left of a process group whose leader has ended. True if something was."""
    left = _alive(group)
    deadline = time.monotonic() + _DYING
    while _alive(group) and time.monotonic() < deadline:
        _kill(group)
        time.sleep(0.002)
    return left


def _alive(group: int) -> bool:
    """Whether the process group has a member that still runs."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody is there, as another user
        return True
    if not Path("/proc/self/stat").exists():
        return True
    # Dead ones that nobody has collected don't count: the first process of a container often collects none.
    return any(state not in "ZX" for state in _states(group))


def _states(group: int) -> Iterator[str]:
    """The state letter of each member of the group, see proc(5)."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it went away meanwhile
            state, _parent, its_group, *_ = stat.read_text(errors="replace").rpartition(")")[2].split()
            if int(its_group) == group:
                yield state


def _kill(group: int) -> None:
    _signal(group, signal.SIGKILL)


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _cut(output: int, limit: int) -> bool:
    """Cut the file to the limit. True if it was longer."""
    if os.fstat(output).st_size <= limit:
        return False
    os.ftruncate(output, limit)
    return True
