"""The checkout, the control repository, and that nothing a command leaves behind decides what git does."""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path

import pytest

from ci_agent.errors import GitError, UsageError
from ci_agent.journal.events import FileChanged
from ci_agent.workspace import Author, Workspace, check_branch_name, open_source
from tests.support.git_server import git_server
from tests.support.repositories import Repository, make_repository

_AUTHOR = Author("ci-agent", "ci-agent@example.org")
_BRANCH = "feat/ai-task-1"


def _workspace(repository: Repository, folder: Path, *, base: str | None = None) -> Workspace:
    source = open_source(str(repository.path), base, folder / "clones").continuing(_BRANCH, None)
    workspace = Workspace(source, folder / "session")
    workspace.lay_out()
    workspace.open_for_agent(source.branch_sha(_BRANCH) or source.base_sha)
    return workspace


def _in(workspace: Workspace, script: str) -> str:
    """What a command of the agent would do."""
    done = subprocess.run(["sh", "-ec", script], cwd=workspace.root, capture_output=True, check=True)
    return os.fsdecode(done.stdout)


def _deliver(workspace: Workspace, message: str = "Change it") -> str:
    source = workspace.source
    parent = source.branch_sha(_BRANCH) or source.base_sha
    sha = workspace.control.commit(workspace.tree(), parent, message, _AUTHOR)
    workspace.control.hand_over(sha, _BRANCH)
    return sha


def test_the_work_arrives_as_a_branch_and_nothing_else_of_the_person_changes(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "my shop", {"a.txt": "1\n", "gone": "x\n"})
    repository.write({"a.txt": "edited by hand\n", "untracked": "mine\n"})
    repository.git("add", "a.txt")
    before = repository.fingerprint()
    workspace = _workspace(repository, tmp_path)
    _in(workspace, "echo 2 > a.txt; rm gone; mkdir -p d; echo n > d/new")
    sha = _deliver(workspace)
    workspace.remove()
    assert repository.fingerprint() == before
    assert repository.git("rev-parse", _BRANCH) == sha
    assert repository.git("log", "--format=%an <%ae> %s", f"main..{_BRANCH}") == (
        "ci-agent <ci-agent@example.org> Change it"
    )
    assert repository.git("diff", "--name-status", "main", _BRANCH).split() == [
        "M", "a.txt", "A", "d/new", "D", "gone",
    ]  # fmt: skip


def test_git_in_the_checkout_shows_history_and_tags(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1"})
    repository.git("tag", "v1.0")
    workspace = _workspace(repository, tmp_path)
    assert _in(workspace, "git describe --tags").strip() == "v1.0"
    assert _in(workspace, "git status --porcelain") == ""
    assert _in(workspace, "git rev-parse --abbrev-ref HEAD").strip() == "work"
    _in(workspace, "echo 2 > a")
    assert "+2" in _in(workspace, "git diff")


def test_what_a_command_does_with_git_means_nothing(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1\n"})
    before = repository.git("for-each-ref")
    workspace = _workspace(repository, tmp_path)
    _in(
        workspace,
        "echo 2 > a; git -c user.name=x -c user.email=x commit -qam evil; git branch -f main HEAD;"
        "git tag evil; git checkout -q --detach; git update-ref -d refs/heads/main; rm -rf .git/objects",
    )
    assert repository.git("for-each-ref") == before
    sha = _deliver(workspace)
    assert repository.show(sha, "a") == "2"
    assert repository.git("log", "--format=%s", _BRANCH).splitlines() == ["Change it", "First commit"]


def test_hooks_filters_and_monitors_that_a_command_left_are_not_run(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"a.txt": "1\n"})
    workspace = _workspace(repository, tmp_path)
    trap = tmp_path / "trap"
    script = tmp_path / "evil"
    script.write_text(f"#!/bin/sh\necho ran >> {trap}\ncat\n")
    script.chmod(0o755)
    _in(
        workspace,
        f"git config core.hooksPath {tmp_path}/hooks; git config core.fsmonitor {script};"
        f"git config filter.evil.clean {script}; git config filter.evil.smudge {script};"
        f"git config diff.external {script}; git config core.pager {script};"
        f"mkdir -p .git/hooks; cp {script} .git/hooks/pre-commit; cp {script} .git/hooks/post-checkout;"
        "echo '* filter=evil diff=evil' > .gitattributes; echo 2 > a.txt",
    )
    # The control: with the repository that the command wrote, git does run what it left.
    _in(workspace, "git add -A")
    assert trap.exists()
    trap.unlink()
    sha = _deliver(workspace)
    workspace.control.changes(sha)
    workspace.control.diff(sha)
    assert not trap.exists()
    assert repository.show(sha, "a.txt") == "2"


def test_a_repository_made_inside_the_checkout_is_left_out(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1"})
    workspace = _workspace(repository, tmp_path)
    _in(workspace, "git init -q inner; echo x > inner/f; echo 2 > a")
    assert [change.path for change in workspace.control.changes(workspace.tree())] == ["a"]


def test_a_submodule_stays_as_it_is(tmp_path: Path) -> None:
    inner = make_repository(tmp_path / "inner", {"f": "1"})
    repository = make_repository(tmp_path / "shop", {"a": "1"})
    repository.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner.path), "lib")
    repository.commit({}, "Add lib")
    workspace = _workspace(repository, tmp_path)
    _in(workspace, "mkdir -p lib; echo x > lib/f; echo 2 > a")
    sha = _deliver(workspace)
    assert [change.path for change in workspace.control.changes(sha)] == ["a"]
    assert repository.git("ls-tree", sha, "lib").startswith("160000 commit")


