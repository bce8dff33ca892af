"""Tools and arguments by the names of other agents: the call is done as it was meant."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_agent.journal.events import PlanItem, Submitted
from ci_agent.tools import World, all_tools, call
from ci_agent.tools.aliases import SYNONYMS, resolved, translated
from ci_agent.tools.arguments import checked
from ci_agent.tools.scripts import patch_in, script
from ci_agent.tools.tool import ToolError
from tests.tools.conftest import Do, world_in

_PATCH = "*** Begin Patch\n*** Update File: a.txt\n-two\n+zwei\n*** End Patch"
_THREE = "one\ntwo\nthree\n"


# --- names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments", "after"),
    [
        ("str_replace_editor", {"command": "str_replace", "old_str": "two", "new_str": "2"}, "one\n2\nthree\n"),
        ("str_replace_editor", {"command": "str_replace", "old_str": "two\n"}, "one\nthree\n"),
        ("str_replace_editor", {"command": "create", "file_text": "new\n"}, "new\n"),
        ("str_replace_editor", {"command": "insert", "insert_line": 0, "new_str": "zero"}, "zero\n" + _THREE),
        ("str_replace_based_edit_tool", {"command": "insert", "insert_line": 3, "insert_text": "4\n"}, _THREE + "4\n"),
        ("str_replace_based_edit_tool", {"command": "insert", "insert_line": 99, "insert_text": "4"}, _THREE + "4\n"),
        ("str_replace_editor", {"old_str": "two", "new_str": "2"}, "one\n2\nthree\n"),
        (
            "str_replace_editor",
            {"command": "str_replace", "old_str": "two", "new_str": "2", "file_text": "", "view_range": [], "insert_line": 0},
            "one\n2\nthree\n",
        ),
        ("str_replace", {"old_string": "two", "new_string": "2"}, "one\n2\nthree\n"),
        ("Edit", {"file_path": "a.txt", "old_string": "two", "new_string": "2", "replace_all": False}, "one\n2\nthree\n"),
        ("create_file", {"contents": "new\n"}, "new\n"),
        ("Write", {"file_path": "a.txt", "content": "new\n"}, "new\n"),
        ("apply_patch", {"input": _PATCH}, "one\nzwei\nthree\n"),
        ("shell", {"command": ["bash", "-lc", f"apply_patch <<'EOF'\n{_PATCH}\nEOF\n"]}, "one\nzwei\nthree\n"),
        ("shell", {"command": ["apply_patch", _PATCH]}, "one\nzwei\nthree\n"),
        ("shell", {"command": ["bash", "-lc", "echo new > a.txt"], "timeout_ms": 5000}, "new\n"),
        ("local_shell", {"command": ["sh", "-c", "echo new > a.txt"]}, "new\n"),
        ("container.exec", {"cmd": ["tee", "a.txt"]}, ""),
        ("functions.exec_command", {"cmd": "echo new > a.txt"}, "new\n"),
        ("bash", {"command": "bash -lc 'echo new > a.txt'"}, "new\n"),
        ("bash", {"command": f"cd . && apply_patch <<EOF\n{_PATCH}\nEOF"}, "one\nzwei\nthree\n"),
    ],
)  # fmt: skip
def test_a_file_is_changed_as_it_was_meant(
    name: str, arguments: dict[str, Any], after: str, do: Do, world: World
) -> None:
    (world.root / "a.txt").write_text(_THREE)
    if not {"cmd", "input", "file_path"} & arguments.keys() and "shell" not in name and name != "bash":
        arguments = {"path": "a.txt", **arguments}
    answer = do(name, **arguments)
    assert answer.ok, answer.text
    assert (world.root / "a.txt").read_text() == after


@pytest.mark.parametrize(
    ("name", "arguments", "shown"),
    [
        (
            "str_replace_editor",
            {"command": "view", "path": "a.txt", "view_range": [2, -1]},
            "two\nthree",
        ),
        ("view", {"path": "a.txt", "view_range": "[1, 2]"}, "one\ntwo"),
        ("view", {"path": "a.txt", "view_range": [2]}, "two\nthree"),
        ("Read", {"file_path": "a.txt", "offset": 2, "limit": 1}, "two\n[lines 2 to 2 of 3"),
        ("cat", {"filename": "a.txt"}, "one\ntwo\nthree"),
        ("open", {"file": "a.txt", "line_start": 3}, "three"),
        ("LS", {"path": "."}, ". is a folder:\na.txt"),
        ("grep", {"regex": "t.o"}, "a.txt:2:two"),
        ("Grep", {"pattern": "T.O", "-i": True}, "a.txt:2:two"),
        ("search", {"query": "\btwo\b"}, "a.txt:2:two"),
        ("Glob", {"pattern": "*.txt"}, "a.txt\n"),
        ("glob", {"pattern": "**/*.txt", "path": "./"}, "a.txt\n"),
        ("run_command", {"command": ["echo", "a  b"]}, "a  b\n"),
        ("bash", {"command": ["ls"]}, "a.txt\n"),
        ("execute_bash", {"script": "echo $((1 + 1))"}, "2\n"),
        ("shell", {"command": "pwd", "workdir": "folder"}, "/workspace/folder\n"),
        ("pytest", {"path": "tests/test_a.py"}, "ran tests/test_a.py"),
    ],
)
def test_what_is_asked_for_is_shown(
    name: str, arguments: dict[str, Any], shown: str, do: Do, world: World
) -> None:
    (world.root / "a.txt").write_text(_THREE)
    (world.root / "folder").mkdir()
    answer = do(name, **arguments)
    assert answer.ok, answer.text
    assert shown in answer.text


def test_a_plan_and_a_hand_in_by_other_names(do: Do) -> None:
    todos = [{"content": "Read", "status": "completed", "id": 1}, {"content": "Fix", "status": "in_progress"}]
    assert do("TodoWrite", todos=todos).plan == (PlanItem("Read", True), PlanItem("Fix", False))
    assert do("finish", title="Fix slug", message="It was wrong.").ends == Submitted(
        "Fix slug", "It was wrong."
    )


def test_the_name_here_is_told_once(do: Do, world: World) -> None:
    (world.root / "a.txt").write_text("one\n")
    assert do("view", file_path="a.txt").text.split("\n") == [
        "one",
        "[view is called read_file here]",
        "[`file_path` was taken as `path`]",
    ]
    assert do("view", file_path="a.txt").text == "one"
    world.memory.forget()
    assert "read_file here" in do("view", file_path="a.txt").text


def test_what_an_editor_can_not_do_here_is_said(do: Do) -> None:
    answer = do("str_replace_editor", command="undo_edit", path="a.txt")
    assert not answer.ok
    assert "wanted: one of view, create, str_replace, insert." in answer.text
    assert "git checkout -- path" in answer.text


def test_where_nothing_may_be_edited_no_other_name_does_it(world: World) -> None:
    reading = [tool for tool in all_tools() if tool.name in {"read_file", "search"}]
    for name in ("apply_patch", "str_replace", "insert_lines", "shell", "glob"):
        answer = call(
            name, json.dumps({"patch": "*** Begin Patch\n*** Add File: a\n+x", "path": "a"}), reading, world
        )
        assert answer.text.startswith("There is no tool"), name
    assert list(world.root.iterdir()) == [world.root / ".git"]


# --- scripts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "plain"),
    [
        (["bash", "-lc", "a && b"], "a && b"),
        (["/bin/bash", "-c", "a"], "a"),
        (["grep", "a b", "*.py"], "grep 'a b' '*.py'"),
        (["ls -la"], "ls -la"),
        ("bash -lc 'a && b'", "a && b"),
        ('/bin/sh -c "a && b"', "a && b"),
        ('bash -c "echo $X"', 'bash -c "echo $X"'),
        ("bash -c 'a' && b", "bash -c 'a' && b"),
        ("bash script.sh", "bash script.sh"),
        ([], []),
        ([1], [1]),
        (None, None),
    ],
)
def test_a_script_is_freed_from_the_shell_around_it(command: Any, plain: Any) -> None:
    assert script(command) == plain


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("apply_patch <<'EOF'\nx\nEOF", ("x\n", "")),
        ('apply_patch << "PATCH"\nx\ny\nPATCH\n', ("x\ny\n", "")),
        ("cd src && apply_patch <<EOF\nx\nEOF\n", ("x\n", "src")),
        ("cd 'a b'; applypatch <<-EOF\nx\n", ("x\n", "a b")),
        ("apply_patch '*** Begin Patch\nx'", ("*** Begin Patch\nx", "")),
        ("apply_patch <<'EOF'\nx\nEOF\npytest", None),
        ("ls && apply_patch <<'EOF'\nx\nEOF", None),
        ("apply_patch 'x", None),
        ("apply_patch x.patch", None),
        ("git apply <<'EOF'\nx\nEOF", None),
    ],
)
def test_a_patch_is_found_where_a_script_does_nothing_else(text: str, found: tuple[str, str] | None) -> None:
    assert patch_in(text) == found


def test_a_patch_among_other_commands_runs_none_of_them(do: Do, world: World) -> None:
    answer = do("bash", command=f"touch b.txt\napply_patch <<'EOF'\n{_PATCH}\nEOF\ntouch c.txt")
    assert not answer.ok
    assert "apply_patch is no program here, so nothing was run." in answer.text
    assert list(world.root.iterdir()) == [world.root / ".git"]
    assert do("bash", command="git log --grep apply_patch | cat; echo apply_patch").ok


def test_paths_of_a_patch_are_below_the_folder_of_the_shell(do: Do, world: World) -> None:
    (world.root / "src" / "deep").mkdir(parents=True)
    (world.root / "src" / "deep" / "a.txt").write_text(_THREE)
    assert do("shell", command=f"cd deep && apply_patch <<'EOF'\n{_PATCH}\nEOF", workdir="src").ok
    assert (world.root / "src" / "deep" / "a.txt").read_text() == "one\nzwei\nthree\n"
    away = f"cd ../.. && apply_patch <<'EOF'\n{_PATCH}\nEOF"
    assert "outside the workspace" in do("bash", command=away).text


# --- properties --------------------------------------------------------------------------------------------

_NAMES = st.sampled_from(
    [
        *(
            "str_replace_editor",
            "str_replace_based_edit_tool",
            "apply_patch",
            "insert",
            "shell",
            "view",
            "grep",
            "glob",
        ),
        *(
            "create_file",
            "str_replace",
            "finish",
            "todo_write",
            "read_file",
            "search",
            "edit_file",
            "submit",
            "bash",
        ),
    ]
)
_FIELDS = st.sampled_from(
    sorted(
        {"command", "view_range", "offset", "limit", "workdir", "timeout_ms", "path", "pattern"}
        | {name for names in SYNONYMS.values() for name in names}
    )
)
_VALUES = st.recursive(
    st.none()
    | st.just([[], ["apply_patch"]])
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["view", "create", "insert", "str_replace", "../out", "a.txt", "bash -lc 'x'", _PATCH]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)


@settings(max_examples=300)
@given(_NAMES, st.dictionaries(_FIELDS, _VALUES, max_size=6))
def test_any_arguments_are_translated_or_refused(name: str, given: dict[str, Any]) -> None:
    tools = {tool.name: tool for tool in all_tools()}
    meant = resolved(name, [*tools, "apply_patch", "insert_lines"])
    assert meant is not None
    try:
        wanted, arguments = translated(meant, given)
        assert wanted in tools or wanted in {"apply_patch", "insert_lines"}
        if wanted in tools:
            ready = checked(arguments, tools[wanted])
            assert ready.arguments.keys() == {parameter.name for parameter in tools[wanted].parameters}
    except ToolError as error:
        assert str(error)


@settings(max_examples=150)
@given(
    _NAMES.filter(lambda name: name not in {"bash", "shell", "glob"}),
    st.dictionaries(_FIELDS, _VALUES, max_size=6),
)
def test_no_other_name_leads_out_of_the_workspace(name: str, given: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = world_in(Path(folder))
        (world.root / "a.txt").write_text(_THREE)
        tools = [tool for tool in all_tools() if tool.name != "bash"]
        answer = call(name, json.dumps({"path": "../out", **given}), tools, world)
        assert answer.text
        assert len(answer.text) < 20_000
        assert {path.name for path in Path(folder).iterdir()} <= {"workspace", "home", "temporary", "outputs"}
