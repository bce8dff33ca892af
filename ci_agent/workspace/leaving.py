"""What a commit brings to the world that was not there: new and changed files, with their contents in pieces."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ci_agent.workspace.control import Control
from ci_agent.workspace.git import git

_PIECE = 1 << 20  # bytes
_SUBMODULE = "160000"  # its commit is in another repository


@dataclass(frozen=True, slots=True)
class Leaving:
    """A file that a tree has otherwise than its base. `before` and `now` name its contents for git; `before` is empty
    where the file is new."""

    path: str
    before: str
    now: str


def leaving(control: Control, tree: str) -> list[Leaving]:
    """The files, links included, that are new or changed in `tree`. Raises `GitError`."""
    words = ("diff-tree", "-r", "-z", "--no-renames", "--diff-filter=d", control.source.base_sha, tree)
    parts = git("--git-dir", control.git_dir, *words).split(b"\0")
    found = list[Leaving]()
    for about, path in zip(parts[::2], parts[1::2], strict=False):
        _, mode, before, now, _ = about.decode().split(" ")
        if mode != _SUBMODULE:
            found.append(Leaving(os.fsdecode(path), before if before.strip("0") else "", now))
    return found


def contents(control: Control, names: Iterable[str]) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Each of the contents that git knows by `names`, in pieces, which are to be taken before the next one is asked
    for. Raises `GitError`."""
    asked = "".join(f"{name}\n" for name in dict.fromkeys(names))
    with tempfile.TemporaryFile(dir=control.git_dir) as file:
        git("--git-dir", control.git_dir, "cat-file", "--batch", stdin=asked.encode(), into=file)
        file.seek(0)
        while head := file.readline():
            name, _, size = head.decode().split(" ")  # `NAME blob SIZE`, the content, a line end
            end = file.tell() + int(size)
            yield name, _pieces(file, end)
            file.seek(end + 1)


def _pieces(file: BinaryIO, end: int) -> Iterator[bytes]:
    while file.tell() < end:
        yield file.read(min(_PIECE, end - file.tell()))
