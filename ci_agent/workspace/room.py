"""A room: a clean checkout that nothing but the harness's own commands ever run in.

What is in no commit is not there: whatever the agent installed, left lying around or changed besides stays in
its own checkout.
"""

from __future__ import annotations

from pathlib import Path

from ci_agent.errors import GitError
from ci_agent.workspace import files
from ci_agent.workspace.control import Control
from ci_agent.workspace.git import git


class Room:
    """A checkout in `folder`, of a tree of `control`'s. Its `.git` is a repository of the commands' own."""

    def __init__(self, control: Control, folder: Path) -> None:
        self.root = folder / control.name
        self._folder = folder
        self._control = control
        self._worktree: Path | None = None  # None: there is nothing

    def lay_out(self, tree: str, head: str) -> None:
        """Make the checkout anew, with the files of `tree` as a change on the commit `head`. Raises `GitError`."""
        self.remove()
        self._worktree = self._control.check_out(self.root, head)
        self.put(tree)
        self._control.give_repository(self.root, self._worktree, head)

    def put(self, tree: str) -> None:
        """Put the files of `tree` in place of those there are; what no tree holds stays, as set-up left it."""
        # Nobody else is here, so a lock is that of a git that was killed.
        self._git_dir.joinpath("index.lock").unlink(missing_ok=True)
        files.check_place(self.root)
        self.root.mkdir(parents=True, exist_ok=True)  # tests may have deleted it
        try:
            self._put(tree)
        except GitError:  # tests may have shut a folder in it
            files.reclaim(self.root)
            self._put(tree)

    def _put(self, tree: str) -> None:
        self._git("read-tree", "--reset", "-u", tree)
        self._git("checkout-index", "--all", "--force", "--quiet")  # what tests rewrote

    def remove(self) -> None:
        """Delete the checkout."""
        files.discard(self._folder)
        self._worktree = None

    @property
    def _git_dir(self) -> Path:
        if self._worktree is None:
            raise GitError("there is no checkout to put anything into")
        return self._worktree

    def _git(self, *words: str) -> None:
        files.check_place(self.root)
        git("--git-dir", self._git_dir, "--work-tree", self.root, *words, directory=self.root)
