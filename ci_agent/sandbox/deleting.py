"""Deleting what commands left: their folders may be a thousand levels deep, at which Python's own way gives up."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def delete(folder: Path) -> None:
    """Delete a folder with all that is in it. What can't be deleted is left where it is."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:
        delete_deep(folder)


def delete_deep(folder: Path) -> None:
    """The same, by a program that goes down any depth."""
    subprocess.run(["rm", "-rf", "--", folder], check=False, stderr=subprocess.DEVNULL)


@contextmanager
def scratch(prefix: str) -> Iterator[Path]:
    """A new folder that commands may write to, deleted at the end."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield folder
    finally:
        delete(folder)