def test_what_setup_and_tests_left_before_the_work_is_no_part_of_it(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1", "src/b": "1"})
    source = open_source(str(repository.path), None, tmp_path / "clones")
    workspace = Workspace(source, tmp_path / "session")
    workspace.lay_out()
    with workspace.harness_running():
        _in(
            workspace,
            "echo x > 'report [1].log'; mkdir build; echo x > build/out; echo x > src/left; echo 9 > a",
        )
    workspace.open_for_agent(source.base_sha)
    assert (workspace.root / "a").read_text() == "1"  # a tracked file that set-up changed is put back
    assert (workspace.root / "build" / "out").exists()
    _in(workspace, "echo y >> 'report [1].log'; echo y > build/more; echo y > report1.log; echo y > src/new")
    assert [change.path for change in workspace.control.changes(workspace.tree())] == [
        "report1.log",
        "src/new",
    ]
    assert workspace.left_out() == [
        "build/more",
        "report [1].log",
    ]  # what set-up made and the agent changed, too
    assert _in(workspace, "git status --porcelain -uall").split() == ["??", "report1.log", "??", "src/new"]


def test_droppings_of_test_runners_are_no_part_of_the_work(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1"})
    workspace = _workspace(repository, tmp_path)
    _in(
        workspace,
        "mkdir -p x/__pycache__ .pytest_cache node_modules/y; touch x/__pycache__/z.pyc node_modules/y/i",
    )
    assert workspace.control.changes(workspace.tree()) == ()


def test_names_and_contents_of_any_kind_arrive_unchanged(tmp_path: Path) -> None:
    files = {"späce \t\n name": b"\xff\x00\xfe", "crlf.txt": b"a\r\nb\r\n", "latin": "é".encode("latin-1")}
    repository = make_repository(tmp_path / "shop", {**files, "kept": b"\x00\x01"})
    workspace = _workspace(repository, tmp_path)
    (workspace.root / "crlf.txt").write_bytes(b"a\r\nc\r\n")
    (workspace.root / "kept").write_bytes(b"\x00\x02")
    Path(os.fsdecode(os.fsencode(workspace.root) + b"/\xff\xfe")).write_bytes(b"x\n")
    sha = _deliver(workspace)
    assert workspace.control.changes(sha) == (
        FileChanged("crlf.txt", 1, 1),
        FileChanged("kept", None, None),
        FileChanged("��", 1, 0),
    )
    raw = subprocess.run(
        ["git", "show", f"{sha}:crlf.txt"], cwd=repository.path, capture_output=True, check=True
    )
    assert raw.stdout == b"a\r\nc\r\n"


def test_the_patch_takes_the_base_to_the_result_binary_files_included(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1\n", "b": b"\x00\x01", "old": "same\n" * 20})
    workspace = _workspace(repository, tmp_path)
    _in(workspace, "echo 2 > a; printf '\\000\\003' > b; git mv old new; printf 'no end' > c; chmod +x a")
    sha = _deliver(workspace)
    patch = tmp_path / "it.patch"
    patch.write_bytes(workspace.control.diff(sha))
    repository.git("apply", "--index", str(patch))
    assert repository.git("write-tree") == repository.git("rev-parse", f"{sha}^{{tree}}")
    assert FileChanged("new", 0, 0, "old") in workspace.control.changes(sha)


def test_an_earlier_runs_branch_is_gone_on_with(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1\n"})
    first = _workspace(repository, tmp_path / "1")
    _in(first, "echo 2 > a")
    one = _deliver(first)
    repository.commit({"other": "moved on\n"}, "The base moves on")
    second = _workspace(repository, tmp_path / "2")
    assert (second.root / "a").read_text() == "2\n"
    _in(second, "echo 3 > b")
    two = _deliver(second)
    assert repository.git("rev-parse", f"{two}^") == one
    assert [change.path for change in second.control.changes(two)] == ["a", "b"]


def test_a_branch_that_somebody_moved_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1"})
    workspace = _workspace(repository, tmp_path)
    repository.git("checkout", "--quiet", "-b", _BRANCH)
    theirs = repository.commit({"a": "theirs"})
    repository.git("checkout", "--quiet", "main")
    _in(workspace, "echo ours > a")
    sha = workspace.control.commit(workspace.tree(), workspace.source.base_sha, "Ours", _AUTHOR)
    with pytest.raises(GitError, match="rejected"):
        workspace.control.hand_over(sha, _BRANCH)
    assert repository.git("rev-parse", _BRANCH) == theirs


def test_a_branch_that_is_checked_out_is_not_moved_under_a_persons_feet(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1"})
    workspace = _workspace(repository, tmp_path)
    repository.git("checkout", "--quiet", "-b", _BRANCH)
    _in(workspace, "echo ours > a")
    sha = workspace.control.commit(workspace.tree(), workspace.source.base_sha, "Ours", _AUTHOR)
    with pytest.raises(GitError, match="checked out"):
        workspace.control.hand_over(sha, _BRANCH)


def test_a_shallow_clone_can_be_worked_on(tmp_path: Path) -> None:
    full = make_repository(tmp_path / "full", {"a": "1"})
    full.commit({"a": "2"})
    full.git("clone", "--quiet", "--depth=1", full.path.as_uri(), str(tmp_path / "shallow"))
    shallow = Repository(tmp_path / "shallow")
    workspace = _workspace(shallow, tmp_path)
    _in(workspace, "git log --oneline; echo 3 > a")
    sha = _deliver(workspace)
    assert shallow.show(sha, "a") == "3"


def test_a_push_takes_one_branch_over_http_with_a_password(tmp_path: Path) -> None:
    seed = make_repository(tmp_path / "seed", {"a": "1"})
    bare = tmp_path / "srv" / "shop.git"
    seed.git("clone", "--quiet", "--bare", str(seed.path), str(bare))
    with git_server(tmp_path / "srv") as server:
        url = server.url("shop.git", user="oauth2", password="s3cret")
        source = open_source(url, None, tmp_path / "clones")
        workspace = Workspace(source, tmp_path / "session")
        workspace.lay_out()
        workspace.open_for_agent(source.base_sha)
        _in(workspace, "echo 2 > a")
        sha = _deliver(workspace)
        assert source.remote is not None
        workspace.push(sha, _BRANCH, _AUTHOR)
    refs = subprocess.run(
        ["git", "for-each-ref", "--format=%(refname) %(objectname)"],
        cwd=bare,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert refs.splitlines() == [f"refs/heads/{_BRANCH} {sha}", f"refs/heads/main {source.base_sha}"]
    kept = b"".join(path.read_bytes() for path in (tmp_path / "session").rglob("*") if path.is_file())
    assert b"s3cret" not in kept


def test_read_only_folders_of_tests_can_be_removed(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1"})
    workspace = _workspace(repository, tmp_path)
    _in(workspace, "mkdir -p locked/in; touch locked/in/f; chmod 500 locked/in locked")
    workspace.remove()
    assert not workspace.root.exists()


@pytest.mark.parametrize(
    "name", ["-x", "a b", "a..b", "a~1", "", "refs/heads/../x", "a.lock", "@{-1}", "a\0b"]
)
def test_a_name_git_would_not_take_for_a_branch_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="branch name"):
        check_branch_name(name)


def test_an_ordinary_branch_name_is_fine() -> None:
    check_branch_name("feat/ai-task-12")


def _laid_out(repository: Repository, folder: Path) -> Workspace:
    workspace = Workspace(open_source(str(repository.path), None, folder / "clones"), folder / "session")
    workspace.lay_out()
    return workspace


def test_a_link_to_the_persons_repository_that_set_up_left_is_not_written_through(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1"})
    repository.git("branch", "keep-me")
    repository.git("pack-refs", "--all")
    before, refs = repository.fingerprint(), repository.git("for-each-ref")
    for left in (
        f"rm -rf .git; ln -s {repository.path}/.git .git",
        f"rm -rf .git; echo 'gitdir: {repository.path}/.git' > .git",
        f"rm -rf .git/refs .git/packed-refs; ln -s {repository.path}/.git/packed-refs .git/packed-refs",
    ):
        workspace = _laid_out(repository, tmp_path)
        with workspace.harness_running():
            _in(workspace, left)
        workspace.open_for_agent(workspace.source.base_sha)
        assert repository.fingerprint() == before
        assert repository.git("for-each-ref") == refs
        assert _in(workspace, "git log --format=%s").strip() == "First commit"
        workspace.remove()
    assert repository.fingerprint() == before


def test_commands_have_a_repository_of_their_own_from_the_beginning(tmp_path: Path) -> None:
    """Else git would walk up, into whatever repository the state folder lies in."""
    home = make_repository(tmp_path / "home", {"dotfile": "1"})
    home.write({"dotfile": "edited"})
    repository = make_repository(tmp_path / "shop", {"a": "1"})
    workspace = _laid_out(repository, home.path)
    assert _in(workspace, "git rev-parse HEAD").strip() == repository.git("rev-parse", "HEAD")
    _in(workspace, "git reset -q --hard; git checkout -q -b side; git config core.hooksPath x")
    assert (home.path / "dotfile").read_text() == "edited"
    assert home.git("rev-parse", "--abbrev-ref", "HEAD") == "main"


def test_what_a_person_ignores_for_themselves_is_never_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1", "kept.env": "tracked all the same"})
    (repository.path / ".git" / "info").mkdir(exist_ok=True)
    (repository.path / ".git" / "info" / "exclude").write_text("# mine\n*.env\n")
    (tmp_path / "ignore").write_text("*.swp\n")
    (tmp_path / ".gitconfig").write_text(f"[core]\n\texcludesFile = {tmp_path}/ignore\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    workspace = _workspace(repository, tmp_path)
    _in(workspace, "echo SECRET=1 > local.env; echo x > .a.swp; echo 2 > a; echo more >> kept.env")
    assert [change.path for change in workspace.control.changes(workspace.tree())] == ["a", "kept.env"]


def test_what_the_agent_leaves_outside_of_the_tree_is_told(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {".gitignore": "*.local\ngen/\n", "a": "1"})
    workspace = _laid_out(repository, tmp_path)
    with workspace.harness_running():
        _in(
            workspace,
            "mkdir -p gen .venv/lib; echo 1 > gen/made-by-set-up; echo 1 > .venv/lib/there; echo 1 > old.local",
        )
    workspace.open_for_agent(workspace.source.base_sha)
    _in(
        workspace,
        "echo x > new.local; echo x > gen/more; echo x > .venv/lib/poison; git init -q inner; echo x > inner/m;"
        "mkdir -p __pycache__; echo x > __pycache__/c.pyc; echo 2 > a; echo 22 > old.local; rm .venv/lib/there",
    )
    workspace.tree()
    assert workspace.left_out() == [
        *(".venv/lib/poison", ".venv/lib/there", "gen/more", "inner", "new.local", "old.local"),
    ]


def test_what_tests_change_is_put_back_and_what_they_make_is_no_work(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1\n", "b": "1\n"})
    workspace = _workspace(repository, tmp_path)
    _in(workspace, "echo 2 > a; echo new > c")
    _in(workspace, "mkdir reports; echo x > local.tmp")
    tree = workspace.tree()
    with workspace.harness_running():
        _in(workspace, "echo broken > a; rm b; echo out > result.bin; rm c; echo 1 > reports/1")
    _in(workspace, "echo 2 > reports/2")
    assert [(workspace.root / name).read_text() for name in ("a", "b", "c")] == ["2\n", "1\n", "new\n"]
    assert (workspace.root / "result.bin").exists()
    assert workspace.tree() == tree
    assert workspace.left_out() == ["reports/2"]


def test_a_run_of_the_tests_does_not_make_files_of_the_agent_known(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {".gitignore": "*.local\n", "a": "1"})
    workspace = _workspace(repository, tmp_path)
    _in(workspace, "echo x > mine.local; echo 2 > a")
    workspace.tree()
    with workspace.harness_running():
        _in(workspace, "echo x > of-the-run.local")
    assert workspace.left_out() == ["mine.local"]


def test_what_every_run_writes_anew_is_not_blamed_on_the_agent(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {".gitignore": "*.local\n", "a": "1"})
    workspace = _laid_out(repository, tmp_path)
    with workspace.harness_running():
        _in(workspace, "echo 1 > report.xml; echo 1 > settings.local")
    workspace.open_for_agent(workspace.source.base_sha)
    _in(workspace, "echo by the agent > settings.local")
    with workspace.harness_running():
        _in(workspace, "echo 22 > report.xml")
    assert workspace.left_out() == ["settings.local"]


def test_installed_files_that_changed_are_noticed(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {".gitignore": ".venv/\n", "a": "1"})
    workspace = _laid_out(repository, tmp_path)
    with workspace.harness_running():
        _in(workspace, "mkdir -p .venv/lib; echo 1 > .venv/lib/x.py; echo 1 > .venv/lib/y.py")
    workspace.open_for_agent(workspace.source.base_sha)
    assert workspace.left_out() == []
    _in(workspace, "echo 22 > .venv/lib/x.py; rm .venv/lib/y.py")
    assert workspace.left_out() == [".venv/lib/x.py", ".venv/lib/y.py"]


def test_a_file_git_cannot_take_does_not_keep_the_others_off_the_branch(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1", "b": "1"})
    workspace = _workspace(repository, tmp_path)
    _in(workspace, "echo 2 > a; touch 'git~1'; mkdir -p sub/.GIT; touch sub/.GIT/x")
    assert "a" in [change.path for change in workspace.control.changes(workspace.tree())]
    assert any("git~1" in trouble for trouble in workspace.troubles)


def test_a_file_that_git_refuses_outright_does_not_hide_what_changed_besides(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1", "b": "1"})
    workspace = _workspace(repository, tmp_path)
    _in(
        workspace,
        "echo 2 > a; rm b; echo '*.txt working-tree-encoding=UTF-16' > .gitattributes; echo plain > x.txt",
    )
    changed = [change.path for change in workspace.control.changes(workspace.tree())]
    assert changed == [".gitattributes", "a", "b"]
    assert any(trouble.startswith("x.txt: ") for trouble in workspace.troubles)


def test_a_lock_of_a_git_that_was_killed_is_not_in_the_way(tmp_path: Path) -> None:
    workspace = _workspace(make_repository(tmp_path / "shop", {"a": "1"}), tmp_path)
    _in(workspace, "echo 2 > a")
    [control] = (tmp_path / "session" / "control.git" / "worktrees").iterdir()
    (control / "index.lock").touch()
    assert [change.path for change in workspace.control.changes(workspace.tree())] == ["a"]


def test_tests_that_delete_the_checkout_delete_no_work(tmp_path: Path) -> None:
    workspace = _workspace(make_repository(tmp_path / "shop", {"a": "1", "b": "1"}), tmp_path)
    _in(workspace, "echo 2 > a")
    tree = workspace.tree()
    with workspace.harness_running():
        subprocess.run(["rm", "-rf", str(workspace.root)], check=True)
    assert workspace.tree() == tree
    assert (workspace.root / "a").read_text() == "2\n"


def test_a_push_uses_what_the_repositorys_own_configuration_says(tmp_path: Path) -> None:
    """CI's checkouts keep the token as a header there, and people their push address."""
    repository = make_repository(tmp_path / "shop", {"a": "1"})
    bare = tmp_path / "srv" / "there.git"
    repository.git("clone", "--quiet", "--bare", str(repository.path), str(bare))
    with git_server(tmp_path / "srv") as server:
        login = base64.b64encode(b"oauth2:s3cret").decode()
        repository.git("config", f"http.{server.url('')}.extraheader", f"AUTHORIZATION: basic {login}")
        repository.git("remote", "add", "origin", server.url("fetch-only.git"))
        repository.git("remote", "set-url", "--push", "origin", server.url("there.git"))
        workspace = _workspace(repository, tmp_path)
        _in(workspace, "echo 2 > a")
        sha = _deliver(workspace)
        assert workspace.source.remote is not None
        assert login not in repr(workspace.source)
        workspace.push(sha, _BRANCH, _AUTHOR)
    assert Repository(bare).git("rev-parse", _BRANCH) == sha


def test_a_checkout_that_a_command_deleted_is_said_to_be_gone(tmp_path: Path) -> None:
    workspace = _workspace(make_repository(tmp_path / "shop", {"a": "1"}), tmp_path)
    subprocess.run(["rm", "-rf", str(workspace.root)], check=True)
    with pytest.raises(GitError, match="is gone"):
        workspace.tree()


def test_a_checkout_replaced_by_a_link_is_not_followed(tmp_path: Path) -> None:
    workspace = _workspace(make_repository(tmp_path / "shop", {"a": "1"}), tmp_path)
    private = tmp_path / "private"
    private.mkdir()
    (private / "diary").write_text("mine")
    subprocess.run(["rm", "-rf", str(workspace.root)], check=True)
    workspace.root.symlink_to(private)
    with pytest.raises(GitError, match="replaced by a link"):
        workspace.tree()
    workspace.remove()
    assert (private / "diary").exists()


def test_a_folder_a_thousand_levels_deep_can_be_removed_or_is_left(tmp_path: Path) -> None:
    workspace = _workspace(make_repository(tmp_path / "shop", {"a": "1"}), tmp_path)
    _in(workspace, "i=0; while [ $i -lt 1200 ]; do mkdir d; cd d; i=$((i+1)); done; touch f")
    workspace.remove()
    subprocess.run(["rm", "-rf", str(workspace.root)], check=True)


def test_files_of_large_storage_are_told(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {".gitattributes": "*.psd filter=lfs\n", "a": "1"})
    workspace = _workspace(repository, tmp_path)
    assert workspace.in_large_storage(["x.psd", "a", "d/y.psd"]) == ["x.psd", "d/y.psd"]


def test_a_push_takes_no_tags_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1"})
    repository.git("tag", "-a", "private", "-m", "not for others")
    bare = tmp_path / "bare.git"
    repository.git("clone", "--quiet", "--bare", "--no-tags", str(repository.path), str(bare))
    repository.git("remote", "add", "origin", str(bare))
    (tmp_path / ".gitconfig").write_text("[push]\n\tfollowTags = true\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    workspace = _workspace(repository, tmp_path)
    _in(workspace, "echo 2 > a")
    sha = _deliver(workspace)
    assert workspace.source.remote is not None
    workspace.push(sha, _BRANCH, _AUTHOR)
    assert Repository(bare).git("for-each-ref", "--format=%(refname)").split() == [
        f"refs/heads/{_BRANCH}",
        "refs/heads/main",
    ]
