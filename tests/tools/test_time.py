"""What models write and files hold may be long and odd: no call may take the square of it.

Each of these took more than 20 seconds when time grew so; they take less than one.
"""

from __future__ import annotations

import time

import pytest

from ci_agent.tools import World
from ci_agent.tools.patch import parse
from ci_agent.tools.scripts import patch_in
from ci_agent.tools.symbols import symbols
from tests.tools.conftest import Do

_LIMIT = 5  # seconds of the processor


@pytest.mark.parametrize(
    ("text", "old", "said"),
    [
        ("[1,\n" * 100_000, "1", "`old` is 100000 times in a.txt, at lines 1, 2, 3,"),
        ("ab," * 700_000, ",", "`old` is 700000 times in a.txt, at lines 1, 1,"),
        ("x\n" * 200_000, "x\n" * 2_000 + "y", "The nearest lines are:\n1\tx\n2\tx"),
        ("x \n" * 200_000, "x\n" * 2_000, "white space at line ends was overlooked) is at lines 1, 2, 3,"),
        ("    x\n\tx\n" * 100_000, "x\n" * 2_000, "Nothing was changed."),
    ],
)
def test_an_edit_that_fits_nowhere_or_everywhere(
    text: str, old: str, said: str, do: Do, world: World
) -> None:
    (world.root / "a.txt").write_text(text)
    began = time.process_time()
    answer = do("edit_file", path="a.txt", old=old, new="new")
    assert time.process_time() - began < _LIMIT
    assert said in answer.text


def test_many_hunks_of_a_long_file(do: Do, world: World) -> None:
    (world.root / "a.txt").write_text("a\n" * 100_000)
    hunks = "@@ a\n-a\n+b\n" * 500
    began = time.process_time()
    answer = do("apply_patch", patch=f"*** Begin Patch\n*** Update File: a.txt\n{hunks}*** End Patch")
    assert time.process_time() - began < _LIMIT
    assert answer.ok
    assert (world.root / "a.txt").read_text() == "a\nb\n" * 500 + "a\n" * 99_000


def test_the_place_nearest_to_a_line_among_many(do: Do, world: World) -> None:
    (world.root / "a.txt").write_text("a\nb\n" * 50_000)
    began = time.process_time()
    do("apply_patch", patch="--- a/a.txt\n+++ b/a.txt\n@@ -60002,1 +60002,1 @@\n-a\n+c\n")
    assert time.process_time() - began < _LIMIT
    assert (world.root / "a.txt").read_text().split("\n").index("c") in {60_000, 60_002}


def test_many_definitions() -> None:
    began = time.process_time()
    found = symbols("a.ts", "type a\n" * 50_000)
    assert time.process_time() - began < _LIMIT
    assert [one.last for one in found] == list(range(1, 50_001))


def test_runs_of_blanks(do: Do) -> None:
    began = time.process_time()
    assert "[exit " in do("bash", command="cd" + " " * 50_000 + "x y").text
    assert patch_in("apply_patch <<E\n" + "\n" * 50_000 + "x\ny") == ("\n" * 50_000 + "x\ny\n", "")
    header = parse("*** Update File: a" + " " * 50_000 + "b \n*** Move to: c" + " " * 50_000 + "d\n-x\n+y\n")
    assert header[0].path == "a" + " " * 50_000 + "b"
    assert header[0].moved_to == "c" + " " * 50_000 + "d"
    assert time.process_time() - began < _LIMIT
