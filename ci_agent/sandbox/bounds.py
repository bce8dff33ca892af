"""What one command may use up, out of the settings and of what this machine has."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from ci_agent.config import SandboxSettings
from ci_agent.sandbox.keeper.messages import Bounds

_MEGABYTE: Final = 1_000_000
_OF_ALL_MEMORY: Final = 0.9
_OPEN_FILES: Final = 65_536  # as many as Docker's and systemd's limits mostly are, or fewer
_FREE_DISK: Final = 500 * _MEGABYTE  # for git, logs and the report

# The limit of a container, for version 2 and 1 of control groups: cgroup(7).
_LIMITS: Final = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def bounds(settings: SandboxSettings, folder: Path) -> Bounds:
    """The bounds of a command whose files are on the disk of `folder`, which is there."""
    disk = os.statvfs(folder)
    return Bounds(
        memory=settings.memory * _MEGABYTE if settings.memory else int(_memory() * _OF_ALL_MEMORY),
        processes=settings.processes,
        file_size=settings.file_size * _MEGABYTE,
        open_files=_OPEN_FILES,
        free_disk=min(_FREE_DISK, disk.f_bavail * disk.f_frsize // 2),
    )


def _memory() -> int:
    """Bytes of memory of this container, or machine."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    found = [machine]
    for limit in _LIMITS:
        with suppress(OSError, ValueError):  # it is not there, or says `max`
            found.append(int(limit.read_text()))
    return min(found)
