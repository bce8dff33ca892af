"""What commands leave in memory that all processes of a user share, where later commands find it: files in `/dev/shm`
and objects of System V. (POSIX message queues are closed to them by the filter.)

Nobody can tell there what a command of ours made and what another process did. So things are deleted only where a session
is the only one of its user in a CI's job, and only what came to be since it began and nobody uses.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import stat
import struct
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from functools import cache
from pathlib import Path
from typing import Final

from ci_agent.sandbox.deleting import delete
from ci_agent.sandbox.kernel.calls import libc
from ci_agent.sandbox.presence import Presence

_FILES: Final = Path("/dev/shm")  # noqa: S108 - where shm_open(3) and sem_open(3) put theirs
_OBJECTS: Final = Path("/proc/sysvipc")

# What an object is called, and how it is removed.
_KINDS: Final[Mapping[str, tuple[str, Callable[[int], int]]]] = {
    "shm": ("shared memory", lambda number: libc.shmctl(number, 0, None)),  # IPC_RMID of linux/ipc.h
    "sem": ("semaphores", lambda number: libc.semctl(number, 0, 0)),
    "msg": ("message queue", lambda number: libc.msgctl(number, 0, None)),
}
_USERS: Final = ("cpid", "lpid", "lspid", "lrpid")  # columns of those who made it or used it last

# statx(2) and its structure, see linux/stat.h.
_AT_FDCWD, _NO_FOLLOW, _BIRTH, _BIRTH_AT = -100, 0x100, 0x800, 80


class SharedMemory:
    """Since when a session's commands may have left something, and what there is of it. `clears`: it may be deleted, which is
    so in a CI's job and never on a person's machine. The other three are what they are called unless a test has its own.
    """

    def __init__(
        self,
        *,
        clears: bool = False,
        files: Path = _FILES,
        objects: Path = _OBJECTS,
        presence: Presence | None = None,
    ) -> None:
        self._clears = clears
        self._files = files
        self._objects = objects
        self._presence = presence or Presence()
        self._since = time.time_ns()  # files are dated a tick back at most, and no command starts within one
        self._before = frozenset((kind, number) for kind, number, _ in self._made())
        self._told: set[str] = set()

    def clear(self) -> Sequence[str]:
        """Delete what may be deleted; no command may be running. Gives the names of what is left, each of them once."""
        with self._presence.alone() if self._clears else nullcontext(False) as allowed:
            left = [*self._clear_files(allowed), *self._clear_objects(allowed)]
        new = [name for name in left if name not in self._told]
        self._told.update(new)
        return new

    def close(self) -> None:
        """Nothing will be left any more: the last clearing. May be called again."""
        if self._clears:
            self.clear()
        self._presence.close()

    # --- files --------------------------------------------------------------------------------------------

    def _clear_files(self, allowed: bool) -> Iterator[str]:
        opened = cache(lambda: frozenset(_opened(self._files)))
        for path in self._changed():
            try:
                if _is_used(path, opened):
                    continue
                if allowed and _born(path) > self._since:
                    _remove(path)
                if os.path.lexists(path):
                    yield str(path)
            except OSError:
                yield str(path)

    def _changed(self) -> Sequence[Path]:
        """What of our user's is newer than we are, or was changed since."""
        found = []
        with suppress(OSError):
            for path in sorted(self._files.iterdir()):
                with suppress(FileNotFoundError):
                    status = path.lstat()
                    if status.st_uid == os.geteuid() and status.st_ctime_ns > self._since:
                        found.append(path)
        return found

    # --- objects of System V ------------------------------------------------------------------------------

    def _clear_objects(self, allowed: bool) -> Iterator[str]:
        for kind, number, row in self._made():
            if (kind, number) not in self._before and not _is_busy(row):
                name, remove = _KINDS[kind]
                if not allowed or remove(number) < 0:
                    yield f"{name} {number} of System V"

    def _made(self) -> Iterator[tuple[str, int, Mapping[str, str]]]:
        """The kind, the number and the row of what our user made, whoever it was given to."""
        for kind in _KINDS:
            with suppress(OSError):
                head, *lines = (self._objects / kind).read_text().splitlines()
                for row in (dict(zip(head.split(), line.split(), strict=False)) for line in lines):
                    if row.get("cuid") == str(os.geteuid()):
                        yield kind, int(row["msqid" if kind == "msg" else f"{kind}id"]), row


def _is_busy(row: Mapping[str, str]) -> bool:
    """Whether a process has it attached, or one that made it or used it last is alive. Nobody notes who made semaphores."""
    elsewhere = row.get("cpid") == "0"  # in another namespace, where we can't see whether it is alive
    alive = any(Path("/proc", row[name]).exists() for name in _USERS if row.get(name, "0") != "0")
    return elsewhere or alive or int(row.get("nattch", 0)) > 0


def _is_used(path: Path, opened: Callable[[], frozenset[str]]) -> bool:
    """Whether any process uses a file, or anything in a folder."""
    with suppress(OSError):  # where leases are unknown, or the file is closed to its owner
        if stat.S_ISREG(path.lstat().st_mode):
            return _is_held(path)
    return any(f"{one}/".startswith(f"{path}/") for one in opened())


def _is_held(path: Path) -> bool:
    """Whether anybody has a file open or mapped, those included that `/proc` does not show us: a lease for writing is given
    only where nobody has, see fcntl(2)."""
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.fcntl(file, fcntl.F_SETSIG, signal.SIGURG)  # should anybody open it now; SIGIO would end us
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def _opened(files: Path) -> Iterator[str]:
    """What processes have open, mapped, or for their folder, as far as `/proc` shows that; the sockets too that were bound by a
    name from `files`."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            for link in (process / "cwd", *(process / "fd").iterdir()):
                with suppress(FileNotFoundError):
                    yield str(link.readlink())
        yield from _last_fields(process / "maps", 5)
    for name in _last_fields(Path("/proc/net/unix"), 7):
        yield str(files / name)


def _last_fields(table: Path, before: int) -> Iterator[str]:
    """The names at the end of the lines, behind so many other fields."""
    with suppress(OSError):
        for line in os.fsdecode(table.read_bytes()).splitlines():
            yield "".join(line.split(maxsplit=before)[before:])


def _born(path: Path) -> int:
    """When it came to be, in nanoseconds since 1970; where nobody notes that, when it was changed last."""
    found = ctypes.create_string_buffer(256)
    statx = getattr(libc, "statx", None)  # which an old C library does not have
    if statx and statx(_AT_FDCWD, os.fsencode(path), _NO_FOLLOW, _BIRTH, found) == 0:
        seconds, nanoseconds = struct.unpack_from("qI", found, _BIRTH_AT)
        if struct.unpack_from("I", found)[0] & _BIRTH:
            return int(seconds * 10**9 + nanoseconds)
    return path.lstat().st_ctime_ns


def _remove(path: Path) -> None:
    """Remove it, with all that is in it; raises `OSError`, or leaves what can't be removed. No link is followed."""
    if not stat.S_ISDIR(path.lstat().st_mode):
        path.unlink()
        return
    delete(path)
    if os.path.lexists(path):  # a folder is shut that lies deeper than a path can say
        subprocess.run(["chmod", "-R", "u+rwx", "--", path], check=False, stderr=subprocess.DEVNULL)
        delete(path)
