"""Patches: read in both formats, put into the files as one, or not at all."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ci_agent.tools import ToolError, World, all_tools, call
from ci_agent.tools.patch import Action, FileChange, Hunk, parse
from tests.tools.conftest import Do, world_in

_CODE = """\
class A:
    def f(self):
        x = 1
        return x


class B:
    def f(self):
        x = 1
        return x
"""


def _enveloped(*lines: str) -> str:
    return "\n".join(["*** Begin Patch", *lines, "*** End Patch"])


def _update(*lines: str) -> str:
    return _enveloped("*** Update File: a.py", *lines)


# --- reading -----------------------------------------------------------------------------------------------


def test_openais_format_is_read() -> None:
    text = _enveloped(
        "*** Add File: new.txt",
        "+one",
        "+",
        "*** Delete File: old.txt",
        "*** Update File: a.py",
        "*** Move to: b.py",
        "@@ class A",
        "@@ def f(self):",
        " same",
        "-gone",
        "+there",
        "*** End of File",
        "@@",
        "",
        "+more",
    )
    assert parse(text) == [
        FileChange(Action.ADD, "new.txt", content="one\n\n"),
        FileChange(Action.DELETE, "old.txt"),
        FileChange(
            Action.UPDATE,
            "a.py",
            hunks=(
                Hunk(("same", "gone"), ("same", "there"), ("class A", "def f(self):"), at_end=True),
                Hunk(("",), ("", "more")),
            ),
            moved_to="b.py",
        ),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "*** Update File: a.py\n-x\n+y",
        "```\n*** Begin Patch\n*** Update File: a.py\n@@\n-x\n+y\n*** End Patch\n```",
        "<<'EOF'\n*** Begin Patch\n*** Update File:  a.py \n-x\n+y\n\n\n*** End Patch\nEOF\n",
        "  *** Begin Patch\n  *** Update File: a.py\n  -x\n  +y\n  *** End Patch",
        "*** Begin Patch\r\n*** Update File: a.py\r\n@@ @@\r\n-x\r\n+y\r\n*** End Patch\r\n",
        "--- a/a.py\n+++ b/a.py\n@@\n-x\n+y\n\\ No newline at end of file\n",
        "--- a.py\t2024-01-01\n+++ a.py\t2024-01-02\n@@\n-x\n+y\n",
        "diff --git a/a.py b/a.py\nindex 1..2 100644\n--- a/a.py\n+++ b/a.py\n@@\n-x\n+y\n",
    ],
)
def test_what_stands_around_a_patch_is_no_matter(text: str) -> None:
    assert parse(text) == [FileChange(Action.UPDATE, "a.py", hunks=(Hunk(("x",), ("y",)),))]


def test_a_unified_diff_over_several_files_is_read() -> None:
    text = """\
diff --git a/a.py b/a.py
--- a/a.py
+++ b/a.py
@@ -3,2 +3,2 @@ def f():
 same
