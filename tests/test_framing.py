"""Between its marks a text says what it wants, and ends nothing."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from ci_agent.framing import framed

MARKED = re.compile(r'<comment by="dana" id="(\w{8})">\n(.*)\n</comment id="\1">', re.DOTALL)


@given(st.text())
def test_the_number_of_the_marks_is_not_in_the_text(text: str) -> None:
    found = MARKED.fullmatch(framed("comment", text, by="dana"))
    assert found
    assert found[2] == text
    assert found[1] not in text


@given(st.text(), st.text())
def test_the_same_text_stands_between_the_same_marks(text: str, by: str) -> None:
    assert framed("comment", text, by=by) == framed("comment", text, by=by)


@given(st.text())
def test_a_name_stays_in_its_place(by: str) -> None:
    first = framed("comment", "x", by=by).split("\n")[0]
    assert re.fullmatch(r'<comment(?: by="[^"<>\r\n]*")? id="\w{8}">', first)


def test_half_a_character_is_no_reason_to_fail() -> None:
    assert "\ud800" in framed("comment", "\ud800")
