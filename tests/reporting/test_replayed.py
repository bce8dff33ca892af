"""What a replay says of differences."""

from __future__ import annotations

import re
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ci_agent.journal.comparable import difference
from ci_agent.journal.events import ToolCalled
from ci_agent.reporting.replayed import Departure, Replayed, concluding, diff

_CALL = ToolCalled(3, "c", "bash", '{"command": "make test"}')


def test_a_difference_is_shown_with_lines_around_it() -> None:
    then = "\n".join(f"line {number}, {number}.5s" for number in range(50))
    now = then.replace("line 20,", "row 20,").replace(".5s", ".7s")
    assert list(diff(then, now)) == [
        "--- then",
        "+++ now",
        *(f"  line {number}, {number}.5s" for number in (17, 18, 19)),
        "- line 20, 20.5s",
        "+ row 20, 20.7s",
        *(f"  line {number}, {number}.5s" for number in (21, 22, 23)),
    ]


def test_a_long_difference_is_cut() -> None:
    then, now = ("\n".join(f"{word} {number}" for number in range(5000)) for word in ("a", "b"))
    said = concluding(
        Replayed({3}, 1, Counter(), [Departure(_CALL, 2, then, now)], stopped=True)
    ).splitlines()
    assert said[0] == "The first difference is in step 3, call 2: bash: make test"
    assert said[-3:] == [
        "… and more",
        "",
        "0 calls before it gave the same answers as then. With --all it goes on after a difference.",
    ]
    assert len(said) < 70


def test_many_files_and_calls_are_counted() -> None:
    many = [Departure(_CALL, number, "a", "b") for number in range(1, 31)]
    files = [f"{number}.txt" for number in range(25)]
    said = concluding(Replayed({3}, 40, Counter(), many, tree="a" * 40, other_tree="b" * 40, files=files))
    assert "  and 9 more\n" in said
    assert "(tree bbbbbbb)\n  0.txt\n" in said
    assert "  and 5 more\n" in said
    assert said.endswith("\n30 of 40 calls of 1 step gave another answer than then.\n")


@given(st.text(), st.text())
def test_lines_are_marked_exactly_where_two_answers_differ(then: str, now: str) -> None:
    said = list(diff(then, now))
    assert any(line.startswith(("- ", "+ ")) for line in said[2:]) == (difference(then, now) is not None)
    assert not re.search("[\x00-\x08\x0a-\x1f\x7f-\x9f]", "".join(said))
