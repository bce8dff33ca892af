"""A private copy of a cache that costs next to nothing: links to the large files, copies of the small ones.

What a program writes ends up in the private folder, and what it finds is what the machine already had. Links and
not hard links: those would be the same file, and writable by their new name.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ci_agent.sandbox.paths import entries

_SMALL = 4_096  # bytes; below, a file is copied: indexes and marks, which programs write to in place
_MOST = 3_000  # files of one cache; a tenth of a millisecond each, and half of one on a busy machine


def farm(real: Path, private: Path, small: int = _SMALL, most: int = _MOST) -> None:
    """Lay out in `private` what is in `real`: the `most` files that were used last. Files below `small` bytes are
    copied. Links, and what can't be read, are left out; what is in `private` already stays."""
    files = sorted(_files(real), key=lambda found: found[1], reverse=True)
    for path, _, size in files[:most]:
        place = private / path.relative_to(real)
        if place.is_symlink() or place.exists():
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):  # it went away meanwhile, or is not for us to read
            if size < small:
                shutil.copyfile(path, place)
            else:
                place.symlink_to(path)


def link_folders(real: Path, private: Path, depth: int) -> None:
    """Lay out in `private` links to what is `depth` folders deep in `real`."""
    for entry in entries(real):
        path = Path(entry.path)
        if depth > 1 and entry.is_dir(follow_symlinks=False):
            link_folders(path, private / entry.name, depth - 1)
        elif depth == 1:
            private.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                (private / entry.name).symlink_to(path)


def _files(folder: Path) -> Iterator[tuple[Path, float, int]]:
    """Each file below, when it was changed, and its size in bytes."""
    for entry in entries(folder):
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path))
        elif entry.is_file(follow_symlinks=False):
            with suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                yield Path(entry.path), status.st_mtime, status.st_size
