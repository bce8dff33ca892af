"""Work that another job did, on its way into the control repository: a git bundle that anybody may have made.

It is taken apart here and not by `git fetch`: one branch, one commit on top of a commit that we know, and objects that
`git index-pack --strict` finds nothing wrong with (what `transfer.fsckObjects` does, in every version of git). Nothing
of it is laid out as files. The format is that of git's "gitformat-bundle".
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from ci_agent.errors import GitError, UsageError
from ci_agent.workspace import objects
from ci_agent.workspace.git import git, text
from ci_agent.workspace.source import Source

UNPACKED: Final = 1_000_000_000  # bytes of all new objects together
FILES: Final = 1_000_000  # of the whole tree
_DEPTH: Final = 500  # folders in folders
_HEAD = re.compile(
    rb"(?:# v2 git bundle\n|# v3 git bundle\n@object-format=sha256\n)"
    rb"((?:-[0-9a-f]{40,64}(?: [^\n]*)?\n)*)([0-9a-f]{40,64}) refs/heads/([^\n]+)\n\n(?=PACK)"
)
_STREAMED = "core.bigFileThreshold=16m"  # larger files are checked piece by piece, not in memory


def pack_up(source: Source, branch: str, start: str, target: Path) -> None:
    """Write what `branch` of `source` has beyond the commit `start` into the git bundle `target`. Raises `GitError`."""
    git(
        "--git-dir",
        source.git_dir,
        "bundle",
        "create",
        "--quiet",
        target,
        f"^{start}",
        f"refs/heads/{branch}",
    )


def take_in(git_dir: Path, bundle: bytes, branch: str, start: str) -> str:
    """Bring the one commit of `bundle` into the repository `git_dir`, where `start` is; the tree of this commit.

    Raises `UsageError` with a clause that says what is wrong with it.
    """
    sha = _only_commit(bundle, branch, start)
    pack = bundle[bundle.index(b"\n\n") + 2 :]
    here = ("--git-dir", git_dir)
    try:
        said = git("-c", _STREAMED, *here, "index-pack", "--stdin", "--fix-thin", "--strict", stdin=pack)
        _check_size(git_dir, text(said).partition("\t")[2])
        if text(git(*here, "rev-list", "--parents", "-1", sha)).split(" ") != [sha, start]:
            raise UsageError("is not one commit on top of the one it says it begins at")
        tree = text(git(*here, "rev-parse", "--verify", f"{sha}^{{tree}}"))
    except GitError as error:
        raise UsageError(f"holds objects that git does not take: {error}") from error
    _check_count(git_dir, tree)
    return tree


def _only_commit(bundle: bytes, branch: str, start: str) -> str:
    head = _HEAD.match(bundle)
    if head is None:
        raise UsageError("is no git bundle with one branch")
    begins = [line[1:].split(b" ")[0].decode() for line in head[1].splitlines()]
    if begins != [start]:
        raise UsageError("begins at another commit than its journal says")
    if head[3] != os.fsencode(branch):
        raise UsageError("is of another branch than the issue's")
    return head[2].decode()


def _check_size(git_dir: Path, pack: str) -> None:
    """A pack may hold a thousand times its own size."""
    index = (git_dir / "objects" / "pack" / f"pack-{pack}.idx").read_bytes()
    names = [line.split(" ")[1] for line in text(git("show-index", stdin=index)).splitlines()]
    if sum(size for _, size in objects.sizes(git_dir, names)) > UNPACKED:
        raise UsageError(f"holds more than {UNPACKED:,} bytes when it is unpacked")


def _check_count(git_dir: Path, tree: str) -> None:
    """Folders that hold each other many times make billions of files of a few objects."""
    within: dict[str, list[str]] = {}  # the folders in each
    files: dict[str, int] = {}  # those in each folder itself
    level, depth = [tree], 0
    while level:
        if depth > _DEPTH:
            raise UsageError(f"has folders nested deeper than {_DEPTH}")
        for name, content in zip(level, _trees(git_dir, level), strict=True):
            entries = list(_entries(content, len(name) // 2))
            within[name] = [child for is_folder, child in entries if is_folder]
            files[name] = len(entries) - len(within[name])
        level = list({child for name in level for child in within[name]} - within.keys())
        depth += 1
    if _counted(tree, within, files) > FILES:
        raise UsageError(f"has more than {FILES:,} files")


def _counted(tree: str, within: dict[str, list[str]], files: dict[str, int]) -> int:
    """All files below `tree`, folders within folders as often as they are there."""
    total: dict[str, int] = {}
    left = [tree]
    while left:
        name = left[-1]
        missing = [child for child in within[name] if child not in total]
        if missing:
            left += missing
            continue
        total[name] = files[name] + sum(total[child] for child in within[name])
        left.pop()
    return total[tree]


def _trees(git_dir: Path, names: Sequence[str]) -> Iterator[bytes]:
    """The contents of these trees, as git keeps them."""
    try:
        for kind, content in objects.contents(git_dir, names):
            if kind != "tree":
                raise UsageError("lacks folders")
            yield content
    except GitError as error:
        raise UsageError(f"lacks folders: {error}") from error


def _entries(tree: bytes, width: int) -> Iterator[tuple[bool, str]]:
    """Whether it is a folder, and its name for git, of each entry: `mode name NUL object`."""
    at = 0
    while at < len(tree):
        end = tree.index(b"\0", at)
        yield tree.startswith(b"40000 ", at), tree[end + 1 : end + 1 + width].hex()
        at = end + 1 + width
