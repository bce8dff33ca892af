"""Deleting what commands left: their folders may be shut, or a thousand levels deep, at which Python's own way gives up."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ci_agent.sandbox.paths import there
from ci_agent.sandbox.reclaiming import reclaim


def delete(folder: Path) -> None:
    """Delete a folder with all that is in it. What can't be deleted is left where it is."""
    _delete(folder)
    if there(folder):
        reclaim(folder, files=0)
        _delete(folder)


def _delete(folder: Path) -> None:
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:
        subprocess.run(["rm", "-rf", "--", folder], check=False, stderr=subprocess.DEVNULL)


@contextmanager
def scratch(prefix: str) -> Iterator[Path]:
    """A new folder that commands may write to, deleted at the end."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield folder
    finally:
        delete(folder)
