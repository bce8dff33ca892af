"""The way of a commit to its branch at the remote, and what becomes of it when somebody was there first."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ci_agent.errors import AuthenticationError, MovedError, UsageError
from ci_agent.workspace import Landed, Way, Workspace, open_source
from tests.support.git_server import Loss
from tests.support.repositories import Repository, make_repository
from tests.workspace.project import AUTHOR, BRANCH, PASSWORD, Project, laid_out, work

_RECEIVE = r"git-receive-pack$"  # the address a push goes to


def _hook(project: Project, script: str) -> None:
    """Let the origin run `script` before it takes a push."""
    hook = project.origin.path / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\n{script}\n")
    hook.chmod(0o755)


def test_a_push_moves_one_branch_and_nothing_else(project: Project) -> None:
    before = project.refs()
    done = work(project, {"b": "ours"})
    assert done.push() == Landed(BRANCH, done.sha, Way.AS_MADE)
    assert project.refs() == before | {BRANCH: done.sha}
    assert project.origin.git("tag") == "v1"


def test_the_same_push_twice_is_one(project: Project) -> None:
    done = work(project, {"b": "ours"})
    assert done.push() == done.push()
    assert project.refs()[BRANCH] == done.sha


# --- somebody was faster ----------------------------------------------------------------------------------


def test_work_goes_on_top_of_what_somebody_pushed_meanwhile(project: Project) -> None:
    first = project.push(BRANCH, {"a": "6"})
    done = work(project, {"b": "ours"})
    theirs = project.push(BRANCH, {"c": "theirs"}, onto=BRANCH)
    landed = done.push()
    assert (landed.branch, landed.way) == (BRANCH, Way.ON_TOP)
    assert project.refs() == {"main": project.origin.git("rev-parse", "main"), BRANCH: landed.sha}
    log = project.origin.git("log", "--format=%H %P|%an|%B", "-1", BRANCH)
    assert log == f"{landed.sha} {theirs}|ci-agent|Do it\n\nBecause.\n\nRefs: #1"
    assert project.origin.git("rev-parse", f"{theirs}^") == first
    assert [project.origin.show(BRANCH, name) for name in "abc"] == ["6", "ours", "theirs"]


def test_work_in_the_same_file_goes_on_top_where_it_does_not_conflict(project: Project) -> None:
    lines = [f"line {number}" for number in range(20)]
    project.push(BRANCH, {"a": "\n".join(lines)})
    done = work(project, {"a": "\n".join(["ours", *lines[1:]])})
    project.push(BRANCH, {"a": "\n".join([*lines[:-1], "theirs"])}, onto=BRANCH)
    assert done.push().way is Way.ON_TOP
    assert project.origin.show(BRANCH, "a") == "\n".join(["ours", *lines[1:-1], "theirs"])


def test_work_that_conflicts_is_saved_beside_and_neither_is_lost(project: Project) -> None:
    project.push(BRANCH, {"a": "6"})
    done = work(project, {"a": "ours"})
    theirs = project.push(BRANCH, {"a": "theirs"}, onto=BRANCH)
    landed = done.push()
    assert landed == Landed(f"{BRANCH}-{done.sha[:8]}", done.sha, Way.BESIDE)
    refs = project.refs()
    assert (refs[BRANCH], refs[landed.branch]) == (theirs, done.sha)


@pytest.mark.parametrize("what", ["rewritten", "taken back", "deleted"])
def test_who_takes_commits_away_from_the_branch_does_not_get_them_back(what: str, project: Project) -> None:
    project.push(BRANCH, {"a": "6"})
    done = work(project, {"b": "ours"})
    if what == "deleted":
        project.origin.git("branch", "--quiet", "-D", BRANCH)
    else:
        project.push(BRANCH, *([{"a": "anew"}] if what == "rewritten" else []))
    theirs = project.refs()
    landed = done.push()
    assert landed.way is Way.BESIDE
    assert project.refs() == theirs | {landed.branch: done.sha}


def test_a_branch_that_somebody_made_meanwhile_at_the_base_is_the_one(project: Project) -> None:
    done = work(project, {"b": "ours"})
    project.push(BRANCH)
    assert done.push() == Landed(BRANCH, done.sha, Way.AS_MADE)
    assert project.refs()[BRANCH] == done.sha


def test_a_run_without_a_change_leaves_what_somebody_added(project: Project) -> None:
    sha = project.push(BRANCH, {"a": "6"})
    done = work(project, {})
    done.sha = sha  # nothing was made, so the commit is the one before
    theirs = project.push(BRANCH, {"c": "theirs"}, onto=BRANCH)
    assert done.push() == Landed(BRANCH, sha, Way.AS_MADE)
    assert project.refs()[BRANCH] == theirs


def test_who_is_faster_each_time_does_not_keep_the_work_from_being_saved(project: Project) -> None:
    """The hook pushes a commit of somebody else at the very moment of each push of ours."""
    project.push(BRANCH, {"a": "6"})
    done = work(project, {"b": "ours"})
    _hook(
        project,
        "read -r _ _ ref\n"
        f"[ $ref = refs/heads/{BRANCH} ] || exit 0\n"
        "unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES\n"
        "export GIT_AUTHOR_NAME=R GIT_AUTHOR_EMAIL=r@x GIT_COMMITTER_NAME=R GIT_COMMITTER_EMAIL=r@x\n"
        'git update-ref $ref $(git commit-tree -p $ref -m "Faster" $ref^{tree})\n',
    )
    landed = done.push()
    assert landed == Landed(f"{BRANCH}-{done.sha[:8]}", done.sha, Way.BESIDE)
    assert project.refs()[landed.branch] == done.sha
    assert project.origin.git("log", "--format=%s", BRANCH).splitlines()[:4] == [*["Faster"] * 3, "Mend it"]


def test_in_a_persons_own_repository_it_is_for_them_to_decide(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1"})
    bare = tmp_path / "bare.git"
    repository.git("clone", "--quiet", "--bare", str(repository.path), str(bare))
    repository.git("remote", "add", "origin", str(bare))
    workspace = laid_out(open_source(str(repository.path), None, tmp_path / "clones"), tmp_path / "session")
    sha = workspace.control.commit(workspace.tree(), str(workspace.start), "Ours", AUTHOR)
    repository.git("checkout", "--quiet", "-b", BRANCH)
    theirs = repository.commit({"a": "theirs"})
    repository.git("push", "--quiet", str(bare), BRANCH)
    with pytest.raises(MovedError, match=f"somebody else moved the branch {BRANCH} meanwhile"):
        workspace.push(sha, BRANCH, AUTHOR)
    assert Repository(bare).git("rev-parse", BRANCH) == theirs


def test_a_copys_own_branch_does_not_replace_the_one_at_the_remote(project: Project) -> None:
    """An earlier run's work that was never pushed, and a colleague's branch of the same name."""
    url = project.server.url("acme/widget.git", user="x-access-token", password=PASSWORD)
    source = open_source(url, None, project.folder / "clones")
    workspace = laid_out(source, project.folder / "session")
    (workspace.root / "b").write_text("ours")
    sha = workspace.control.commit(workspace.tree(), source.base_sha, "Ours", AUTHOR)
    workspace.control.hand_over(sha, BRANCH)
    theirs = project.push(BRANCH, {"a": "theirs"})
    source = open_source(url, None, project.folder / "clones")
    later = laid_out(source, project.folder / "session-2")
    assert later.start == sha
    assert later.push(sha, BRANCH, AUTHOR).way is Way.BESIDE
    assert project.refs()[BRANCH] == theirs


# --- connections, rights and rules ------------------------------------------------------------------------


@pytest.mark.parametrize("after", [False, True])
def test_a_lost_connection_costs_nothing(after: bool, project: Project) -> None:
    done = work(project, {"b": "ours"})
    project.server.losses.append(Loss(_RECEIVE, after=after))
    assert done.push() == Landed(BRANCH, done.sha, Way.AS_MADE)
    assert project.server.losses[0].times == 0
    assert project.refs()[BRANCH] == done.sha


def test_a_push_that_an_earlier_try_has_just_done_is_done(project: Project) -> None:
    """The hook moves the branch before the server does, as the try before does whose answer was lost."""
    done = work(project, {"b": "ours"})
    done.push("elsewhere")
    _hook(
        project,
        f"read -r _ new ref; [ $ref = refs/heads/{BRANCH} ] || exit 0\n"
        "unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES\n"
        "git update-ref $ref $new\n",
    )
    assert done.push() == Landed(BRANCH, done.sha, Way.AS_MADE)
    assert project.refs()[BRANCH] == done.sha


def test_a_connection_that_is_lost_each_time_is_given_up(project: Project) -> None:
    done = work(project, {"b": "ours"})
    project.server.losses.append(Loss(_RECEIVE, times=100))
    with pytest.raises(UsageError, match="can't be reached"):
        done.push()
    assert project.server.losses[0].times == 97
    assert BRANCH not in project.refs()


def test_a_branch_that_the_server_protects_is_told_in_its_words(project: Project) -> None:
    project.server.protect("acme/widget.git", "main", BRANCH)
    done = work(project, {"b": "ours"})
    before = len(project.server.addresses)
    with pytest.raises(UsageError) as caught:
        done.push()
    assert str(caught.value).startswith(
        f"{project.server.url('acme/widget.git')} protects the branch {BRANCH}: GitLab: You are not allowed to push "
    )
    assert "`git.branch`" in str(caught.value)
    pushes = [address for address in project.server.addresses[before:] if re.search(_RECEIVE, address)]
    assert len([address for address in pushes if "info/refs" not in address]) == 1
    assert BRANCH not in project.refs()


def test_a_rule_that_only_the_server_knows_is_told_in_its_words(project: Project) -> None:
    _hook(project, 'echo "commits need a ticket number" >&2; exit 1')
    with pytest.raises(UsageError, match="a rule or hook there says: commits need a ticket number"):
        work(project, {"b": "ours"}).push()


def test_a_token_that_may_not_change_workflows_is_told_what_it_needs(project: Project) -> None:
    _hook(project, "echo 'refusing to allow a GitHub App to create or update workflow' >&2; exit 1")
    with pytest.raises(AuthenticationError, match="`workflows: write`"):
        work(project, {"b": "ours"}).push()


def test_a_token_that_was_revoked_meanwhile_is_told(project: Project) -> None:
    done = work(project, {"b": "ours"})
    project.server.password = "another"
    with pytest.raises(AuthenticationError, match=r"does not let us in.*token is valid") as caught:
        done.push()
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("branch", ["main", "trunk"])
def test_nothing_is_ever_pushed_to_the_base_or_the_default_branch(branch: str, project: Project) -> None:
    project.push("trunk")
    project.origin.git("symbolic-ref", "HEAD", "refs/heads/trunk")
    done = work(project, {"b": "ours"})
    before, asked = project.refs(), len(project.server.addresses)
    with pytest.raises(UsageError, match=f"nothing is ever pushed to {branch}"):
        done.push(branch)
    assert (project.refs(), len(project.server.addresses)) == (before, asked)


def test_options_of_the_users_own_pushes_are_not_for_ours(project: Project) -> None:
    (project.folder / "home" / ".gitconfig").write_text(
        "[push]\n\tpushOption = merge_request.create\n\tfollowTags = true\n[commit]\n\tgpgSign = true\n"
    )
    assert work(project, {"b": "ours"}).push().way is Way.AS_MADE


def test_without_a_remote_there_is_nowhere_to_push_to(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1"})
    workspace = Workspace(open_source(str(repository.path), None, tmp_path / "clones"), tmp_path / "session")
    with pytest.raises(UsageError, match="no remote called origin"):
        workspace.push(repository.git("rev-parse", "HEAD"), BRANCH, AUTHOR)
