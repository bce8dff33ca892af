"""Whether several sessions of one user are on this machine: each holds a lock on one file, in a folder that is closed to
commands, for as long as it lasts.
"""

from __future__ import annotations

import fcntl
import os
import stat
import struct
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from ci_agent.sandbox.temporary import LASTING


class Presence:
    """One session's, which begins here and ends with `close`; it waits where another one is `alone` at the moment.

    `file` is the user's own one unless a test has another. Where it is not to be had, as when somebody else has put a
    file in its place, nobody counts as alone.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = _opened(file or LASTING / f"ci-agent-{os.geteuid()}.lock")

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Whether there is no other session of this user. If so, none begins within."""
        if self._file is None or not _tried(self._file):
            yield False
            return
        try:
            yield True
        finally:
            _lock(self._file, fcntl.F_OFD_SETLK, fcntl.F_RDLCK)

    def close(self) -> None:
        """It ends. May be called again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _opened(path: Path) -> int | None:
    """The file, with a lock that others may have as well. None: it is not ours alone, or can't be had."""
    if sys.platform != "linux":
        return None
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    with ExitStack() as ending:
        ending.callback(os.close, file)
        with suppress(OSError):  # such as that of a file system without such locks
            if _is_ours(os.fstat(file)):
                os.utime(file)  # what tidies such folders up takes files that nobody has touched for weeks
                _lock(file, fcntl.F_OFD_SETLKW, fcntl.F_RDLCK)
                ending.pop_all()
                return file
    return None


def _is_ours(status: os.stat_result) -> bool:
    """Whether it is a file that nobody else may open."""
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077


def _tried(file: int) -> bool:
    """Whether the lock is now ours alone; if not, it is as it was."""
    try:
        _lock(file, fcntl.F_OFD_SETLK, fcntl.F_WRLCK)
    except OSError:
        return False
    return True


def _lock(file: int, how: int, kind: int) -> None:
    """A lock on an open file description, see fcntl(2): of the process's own, one is lost when any descriptor of the file is
    closed, and one of flock(2) in a vain attempt to have it alone, so that another session could think it were."""
    fcntl.fcntl(file, how, struct.pack("hhqqi4x", kind, os.SEEK_SET, 0, 0, 0))  # struct flock, the whole file
