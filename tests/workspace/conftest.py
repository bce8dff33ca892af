"""A repository behind HTTP with a password, as a CI job finds it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.git_server import git_server
from tests.support.repositories import Repository, make_repository
from tests.workspace.poison import Place
from tests.workspace.project import BRANCH, PASSWORD, Project, laid_out


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    person = make_repository(tmp_path / "person", {"a": "1"})
    person.git("tag", "-a", "v1", "-m", "The first")
    for count in range(2, 6):
        person.commit({"a": str(count)})
    origin = tmp_path / "git" / "acme" / "widget.git"
    person.git("clone", "--quiet", "--bare", str(person.path), str(origin))
    with git_server(tmp_path / "git", "x-access-token", PASSWORD) as server:
        yield Project(tmp_path, person, Repository(origin), server)


@pytest.fixture
def place(project: Project, tmp_path: Path) -> Place:
    library = make_repository(tmp_path / "library", {"lib.py": "1"})
    (project.person.path / "vendor").mkdir()
    project.person.git(
        "update-index", "--add", "--cacheinfo", f"160000,{library.git('rev-parse', 'HEAD')},vendor"
    )
    project.person.commit({"d/file": "d", "report.log": "old"})
    project.person.git("push", "--quiet", str(project.origin.path), "main")
    ran, evil, outside = tmp_path / "ran", tmp_path / "evil", tmp_path / "outside"
    evil.write_text(f"#!/bin/sh\ntouch {ran}\n")
    evil.chmod(0o755)
    outside.mkdir()
    (outside / "file").write_text("secret of the harness")
    source = project.open().continuing(BRANCH, "#1")
    return Place(project, laid_out(source, tmp_path / "session" / "1"), ran, str(evil), outside)
