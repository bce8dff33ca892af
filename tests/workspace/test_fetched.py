"""The source of a CI job: fetched from the platform, with what the job's own checkout has borrowed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ci_agent.errors import AuthenticationError, MovedError, UsageError
from ci_agent.workspace import Author, Login, Source, Workspace, open_fetched
from tests.support.git_server import GitServer, git_server
from tests.support.repositories import Repository, make_repository

AUTHOR = Author("ci-agent", "x@example.org")


@dataclass
class Project:
    """A repository behind HTTP, and somebody's own clone of it."""

    folder: Path
    person: Repository
    origin: Repository
    server: GitServer

    def login(self, password: str | None = None) -> Login:
        return Login(self.server.url("widget.git"), self.server.user, password or self.server.password)

    def open(self, checkout: Path | None = None, branch: str = "work/1", base: str = "main") -> Source:
        folder = self.folder / "fetched.git"
        return open_fetched(
            self.login(), base=base, branch=branch, checkout=checkout, folder=folder, name="widget"
        )

    def clone(self, *words: str) -> Path:
        """A checkout as a CI makes it."""
        place = self.folder / "checkout"
        self.person.git("clone", "--quiet", *words, self.origin.path.as_uri(), str(place))
        return place

    def push(self, branch: str, *contents: str) -> str:
        """Somebody pushes commits to a branch."""
        self.person.git("checkout", "--quiet", "-B", branch)
        for content in contents:
            self.person.commit({"a": content}, f"Say {content}\n\nRefs: #1")
        self.person.git("push", "--quiet", "--force", str(self.origin.path), branch)
        sha = self.person.git("rev-parse", "HEAD")
        self.person.git("checkout", "--quiet", "main")
        return sha


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    person = make_repository(tmp_path / "person", {"a": "1"})
    for count in range(2, 6):
        person.commit({"a": str(count)})
    person.git("tag", "v1")
    origin = tmp_path / "git" / "widget.git"
    person.git("clone", "--quiet", "--bare", str(person.path), str(origin))
    with git_server(tmp_path / "git", "x-access-token", "ghs_s3cret") as server:
        yield Project(tmp_path, person, Repository(origin), server)


def laid_out(source: Source, folder: Path, branch: str = "work/1") -> Workspace:
    workspace = Workspace(source, folder)
    workspace.lay_out()
    workspace.open_for_agent(source.branch_sha(branch) or source.base_sha)
    return workspace


def test_the_branches_come_from_the_remote_and_nothing_else_does(project: Project) -> None:
    project.push("other", "x")
    sha = project.push("work/1", "6")
    source = project.open()
    assert (source.base_sha, source.branch_sha("work/1")) == (project.origin.git("rev-parse", "main"), sha)
    assert source.branch_sha("other") is None
    assert Repository(source.git_dir).git("tag") == "v1"


def test_what_the_checkout_has_is_not_downloaded_again(project: Project) -> None:
    checkout = project.clone()
    source = project.open(checkout)
    objects = [
        path
        for path in (source.git_dir / "objects").rglob("*")
        if path.is_file() and "info" not in path.parts
    ]
    assert objects == []
    workspace = laid_out(source, project.folder / "session")
    assert (workspace.root / "a").read_text() == "5"


@pytest.mark.parametrize("depth", [1, 3])
def test_a_shallow_checkout_is_deepened_as_far_as_it_needs(depth: int, project: Project) -> None:
    project.push("work/1", "6", "7")
    for count in range(8, 12):
        project.person.commit({"b": str(count)})
    project.person.git("push", "--quiet", str(project.origin.path), "main")
    checkout = project.clone(f"--depth={depth}")
    source = project.open(checkout).continuing("work/1", "#1")
    assert source.base_sha == project.origin.git("merge-base", "main", "work/1")
    workspace = laid_out(source, project.folder / "session")
    (workspace.root / "a").write_text("8")
    sha = workspace.commit(workspace.tree(), str(workspace.start), "Say 8", AUTHOR)
    workspace.hand_over(sha, "work/1")
    assert source.remote is not None
    workspace.push(sha, "work/1", source.remote)
    assert project.origin.show("work/1", "a") == "8"
    assert project.origin.git("rev-list", "--count", "work/1") == "8"


def test_a_branch_that_an_earlier_job_left_in_the_checkout_does_not_count(project: Project) -> None:
    checkout = project.clone()
    stale = Repository(checkout)
    stale.git("checkout", "--quiet", "-b", "work/1")
    stale.commit({"a": "stale"})
    sha = project.push("work/1", "6")
    assert project.open(checkout).branch_sha("work/1") == sha


def test_a_checkout_of_something_else_is_not_needed(project: Project) -> None:
    elsewhere = project.folder / "elsewhere"
    elsewhere.mkdir()
    assert project.open(elsewhere).base_sha == project.origin.git("rev-parse", "main")


def test_credentials_that_a_checkout_left_behind_are_not_used(project: Project) -> None:
    checkout = project.clone()
    Repository(checkout).git(
        "config", f"http.{project.server.url('')}.extraHeader", "Authorization: Basic d3Jvbmc="
    )
    assert project.open(checkout).base == "main"


def test_a_base_that_is_not_there_is_named_with_those_that_are(project: Project) -> None:
    with pytest.raises(UsageError, match=r"has no branch trunk to start from; there is: main"):
        project.open(base="trunk")


