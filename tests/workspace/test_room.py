"""Clean checkouts for the harness's own commands, with real git."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ci_agent.errors import GitError
from ci_agent.workspace import Control, Room, Workspace, open_source
from tests.support.repositories import Repository, make_repository


def _control(repository: Repository, tmp_path: Path) -> Control:
    control = Control(open_source(str(repository.path), None, tmp_path / "clones"), tmp_path / "session")
    control.make()
    return control


def _in(room: Room, script: str) -> str:
    done = subprocess.run(["sh", "-c", script], cwd=room.root, check=True, capture_output=True, text=True)
    return done.stdout


def _names(room: Room) -> list[str]:
    found = [path for path in room.root.rglob("*") if ".git" not in path.relative_to(room.root).parts]
    return sorted(str(path.relative_to(room.root)) for path in found)


def test_a_room_holds_the_files_of_a_tree_and_nothing_else(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1", "gone": "1", ".gitignore": "*.local\n"})
    workspace = Workspace(open_source(str(repository.path), None, tmp_path / "clones"), tmp_path / "session")
    workspace.lay_out()
    workspace.open_for_agent(workspace.source.base_sha)
    work = "echo 2 > a; rm gone; mkdir -p d/empty; echo x > d/new; echo x > my.local; git init -q inner; echo x > inner/y"
    subprocess.run(["sh", "-c", work], cwd=workspace.root, check=True)
    tree = workspace.tree()
    room = Room(workspace.control, tmp_path / "session" / "result")
    room.lay_out(tree, workspace.source.base_sha)
    assert _names(room) == [".gitignore", "a", "d", "d/new"]
    assert (room.root / "a").read_text() == "2\n"
    assert room.root.name == "shop"
    assert _in(room, "git log --format=%s").strip() == "First commit"
    assert _in(room, "git status --porcelain").split() == ["M", "a", "A", "d/new", "D", "gone"]


def test_other_files_are_put_into_the_same_room_and_what_set_up_made_stays(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1", "only/here": "1", "same": "1"})
    control = _control(repository, tmp_path)
    base = control.tree_of(control.source.base_sha)
    repository.git("rm", "-q", "-r", "only")
    repository.commit({"a": "2", "new": "1"})
    other = control.tree_of(repository.git("rev-parse", "HEAD"))
    room = Room(control, tmp_path / "session" / "base")
    room.lay_out(base, control.source.base_sha)
    _in(room, "mkdir .venv; echo x > .venv/made; echo broken > same; rm a")
    room.put(other)
    assert _names(room) == [".venv", ".venv/made", "a", "new", "same"]
    assert [(room.root / name).read_text() for name in ("a", "same")] == ["2", "1"]
    room.put(base)
    assert _names(room) == [".venv", ".venv/made", "a", "only", "only/here", "same"]


def test_a_room_is_made_anew_in_the_same_place(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1"})
    control = _control(repository, tmp_path)
    room = Room(control, tmp_path / "session" / "result")
    for _ in range(2):
        room.lay_out(control.tree_of(control.source.base_sha), control.source.base_sha)
        assert _names(room) == ["a"]
        _in(room, "echo left > behind; chmod 500 .; git config core.hooksPath x")
    room.remove()
    assert not room.root.exists()
    with pytest.raises(GitError, match="no checkout"):
        room.put(control.tree_of(control.source.base_sha))


def test_tests_that_delete_or_replace_the_room_write_nowhere_else(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1"})
    control = _control(repository, tmp_path)
    tree = control.tree_of(control.source.base_sha)
    room = Room(control, tmp_path / "session" / "result")
    room.lay_out(tree, control.source.base_sha)
    subprocess.run(["rm", "-rf", str(room.root)], check=True)
    room.put(tree)
    assert _names(room) == ["a"]
    subprocess.run(["rm", "-rf", str(room.root)], check=True)
    (tmp_path / "elsewhere").mkdir()
    room.root.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(GitError, match="replaced by a link"):
        room.put(tree)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_link_above_the_room_is_not_followed_either(tmp_path: Path) -> None:
    """To a person's repository of the same name, say: what we write there would be theirs."""
    repository = make_repository(tmp_path / "persons" / "shop", {"a": "1"})
    repository.write({"a": "not committed"})
    control = _control(repository, tmp_path)
    tree = control.tree_of(control.source.base_sha)
    room = Room(control, tmp_path / "session" / "result")
    room.lay_out(tree, control.source.base_sha)
    room.root.parent.rename(tmp_path / "session" / "moved")
    room.root.parent.symlink_to(tmp_path / "persons")
    with pytest.raises(GitError, match="replaced by a link"):
        room.put(tree)
    assert (repository.path / "a").read_text() == "not committed"


def test_nothing_in_a_room_reaches_the_persons_repository(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop", {"a": "1"})
    before = repository.fingerprint()
    control = _control(repository, tmp_path)
    room = Room(control, tmp_path / "session" / "base")
    room.lay_out(control.tree_of(control.source.base_sha), control.source.base_sha)
    _in(
        room,
        "git commit -q --allow-empty -m x 2>&1 || true; git update-ref -d refs/heads/main; git gc -q --prune=now",
    )
    assert repository.fingerprint() == before


def test_some_files_of_another_tree(tmp_path: Path) -> None:
    base = {"src/a.py": "1", "tests/test_a.py": "1", "tests/old.py": "1", "keep": "1"}
    repository = make_repository(tmp_path / "shop", base)
    control = _control(repository, tmp_path)
    repository.git("rm", "-q", "tests/old.py")
    repository.commit({"src/a.py": "2", "tests/test_a.py": "2", "tests/ä b.py": "2"})
    (repository.path / "tests" / "run.sh").write_text("x")
    (repository.path / "tests" / "run.sh").chmod(0o755)
    repository.git("add", "-A")
    repository.commit({})
    base_tree, result = (control.tree_of(repository.git("rev-parse", name)) for name in ("HEAD~2", "HEAD"))
    paths = ["tests/test_a.py", "tests/old.py", "tests/ä b.py", "tests/run.sh", "never/there"]
    mixed = control.with_files_of(base_tree, result, paths)
    listing = control._git("ls-tree", "-r", "--format=%(objectmode) %(path)", mixed).decode().splitlines()
    assert listing == [
        "100644 keep",
        "100644 src/a.py",
        "100755 tests/run.sh",
        "100644 tests/test_a.py",
        "100644 tests/ä b.py",
    ]
    room = Room(control, tmp_path / "session" / "base")
    room.lay_out(mixed, control.source.base_sha)
    assert [(room.root / name).read_text() for name in ("src/a.py", "tests/test_a.py")] == ["1", "2"]
