"""No path leads a file tool out of the workspace or into `.git`."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_agent.tools import World, all_tools, call
from tests.tools.conftest import Do, world_in

_CANARY = "canary-canary"


def _lay_traps(world: World) -> list[Path]:
    """Links out of the workspace and into `.git`, and the files none may reach."""
    root, outside = world.root, world.root.parent / "outside"
    outside.mkdir()
    secrets = [outside / "secret.txt", root / ".git" / "secret.txt", world.root.parent / "workspace2.txt"]
    for secret in secrets:
        secret.write_text(_CANARY)
    (root / "folder" / "deep").mkdir(parents=True)
    (root / "folder" / "file.txt").write_text("ours")
    (root / "to_file").symlink_to(outside / "secret.txt")
    (root / "to_folder").symlink_to(outside)
    (root / "to_git").symlink_to(".git")
    (root / "folder" / "up").symlink_to("../..")
    (root / "dangling").symlink_to(outside / "new.txt")
    (root / "chain").symlink_to("to_file")
    (root / "round").symlink_to("round")
    (root / "inside").symlink_to("folder/file.txt")
    return secrets


_ESCAPES = [
    "../outside/secret.txt",
    "folder/../../outside/secret.txt",
    "to_file",
    "chain",
    "./to_file",
    "to_folder/secret.txt",
    "to_folder/new.txt",
    "folder/up/outside/secret.txt",
    "dangling",
    "../workspace2.txt",
    "/etc/hostname",
    "//etc/hostname",
    "to_folder",
    "..",
    "/",
]
_GITS = [
    ".git/secret.txt",
    ".git",
    "folder/../.git/secret.txt",
    "to_git/secret.txt",
    ".GIT/secret.txt",
    ".git/new",
]
_TOOLS = [
    ("read_file", {}),
    ("write_file", {"content": "overwritten"}),
    ("edit_file", {"old": _CANARY, "new": "overwritten"}),
]


@pytest.mark.parametrize("path", [*_ESCAPES, *_GITS, "a\0b"])
@pytest.mark.parametrize(("tool", "arguments"), _TOOLS)
def test_a_path_that_leads_out_is_refused(
    path: str, tool: str, arguments: dict[str, str], do: Do, world: World
) -> None:
    secrets = _lay_traps(world)
    answer = do(tool, path=path, **arguments)
    assert not answer.ok
    assert _CANARY not in answer.text
    assert any(word in answer.text for word in ("outside the workspace", "belongs to git", "NUL"))
    assert all(secret.read_text() == _CANARY for secret in secrets)
    assert not (world.root.parent / "outside" / "new.txt").exists()
    assert not (world.root / ".git" / "new").exists()


@pytest.mark.parametrize("path", [*_ESCAPES, *_GITS])
def test_search_does_not_go_out_either(path: str, do: Do, world: World) -> None:
    _lay_traps(world)
    answer = do("search", pattern="canary", path=path)
    assert not answer.ok
    assert _CANARY not in answer.text


def test_an_absolute_path_of_outside_is_refused_and_one_of_inside_is_fine(do: Do, world: World) -> None:
    secrets = _lay_traps(world)
    assert not do("read_file", path=str(secrets[0])).ok
    assert "ours" in do("read_file", path=str(world.root / "folder" / "file.txt")).text


def test_a_link_that_stays_inside_is_followed_and_kept(do: Do, world: World) -> None:
    _lay_traps(world)
    assert "ours" in do("read_file", path="inside").text
    assert do("write_file", path="inside", content="new").ok
    assert (world.root / "inside").is_symlink()
    assert (world.root / "folder" / "file.txt").read_text() == "new"


def test_a_link_to_itself_is_an_answer(do: Do, world: World) -> None:
    _lay_traps(world)
    assert not do("read_file", path="round").ok
    assert do("write_file", path="round", content="x").text == "round is there and is not a file."


def test_a_workspace_behind_a_link_works(tmp_path: Path) -> None:
    world = world_in(tmp_path)
    (tmp_path / "link").symlink_to(world.root)
    behind = World(tmp_path / "link", world.outputs, world.sandbox, world.remaining, world.run_tests, 5)
    assert call("write_file", '{"path": "a.txt", "content": "x"}', all_tools(), behind).ok
    path = json.dumps({"path": str(tmp_path / "link" / "a.txt")})
    assert call("read_file", path, all_tools(), behind).text == "x"


@pytest.mark.parametrize("tool", ["read_file", "write_file", "edit_file"])
def test_a_pipe_does_not_hold_us_up(tool: str, do: Do, world: World) -> None:
    os.mkfifo(world.root / "pipe")
    answer = do(tool, path="pipe", content="x", old="x", new="y")
    assert not answer.ok
    assert answer.text.startswith("pipe is ")


def test_a_hard_link_to_a_file_outside_is_not_written_through(do: Do, world: World) -> None:
    secret = _lay_traps(world)[0]
    (world.root / "hard").hardlink_to(secret)
    assert do("write_file", path="hard", content="mine").ok
    assert secret.read_text() == _CANARY


def test_outputs_can_be_read_and_nothing_else(do: Do, world: World) -> None:
    world.outputs.mkdir()
    (world.outputs / "1.txt").write_text("output")
    (world.outputs / "2.txt").symlink_to(_lay_traps(world)[0])
    for path in ("$AGENT_OUTPUTS/1.txt", "${AGENT_OUTPUTS}/1.txt", str(world.outputs / "1.txt")):
        assert do("read_file", path=path).text == "output"
    for path in ("$AGENT_OUTPUTS/2.txt", "$AGENT_OUTPUTS/../outside/secret.txt"):
        assert "outside the workspace" in do("read_file", path=path).text
    assert (
        do("write_file", path="$AGENT_OUTPUTS/1.txt", content="x").text
        == "$AGENT_OUTPUTS/1.txt can only be read."
    )
    assert (world.outputs / "1.txt").read_text() == "output"


def test_a_file_of_the_same_name_elsewhere_is_proposed(do: Do, world: World) -> None:
    _lay_traps(world)
    assert (
        do("read_file", path="file.txt").text == "There is no file.txt. Files of that name: folder/file.txt."
    )
    assert "Alike: folder/file.txt" in do("edit_file", path="folder/fil.txt", old="a", new="b").text
    assert "There is no folder/file.txt/x." in do("read_file", path="folder/file.txt/x").text


def test_names_that_are_no_text_are_shown_as_far_as_they_are(do: Do, world: World) -> None:
    (world.root / os.fsdecode(b"b\xff.txt")).write_text("x")
    answer = do("read_file", path=".")
    assert answer.text.encode() == ". is a folder:\nb\ufffd.txt".encode()


_PART = st.sampled_from(
    [
        *(
            "..",
            ".",
            "",
            "/",
            "to_file",
            "to_folder",
            "to_git",
            "folder",
            "up",
            "deep",
            "chain",
            "inside",
            "round",
        ),
        *(
            "dangling",
            ".git",
            "secret.txt",
            "outside",
            "file.txt",
            "workspace",
            "new.txt",
            "~",
            "$AGENT_OUTPUTS",
        ),
    ]
)


@settings(max_examples=150)
@given(st.lists(_PART | st.text(max_size=5), min_size=1, max_size=6), st.booleans())
def test_no_path_at_all_leads_out(parts: list[str], absolute: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = world_in(Path(folder).resolve())
        secrets = _lay_traps(world)
        before = _names(world.root / ".git")
        path = "/".join([str(world.root) if absolute else ".", *parts])
        for tool, arguments in _TOOLS:
            answer = call(tool, json.dumps({"path": path, **arguments}), all_tools(), world)
            assert _CANARY not in answer.text
        assert all(secret.read_text() == _CANARY for secret in secrets)
        assert _names(world.root / ".git") == before
        assert _names(world.root.parent / "outside") == ["secret.txt"]
        around = {name.partition("/")[0] for name in _names(Path(folder))}
        assert around == {"home", "outside", "temporary", "workspace", "workspace2.txt"}


def _names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_folders_in_each_other_as_deep_as_paths_can_be_are_an_answer(do: Do, world: World) -> None:
    script = "import os\nfor _ in range(2500):\n os.mkdir('a'); os.chdir('a')"
    (world.root / "z.py").touch()
    assert do("bash", command=f'python3 -c "{script}"').text.startswith("[exit 0")
    answer = do("read_file", path="elsewhere/z.py")
    assert answer.text == "There is no elsewhere/z.py. Files of that name: z.py."
    subprocess.run(["rm", "-rf", world.root / "a"], check=True)  # Python can't, and pytest is to tidy up


def test_links_to_links_to_links_are_an_answer(do: Do, world: World) -> None:
    for number in range(3000):
        (world.root / f"l{number}").symlink_to(f"l{number + 1}")
    for tool, arguments in _TOOLS:
        assert not do(tool, path="l0", **arguments).ok