def test_a_wrong_password_is_an_error_that_does_not_hold_it(project: Project) -> None:
    login = project.login("wr0ng")
    folder = project.folder / "fetched.git"
    with pytest.raises(AuthenticationError, match="does not let us in") as caught:
        open_fetched(login, base="main", branch="work/1", checkout=None, folder=folder, name="widget")
    assert "wr0ng" not in f"{caught.value} {login!r} {caught.value.__cause__}"


def test_the_password_is_in_no_file_no_argument_and_no_address(project: Project) -> None:
    """Git itself is asked: a wrapper before it on PATH writes down with which words it was called."""
    seen, wrapper = project.folder / "seen", project.folder / "bin" / "git"
    wrapper.parent.mkdir()
    real = next(Path(p) / "git" for p in os.environ["PATH"].split(":") if (Path(p) / "git").exists())
    wrapper.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {seen}\nexec {real} "$@"\n')
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{wrapper.parent}:{before}"
    try:
        source = project.open(project.clone())
        workspace = laid_out(source, project.folder / "session")
        (workspace.root / "a").write_text("8")
        sha = workspace.commit(workspace.tree(), str(workspace.start), "Say 8", AUTHOR)
        workspace.hand_over(sha, "work/1")
        assert source.remote is not None
        workspace.push(sha, "work/1", source.remote)
    finally:
        os.environ["PATH"] = before
    words = seen.read_text()
    assert "push" in words
    assert "ghs_s3cret" not in words
    assert not [address for address in project.server.addresses if "s3cret" in address]
    for path in project.folder.rglob("*"):
        if path.is_file() and path != Path(__file__):
            assert b"ghs_s3cret" not in path.read_bytes(), path


def test_a_branch_that_moved_meanwhile_is_told_from_other_refusals(project: Project) -> None:
    sha = project.push("work/1", "6")
    source = project.open()
    workspace = laid_out(source, project.folder / "session")
    theirs = project.push("work/1", "6", "theirs")
    (workspace.root / "b").write_text("ours")
    made = workspace.commit(workspace.tree(), sha, "Ours", AUTHOR)
    assert source.remote is not None
    with pytest.raises(MovedError):
        workspace.push(made, "work/1", source.remote)
    assert project.origin.git("rev-parse", "work/1") == theirs


def test_work_goes_on_top_of_what_somebody_added_but_not_of_what_they_rewrote(project: Project) -> None:
    sha = project.push("work/1", "6")
    source = project.open()
    workspace = laid_out(source, project.folder / "session")
    (workspace.root / "b").write_text("ours")
    made = workspace.commit(workspace.tree(), sha, "Ours", AUTHOR)
    assert source.remote is not None
    project.person.git("checkout", "--quiet", "work/1")
    project.person.commit({"c": "theirs"})
    project.person.git("push", "--quiet", str(project.origin.path), "work/1")
    theirs = project.person.git("rev-parse", "work/1")
    joined = workspace.put_on_top(made, "work/1", source.remote, AUTHOR)
    assert joined is not None
    workspace.push(joined, "work/1", source.remote)
    assert project.origin.git("rev-parse", "work/1^") == theirs
    assert (project.origin.show("work/1", "b"), project.origin.show("work/1", "c")) == ("ours", "theirs")

    project.person.git("checkout", "--quiet", "main")
    project.push("work/1", "rewritten")
    assert workspace.put_on_top(made, "work/1", source.remote, AUTHOR) is None


def test_a_branch_that_the_server_protects_is_refused_with_its_words(project: Project) -> None:
    hook = project.origin.path / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(
        '#!/bin/sh\nwhile read -r _ _ ref; do [ "$ref" = refs/heads/work/1 ] && '
        'echo "GL-HOOK-ERR: work/1 is protected" >&2 && exit 1; done; exit 0\n'
    )
    hook.chmod(0o755)
    source = project.open()
    workspace = laid_out(source, project.folder / "session")
    (workspace.root / "b").write_text("ours")
    sha = workspace.commit(workspace.tree(), source.base_sha, "Ours", AUTHOR)
    assert source.remote is not None
    with pytest.raises(UsageError, match="work/1 is protected"):
        workspace.push(sha, "work/1", source.remote)


def test_ssh_goes_through_the_command_that_is_set(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    script = project.folder / "ssh"
    root = project.origin.path.parent
    script.write_text(f'#!/bin/sh\necho "$@" >> {project.folder}/ssh.log\nshift\ncd {root} && eval "$*"\n')
    script.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(script))
    monkeypatch.setenv("GIT_SSH_VARIANT", "simple")
    login = Login("git@git.example:widget.git", "x", "y")
    folder = project.folder / "fetched.git"
    source = open_fetched(login, base="main", branch="work/1", checkout=None, folder=folder, name="widget")
    assert source.base_sha == project.origin.git("rev-parse", "main")
    assert "git@git.example" in (project.folder / "ssh.log").read_text()


def test_pointers_of_large_files_and_submodules_stay_as_they_are(project: Project) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12\n"
    project.person.commit({".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n", "x.bin": pointer})
    link = project.person.git("rev-parse", "HEAD")
    project.person.git("update-index", "--add", "--cacheinfo", f"160000,{link},vendor/lib")
    project.person.git("commit", "--quiet", "-m", "Add a submodule")
    project.person.git("push", "--quiet", str(project.origin.path), "main")
    source = project.open(project.clone())
    workspace = laid_out(source, project.folder / "session")
    assert (workspace.root / "x.bin").read_text() == pointer
    assert workspace.tree() == workspace.tree_of(source.base_sha)
    (workspace.root / "a").write_text("8")
    sha = workspace.commit(workspace.tree(), source.base_sha, "Say 8", AUTHOR)
    assert [change.path for change in workspace.changes(sha)] == ["a"]
