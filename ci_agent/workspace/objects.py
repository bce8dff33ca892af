"""The objects of a repository, many of them with one call of git (see "git cat-file")."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from ci_agent.workspace.git import git

MISSING: Final = ("missing", 0)  # the kind and the size of what is not there
_ABOUT = "%(objecttype) %(objectsize)"


def sizes(git_dir: Path, names: Sequence[str]) -> list[tuple[str, int]]:
    """The kind (`blob`, `tree`, `commit`, `tag`) and the size in bytes of each of `names`, without reading it; `MISSING`
    for what is not there. Raises `GitError`."""
    lines = _asked(git_dir, f"--batch-check={_ABOUT}", names).splitlines()
    return [_about(line) for line in lines]


def contents(git_dir: Path, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """The kind and the content of each of `names`, all of them in memory; of what is not there `missing` and nothing.
    Raises `GitError`."""
    output, at = _asked(git_dir, f"--batch={_ABOUT}", names), 0
    for _ in names:
        end = output.index(b"\n", at)
        kind, size = _about(output[at:end])
        at = end + 1
        yield kind, output[at : at + size]
        if kind != MISSING[0]:
            at += size + 1


def _about(line: bytes) -> tuple[str, int]:
    """`KIND SIZE`, or `NAME missing`."""
    kind, _, size = line.decode("utf-8", "replace").partition(" ")
    return (kind, int(size)) if size.isdecimal() else MISSING


def _asked(git_dir: Path, how: str, names: Iterable[str]) -> bytes:
    lines = "".join(f"{name}\n" for name in names)
    return git("--git-dir", git_dir, "cat-file", how, stdin=lines.encode()) if lines else b""
