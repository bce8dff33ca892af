"""A tree of a repository, as the policy looks at it: what is where, how large, and what is in it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from ci_agent.workspace import objects
from ci_agent.workspace.git import git
from ci_agent.workspace.policy import Entry


class Snapshot:
    """The tree of the commit (or tree) `sha` in the repository `git_dir`. Reads as little as it is asked for; what is
    not in the repository is left out. Everything may raise `GitError`."""

    def __init__(self, git_dir: Path, sha: str) -> None:
        self._git_dir = git_dir
        self._sha = sha

    @cached_property
    def entries(self) -> dict[str, Entry]:
        listing = git("--git-dir", self._git_dir, "ls-tree", "-r", "-z", "--full-tree", self._sha)
        found = {}
        for line in listing.split(b"\0"):
            about, _, path = line.partition(b"\t")
            if path:
                mode, _, sha = about.decode().split(" ")
                found[os.fsdecode(path)] = Entry(mode, sha)
        return found

    def sizes(self, paths: Iterable[str]) -> dict[str, int]:
        """How large these files are, in bytes."""
        wanted = list(paths)
        found = objects.sizes(self._git_dir, self._names(wanted))
        return {path: size for path, (kind, size) in zip(wanted, found, strict=True) if kind == "blob"}

    def contents(self, paths: Iterable[str]) -> dict[str, bytes]:
        """What is in these files; of a symbolic link, where it leads."""
        wanted = list(paths)
        found = objects.contents(self._git_dir, self._names(wanted))
        return {path: content for path, (kind, content) in zip(wanted, found, strict=True) if kind == "blob"}

    def _names(self, paths: list[str]) -> list[str]:
        return [self.entries[path].sha for path in paths]
