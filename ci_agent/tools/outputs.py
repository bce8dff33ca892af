"""Where commands write, and what the model sees of it: everything, or head and tail and where the rest is.

Commands can reach the folder of outputs as well, and put anything in its place. So a file is held open from
before its command runs, read through that, and removed from the folder it was made in, wherever that is by now.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ci_agent.tools.text import clean, head, tail

VARIABLE = "AGENT_OUTPUTS"  # commands find the folder of outputs under this name
_WHOLE = 1_000_000  # bytes; of longer files only so much of each end is read
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Output:
    """A file for a command to write to. `file` reads and writes it, even when the command removed it."""

    path: Path
    file: BinaryIO
    folder: int  # a descriptor

    def remove(self) -> None:
        """Take the file away. What a command put in its place, and can't be taken so, stays."""
        with suppress(OSError):
            os.unlink(self.path.name, dir_fd=self.folder)


@contextmanager
def fresh(folder: Path) -> Iterator[Output]:
    """A new file of the folder: `1.txt`, `2.txt`, …. The folder is created where it is missing; a link that
    stands in its place is taken away, not followed. Raises `OSError`."""
    if folder.is_symlink():
        folder.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, FOLDER)
    try:
        with os.scandir(descriptor) as entries:
            names = [re.fullmatch(r"([1-9]\d{0,8})\.txt", entry.name) for entry in entries]
        number = max((int(name[1]) for name in names if name), default=0) + 1
        path = folder / f"{number}.txt"
        with os.fdopen(os.open(path.name, _NEW, 0o600, dir_fd=descriptor), "r+b") as file:
            yield Output(path, file, descriptor)
    finally:
        os.close(descriptor)


def excerpt(output: Output, limit: int) -> tuple[str, bool]:
    """The text of an output as the model reads it, and whether something was left out of it.

    Longer than `limit` characters: head and tail, half each, and between them how many bytes are not there
    and where to find them. The file is never loaded whole if it is big.
    """
    file = output.file
    size = os.fstat(file.fileno()).st_size
    if size <= _WHOLE:
        text = clean(file.read(_WHOLE).decode(errors="replace"))
        if len(text) <= limit:
            return text, False
        first = last = text
        size = len(text.encode())
    else:
        first = clean(file.read(_WHOLE // 2).decode(errors="replace"))
        file.seek(size - _WHOLE // 2)
        last = clean(file.read(_WHOLE // 2).decode(errors="replace"))
    first, last = head(first, limit // 2), tail(last, limit // 2)
    missing = max(0, size - len(first.encode()) - len(last.encode()))
    where = f"whole output: ${VARIABLE}/{output.path.name} (look at parts with read_file)"
    gap = f"[… {missing:,} bytes left out; {where} …]"
    return f"{first.rstrip(chr(10))}\n{gap}\n{last}", True
