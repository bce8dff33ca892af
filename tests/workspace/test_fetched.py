"""The source of a CI job: fetched from the platform, with what the job's own checkout can lend."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ci_agent.config import SETTINGS
from ci_agent.errors import AuthenticationError, GitError, UsageError
from ci_agent.workspace import Login, Source, Way
from ci_agent.workspace.remote import listed
from tests.forges.http import certificate_of_its_own
from tests.support.git_server import Loss, git_server
from tests.support.repositories import Repository, long_history, make_repository, watched_git
from tests.workspace.project import AUTHOR, BRANCH, PASSWORD, Project, laid_out, work


def _own_objects(source: Source) -> list[Path]:
    """The files of objects that were downloaded."""
    folder = source.git_dir / "objects"
    return [path for path in folder.rglob("*") if path.is_file() and path.parent != folder / "info"]


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]


# --- what is fetched --------------------------------------------------------------------------------------


def test_the_two_branches_come_from_the_remote_and_nothing_else_does(project: Project) -> None:
    project.push("other", {"x": "x"})
    sha = project.push(BRANCH, {"a": "6"})
    source = project.open()
    assert source.base_sha == project.origin.git("rev-parse", "main")
    assert source.branch_sha(BRANCH) == sha
    assert source.branch_sha("other") is None
    assert source.continuing(BRANCH, "#1") == source


def test_versions_can_be_made_from_tags(project: Project) -> None:
    workspace = laid_out(project.open(), project.folder / "1")
    described = subprocess.run(
        ["git", "describe"], cwd=workspace.root, capture_output=True, text=True, check=True
    ).stdout
    assert described.startswith("v1-4-g")


def test_what_the_checkout_has_is_not_downloaded_again(project: Project) -> None:
    source = project.open(project.clone())
    assert _own_objects(source) == []
    assert Repository(source.git_dir).git("tag") == "v1"
    assert (laid_out(source, project.folder / "1").root / "a").read_text() == "5"


def test_a_checkout_of_one_commit_is_enough_for_new_work(project: Project) -> None:
    source = project.open(project.clone("--depth=1"))
    assert _own_objects(source) == []
    workspace = laid_out(source, project.folder / "1")
    log = ["git", "log", "--format=%s"]
    assert len(subprocess.check_output(log, cwd=workspace.root).splitlines()) == 1


@pytest.mark.parametrize("depth", [1, 3, 20])
def test_a_shallow_checkout_is_deepened_to_where_the_work_left_the_base(depth: int, project: Project) -> None:
    project.push(BRANCH, {"a": "6"}, {"a": "7"})
    for count in range(8, 12):
        project.person.commit({"b": str(count)})
    project.person.git("push", "--quiet", str(project.origin.path), "main")
    done = work(project, {"c": "ours"}, project.clone(f"--depth={depth}"))
    assert done.workspace.source.base_sha == project.origin.git("merge-base", "main", BRANCH)
    assert done.push().way is Way.AS_MADE
    assert project.origin.git("rev-list", "--count", BRANCH) == "8"
    assert project.origin.git("fsck", "--no-dangling") == ""


@pytest.mark.parametrize(("length", "whole"), [(300, False), (700, True)])
def test_a_history_is_fetched_as_far_as_it_is_needed(length: int, whole: bool, project: Project) -> None:
    long_history(project.person, "main", 700)
    project.person.git("reset", "--quiet", "--hard")
    fork = project.person.git("rev-parse", "main")
    project.push(BRANCH, {"c": "1"})
    project.person.git("checkout", "--quiet", "--detach")
    long_history(project.person, "main", length)
    project.person.git("push", "--quiet", str(project.origin.path), "main")
    long_before = project.person.git("rev-list", "--max-parents=0", "main")
    source = project.open(project.clone("--depth=1"))
    assert source.continuing(BRANCH, "#1").base_sha == fork
    # The first depth does not reach the fork; lengthened by some, or all of it, it does.
    assert (source.git_dir / "shallow").exists() is not whole
    known = Repository(source.git_dir).git("rev-list", "refs/remotes/origin/main").split()
    assert (long_before in known) is whole


def test_branches_that_have_nothing_in_common_are_found_out(project: Project) -> None:
    project.person.git("checkout", "--quiet", "--orphan", "island")
    project.person.commit({"b": "1"})
    project.person.git("push", "--quiet", str(project.origin.path), f"island:{BRANCH}")
    source = project.open(project.clone("--depth=1"))
    with pytest.raises(UsageError, match="no commit in common with main"):
        source.continuing(BRANCH, None)


def test_a_repository_with_long_names_of_objects_can_be_fetched(project: Project, tmp_path: Path) -> None:
    seed = tmp_path / "seed"
    seed.mkdir()
    repository = Repository(seed)
    repository.git("init", "--quiet", "--initial-branch=main", "--object-format=sha256")
    sha = repository.commit({"a": "1"})
    repository.git("clone", "--quiet", "--bare", str(seed), str(tmp_path / "git" / "long.git"))
    login = Login(project.server.url("long.git"), project.server.user, PASSWORD)
    assert project.open(login=login).base_sha == sha


# --- the job's checkout -----------------------------------------------------------------------------------


def test_a_branch_that_an_earlier_job_left_in_the_checkout_does_not_count(project: Project) -> None:
    stale = Repository(project.clone())
    stale.git("checkout", "--quiet", "-b", BRANCH)
    stale.commit({"a": "stale"})
    assert project.open(stale.path).branch_sha(BRANCH) is None
    sha = project.push(BRANCH, {"a": "6"})
    assert project.open(stale.path).branch_sha(BRANCH) == sha


def test_a_base_that_moved_on_since_the_checkout_is_the_new_one(project: Project) -> None:
    checkout = project.clone("--depth=1")
    sha = project.person.commit({"a": "6"})
    project.person.git("push", "--quiet", str(project.origin.path), "main")
    assert project.open(checkout).base_sha == sha


def test_a_branch_of_somebody_elses_is_not_gone_on_with(project: Project) -> None:
    project.person.git("checkout", "--quiet", "-b", BRANCH)
    project.person.commit({"a": "6"}, "Mine alone")
    project.person.git("push", "--quiet", str(project.origin.path), BRANCH)
    source = project.open(project.clone("--depth=1"))
    with pytest.raises(
        UsageError, match=f"the branch {BRANCH} is there already and is not one that ci-agent"
    ):
        source.continuing(BRANCH, "#1")


@pytest.mark.parametrize("kind", ["empty folder", "missing", "another", "partial"])
def test_a_checkout_that_can_lend_nothing_is_not_used(kind: str, project: Project) -> None:
    checkout = project.folder / "checkout"
    if kind == "empty folder":
        checkout.mkdir()
    elif kind == "another":
        other = make_repository(project.folder / "gadget", {"a": "1"})
        other.commit({"a": "2"})
        other.git("clone", "--quiet", "--depth=1", other.path.as_uri(), str(checkout))
    elif kind == "partial":
        project.origin.git("config", "uploadpack.allowFilter", "true")
        project.clone("--filter=blob:none", "--no-checkout")
    source = project.open(checkout)
    assert not (source.git_dir / "objects" / "info" / "alternates").exists()
    assert not (source.git_dir / "shallow").exists()
    assert (laid_out(source, project.folder / "1").root / "a").read_text() == "5"


def test_a_checkout_over_ssh_lends_to_a_fetch_over_http(project: Project) -> None:
    checkout = Repository(project.clone())
    checkout.git("remote", "set-url", "origin", "git@git.example.org:acme/widget.git")
    assert _own_objects(project.open(checkout.path)) == []


def test_pointers_of_large_files_and_submodules_stay_as_they_are(project: Project) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12\n"
    project.person.commit({".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n", "x.bin": pointer})
    link = project.person.git("rev-parse", "HEAD")
    project.person.git("update-index", "--add", "--cacheinfo", f"160000,{link},vendor/lib")
    project.person.git("commit", "--quiet", "-m", "Add a submodule")
    project.person.git("push", "--quiet", str(project.origin.path), "main")
    (project.folder / "home" / ".gitconfig").write_text(
        '[filter "lfs"]\n\tsmudge = false\n\trequired = true\n'
    )
    done = work(project, {"a": "8"}, project.clone("--no-checkout"))
    workspace = done.workspace
    assert (workspace.root / "x.bin").read_text() == pointer
    assert [change.path for change in workspace.control.changes(done.sha)] == ["a"]
    done.push()
    assert project.origin.git("rev-parse", f"{BRANCH}:vendor/lib") == link


# --- what can't be worked on ------------------------------------------------------------------------------


def test_a_base_that_is_not_there_is_named_with_those_that_are(project: Project) -> None:
    project.origin.git("branch", "-m", "main", "trunk")
    with pytest.raises(
        UsageError, match=r"has no branch main to start from; there is: trunk\. See `git\.base`"
    ):
        project.open()


def test_an_empty_repository_has_nothing_to_start_from(project: Project) -> None:
    project.origin.git("branch", "--quiet", "-D", "main")
    with pytest.raises(UsageError, match="there is: none at all"):
        project.open()


@pytest.mark.parametrize(
    ("branch", "base", "why"),
    [
        ("main", "main", "main is the branch the work starts from"),
        ("main", "develop", "main is the default branch"),
        ("feat", "main", "no branch feat beside the branch feat/x"),
        ("feat/x/ai-task-1", "main", "no branch feat/x/ai-task-1 beside the branch feat/x"),
    ],
)
def test_a_branch_that_can_not_be_pushed_is_refused_before_anything_is_fetched(
    branch: str, base: str, why: str, project: Project
) -> None:
    project.push("develop")
    project.push("feat/x")
    with pytest.raises(UsageError, match=why):
        project.open(branch=branch, base=base)
    assert not (project.folder / "session").exists()


def test_a_connection_that_is_lost_is_tried_again(project: Project) -> None:
    there = project.login().remote()
    project.server.losses.append(Loss("git-upload-pack", times=2))
    assert "refs/heads/main" in listed(there, waits=(0, 0))
    project.server.losses.append(Loss("git-upload-pack"))
    with pytest.raises(GitError, match="git ls-remote failed"):
        listed(there, waits=())


# --- credentials ------------------------------------------------------------------------------------------


def test_a_wrong_password_is_told_with_what_to_do_and_without_itself(project: Project) -> None:
    login = project.login("wr0ng")
    with pytest.raises(AuthenticationError, match=r"does not let us in.*contents: write") as caught:
        project.open(login=login)
    assert "wr0ng" not in f"{caught.value} {login!r} {login.remote()!r} {caught.value.__cause__}"


def test_only_our_own_credentials_are_shown_whatever_the_machine_has(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Headers in the checkout and for the user, a helper, rewritten addresses and a program that asks."""
    address = project.server.url("")
    project.server.people["other"] = "0ther"
    header = "Authorization: Basic b3RoZXI6MHRoZXI="
    checkout = Repository(project.clone())
    checkout.git("config", f"http.{address}.extraHeader", header)
    helper = project.folder / "helper"
    helper.write_text('#!/bin/sh\n[ "$1" = store ] || printf "username=other\\npassword=0ther\\n"\n')
    helper.chmod(0o755)
    other = project.server.url("", user="other", password="0ther")
    (project.folder / "home" / ".gitconfig").write_text(
        f'[http "{address}acme/"]\n\textraHeader = "{header}"\n[credential]\n\thelper = {helper}\n'
        f'[url "{other}"]\n\tinsteadOf = {address}\n\tpushInsteadOf = {address}\n'
    )
    monkeypatch.setenv("GIT_ASKPASS", str(helper))
    done = work(project, {"b": "ours"}, checkout.path)
    done.push()
    assert set(project.server.logins) == {f"x-access-token:{PASSWORD}"}
    with pytest.raises(AuthenticationError):
        project.open(checkout.path, login=project.login("wr0ng"))
    assert not [login for login in project.server.logins if login.startswith("other")]


