"""`ci-agent` that something happens to right after it wrote its Nth event: `python -m tests.support.dying KIND N WORDS…`.

The one place where the tests reach into the program: nothing outside of it could hit an event exactly. KIND is `kill` (the
process is gone at once), `term` (as a CI cancels a job) or `full` (the disk that the journal is on is full from then on).
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path

from ci_agent.cli import main
from ci_agent.journal import journal

_BLOCK = 1 << 16  # bytes
_MOST = 1 << 28  # a disk that is larger than that is none for this test


def fill(folder: Path) -> None:
    """Leave no room on the disk of `folder`."""
    with (folder / "filler").open("wb", buffering=0) as file:
        for size in (_BLOCK, 1):
            with contextlib.suppress(OSError):
                while file.tell() < _MOST:
                    file.write(b"\0" * size)
    assert (folder / "filler").stat().st_size < _MOST


def prepare(kind: str, number: int) -> None:
    """Have it happen."""
    write, written = journal._write_all, 0

    def deadly(descriptor: int, data: bytes) -> None:
        nonlocal written
        write(descriptor, data)
        written += 1
        if written == number:
            if kind == "full":
                fill(Path(f"/proc/self/fd/{descriptor}").readlink().parent)
            else:
                os.kill(os.getpid(), {"kill": signal.SIGKILL, "term": signal.SIGTERM}[kind])

    journal._write_all = deadly


if __name__ == "__main__":
    prepare(sys.argv[1], int(sys.argv[2]))
    sys.argv[1:] = sys.argv[3:]
    main()
