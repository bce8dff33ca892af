"""The processes below the keeper: what they use, and their end.

Since the keeper adopts orphans, whatever a command started is below it: daemons that forked twice, process groups and
sessions of their own included.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_PATIENCE: Final = 5.0  # seconds for killed processes to be gone; one that waits for a disk may take for ever
_A_MOMENT, _LONGEST_PAUSE = 0.0005, 0.02  # seconds between two looks whether they are gone
_LISTED: Final = os.path.exists("/proc/thread-self/children")  # only where the kernel was built for it


@dataclass(frozen=True, slots=True)
class Use:
    """What all of them use together."""

    threads: int
    memory: int  # bytes that are theirs alone, about


def living() -> list[int]:
    """The processes below this one that have not ended, parents before their children."""
    found = list(_children(os.getpid()))
    for one in found:  # grows while it is gone through
        found.extend(_children(one))
    return [one for one in found if _state(one) not in ("Z", "X", "")]


def use() -> Use:
    """What they use now."""
    threads = memory = 0
    for one in living():
        with suppress(OSError, IndexError, ValueError):  # it ended meanwhile
            memory += _private(_read(f"/proc/{one}/statm")) * _PAGE
            threads += int(_after_name(one)[17])
    return Use(threads, memory)


def end_all(*, enclosed: bool) -> int:
    """End them, and collect what they leave. Gives how many are still there after all patience.

    `enclosed`: our signals reach nobody else, see `landlock.keep_signals`. Then one call ends all of them at once,
    forks that are under way included. Else each is stopped first, so that none can start others while its siblings
    are killed; many that do nothing but fork and end may get away from that for as long as we are patient.
    """
    begun, pause = time.monotonic(), _A_MOMENT
    stopped: set[int] = set()
    while not _all_collected():
        passed = time.monotonic() - begun
        if passed > _PATIENCE:
            return max(1, len(living()))
        if enclosed:
            _signal(signal.SIGKILL, -1)
        elif passed < _PATIENCE / 2 and (new := [one for one in living() if one not in stopped]):
            _signal(signal.SIGSTOP, *new)
            stopped.update(new)
            continue
        else:
            _signal(signal.SIGKILL, *living())
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
    return 0


def collect(wanted: int | None = None) -> int | None:
    """Collect those that have ended, so that they don't stand in the table of processes; the wait status of `wanted`
    if it was among them."""
    status = None
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == wanted:
                status = ended[1]
    return status


def _all_collected() -> bool:
    """Whether there is no process below us any more, as the kernel knows: each has us as its parent in the end."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return True
    return False


def _children(process: int) -> Iterator[int]:
    """Of all its threads, see proc(5)."""
    if not _LISTED:
        yield from (one for one in _every() if _parent(one) == process)
        return
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{process}/task"):
            with suppress(OSError):
                yield from map(int, _read(f"/proc/{process}/task/{thread}/children").split())


def _every() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _parent(process: int) -> int:
    try:
        return int(_after_name(process)[1])
    except (OSError, IndexError):
        return 0


def _state(process: int) -> str:
    try:
        return _after_name(process)[0]
    except (OSError, IndexError):
        return ""


def _after_name(process: int) -> list[str]:
    """The fields of `/proc/PID/stat` from the third, the state, on; the name before them may hold anything."""
    return _read(f"/proc/{process}/stat").rpartition(")")[2].split()


def _private(statm: str) -> int:
    """Pages that are in memory and not shared."""
    _, resident, shared, *_ = map(int, statm.split())
    return resident - shared


def _read(path: str) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        while part := os.read(descriptor, 65536):
            parts.append(part)
        return b"".join(parts).decode("utf-8", "replace")
    finally:
        os.close(descriptor)


def _signal(number: signal.Signals, *processes: int) -> None:
    for process in processes:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(process, number)
