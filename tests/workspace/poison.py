"""A session's checkout in which commands plant things for git, and all that the session does with git after them."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ci_agent.workspace import Room, Workspace
from tests.workspace.project import AUTHOR, BRANCH, Project


@dataclass
class Place:
    """A session's checkout, and what shows that a poison worked."""

    project: Project
    workspace: Workspace
    ran: Path  # the attack's program makes this file
    evil: str  # the attack's program
    outside: Path  # a folder that is none of the session's

    @property
    def root(self) -> Path:
        return self.workspace.root

    @property
    def url(self) -> str:
        return self.project.login().url

    def command(self, script: str, *, check: bool = True) -> str:
        """What a command of the agent does, or somebody who uses plain git in its place."""
        library = str(
            self.project.folder / "library"
        )  # whose last commit is the submodule `vendor` of the base
        here = {"EVIL": self.evil, "URL": self.url, "OUTSIDE": str(self.outside), "LIBRARY": library}
        person = {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        done = subprocess.run(
            ["sh", "-ec" if check else "-c", script],
            cwd=self.root,
            env=os.environ | here | person | {"GIT_TERMINAL_PROMPT": "0"},
            capture_output=True,
            stdin=subprocess.DEVNULL,
            check=check,
        )
        return os.fsdecode(done.stdout)

    def fired(self) -> bool:
        """Whether the attack's program ran since it was asked last."""
        there = self.ran.exists()
        self.ran.unlink(missing_ok=True)
        return there

    def harness(self) -> str:
        """Everything that a session does with git after a command has run; the commit that it pushed."""
        workspace, control = self.workspace, self.workspace.control
        before = workspace.tree()
        with workspace.harness_running():
            (self.root / "report.log").write_text("of the tests")
        workspace.left_out()
        workspace.in_large_storage(["a"])
        tree = workspace.tree()
        assert tree == before
        sha = control.commit(tree, str(workspace.start), "Do it\n\nRefs: #1\n", AUTHOR)
        control.changes(sha)
        control.diff(sha)
        control.changed_lines(sha)
        control.lines_like(sha, "x")
        control.messages(str(workspace.start), sha)
        control.titles(str(workspace.start), sha)
        control.with_files_of(tree, str(workspace.start), ["a"])
        control.snapshot(sha).contents(["a"])
        room = Room(control, self.project.folder / "room")
        room.lay_out(tree, str(workspace.start))
        room.put(str(workspace.start))
        room.remove()
        control.hand_over(sha, BRANCH)
        self.project.push(BRANCH, {"theirs": "x"})  # so that the two are merged
        landed = workspace.push(sha, BRANCH, AUTHOR, waits=())
        workspace.remove()
        assert self.project.refs()[BRANCH] == landed.sha
        return sha
