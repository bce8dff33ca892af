"""Gives the harness back what commands shut: whoever owns a file may change its mode, and Landlock does not restrain that.

Only rights of the owner are added, to what is ours, and no link is followed: nothing outside of the folder that is
named changes. Commands are over by then, so nobody moves anything meanwhile.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

READ: Final = stat.S_IRUSR
CHANGE: Final = stat.S_IRUSR | stat.S_IWUSR


def reclaim(top: Path, files: int, leaving: Collection[Path] = ()) -> None:
    """From `top` down, we can list, enter and change every folder again, and have the rights `files` to every file. The
    folders `leaving` are given back, and what is in them is left as it is.

    What is somebody else's is left as well, and files that have a second name, which may be elsewhere.
    """
    shut = {os.fspath(folder) for folder in leaving}
    waiting = [os.fspath(top)]
    while waiting:
        folder = waiting.pop()
        if not _grant(folder, stat.S_IRWXU) or folder in shut:
            continue
        with suppress(OSError), os.scandir(folder) as entries:  # its path may be longer than the system takes
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif files and entry.is_file(follow_symlinks=False):
                    _grant(entry.path, files)


def _grant(path: str, rights: int) -> bool:
    """See to it that we have these rights to a file or folder of ours. Whether it is a folder."""
    try:
        status = os.lstat(path)
        folder = stat.S_ISDIR(status.st_mode)
        ours = status.st_uid == os.geteuid() and (folder or status.st_nlink == 1)
        if ours and not stat.S_ISLNK(status.st_mode) and status.st_mode & rights != rights:
            _change(path, stat.S_IMODE(status.st_mode) | rights)
    except OSError:  # it is gone, or its path is longer than the system takes
        return False
    return folder


def _change(path: str, mode: int) -> None:
    if sys.platform != "linux":
        os.chmod(path, mode, follow_symlinks=False)  # noqa: PTH101 - what follows is done with descriptors
        return
    # As glibc does it from 2.32 on; with an older one Python can't leave links alone.
    descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.chmod(f"/proc/self/fd/{descriptor}", mode)  # noqa: PTH101
    finally:
        os.close(descriptor)
