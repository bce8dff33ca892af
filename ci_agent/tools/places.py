"""Where the file tools may go: the workspace, but not its `.git`; to read, the folder of outputs as well.

`locate` is the only way from a path of the model to a file. Files are opened from the workspace down, one
folder after the other and without following links, so that a path which was fine when it was looked at can't
lead elsewhere when it is used.
"""

from __future__ import annotations

import difflib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ci_agent.tools.outputs import FOLDER, VARIABLE
from ci_agent.tools.text import cut
from ci_agent.tools.tool import ToolError, World

_LOOKED_AT = 20_000  # files, when looking for one that was meant
_NAMED = 200  # characters of a path in an answer
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe must not hold us up
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Place:
    """A path inside `root`. No part of it is a link, as far as it exists. `shown` is for answers."""

    root: Path
    parts: tuple[str, ...]
    shown: str
    is_output: bool = False


def locate(path: str, world: World, *, outputs: bool = False) -> Place:
    """Where `path` leads: relative to the workspace or absolute inside it; with `outputs` also into the
    folder of outputs. Raises `ToolError` for anything else, links that lead out and `.git` included."""
    if "\0" in path:
        raise ToolError("A path can't hold a NUL byte.")
    root = os.path.realpath(world.root)
    # A command may have put a link in the place of the folder of outputs: that one is not followed.
    kept = f"{os.path.realpath(world.outputs.parent)}/{world.outputs.name}"
    first, slash, rest = path.partition("/")
    if first in {f"${VARIABLE}", f"${{{VARIABLE}}}"}:
        if not outputs:
            raise ToolError(f"{cut(path, _NAMED)} can only be read.")
        path = kept + slash + rest
    target = os.path.realpath(Path(root, path))
    if outputs and _is_below(target, kept):
        parts = Path(target).relative_to(kept).parts
        return Place(Path(kept), parts, "/".join((f"${VARIABLE}", *parts)), is_output=True)
    if not _is_below(target, root):
        raise ToolError(
            f"{cut(path, _NAMED)} is outside the workspace. Give a path relative to the workspace."
        )
    parts = Path(target).relative_to(root).parts
    if any(part.lower() == ".git" for part in parts):
        raise ToolError(f"{cut(path, _NAMED)} belongs to git, which the file tools leave alone.")
    return Place(Path(root), parts, "/".join(parts) or ".")


def _is_below(target: str, root: str) -> bool:
    return target == root or target.startswith(root.rstrip("/") + "/")


@contextmanager
def opened(place: Place) -> Iterator[BinaryIO]:
    """The file at `place`, to read. Raises `IsADirectoryError`, `FileNotFoundError` and their like, and
    `ToolError` where it is neither file nor folder."""
    with _folder_of(place) as (folder, name):
        descriptor = os.open(name, _READ, dir_fd=folder)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), place.shown)
        if not stat.S_ISREG(mode):
            raise ToolError(f"{place.shown} is neither a file nor a folder.")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(descriptor)


def read(place: Place, limit: int) -> bytes:
    """All bytes of the file. Raises `ToolError` when it is no file, is not there, or is longer than `limit`."""
    try:
        with opened(place) as file:
            data = file.read(limit + 1)
    except IsADirectoryError:
        raise ToolError(f"{place.shown} is a folder.") from None
    except (FileNotFoundError, NotADirectoryError):
        raise ToolError(missing(place)) from None
    if len(data) > limit:
        raise ToolError(f"{place.shown} is longer than {limit:,} bytes. Use bash for it.")
    return data


def write(place: Place, data: bytes, new_mode: int | None = None) -> bool:
    """Put `data` there, whole or not at all, with parents created and the mode of what was there kept; `new_mode`
    is the one of a file that is new, where it is not the usual one.

    True if there was a file before. Raises `OSError` with nothing changed.
    """
    with _folder_of(place, create=True) as (folder, name):
        there = _mode(folder, name)
        mode = new_mode if there is None else there
        if there is not None and not stat.S_ISREG(there):
            raise ToolError(f"{place.shown} is there and is not a file.")
        # A new file that takes the old one's place: a full disk leaves the old text, and a hard link to a file
        # outside is not written through.
        temporary = f".ci-agent-{secrets.token_hex(8)}"
        try:
            with os.fdopen(os.open(temporary, _CREATE, 0o666, dir_fd=folder), "wb") as file:
                if mode is not None:
                    os.fchmod(file.fileno(), stat.S_IMODE(mode) & 0o777)
                file.write(data)
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=folder)
            raise
        return there is not None


def remove(place: Place) -> None:
    """Take the file away. Raises `OSError`."""
    with _folder_of(place) as (folder, name):
        os.unlink(name, dir_fd=folder)


def mode(place: Place) -> int | None:
    """The mode of what is at `place`; None for nothing."""
    try:
        with _folder_of(place) as (folder, name):
            return _mode(folder, name)
    except (FileNotFoundError, NotADirectoryError):
        return None


def is_folder(mode: int) -> bool:
    """Whether what has this mode is a folder."""
    return stat.S_ISDIR(mode)


def names(place: Place) -> list[str]:
    """What is in the folder at `place`, sorted, folders with a `/` at the end, without `.git`."""
    with _folder_of(place) as (folder, name):
        descriptor = os.open(name, FOLDER, dir_fd=folder)
    try:
        with os.scandir(descriptor) as entries:
            return sorted(
                entry.name + "/" * entry.is_dir(follow_symlinks=False)
                for entry in entries
                if entry.name != ".git"
            )
    finally:
        os.close(descriptor)


def missing(place: Place) -> str:
    """That there is nothing at `place`, and what may have been meant: files of that name elsewhere, else
    names that are alike."""
    wanted = place.parts[-1] if place.parts else ""
    files = list(_files(place.root))
    same = [path for path in files if Path(path).name == wanted][:5]
    if same:
        return f"There is no {place.shown}. Files of that name: {', '.join(same)}."
    near = set(difflib.get_close_matches(wanted, {Path(path).name for path in files}, 3))
    alike = [path for path in files if Path(path).name in near][:5]
    hint = f" Alike: {', '.join(alike)}." if alike else " Find files with bash: git ls-files | grep …"
    return f"There is no {place.shown}.{hint}"


def _files(root: Path) -> Iterator[str]:
    """Files below `root`, in a fixed order, `.git` left out, at most so many."""
    left = _LOOKED_AT
    waiting = [""]  # folders, as what comes before the names in them; `os.walk` calls itself for each level
    while waiting and left > 0:
        folder = waiting.pop()
        try:
            with os.scandir(f"{root}/{folder}") as entries:
                names = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
        except OSError:  # not ours to read, or its path is longer than the system takes
            continue
        yield from [folder + name for name, is_folder in names if not is_folder][:left]
        waiting += [f"{folder}{name}/" for name, is_folder in reversed(names) if is_folder and name != ".git"]
        left -= len(names)


@contextmanager
def _folder_of(place: Place, *, create: bool = False) -> Iterator[tuple[int, str]]:
    """The open folder that holds `place`, and the name in it."""
    descriptor = os.open(place.root, FOLDER)
    try:
        for part in place.parts[:-1]:
            if create:
                with suppress(FileExistsError):
                    os.mkdir(part, dir_fd=descriptor)
            inner = os.open(part, FOLDER, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor, place.parts[-1] if place.parts else "."
    finally:
        os.close(descriptor)


def _mode(folder: int, name: str) -> int | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return None
