"""Files and folders of a checkout: what to leave alone, what to delete, how to name them to git.

Knows the file system and the form of git's files; starts no git.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path

from ci_agent.errors import GitError
from ci_agent.journal.events import FileChanged
from ci_agent.sandbox import reclaiming
from ci_agent.sandbox.deleting import delete

# What builds and tests leave lying around; never part of a commit unless the repository tracks it.
_CACHES = (
    "__pycache__/",
    "*.pyc",
    ".pytest_cache/",
    ".mypy_cache/",
    ".ruff_cache/",
    ".hypothesis/",
    ".tox/",
    ".nox/",
    ".coverage",
    ".coverage.*",
    ".DS_Store",
)
DROPPINGS = (*_CACHES, ".venv/", "*.egg-info/", "node_modules/")

_BUILT = {
    "target",
    "build",
    "dist",
    "out",
    "coverage",
    "htmlcov",
    ".nyc_output",
    ".cache",
    ".next",
    ".tox",
    ".nox",
}

Stamp = tuple[int, int] | None  # time of the last change in nanoseconds and size; None: it is gone


def check_place(root: Path) -> None:
    """Raise `GitError` where what we write into the checkout `root` would end up elsewhere, because a command put
    a link in its place or in that of a folder above, or where it is out of our reach. What is above our own folders is
    none of a command's."""
    for place in (*reversed(root.parents), root):
        try:
            mode = place.lstat().st_mode
        except FileNotFoundError:
            return
        except OSError as error:
            raise GitError(f"the checkout {root} can't be reached: {error.strerror}, {place}") from error
        if stat.S_ISLNK(mode):
            raise GitError(f"{place} was replaced by a link, so the checkout is gone")
        if not stat.S_ISDIR(mode):
            raise GitError(f"{place} was replaced by a file, so the checkout is gone")


def reclaim(root: Path) -> None:
    """See to it that git can look at all of the checkout `root`, and write to its folders: what it can't look at, it
    takes for unchanged or leaves out, and says nothing. Raises `GitError` as `check_place` does."""
    check_place(root)
    reclaiming.reclaim(root, reclaiming.READ)


def discard(path: Path) -> None:
    """Delete a file, a link or a whole folder; what can't be deleted is left where it is."""
    if os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114 - these don't raise where it is shut
        delete(path)
        return
    with contextlib.suppress(OSError):
        path.unlink()


def stamp(path: Path) -> Stamp:
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def is_cache(name: bytes) -> bool:
    """Whether test runners and interpreters leave such a file lying around anyway."""
    parts = os.fsdecode(name).split("/")
    return any(fnmatch(part, pattern.rstrip("/")) for pattern in _CACHES for part in parts)


def is_rebuilt(name: bytes) -> bool:
    """Whether it is such a file, or in a folder that builds write anew each time."""
    return is_cache(name) or not _BUILT.isdisjoint(os.fsdecode(name).split("/"))


def pattern(name: str) -> str:
    """`name` as a gitignore pattern that matches just it."""
    special = "".join("\\" + character if character in "\\*?[]!# " else character for character in name)
    return special.replace("\n", "?")


def write_lines(path: Path, lines: Iterable[str]) -> None:
    made(path.parent)
    with path.open("ab") as file:
        file.writelines(os.fsencode(line) + b"\n" for line in lines)


def borrow_objects(git_dir: Path, lender: Path) -> None:
    """Let the repository `git_dir` use the objects of another one, with the boundary of its history."""
    write_lines(git_dir / "objects" / "info" / "alternates", [str(lender / "objects")])
    with contextlib.suppress(FileNotFoundError):  # only a shallow clone has this file
        shutil.copyfile(lender / "shallow", git_dir / "shallow")


def lenders(git_dir: Path) -> tuple[Path, ...]:
    """The folders of objects that the repository `git_dir` reads: its own, and all that it borrows from."""
    found: list[Path] = []
    waiting = [git_dir / "objects"]
    while waiting:
        folder = waiting.pop()
        if folder in found:
            continue
        found.append(folder)
        with contextlib.suppress(OSError):
            lines = (folder / "info" / "alternates").read_text().splitlines()
            waiting += [folder / line for line in lines if line and not line.startswith("#")]
    return tuple(found)


def made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def numstat(output: bytes) -> list[FileChanged]:
    """Reads `git diff --numstat -z`: `added TAB removed TAB path NUL`; a rename has an empty path there and
    then `old NUL new NUL`."""
    parts = iter(output.split(b"\0"))
    found = []
    for part in parts:
        if not part:
            continue
        added, removed, path = part.split(b"\t", 2)
        previous = b""
        if not path:
            previous, path = next(parts), next(parts)
        found.append(
            FileChanged(_shown(path), _lines(added), _lines(removed), _shown(previous) if previous else "")
        )
    return found


def _shown(path: bytes) -> str:
    return path.decode("utf-8", "replace")


def _lines(number: bytes) -> int | None:
    return None if number == b"-" else int(number)
