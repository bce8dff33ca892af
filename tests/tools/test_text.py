"""Output of strangers, as a model reads it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.tools.outputs import excerpt, fresh
from ci_agent.tools.text import clean, head, tail


@pytest.mark.parametrize(
    ("raw", "seen"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b[38;2;1;2;3mtrue\x1b[m \x1b[2K\x1b[1Aup", "true up"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPdevice\x1b\\after", "after"),
        ("\x1b(Bplain\x1b=", "plain"),
        ("\x9b31mred", "red"),
        ("10%\r50%\r100%\ndone", "100%\ndone"),
        ("10%\r100%\r\n", "100%\n"),
        ("windows\r\nlines\r\n", "windows\nlines\n"),
        ("N\bNA\bAM\bME\bE", "NAME"),
        ("bell\x07", "bell"),
        ("a\0b\x01\x7f", "a␀b␁␡"),
        ("tab\tis\nkept", "tab\tis\nkept"),
        ("\x1b]never ended", "never ended"),
        ("\x1b[", ""),
        ("\x1b", "␛"),
    ],
)
def test_text_is_what_a_person_would_have_seen(raw: str, seen: str) -> None:
    assert clean(raw) == seen


_NOISE = st.lists(
    st.sampled_from(["\x1b", "[", "]", "31m", "P", "\\", "\r", "\n", "\b", "\x9b", "\x07", "\0"]) | st.text()
).map("".join)


@given(_NOISE)
def test_no_control_character_survives(text: str) -> None:
    assert not [c for c in clean(text) if (ord(c) < 0x20 and c not in "\n\t") or 0x7F <= ord(c) < 0xA0]


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"])))
def test_text_without_control_characters_stays_as_it_is(text: str) -> None:
    assert clean(text) == text


@given(st.text("ab\n"), st.integers(1, 20))
def test_head_and_tail_are_bounded_ends_of_the_text(text: str, limit: int) -> None:
    first, last = head(text, limit), tail(text, limit)
    assert text.startswith(first)
    assert text.endswith(last)
    for part in (first, last):
        assert len(part) <= limit
        assert len(part) >= min(len(text), limit // 2)


def test_head_and_tail_are_cut_at_line_ends() -> None:
    text = "first line\nsecond line\nthird line\n"
    assert head(text, 15) == "first line\n"
    assert tail(text, 15) == "third line\n"


def shown(folder: Path, data: bytes, limit: int) -> tuple[str, bool]:
    """The excerpt of an output that a command filled with `data`."""
    with fresh(folder) as output:
        output.path.write_bytes(data)
        return excerpt(output, limit)


@given(st.binary(max_size=300), st.integers(10, 100))
def test_an_excerpt_of_any_bytes_is_bounded_text(data: bytes, limit: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        text, shortened = shown(Path(folder), data, limit)
    assert len(text) <= limit + 100
    assert text.encode().decode() == text
    assert shortened == (len(clean(data.decode(errors="replace"))) > limit)


def test_what_is_left_out_is_counted_in_bytes(tmp_path: Path) -> None:
    (tmp_path / "6.txt").touch()
    text, shortened = shown(tmp_path, b"\xc3\xa9" * 100, 20)
    assert shortened
    where = "whole output: $AGENT_OUTPUTS/7.txt (look at parts with read_file)"
    assert text == "é" * 10 + f"\n[… 160 bytes left out; {where} …]\n" + "é" * 10


def test_a_big_file_is_shown_by_its_ends(tmp_path: Path) -> None:
    text, _ = shown(tmp_path, b"first\n" + b"x" * 5_000_000 + b"\nlast\n", 100)
    assert text.startswith("first\n")
    assert text.endswith("\nlast\n")
    assert "[… 4,99" in text


@pytest.mark.parametrize(
    ("there", "name"),
    [
        ([], "1.txt"),
        (["1.txt"], "2.txt"),
        (["2.txt", "10.txt", "x.txt", "11.log", "9" * 200 + ".txt"], "11.txt"),
    ],
)
def test_an_output_gets_the_next_free_number(tmp_path: Path, there: list[str], name: str) -> None:
    for other in there:
        (tmp_path / other).touch()
    with fresh(tmp_path) as output:
        assert output.path == tmp_path / name
