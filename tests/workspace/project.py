"""What happens around a repository behind HTTP: a CI's checkout, the session's work, somebody who pushes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ci_agent.workspace import Author, Landed, Login, Source, Workspace, open_fetched
from tests.support.git_server import GitServer
from tests.support.repositories import Repository

AUTHOR = Author("ci-agent", "ci-agent@example.org")
BRANCH = "feat/ai-task-1"
PASSWORD = "ghs_s3cretT0ken"


@dataclass
class Project:
    """A repository behind HTTP, and somebody's own clone of it."""

    folder: Path
    person: Repository
    origin: Repository  # bare
    server: GitServer

    def login(self, password: str = "") -> Login:
        return Login(self.server.url("acme/widget.git"), self.server.user, password or self.server.password)

    def open(
        self,
        checkout: Path | None = None,
        *,
        branch: str = BRANCH,
        base: str = "main",
        login: Login | None = None,
    ) -> Source:
        return open_fetched(
            login or self.login(),
            base=base,
            branch=branch,
            checkout=checkout,
            folder=self.folder / "session" / "fetched.git",
            name="widget",
        )

    def clone(self, *words: str) -> Path:
        """A checkout as a CI makes it."""
        place = self.folder / "checkout"
        self.person.git("clone", "--quiet", *words, self.origin.path.as_uri(), str(place))
        return place

    def push(self, branch: str, *changes: Mapping[str, str], onto: str = "main") -> str:
        """Somebody pushes `branch` with commits of `changes` on top of `onto`, whatever was there before."""
        self.person.git("checkout", "--quiet", "-B", branch, onto)
        for files in changes:
            self.person.commit(files, "Mend it\n\nRefs: #1")
        self.person.git("push", "--quiet", "--force", str(self.origin.path), branch)
        sha = self.person.git("rev-parse", "HEAD")
        self.person.git("checkout", "--quiet", "main")
        return sha

    def refs(self) -> dict[str, str]:
        """The branches of the origin, with their commits."""
        listing = self.origin.git("for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads")
        return dict(line.split(" ") for line in listing.splitlines())


@dataclass
class Work:
    """The work of a session, not pushed yet."""

    workspace: Workspace
    sha: str

    def push(self, branch: str = BRANCH) -> Landed:
        return self.workspace.push(self.sha, branch, AUTHOR, waits=(0, 0))


def laid_out(source: Source, folder: Path, branch: str = BRANCH) -> Workspace:
    """The checkout of a session, where the agent's work begins."""
    workspace = Workspace(source, folder)
    workspace.lay_out()
    workspace.open_for_agent(source.branch_sha(branch) or source.base_sha)
    return workspace


def work(project: Project, files: Mapping[str, str], checkout: Path | None = None) -> Work:
    """A session up to its commit, which writes `files`."""
    source = project.open(checkout).continuing(BRANCH, "#1")
    workspace = laid_out(source, project.folder / "session" / "1")
    for name, content in files.items():
        (workspace.root / name).write_text(content)
    message = "Do it\n\nBecause.\n\nRefs: #1\n"
    return Work(workspace, workspace.control.commit(workspace.tree(), str(workspace.start), message, AUTHOR))
