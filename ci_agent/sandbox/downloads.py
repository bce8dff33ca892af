"""What package managers downloaded into private caches, copied into others: what came over the network once need not come
again.

Copies, and neither links nor one more place to read from: each manager's cache is of its own making, some write into what
they find there, and uv and pnpm make hard links of it in places that commands write to.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import BinaryIO, Final

from ci_agent.sandbox.paths import entries

# In a folder of caches, see `caches.py`. What is installed there (`pip install --user`, `cargo install`) is no download, and
# what is unpacked or compiled where it can be had again from these is not worth a copy.
_DOWNLOADS: Final = (
    "pip",
    "uv",
    "npm/_cacache",
    "yarn",
    "pnpm",
    "cargo/registry/index",
    "cargo/registry/cache",
    "cargo/git/db",
    "go/pkg/mod/cache",
    "maven/repository",
    "gradle/caches/modules-2",
    "gradle/wrapper/dists",
    "nuget",
)
# What uv built from the project itself, which is another one elsewhere; and what a copy of Gradle's has to do without,
# see "Dependency Caching" in its user manual.
_LEFT_OUT: Final = ("uv/sdists-*/path", "uv/sdists-*/editable", "gradle/*.lock", "gradle/*/gc.properties")
_INSTALLED: Final = "maven-metadata-local.xml"  # stands beside what `mvn install` put into Maven's repository

_BYTES: Final = 2_000_000_000  # some seconds of an ordinary disk's
_OF_FREE_DISK: Final = 0.1  # each place that is worked in has a copy
_FILES: Final = 100_000  # some ten seconds


def copy_downloads(source: Path, target: Path, most: int = _BYTES) -> None:
    """Copy what was downloaded into the caches in `source` to `target`, where none of it is yet: each cache as a whole, as
    long as they take no more than `most` bytes and a tenth of the free disk. Raises `OSError` where the disk refuses, and
    no file is half there then.

    A link within `source` leads to the same within `target`; others, such as those to the machine's caches, and what
    can't be read are left out.
    """
    size, number = min(most, int(shutil.disk_usage(source).free * _OF_FREE_DISK)), _FILES
    for cache in _DOWNLOADS:
        found = list(_found(source, cache))
        if sum(each.size for each in found) > size or len(found) > number:
            continue
        size, number = size - sum(each.size for each in found), number - len(found)
        for folder in {each.path.parent for each in found}:
            (target / folder).mkdir(parents=True, exist_ok=True)
        for each in found:
            if each.link:
                _copy_link(source, target, each.path)
            else:
                _copy_file(source / each.path, target / each.path)


@dataclass(frozen=True, slots=True)
class _Found:
    """A file or link, by its path in the folder of caches."""

    path: Path
    size: int  # in bytes
    link: bool


def _found(source: Path, cache: str) -> Iterator[_Found]:
    """What is in a cache."""
    waiting = [cache]
    while waiting:
        folder = waiting.pop()
        inside = entries(source / folder)
        if any(entry.name == _INSTALLED for entry in inside):
            continue
        for entry in inside:
            path = f"{folder}/{entry.name}"
            if any(fnmatch(path, pattern) for pattern in _LEFT_OUT):
                continue
            if entry.is_dir(follow_symlinks=False):
                waiting.append(path)
            elif entry.is_symlink() or entry.is_file():
                yield _Found(Path(path), entry.stat(follow_symlinks=False).st_size, entry.is_symlink())


def _copy_link(source: Path, target: Path, path: Path) -> None:
    """It may be written from the top of the system, which leads elsewhere now, or from where it stands."""
    to = (source / path).readlink()
    place = Path(os.path.normpath((source / path).parent / to))
    if place.is_relative_to(source):
        (target / path).symlink_to(target / place.relative_to(source) if to.is_absolute() else to)


def _copy_file(source: Path, target: Path) -> None:
    """With its time, by which some tell whether it is still good, and the right to be executed."""
    try:
        reading = source.open("rb")
    except OSError:  # not for us to read
        return
    with reading:
        status = os.fstat(reading.fileno())
        try:
            with target.open("xb") as writing:
                _copy_content(reading, writing, status.st_size)
                os.fchmod(writing.fileno(), status.st_mode & 0o777 | 0o600)
            os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
        except OSError:
            target.unlink(missing_ok=True)
            raise


def _copy_content(reading: BinaryIO, writing: BinaryIO, left: int) -> None:
    """Where the file system can, the two share their blocks from then on."""
    if sys.platform == "linux":
        with suppress(OSError):  # it can't at all
            while left and (copied := os.copy_file_range(reading.fileno(), writing.fileno(), left)):
                left -= copied
    shutil.copyfileobj(reading, writing)
