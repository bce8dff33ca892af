"""What counts as the same in two runs. Which differences are honest is told by the tests of `models/replay.py`."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.journal.comparable import difference, lines


@given(st.text())
def test_every_text_says_the_same_as_itself(text: str) -> None:
    assert difference(text, text) is None
    assert all(comparable.strip() for comparable, _ in lines(text))


def test_the_first_line_that_differs_is_told_as_it_is() -> None:
    assert difference("took 1.0s\na 2.0s\nb", "took 3.0s\n\na 4.0s\nc") == ("b", "c")
    assert difference("[… 1,020 bytes left out; it", "[… 999 bytes left out; it") is None
    assert difference("a", "a\nb 2.0s") == ("(nothing)", "b 2.0s")


@pytest.mark.parametrize(
    "text", ["=" * 100_000 + "x", "1" * 100_000, "/a" * 50_000, "~^" * 50_000 + "x", "a:" * 50_000]
)
def test_no_line_takes_long(text: str) -> None:
    began = time.process_time()
    assert difference(text, text) is None
    assert time.process_time() - began < 2
