"""Where the work comes from: paths, URLs, and what is wrong with them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ci_agent.errors import AuthenticationError, UsageError
from ci_agent.workspace import identity, is_url, open_source
from ci_agent.workspace.remote import remote
from tests.support.git_server import git_server
from tests.support.repositories import Repository, make_repository


def test_a_folder_inside_the_repository_stands_for_the_repository(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"src/a.py": "x = 1\n"})
    source = open_source(str(repository.path / "src"), None, tmp_path / "clones")
    assert source.name == "shop"
    assert source.base == "main"
    assert source.base_sha == repository.git("rev-parse", "HEAD")


def test_a_folder_without_git_is_an_error_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"not in a git repository.*git init"):
        open_source(str(tmp_path), None, tmp_path / "clones")


def test_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        open_source(str(tmp_path / "nowhere"), None, tmp_path / "clones")


def test_a_repository_without_a_commit_is_an_error_with_the_next_step(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "empty")
    with pytest.raises(UsageError, match=r"no commit yet.*git add"):
        open_source(str(repository.path), None, tmp_path / "clones")


def test_a_base_that_is_not_there_is_an_error_that_names_those_that_are(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1"})
    repository.git("branch", "develop")
    with pytest.raises(UsageError, match="no base branch 'releese' here; there is: develop, main"):
        open_source(str(repository.path), "releese", tmp_path / "clones")


def test_a_detached_head_is_worked_on_from_its_commit(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1"})
    first = repository.git("rev-parse", "HEAD")
    repository.commit({"a": "2"})
    repository.git("checkout", "--quiet", first)
    source = open_source(str(repository.path), None, tmp_path / "clones")
    assert (source.base, source.base_sha) == (first, first)


def test_a_linked_worktree_stands_for_its_repository_with_its_own_branch(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1"})
    repository.git("worktree", "add", "--quiet", "-b", "side", str(tmp_path / "side"))
    side = Repository(tmp_path / "side")
    sha = side.commit({"b": "2"})
    source = open_source(str(side.path), None, tmp_path / "clones")
    assert (source.base, source.base_sha) == ("side", sha)
    assert source.checked_out("side") == side.path
    assert source.checked_out("main") == repository.path
    assert source.checked_out("other") is None


def test_uncommitted_work_is_counted_and_left_alone(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1", "b": "1"})
    repository.write({"a": "2", "new": "3"})
    before = repository.fingerprint()
    assert open_source(str(repository.path), None, tmp_path / "clones").uncommitted == ("a", "new")
    assert repository.fingerprint() == before


def test_files_are_read_from_the_base_commit_not_from_the_checkout(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {".ci-agent.yml": "committed"})
    repository.write({".ci-agent.yml": "edited"})
    source = open_source(str(repository.path), None, tmp_path / "clones")
    assert source.file(".ci-agent.yml") == b"committed"
    assert source.file("nothing") is None


def test_work_on_an_old_branch_starts_where_it_left_the_base(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1"})
    fork = repository.git("rev-parse", "HEAD")
    repository.git("branch", "work")
    repository.commit({"a": "2"})
    source = open_source(str(repository.path), None, tmp_path / "clones")
    assert source.continuing("work", None).base_sha == fork
    assert source.continuing("not-there", "#1") == source


def test_the_branch_of_another_issue_is_not_gone_on_with(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1"})
    repository.git("checkout", "--quiet", "-b", "work")
    repository.commit(
        {"a": "2"}, "Mend it\n\nRefs: local issue 1 (aaaa1111)\nCo-authored-by: Dana <d@example.org>\n"
    )
    repository.git("checkout", "--quiet", "main")
    source = open_source(str(repository.path), None, tmp_path / "clones")
    assert source.continuing("work", "local issue 1 (aaaa1111)") == source
    with pytest.raises(UsageError, match=r"belongs to another issue \(local issue 1 \(aaaa1111\)\)"):
        source.continuing("work", "local issue 1 (bbbb2222)")


def test_a_branch_that_a_person_made_is_gone_on_with_only_when_it_is_named(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1"})
    repository.git("checkout", "--quiet", "-b", "work")
    repository.commit({"a": "2"}, "Mine")
    repository.git("checkout", "--quiet", "main")
    source = open_source(str(repository.path), None, tmp_path / "clones")
    assert source.belongs_to_other("work", "#1")
    with pytest.raises(UsageError, match="is not one that ci-agent made"):
        source.continuing("work", "#1")
    assert source.continuing("work", None) == source


def test_a_commit_of_a_person_on_top_does_not_make_it_another_branch(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1"})
    repository.git("checkout", "--quiet", "-b", "work")
    repository.commit({"a": "2"}, "Mend it\n\nCloses: #1\n")
    repository.commit({"a": "3"}, "A person adds something")
    repository.git("checkout", "--quiet", "main")
    source = open_source(str(repository.path), None, tmp_path / "clones")
    assert not source.belongs_to_other("work", "#1")
    assert source.belongs_to_other("work", "#2")


def test_a_name_that_git_has_no_room_for_is_told(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1"})
    repository.git("branch", "feat")
    repository.git("branch", "x/y/z")
    source = open_source(str(repository.path), None, tmp_path / "clones")
    assert source.in_the_way("feat/ai-task-1") == "feat"
    assert source.in_the_way("x/y") == "x/y/z"
    assert source.in_the_way("other/ai-task-1") is None


def test_a_repository_of_another_owner_is_refused_as_git_refuses_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1"})
    monkeypatch.setenv("HOME", str(tmp_path))
    if os.geteuid():
        pytest.skip("only root can give a folder to somebody else")
    for path in [repository.path, *repository.path.rglob("*")]:
        os.chown(path, 54321, 54321)
    with pytest.raises(UsageError, match="dubious ownership"):
        open_source(str(repository.path), None, tmp_path / "clones")
    (tmp_path / ".gitconfig").write_text(f"[safe]\n\tdirectory = {repository.path}\n")
    assert open_source(str(repository.path), None, tmp_path / "clones").name == "shop"


def test_gits_own_variables_in_the_environment_do_not_lead_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a hook, or in a job that works on several repositories."""
    repository = make_repository(tmp_path / "shop", {"a": "1"})
    other = make_repository(tmp_path / "other", {"b": "1"})
    for name in ("GIT_DIR", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.setenv(name, str(other.path / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other.path))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other.path / ".git" / "index"))
    source = open_source(str(repository.path), None, tmp_path / "clones")
    assert source.git_dir == repository.path / ".git"
    assert source.uncommitted == ()