def test_the_token_is_in_the_environment_of_the_calls_that_need_it_and_nowhere_else(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TRACE_CURL", str(project.folder / "session" / "trace"))
    monkeypatch.setenv("GIT_TRACE_REDACT", "0")
    checkout = project.clone()
    with watched_git(project.folder / "watched") as watched:
        project.push(BRANCH, {"a": "6"})
        done = work(project, {"b": "ours"}, checkout)
        project.push(BRANCH, {"c": "theirs"}, onto=BRANCH)
        assert done.push().way is Way.ON_TOP
        done.workspace.control.hand_over(done.sha, BRANCH)
    secrets = (PASSWORD, "eC1hY2Nlc3MtdG9rZW46Z2hzX3MzY3JldFQwa2Vu")  # as it is, and as HTTP sends it
    shown = [call.words for call in watched.calls() if any(secret in call.environment for secret in secrets)]
    assert {next(word for word in words if word in ("fetch", "ls-remote", "push")) for words in shown} == {
        "fetch",
        "ls-remote",
        "push",
    }
    assert all(project.server.url("acme/widget.git") in words for words in shown)
    assert "remote-http" in watched.arguments()
    for secret in secrets:
        assert secret not in watched.arguments()
        assert not [call for call in watched.calls() if secret in "\n".join(call.words)]
        for folder in ("session", "checkout", "git", "home"):
            assert not [
                path for path in _files(project.folder / folder) if secret.encode() in path.read_bytes()
            ]
        assert secret not in f"{done.workspace.source!r} {project.server.addresses}"


def test_no_key_reaches_a_git(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [name for setting in SETTINGS if setting.secret for name in setting.variables]
    keys += ["CI_JOB_TOKEN", "ACTIONS_RUNTIME_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"]
    assert {"LLM_API_KEY", "GITHUB_TOKEN", "GITLAB_TOKEN"} <= set(keys)
    for name in keys:
        monkeypatch.setenv(name, f"key-{name}")
    checkout = project.clone()
    with watched_git(project.folder / "watched") as watched:
        project.open(checkout)
    assert len(watched.calls()) > 3
    assert "key-" not in "".join(call.environment for call in watched.calls())


# --- other ways to the remote -----------------------------------------------------------------------------


def test_ssh_goes_through_the_command_that_is_set(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    script, log = project.folder / "ssh", project.folder / "ssh.log"
    script.write_text(
        f'#!/bin/sh\necho "$@" >> {log}\nwhile [ $# -gt 1 ]; do shift; done\ncd {project.folder}/git && eval "$1"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(script))
    monkeypatch.setenv("GIT_SSH_VARIANT", "simple")
    source = project.open(
        project.clone("--depth=1"), login=Login("git@git.example:acme/widget.git", "x", "y")
    )
    assert source.base_sha == project.origin.git("rev-parse", "main")
    workspace = laid_out(source, project.folder / "1")
    (workspace.root / "b").write_text("ours")
    workspace.push(
        workspace.control.commit(workspace.tree(), source.base_sha, "Ours", AUTHOR), BRANCH, AUTHOR
    )
    assert project.origin.show(BRANCH, "b") == "ours"
    asked = log.read_text()
    assert "git@git.example git-upload-pack" in asked
    assert "git@git.example git-receive-pack" in asked
    assert project.server.addresses == []


def test_the_certificates_that_python_trusts_are_gits_too(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = certificate_of_its_own(project.folder / "certificate.pem")
    with git_server(project.folder / "git", certificate=certificate) as server:
        login = Login(server.url("acme/widget.git"), server.user, server.password)
        monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
        with pytest.raises(UsageError, match=r"can't be reached: .*certificate"):
            project.open(login=login)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        assert project.open(login=login).base_sha == project.origin.git("rev-parse", "main")
