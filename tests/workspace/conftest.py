"""A repository behind HTTP with a password, as a CI job finds it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.git_server import git_server
from tests.support.repositories import Repository, make_repository
from tests.workspace.project import PASSWORD, Project


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
