"""The `write_file` tool."""

from __future__ import annotations

import resource

import pytest

from ci_agent.tools import World
from tests.tools.conftest import Do


def test_a_new_file_is_created_with_its_folders(do: Do, world: World) -> None:
    assert do("write_file", path="a/b/c.txt", content="one\ntwo\n").text == "created a/b/c.txt, 2 lines"
    assert (world.root / "a" / "b" / "c.txt").read_text() == "one\ntwo\n"


def test_a_file_is_replaced_and_stays_executable(do: Do, world: World) -> None:
    script = world.root / "run"
    script.write_text("old")
    script.chmod(0o755)
    assert do("write_file", path="run", content="new").text == "replaced run, 1 line"
    assert script.read_text() == "new"
    assert script.stat().st_mode & 0o777 == 0o755


def test_a_new_file_has_the_mode_others_get(do: Do, world: World) -> None:
    (world.root / "other").touch()
    do("write_file", path="mine", content="")
    assert (world.root / "mine").stat().st_mode == (world.root / "other").stat().st_mode


@pytest.mark.parametrize("content", ["", "é\n", "a\r\nb\r\n", "a\0b", "😀"])
def test_the_content_is_written_as_it_is(content: str, do: Do, world: World) -> None:
    do("write_file", path="a", content=content)
    assert (world.root / "a").read_bytes() == content.encode()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (".", "This is the workspace itself"),
        ("folder", "folder is there and is not a file."),
        ("file/x", "A part of file/x is a file"),
        ("x" * 300, "write_file failed: File name too long"),
    ],
)
def test_where_no_file_can_be_is_said(path: str, said: str, do: Do, world: World) -> None:
    (world.root / "folder").mkdir()
    (world.root / "file").touch()
    answer = do("write_file", path=path, content="x")
    assert not answer.ok
    assert said in answer.text


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(do: Do, world: World) -> None:
    (world.root / "a").write_text("old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))  # a disk with room for ten bytes
    try:
        answer = do("write_file", path="a", content="x" * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert answer.text == "write_file failed: File too large"
    assert (world.root / "a").read_text() == "old"
    assert sorted(path.name for path in world.root.iterdir()) == [".git", "a"]


def test_what_is_written_can_be_run(do: Do, world: World) -> None:
    do("write_file", path="script.sh", content="echo from a file\n")
    assert do("bash", command="bash script.sh").text.startswith("from a file\n[exit 0")