@pytest.mark.parametrize("name", [".git", "$HOME-x", "-dash", "a b'c"])
def test_odd_names_of_folders_are_names(tmp_path: Path, name: str) -> None:
    repository = make_repository(tmp_path / "x" / name, {"a": "1"})
    source = open_source(str(repository.path), None, tmp_path / "clones")
    assert source.base == "main"
    assert source.name.strip(". ")


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("HTTPS://bob:pw0rd@git.example.org/x.git", "https://git.example.org/x.git"),
        ("ssh://git:pw0rd@git.example.org/x.git", "ssh://git@git.example.org/x.git"),
        ("ftp://bob:pw0rd@git.example.org/x.git", "ftp://git.example.org/x.git"),
        ("git@git.example.org:x.git", "git@git.example.org:x.git"),
        ("bob:pw0rd@git.example.org:x.git", "bob@git.example.org:x.git"),
    ],
)
def test_no_address_keeps_a_password(address: str, url: str) -> None:
    known = remote(address, None)
    assert known.url == url
    assert "pw0rd" not in repr(known)


@pytest.mark.parametrize(
    "address", ["https://u:pw0rd@[h", "https://h/x.git?private_token=pw0rd", "https://u:pw0rd@h:x/y"]
)
def test_an_address_that_is_none_is_an_error_without_its_password(address: str) -> None:
    with pytest.raises(UsageError) as caught:
        remote(address, None)
    assert "pw0rd" not in str(caught.value)


def test_a_branch_without_a_common_commit_is_not_gone_on_with(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1"})
    repository.git("checkout", "--quiet", "--orphan", "island")
    repository.commit({"b": "1"})
    repository.git("checkout", "--quiet", "main")
    source = open_source(str(repository.path), None, tmp_path / "clones")
    with pytest.raises(UsageError, match="no commit in common with main"):
        source.continuing("island", None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://git.example.org/a/b.git", True),
        ("ssh://git@git.example.org/a/b", True),
        ("git@git.example.org:a/b.git", True),
        ("file:///srv/git/b.git", True),
        (".", False),
        ("../shop", False),
        ("C:/shop", False),
        ("shop@home", False),
    ],
)
def test_an_address_is_told_from_a_path(text: str, expected: bool) -> None:
    assert is_url(text) is expected


def _served(tmp_path: Path) -> Repository:
    work = make_repository(tmp_path / "seed", {"a": "1"})
    work.git("clone", "--quiet", "--bare", str(work.path), str(tmp_path / "srv" / "acme" / "shop.git"))
    return work


def test_a_clone_over_http_keeps_the_password_out_of_everything(tmp_path: Path) -> None:
    seed = _served(tmp_path)
    with git_server(tmp_path / "srv") as server:
        url = server.url("acme/shop.git", user="oauth2", password="s3cret")
        source = open_source(url, None, tmp_path / "clones")
    assert source.name == "shop"
    assert (source.base, source.base_sha) == ("main", seed.git("rev-parse", "HEAD"))
    assert source.remote is not None
    assert source.address == source.remote.url == server.url("acme/shop.git")
    assert server.addresses
    kept = b"".join(path.read_bytes() for path in (tmp_path / "clones").rglob("*") if path.is_file())
    assert b"s3cret" not in kept
    assert "s3cret" not in "".join(server.addresses)