-gone
+there
@@ -9,1 +8,0 @@
-gone
diff --git a/new.py b/new.py
new file mode 100644
--- /dev/null
+++ b/new.py
@@ -0,0 +1,2 @@
+one
+two
diff --git a/old.py b/old.py
deleted file mode 100644
--- a/old.py
+++ /dev/null
@@ -1 +0,0 @@
-one
diff --git a/from.py b/to.py
similarity index 100%
rename from from.py
rename to to.py
diff --git a/x.py b/y.py
rename from x.py
rename to y.py
--- a/x.py
+++ b/y.py
@@ -1 +1 @@
-one
+two
"""
    assert parse(text) == [
        FileChange(
            Action.UPDATE,
            "a.py",
            hunks=(Hunk(("same", "gone"), ("same", "there"), line=3), Hunk(("gone",), (), line=9)),
        ),
        FileChange(Action.ADD, "new.py", content="one\ntwo\n"),
        FileChange(Action.DELETE, "old.py"),
        FileChange(Action.UPDATE, "from.py", moved_to="to.py"),
        FileChange(Action.UPDATE, "x.py", hunks=(Hunk(("one",), ("two",), line=1),), moved_to="y.py"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "There is no file section"),
        ("*** Begin Patch\n*** End Patch", "It must look like this:\n*** Begin Patch\n*** Update File: "),
        (_update(" same"), "changes no line"),
        (_update(), "changes no line"),
        (_enveloped("*** Add File: a.py", "x = 1"), "must begin with +, this one does not: x = 1"),
    ],
)
def test_what_is_no_patch_says_what_one_looks_like(text: str, said: str) -> None:
    with pytest.raises(ToolError) as raised:
        parse(text)
    assert said in str(raised.value)


# --- applying ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patch", "after"),
    [
        (_update("@@ class B:", "-        x = 1", "+        x = 2"), _CODE[:-27] + _CODE[-27:].replace("1", "2")),
        (_update("@@ class B", "@@ def f", "-x = 1", "+x = 2"), _CODE[:-27] + _CODE[-27:].replace("1", "2")),
        (_update(" class A:", "-    def f(self):", "+    def g(self):"), _CODE.replace("f(", "g(", 1)),
        (_update("-class A:", "+class C:", "@@", "-class B:", "+class D:"), _CODE.replace("A:", "C:").replace("B:", "D:")),
        (_update("-class B:", "+class D:", "@@", "-class A:", "+class C:"), _CODE.replace("A:", "C:").replace("B:", "D:")),
        (_update("@@ class A:", "+    y = 0"), _CODE.replace("A:\n", "A:\n    y = 0\n")),
        (_update("+end = 1"), _CODE + "end = 1\n"),
        (_update(" class B:", "     def f(self):", "-        x = 1", "         return x"), _CODE[:-31] + "        return x\n"),
        (_update("@@", "         x = 1", "-        return x", "+        return 2", "*** End of File"), _CODE[:-2] + "2\n"),
        ("--- a/a.py\n+++ b/a.py\n@@ -9,1 +9,1 @@\n-        x = 1\n+        x = 2\n", _CODE[:-27] + _CODE[-27:].replace("1", "2")),
        ("--- a/a.py\n+++ b/a.py\n@@ -6,0 +6,1 @@\n+# B\n", _CODE.replace("\n\nclass", "\n# B\n\nclass")),
        (_update("class A:", "-    def f(self):  ", "+    def g(self):"), _CODE.replace("f(", "g(", 1)),
    ],
)  # fmt: skip
def test_hunks_are_put_where_they_are_meant(patch: str, after: str, do: Do, world: World) -> None:
    (world.root / "a.py").write_text(_CODE)
    answer = do("apply_patch", patch=patch)
    assert answer.ok, answer.text
    assert (world.root / "a.py").read_text() == after


def test_the_end_of_the_file_is_the_last_of_all_places(do: Do, world: World) -> None:
    (world.root / "a.txt").write_text("x\n" * 50)
    assert do("apply_patch", patch=_enveloped("*** Update File: a.txt", "-x", "+y", "*** End of File")).ok
    assert (world.root / "a.txt").read_text() == "x\n" * 49 + "y\n"


def test_the_answer_names_each_file_and_shows_what_changed(do: Do, world: World) -> None:
    (world.root / "a.py").write_text("x = 1\n")
    (world.root / "old.py").write_text("")
    answer = do(
        "apply_patch",
        patch=_enveloped(
            "*** Update File: a.py",
            "-x = 1",
            "+x = (",
            "*** Add File: b/new.txt",
            "+one",
            "*** Delete File: old.py",
        ),
    )
    assert answer.text.startswith(
        "edited a.py at line 1\n1\tx = (\ncreated b/new.txt, 1 line\ndeleted old.py\n[a.py: it no longer parses (Python"
    )
    assert (world.root / "b" / "new.txt").read_text() == "one\n"
    assert not (world.root / "old.py").exists()


def test_a_moved_file_keeps_its_mode(do: Do, world: World) -> None:
    (world.root / "run").write_text("echo 1\n")
    (world.root / "run").chmod(0o755)
    patch = _enveloped("*** Update File: run", "*** Move to: bin/run", "-echo 1", "+echo 2")
    assert do("apply_patch", patch=patch).text.startswith("edited run to bin/run at line 1\n")
    assert not (world.root / "run").exists()
    assert (world.root / "bin" / "run").read_text() == "echo 2\n"
    assert (world.root / "bin" / "run").stat().st_mode & 0o777 == 0o755


def test_sections_of_the_same_file_follow_each_other(do: Do, world: World) -> None:
    patch = _enveloped(
        *("*** Add File: a.txt", "+one"),
        *("*** Update File: a.txt", "-one", "+two"),
        *("*** Update File: a.txt", "*** Move to: b.txt", "-two", "+three"),
    )
    assert do("apply_patch", patch=patch).ok
    assert not (world.root / "a.txt").exists()
    assert (world.root / "b.txt").read_text() == "three\n"


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (("*** Update File: a.py", "-        x = 1", "+        x = 2"), "fits at lines 3, 9. Nothing was changed."),
        (("*** Update File: a.py", "-class C(A):", "+pass"), "The nearest lines are:\n1\tclass A:"),
        (("*** Update File: a.py", "@@ class C:", "+    y = 1"), "there is no line 'class C:'. Nothing was changed."),
        (("*** Update File: nowhere/a.py", "-x", "+y"), "There is no nowhere/a.py. Files of that name: a.py."),
        (("*** Delete File: nowhere.txt",), "There is no nowhere.txt."),
        (("*** Delete File: folder",), "folder is a folder."),
        (("*** Add File: ../out.txt", "+x"), "outside the workspace"),
        (("*** Add File: .git/hooks/x", "+x"), "belongs to git"),
        (("*** Update File: a.py", "*** Move to: ../b.py", "-class A:", "+class C:"), "outside the workspace"),
        (("*** Add File: a.py/b.txt", "+x"), "apply_patch failed: "),
        (("*** Update File: binary", "-x", "+y"), "is a binary file"),
    ],
)  # fmt: skip
def test_of_a_patch_that_does_not_fit_nothing_is_done(
    bad: tuple[str, ...], said: str, do: Do, world: World
) -> None:
    (world.root / "a.py").write_text(_CODE)
    (world.root / "good.txt").write_text("one\n")
    (world.root / "gone.txt").write_text("one\n")
    (world.root / "gone.txt").chmod(0o750)
    (world.root / "binary").write_bytes(b"x\0")
    (world.root / "folder").mkdir()
    before = _everything(world.root)
    good = [
        "*** Update File: good.txt",
        "-one",
        "+two",
        "*** Add File: new.txt",
        "+x",
        "*** Delete File: gone.txt",
    ]
    answer = do("apply_patch", patch=_enveloped(*good, *bad))
    assert not answer.ok
    assert said in answer.text
    assert _everything(world.root) == before


def _everything(root: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mode)
        for path in root.rglob("*")
        if path.is_file() and ".git" not in path.parts
    }


def test_the_patch_itself_is_taken_without_json_around_it(world: World) -> None:
    (world.root / "a.py").write_text("x = 1\n")
    assert call("apply_patch", _update("-x = 1", "+x = 2"), all_tools(), world).ok
    assert (world.root / "a.py").read_text() == "x = 2\n"


def test_line_ends_stay(do: Do, world: World) -> None:
    (world.root / "a.txt").write_bytes(b"one\r\ntwo\r\n")
    assert do("apply_patch", patch=_enveloped("*** Update File: a.txt", " one", "-two", "+2", "+3")).ok
    assert (world.root / "a.txt").read_bytes() == b"one\r\n2\r\n3\r\n"


def test_a_long_patch_has_a_short_answer(do: Do, world: World) -> None:
    lines = [f"line {number} {'x' * 80}" for number in range(2000)]
    (world.root / "a.txt").write_text("".join(f"{line}\n" for line in lines))
    hunks = [part for number in range(0, 2000, 20) for part in ("@@", f"-{lines[number]}", f"+new {number}")]
    answer = do("apply_patch", patch=_enveloped("*** Update File: a.txt", *hunks))
    assert answer.ok
    assert len(answer.text) < 10_000


# --- properties --------------------------------------------------------------------------------------------

_PIECES = st.sampled_from(
    [
        *("*** Begin Patch", "*** End Patch", "*** Add File: a.txt", "*** Update File: a.txt", "*** Delete File: a.txt"),
        *("*** Update File: ../x", "*** Add File: /etc/x", "*** Move to: b.txt", "*** Move to: ../b", "*** End of File"),
        *("@@", "@@ one", "@@ -1,2 +1,2 @@", "@@ -0,0 +9999999999,0 @@", "--- a/a.txt", "+++ b/a.txt", "--- /dev/null"),
        *("+++ /dev/null", "diff --git a/a.txt b/a.txt", "rename from a.txt", "rename to c.txt", "rename to ../c"),
        *(" one", "-one", "+one", "-two", "+three", "", " ", "\\ No newline at end of file", "*** Add File: to_out"),
    ]
) | st.text(max_size=10)  # fmt: skip


@settings(max_examples=300)
@given(
    st.lists(_PIECES, max_size=14),
    st.sampled_from(["one\ntwo\n", "one\ntwo", "", "one\r\ntwo\r\n", "one\n" * 3]),
)
def test_whatever_stands_in_a_patch_nothing_outside_is_touched(lines: list[str], text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = world_in(Path(folder))
        (world.root / "a.txt").write_bytes(text.encode())
        victim = Path(folder) / "x"
        victim.write_text("theirs")
        (world.root / "to_out").symlink_to(victim)
        before = _everything(world.root)
        answer = call("apply_patch", json.dumps({"patch": "\n".join(lines)}), all_tools(), world)
        assert answer.text
        assert len(answer.text) < 20_000
        if not answer.ok:
            assert _everything(world.root) == before
        assert victim.read_text() == "theirs"
        assert {path.name for path in Path(folder).iterdir()} <= {
            *("workspace", "home", "temporary", "x", "outputs")
        }


_LINES = st.lists(st.sampled_from(["a", "b", "", "  c", "--- d", "+++ e", "@@ f"]), max_size=12)


@settings(max_examples=100)
@given(_LINES, _LINES)
def test_a_diff_that_git_makes_is_applied_as_git_means_it(before: list[str], after: list[str]) -> None:
    assume(before != after)
    assume(before and after)
    with tempfile.TemporaryDirectory() as folder:
        world = world_in(Path(folder))
        old, new = ("".join(f"{line}\n" for line in lines) for lines in (before, after))
        (world.root / "a.txt").write_text(old)
        subprocess.run(["git", "add", "-N", "a.txt"], cwd=world.root, check=True)
        subprocess.run(["git", "add", "a.txt"], cwd=world.root, check=True)
        (world.root / "a.txt").write_text(new)
        diff = subprocess.run(
            ["git", "diff"], cwd=world.root, check=True, capture_output=True, text=True
        ).stdout
        (world.root / "a.txt").write_text(old)
        answer = call("apply_patch", json.dumps({"patch": diff}), all_tools(), world)
        assert answer.ok, answer.text
        assert (world.root / "a.txt").read_text() == new
