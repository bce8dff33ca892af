"""The file that a command's output goes to."""

from __future__ import annotations

import os
from pathlib import Path


def open_output(path: Path) -> int:
    """A descriptor of the emptied file at `path`; a link there is not followed. Raises `OSError`."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(path, flags, 0o600)


def cut_to(output: int, limit: int) -> bool:
    """Cut the file to `limit` bytes. True if it was longer."""
    if os.fstat(output).st_size <= limit:
        return False
    os.ftruncate(output, limit)
    return True
