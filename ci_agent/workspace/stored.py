"""What a checkpoint may be, and the reading of one that anybody may have written.

Sizes are looked at before anything is read, and only plain files in one folder, with plain names, are taken.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ci_agent.errors import CheckpointError
from ci_agent.workspace import objects
from ci_agent.workspace.git import git

FILES: Final = 20
BYTES: Final = 40_000_000  # of all files together
PLAIN: Final = "100644"  # the mode of a plain file, as git has it
LATEST: Final = 9_999_999_999  # the last second since 1970 that a commit of ours can have
_NAME = re.compile(r"[a-z][a-z0-9.-]{0,40}")
_COMMIT = 10_000  # bytes; ours have about 300
_TREE = FILES * len(f"{PLAIN} {41 * 'x'}\0{32 * 'x'}")  # bytes of the longest that is allowed
# As git's `commit.c` reads it: parents count only right behind the tree.
_HEAD = re.compile(
    rb"tree ([0-9a-f]+)\n((?:parent [0-9a-f]+\n)*)author [^\n]*\ncommitter [^\n]*> ([0-9]{1,10}) [-+0-9]{5}\n"
)


@dataclass(frozen=True, slots=True)
class Stored:
    """A checkpoint as it was read. Nobody has checked who wrote it."""

    commit: str  # what the ref holds: the `expected` of the next write
    files: Mapping[str, bytes]  # by their names
    work: str | None  # the commit of the work in progress, whose objects are here if they were asked for
    ref: str = field(default="", compare=False)  # where it was found


@dataclass(frozen=True, slots=True)
class Head:
    """What is of interest in a commit."""

    tree: str
    parents: list[str]
    date: int  # seconds since 1970


def read(git_dir: Path, commit: str, *, work: bool = True) -> Stored:
    """Without `work` it need not be here. Raises `CheckpointError` with a clause that says what is wrong with it, or `GitError`."""
    about = head(git_dir, commit)
    if about is None:
        raise CheckpointError("is no commit as ci-agent makes them")
    if len(about.parents) > 1:
        raise CheckpointError("has more than one parent")
    (kind, size), *works = objects.sizes(git_dir, [about.tree, *(about.parents if work else ())])
    if kind != "tree" or any(kind != "commit" for kind, _ in works):
        raise CheckpointError("lacks its files, or the commit of the work")
    if size > _TREE:
        raise CheckpointError(f"has too many files, or names that are too long (at most {FILES} files)")
    entries = _entries(git("--git-dir", git_dir, "ls-tree", "-z", "--full-tree", about.tree))
    found = objects.sizes(git_dir, list(entries.values()))
    if any(kind != "blob" for kind, _ in found):
        raise CheckpointError("lacks some of its files")
    if wrong := trouble({name: size for name, (_, size) in zip(entries, found, strict=True)}):
        raise CheckpointError(wrong)
    contents = (content for _, content in objects.contents(git_dir, list(entries.values())))
    return Stored(commit, dict(zip(entries, contents, strict=True)), next(iter(about.parents), None))


def head(git_dir: Path, commit: str) -> Head | None:
    """None: it is no commit, or none as we make them."""
    ((kind, size),) = objects.sizes(git_dir, [commit])
    if kind != "commit" or size > _COMMIT:
        return None
    ((_, content),) = objects.contents(git_dir, [commit])
    match = _HEAD.match(content)
    return match and Head(match[1].decode(), match[2].decode().replace("parent ", "").split(), int(match[3]))


def parents(git_dir: Path, commit: str) -> list[str]:
    """None where it is no commit as we make them."""
    about = head(git_dir, commit)
    return about.parents if about else []


def _entries(listing: bytes) -> dict[str, str]:
    """The names of the files in the output of `git ls-tree -z`, each with git's name for its content."""
    found: dict[str, str] = {}
    for line in filter(None, listing.split(b"\0")):
        about, _, name = line.decode("utf-8", "backslashreplace").partition("\t")
        mode, _, sha = about.split(" ")
        if mode != PLAIN:
            raise CheckpointError(f"holds something else than plain files: {name[:60]!a}")
        if name in found:
            raise CheckpointError(f"holds a file twice: {name[:60]!a}")
        found[name] = sha
    return found


def trouble(sizes: Mapping[str, int]) -> str | None:
    """What keeps files of these names and sizes from being a checkpoint's."""
    if len(sizes) > FILES:
        return f"has more than {FILES} files"
    if strange := [name for name in sizes if not _NAME.fullmatch(name)]:
        return f"has a file with a name that none has: {strange[0][:60]!a}"
    if sum(sizes.values()) > BYTES:
        return f"holds more than {BYTES:,} bytes"
    return None
