"""Where commands keep what they need for a moment."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

from ci_agent.sandbox.deleting import delete

LASTING: Final = Path("/var/tmp")  # noqa: S108 - a short name that every system has


class TemporaryFolders:
    """TMPDIRs with short names: the address of a socket has at most 107 characters (unix(7)), and programs make
    sockets in TMPDIR, with long names of their own. They are deleted with `close`."""

    def __init__(self) -> None:
        self._made: dict[Path, Path] = {}

    def new(self, name: Path) -> Path:
        """A new, empty one. `name` becomes a link to it; the one it has led to before is deleted, and so are those whose
        names are gone."""
        for gone in [known for known in self._made if known == name or not known.is_symlink()]:
            self._delete(gone)
        place = Path(tempfile.mkdtemp(prefix="ca-", dir=_parent())).resolve()
        name.parent.mkdir(parents=True, exist_ok=True)
        name.unlink(missing_ok=True)
        name.symlink_to(place)
        self._made[name] = place
        return place

    def close(self) -> None:
        """Delete all."""
        for name in list(self._made):
            self._delete(name)

    def _delete(self, name: Path) -> None:
        place = self._made.pop(name, None)
        if place is not None:
            delete(place)


def _parent() -> Path:
    """Where they are made."""
    usable = LASTING.is_dir() and os.access(LASTING, os.W_OK | os.X_OK)
    return LASTING if usable else Path(tempfile.gettempdir())