def test_a_wrong_password_is_an_authentication_error_without_the_password(tmp_path: Path) -> None:
    _served(tmp_path)
    with (
        git_server(tmp_path / "srv") as server,
        pytest.raises(AuthenticationError, match="does not let us in") as caught,
    ):
        open_source(server.url("acme/shop.git", user="oauth2", password="wr0ng"), None, tmp_path / "clones")
    assert "wr0ng" not in str(caught.value)


def test_a_second_clone_brings_the_first_up_to_date_and_keeps_our_branches(tmp_path: Path) -> None:
    seed = _served(tmp_path)
    with git_server(tmp_path / "srv") as server:
        url = server.url("acme/shop.git", user="oauth2", password="s3cret")
        first = open_source(url, None, tmp_path / "clones")
        subprocess.run(
            ["git", "update-ref", "refs/heads/ours", first.base_sha], cwd=first.git_dir, check=True
        )
        sha = seed.commit({"a": "2"})
        seed.git("push", "--quiet", str(tmp_path / "srv" / "acme" / "shop.git"), "main")
        second = open_source(url, None, tmp_path / "clones")
    assert second.git_dir == first.git_dir
    assert second.base_sha == sha
    assert second.branch_sha("ours") == first.base_sha


def test_a_branch_that_went_on_at_its_origin_is_gone_on_with_from_there(tmp_path: Path) -> None:
    seed = _served(tmp_path)
    seed.git("checkout", "--quiet", "-b", "work")
    newer = seed.commit({"a": "2"})
    seed.git("push", "--quiet", str(tmp_path / "srv" / "acme" / "shop.git"), "work")
    with git_server(tmp_path / "srv") as server:
        source = open_source(
            server.url("acme/shop.git", user="oauth2", password="s3cret"), None, tmp_path / "clones"
        )
    assert source.branch_sha("work") == newer
    subprocess.run(["git", "update-ref", "refs/heads/work", source.base_sha], cwd=source.git_dir, check=True)
    assert source.branch_sha("work") == newer
    assert source.branch_sha("nothing") is None


def test_a_server_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with git_server(tmp_path) as server:
        gone = server.url("acme/shop.git")
    with pytest.raises(UsageError, match="can't be reached"):
        open_source(gone, None, tmp_path / "clones")


def test_the_person_is_known_from_gits_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    monkeypatch.setenv("LOGNAME", "dana-login")
    repository = make_repository(tmp_path / "shop", {"a": "1"})
    source = open_source(str(repository.path), None, tmp_path / "clones")
    assert identity(source) == "dana-login"
    repository.git("config", "user.name", "Dana")
    repository.git("config", "user.email", "dana@example.org")
    assert identity(source) == "Dana <dana@example.org>"
    assert os.environ["HOME"] == str(tmp_path)


def test_the_person_is_known_from_a_file_that_gits_configuration_includes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    (tmp_path / ".gitconfig").write_text("[include]\n\tpath = work.inc\n[user]\n\tname = Nobody\n")
    (tmp_path / "work.inc").write_text("[user]\n\temail = dana@example.org\n")
    repository = make_repository(tmp_path / "shop", {"a": "1"})
    repository.git("config", "user.name", "Dana")
    source = open_source(str(repository.path), None, tmp_path / "clones")
    assert identity(source) == "Dana <dana@example.org>"


def test_a_link_into_a_repository_stands_for_the_whole_of_it(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"src/deep/a.py": "x = 1\n"})
    (tmp_path / "link").symlink_to(repository.path / "src" / "deep")
    source = open_source(str(tmp_path / "link"), None, tmp_path / "clones")
    assert (source.address, source.git_dir) == (str(repository.path), repository.path / ".git")


def test_a_bare_repository_has_no_checkout(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1"})
    repository.git("clone", "--quiet", "--bare", ".", str(tmp_path / "shop.git"))
    source = open_source(str(tmp_path / "shop.git"), None, tmp_path / "clones")
    assert (source.address, source.uncommitted) == (str(tmp_path / "shop.git"), ())
    assert (source.base, source.base_sha) == ("main", repository.git("rev-parse", "HEAD"))


def test_a_folder_between_has_the_branches_below_it_and_none_else(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1"})
    repository.git("branch", "feat/other")
    source = open_source(str(repository.path), None, tmp_path / "clones")
    assert source.in_the_way("feat/ai-task-1") is None
    assert source.branch_sha("feat") is None
    assert source.branch_sha("feat/other") == source.base_sha
