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
from pathlib import Path
from types import FrameType

from ci_agent.sandbox import Command, Completed, End
from ci_agent.sandbox.caches import Caches
from ci_agent.sandbox.environment import activated, build
from ci_agent.sandbox.home import prepare
from ci_agent.sandbox.output import cut_to, open_output

_LOOK_EVERY = 0.1  # seconds between two looks at the size of the output
_DYING = 1.0  # seconds a killed process group gets to be gone


class Plain:
    """Runs commands with HOME in `home` and TMPDIR in `temporary`, both created where they are missing.

    Variables named in `extra` reach the commands; for the others, and `ceiling`, see
    `ci_agent.sandbox.environment`. Package managers use `caches`, else new ones in `home`. `reclaim` is done after each
    command.
    """

    grace = 2.0  # seconds between the request to end, SIGTERM, and the end, SIGKILL

    def __init__(
        self,
        home: Path,
        temporary: Path,
        extra: Sequence[str] = (),
        ceiling: Path | None = None,
        caches: Caches | None = None,
        reclaim: Callable[[], None] = lambda: None,
    ) -> None:
        self._reclaim = reclaim
        prepare(home, temporary)
        if caches:
            caches.link_into(home)
        above = ceiling.resolve() if ceiling else None
        private = caches.environment if caches else {}
        self._environment = build(os.environ, home.absolute(), temporary.absolute(), extra, above, private)
        self._shell = shutil.which("bash", path=self._environment["PATH"]) or "sh"

    def within(self, environment: Path) -> Plain:
        """The same sandbox, in which commands use this virtual environment as its own `activate` script has it."""
        other = copy(self)
        other._environment = activated(self._environment, environment)  # noqa: SLF001 - one of us
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
        output = open_output(command.output)
        try:
            # Between fork and the assignment an interruption would leave a process nobody knows of.
            with deferred(signal.SIGINT), deferred(signal.SIGTERM), deferred(signal.SIGHUP):
                process = self._start(command, output)
            end = self._wait(process, output, started + command.timeout, command.output_limit)
            code = process.wait()
            left_behind = _end_group(process.pid)
            return Completed(
                exit_code=None if end else code if code >= 0 else 128 - code,
                seconds=time.monotonic() - started,
                ended=End.OUTPUT if cut_to(output, command.output_limit) else end,
                left_behind=left_behind,
            )
        except _NotStartedError as error:
            os.write(output, f"{error}\n".encode(errors="replace"))
            return Completed(error.exit_code, time.monotonic() - started, None, left_behind=False)
        except BaseException:
            if process is not None:
                _kill(process.pid)
                process.wait()
                _end_group(process.pid)
            raise
        finally:
            os.close(output)
            self._reclaim()

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

    def _wait(self, process: subprocess.Popen[bytes], output: int, deadline: float, limit: int) -> End | None:
        """Wait until the process ended, or end its group. None when it ended by itself."""
        with _end_of(process) as ended_within:
            while not ended_within(max(0.0, min(_LOOK_EVERY, deadline - time.monotonic()))):
                if os.fstat(output).st_size > limit:
                    _kill(process.pid)
                    return End.OUTPUT
                if time.monotonic() >= deadline:
                    _signal(process.pid, signal.SIGTERM)
                    if not ended_within(self.grace):
                        _kill(process.pid)
                    return End.TIME
        return None


class _NotStartedError(Exception):
    def __init__(self, exit_code: int, reason: str) -> None:
        super().__init__(reason)
        self.exit_code = exit_code


@contextmanager
def deferred(number: signal.Signals) -> Iterator[None]:
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
