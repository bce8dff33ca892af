"""What CIs leave in a checkout to get in with, and that nothing of it is left."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ci_agent.workspace import remove_credentials
from tests.support.jobs import calculator
from tests.support.repositories import Repository

TOKEN = "ghs_CANARY0123456789"
HEADER = "AUTHORIZATION: basic " + base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
URL = "https://host.example/acme/widget.git"


@pytest.fixture
def checkout(tmp_path: Path) -> Repository:
    repository = calculator(tmp_path)
    repository.git("remote", "add", "origin", URL)
    repository.git("config", "user.name", "Robin")
    return repository


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    folder = tmp_path / "runner-temp"
    folder.mkdir()
    return folder


def to_v5(checkout: Repository, temporary: Path) -> None:
    checkout.git("config", "http.https://host.example/.extraheader", HEADER)


def from_v6(checkout: Repository, temporary: Path) -> None:
    file = temporary / "git-credentials-0a1b2c3d-0000-4000-8000-000000000000.config"
    file.write_text(f'[http "https://host.example/"]\n\textraheader = {HEADER}\n')
    git_dir = checkout.path / ".git"
    for place in (f"{git_dir}", f"{git_dir}/worktrees/*", "/github/workspace/.git"):
        checkout.git("config", f"includeIf.gitdir:{place}.path", str(file))


def ssh_key(checkout: Repository, temporary: Path) -> None:
    (temporary / "0a1b2c3d").write_text(f"-----BEGIN OPENSSH PRIVATE KEY-----\n{TOKEN}\n")
    checkout.git("config", "core.sshCommand", 'ssh -i "$RUNNER_TEMP/0a1b2c3d" -o StrictHostKeyChecking=yes')


def gitlab(checkout: Repository, temporary: Path) -> None:
    checkout.git(
        "remote", "set-url", "origin", f"https://gitlab-ci-token:{TOKEN}@host.example/acme/widget.git"
    )
    checkout.git("config", "--add", "remote.origin.pushurl", f"https://{TOKEN}@host.example/one.git")
    checkout.git("config", "--add", "remote.origin.pushurl", "https://host.example/two.git")


def helper(checkout: Repository, temporary: Path) -> None:
    checkout.git("config", "credential.https://host.example.helper", f"!echo password={TOKEN}")
    checkout.git("config", f"url.https://x:{TOKEN}@host.example/.insteadOf", "git@host.example:")


WAYS = [to_v5, from_v6, ssh_key, gitlab, helper]


def found(*folders: Path) -> list[str]:
    """The files in which the token stands, as it is or in a header."""
    secrets = (TOKEN.encode(), HEADER.split()[-1].encode())
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    return [file.name for file in files if any(secret in file.read_bytes() for secret in secrets)]


@pytest.mark.parametrize("leave", WAYS)
@pytest.mark.parametrize("where", ["checkout", "submodule", "worktree"])
def test_nothing_that_lets_in_is_left(
    checkout: Repository, temporary: Path, leave: Callable[[Repository, Path], None], where: str
) -> None:
    place = checkout
    if where == "submodule":
        folder = checkout.path / ".git" / "modules" / "libs" / "inner"
        folder.parent.mkdir(parents=True)
        checkout.git("clone", "--quiet", "--bare", str(checkout.path), str(folder))
        place = Repository(folder)
    elif where == "worktree":
        checkout.git("worktree", "add", "--quiet", "--detach", "../other")
        place = Repository(checkout.path.parent / "other")
    leave(place, temporary)
    git_dir = checkout.path / ".git"
    assert found(git_dir, temporary), "the control: it is there"
    assert remove_credentials(place.path if where == "worktree" else checkout.path, temporary)
    assert found(git_dir, temporary) == []
    assert remove_credentials(checkout.path, temporary) == ()


def test_everything_else_stays(checkout: Repository, temporary: Path) -> None:
    before = checkout.git("config", "--local", "--list")
    mine = temporary / "notes.config"
    mine.write_text("[user]\n\tname = Robin\n")
    for leave in WAYS:
        leave(checkout, temporary)
    kinds = remove_credentials(checkout.path, temporary)
    assert set(kinds) == {
        *("http.extraheader", "includeif.path", "core.sshcommand", "remote.url", "remote.pushurl"),
        *("credential.helper", "url.insteadof"),
    }
    after = checkout.git("config", "--local", "--list").splitlines()
    pushes = [
        "remote.origin.pushurl=https://host.example/one.git",
        "remote.origin.pushurl=https://host.example/two.git",
    ]
    assert sorted(after) == sorted([*before.splitlines(), *pushes])
    assert list(temporary.iterdir()) == [mine]


def test_files_elsewhere_and_behind_links_are_left_alone(checkout: Repository, temporary: Path) -> None:
    name = "git-credentials-0a1b2c3d.config"
    elsewhere = temporary.parent / name
    elsewhere.write_text("[user]\n")
    (temporary / name).symlink_to(elsewhere)
    config = temporary.parent / "config"
    folder = checkout.path / ".git" / "modules" / "x"
    folder.mkdir(parents=True)
    (folder / "HEAD").touch()
    config.write_text(f"[http]\n\textraheader = {HEADER}\n")
    (folder / "config").symlink_to(config)
    checkout.git("config", "include.path", str(elsewhere))
    checkout.git("config", "core.sshCommand", f"ssh -i {elsewhere}")
    remove_credentials(checkout.path, temporary)
    assert elsewhere.exists()
    assert HEADER in config.read_text()


def test_a_folder_without_a_repository_has_nothing(tmp_path: Path) -> None:
    assert remove_credentials(tmp_path, None) == ()


def test_a_checkout_of_another_user_is_cleaned_too(checkout: Repository, temporary: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give it away")
    to_v5(checkout, temporary)
    os.chown(checkout.path, 12345, 12345)
    assert remove_credentials(checkout.path, temporary) == ("http.extraheader",)
    assert found(checkout.path) == []
