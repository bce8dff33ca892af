from __future__ import annotations

import re
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ci_agent.journal.events import Case
from ci_agent.verification.excerpt import excerpt
from tests.verification.projects import project, run

CORE = """import json

def parse(text, depth):
    \"\"\"Of some length.

    And more.
    \"\"\"
    if depth == 0:
        return json.JSONDecoder().decode(text)
    return parse(text, depth - 1)
"""
TESTS = """import unittest
from core import parse

def test_deep():
    first = 1
    second = 2
    third = 3
    for number in range(40):
        print("printed", number)
    assert parse({}, 5) == third

def test_lists():
    # one
    # two
    # three
    assert list(range(100)) == [number + 1000 for number in range(100)]

class TestX(unittest.TestCase):
    def test_dicts(self):
        self.maxDiff = None
        self.assertEqual({n: n for n in range(60)}, {n: -n for n in range(60)})
"""


def failures(tmp_path: Path, command: str = "") -> dict[str, Case]:
    ran = run(tmp_path, project(tmp_path, {"core.py": CORE, "test_it.py": TESTS}), command)
    return {re.split("::|[.]", case.id)[-1]: case for case in ran.cases if case.result.bad}


def test_of_a_deep_traceback_the_test_the_last_place_of_the_project_and_the_error_are_shown(
    tmp_path: Path,
) -> None:
    details = failures(tmp_path, ".venv/bin/python -m pytest")["test_deep"].details
    lines = excerpt(details, 4_000, 20).split("\n")
    assert len(lines) <= 20
    assert ">       assert parse({}, 5) == third" in lines
    assert "    return json.JSONDecoder().decode(text)" in lines
    assert [line for line in lines if line.startswith("core.py:9: ")]
    assert [line for line in lines if re.match("E +TypeError: ", line)]
    assert lines[-1] == "printed 39"
    standard_library = f"{sys.base_prefix}/lib"
    source = [line for line in details.split("\n") if "raw_decode" in line]
    assert source
    assert not [line for line in lines if line in source]
    assert len([line for line in lines if line.startswith(standard_library)]) <= 1


def test_of_a_long_difference_a_few_lines_are_shown_and_the_place_stays(tmp_path: Path) -> None:
    details = failures(tmp_path, ".venv/bin/python -m pytest -vv")["test_lists"].details
    lines = excerpt(details, 1_500, 30).split("\n")
    assert ">       assert list(range(100)) == [number + 1000 for number in range(100)]" in lines
    assert any(re.match(r"E +assert \[0, 1, 2", line) for line in lines)
    assert any("At index 0 diff: 0 != 1000" in line for line in lines)
    assert 4 <= len([line for line in lines if re.match(r"E +[-+] ", line)]) <= 8
    assert lines[-1] == "test_it.py:16: AssertionError"
    assert sum("left out" in line for line in lines) <= 3


def test_of_a_traceback_of_python_the_frames_of_the_project_and_the_exception_are_shown() -> None:
    frames = "".join(
        f'  File "/usr/lib/python3.11/site-packages/x/{n}.py", line {n}, in call\n    return call()\n'
        for n in range(20)
    )
    text = (
        "Traceback (most recent call last):\n"
        f'  File "test_it.py", line 5, in test_it\n    self.assertEqual(call(), 1)\n    ~~~^^^^\n{frames}'
        f'  File "core.py", line 7, in deep\n    raise ValueError\n{frames}ValueError: no'
    )
    assert excerpt(text, 4_000, 9).split("\n") == [
        "Traceback (most recent call last):",
        '  File "test_it.py", line 5, in test_it',
        "    self.assertEqual(call(), 1)",
        "… 40 lines left out …",
        '  File "core.py", line 7, in deep',
        "    raise ValueError",
        "… 40 lines left out …",
        "ValueError: no",
    ]


def test_of_unittests_details_the_exception_survives_a_long_difference(tmp_path: Path) -> None:
    details = failures(tmp_path, ".venv/bin/python -m unittest test_it")["test_dicts"].details
    lines = excerpt(details, 1_000, 12).split("\n")
    assert '  File "test_it.py", line 21, in test_dicts' in lines
    assert any(line.startswith("AssertionError: {0: 0, 1: 1") for line in lines)


def test_of_other_text_both_ends_are_shown_and_the_end_more() -> None:
    text = "\n".join(f"line {number}" for number in range(100))
    lines = excerpt(text, 4_000, 10).split("\n")
    assert lines[:3] == ["line 0", "line 1", "line 2"]
    assert lines[3] == "… 91 lines left out …"
    assert lines[4:] == [f"line {number}" for number in range(94, 100)]


def test_cutting_what_was_cut_leaves_one_mark_with_the_whole_number() -> None:
    text = "\n".join(f"line {number}" for number in range(10_000))
    twice = excerpt(excerpt(text, 2_000), 4_000, 10)
    assert twice == excerpt(text, 4_000, 10)
    assert "… 9,991 lines left out …" in twice


def test_what_fits_stays_as_it_is() -> None:
    text = "a\n_ _ _\n   ^^^\n" + "x" * 1_000
    assert excerpt(text, len(text), 4) == text
    assert excerpt(text, 4_000, 3) == "a\n" + "x" * 1_000


ROWS = st.sampled_from(
    [
        *("E   assert 1 == 2", "E     - a,", "E     + b,", "E", ">   x = 1", "    y = 2", "", "_ _ _ _", "  ^^^"),
        *("a.py:3: ValueError", "a.py:4: in f", "/usr/x/site-packages/b.py:3: in g", '  File "a.py", line 3, in h'),
        *("--- Captured Out ---", "… 1,234 lines left out …", "… 1 line left out …", "… ,,, lines left out …"),
        *("x" * 1_000, "plain"),
    ]
)  # fmt: skip


@given(st.lists(ROWS, max_size=60).map("\n".join) | st.text(), st.integers(0, 3_000), st.integers(1, 40))
def test_it_stays_within_its_limits_and_shows_lines_in_their_order(
    text: str, characters: int, lines: int
) -> None:
    shown = excerpt(text, characters, lines)
    assert len(shown) <= characters
    assert shown.count("\n") < lines
    given_lines = iter(text.split("\n"))
    for line in shown.split("\n") if shown else []:
        if not re.fullmatch(r"… [\d,]+ lines? left out …", line):
            assert any(each.startswith(line.removesuffix("…")) for each in given_lines)


@given(st.lists(ROWS, max_size=60), st.integers(40, 3_000), st.integers(1, 40))
def test_two_marks_never_stand_together(rows: list[str], characters: int, lines: int) -> None:
    rows = [row for row in rows if "left out" not in row]
    assert not re.search(r"left out …\n… \d", excerpt("\n".join(rows), characters, lines))
