"""The `edit_file` tool: exact where it can be, forgiving where it can mean one thing only."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ci_agent.tools import ToolError, World
from ci_agent.tools.edit_file import EditFile
from ci_agent.tools.passages import closest
from tests.tools.conftest import Do, world_in

_CODE = "def f(a):\n    if a:\n        return 1\n    return 2\n"


@pytest.mark.parametrize(
    ("old", "new", "after", "how"),
    [
        ("return 1", "return 9", _CODE.replace("return 1", "return 9"), ""),
        ("    return 2\n", "", _CODE.replace("    return 2\n", ""), ""),
        (
            "    if a:  \n        return 1\t\n",
            "    pass\n",
            "def f(a):\n    pass\n    return 2\n",
            "white space",
        ),
        (
            "    if a:\r\n        return 1\r\n",
            "    pass\r\n",
            "def f(a):\n    pass\r\n    return 2\n",
            "white space",
        ),
        (
            "if a:\n    return 1",
            "if a:\n    x\n\n    y",
            "def f(a):\n    if a:\n        x\n\n        y\n    return 2\n",
            "indented by 4 more",
        ),
        (
            "        if a:\n            return 1\n",
            "        if a:\n            x\n",
            "def f(a):\n    if a:\n        x\n    return 2\n",
            "indented by 4 less",
        ),
        ("  return 2  \n", "", "def f(a):\n    if a:\n        return 1\n", "indented by 2 more"),
        ("    return 2  ", "    return 3", _CODE.replace("2", "3"), "white space"),
    ],
)
def test_a_passage_is_replaced(old: str, new: str, after: str, how: str, do: Do, world: World) -> None:
    (world.root / "a.txt").write_text(_CODE)
    answer = do("edit_file", path="a.txt", old=old, new=new)
    assert answer.ok, answer.text
    assert (world.root / "a.txt").read_bytes().decode() == after
    assert how in answer.text.split("\n")[0]
    assert ("(" in answer.text.split("\n")[0]) == bool(how)


def test_lines_that_are_in_old_and_new_keep_the_white_space_at_their_ends(do: Do, world: World) -> None:
    (world.root / "a.txt").write_bytes(b"one  \ntwo\t\n\nthree \n")
    answer = do("edit_file", path="a.txt", old="one\ntwo\n\nthree\n", new="one\nzwei\n\nthree\nfour\n")
    assert answer.ok, answer.text
    assert (world.root / "a.txt").read_bytes() == b"one  \nzwei\n\nthree \nfour\n"


def test_the_answer_shows_the_lines_around_the_change(do: Do, world: World) -> None:
    (world.root / "a.txt").write_text("".join(f"line {n}\n" for n in range(1, 21)))
    assert do("edit_file", path="a.txt", old="line 10\n", new="ten\n").text == (
        "edited a.txt at line 10\n8\tline 8\n9\tline 9\n10\tten\n11\tline 11\n12\tline 12"
    )


def test_of_a_long_change_both_ends_are_shown(do: Do, world: World) -> None:
    (world.root / "a.txt").write_text("start\nmiddle\nend\n")
    text = do("edit_file", path="a.txt", old="middle\n", new="new\n" * 13).text
    assert text == (
        "edited a.txt at line 2\n1\tstart\n2\tnew\n3\tnew\n4\tnew\n…\n12\tnew\n13\tnew\n14\tnew\n15\tend"
    )


def test_a_change_of_twelve_lines_is_shown_whole(do: Do, world: World) -> None:
    (world.root / "a.txt").write_text("start\nmiddle\nend\n")
    lines = do("edit_file", path="a.txt", old="middle", new="\n".join("abcdefghijkl")).text.split("\n")
    assert [line.partition("\t")[2] for line in lines[1:]] == ["start", *"abcdefghijkl", "end"]


def test_several_occurrences_are_told_by_line_and_nothing_is_changed(do: Do, world: World) -> None:
    (world.root / "a.txt").write_text(_CODE)
    answer = do("edit_file", path="a.txt", old="return", new="yield")
    assert not answer.ok
    assert "2 times in a.txt, at lines 3, 4." in answer.text
    assert "all=true" in answer.text
    assert (world.root / "a.txt").read_text() == _CODE


def test_all_occurrences_are_replaced_where_that_is_asked_for(do: Do, world: World) -> None:
    (world.root / "a.txt").write_text(_CODE)
    answer = do("edit_file", path="a.txt", old="return", new="yield", all=True)
    assert answer.text.startswith("edited a.txt 2 times, first at line 3\n")
    assert (world.root / "a.txt").read_text() == _CODE.replace("return", "yield")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    returm 2\n", "x", "The nearest lines are:\n2\t    if a:\n3\t        return 1\n4\t    return 2"),
        ("nothing like it at all, §§§", "x", "`old` is not in a.txt. Nothing was changed."),
        ("gone", "return 1", "but `new` is, at line 3: already applied?"),
        ("", "x", "`old` is empty."),
        ("same", "same", "nothing to change"),
        ("\n\n\n", "x", "`old` is not in a.txt."),
    ],
)
def test_an_edit_that_can_not_be_made_says_what_is_there(
    old: str, new: str, said: str, do: Do, world: World
) -> None:
    (world.root / "a.txt").write_text(_CODE)
    answer = do("edit_file", path="a.txt", old=old, new=new)
    assert not answer.ok
    assert said in answer.text
    assert (world.root / "a.txt").read_text() == _CODE


def test_a_loose_match_in_two_places_is_no_match(do: Do, world: World) -> None:
    (world.root / "a.txt").write_text("if a:\n    x \nif b:\n    x \n")
    text = do("edit_file", path="a.txt", old="    x\t\n", new="    y\n").text
    assert "`old` is not in a.txt as it was given; what comes near" in text
    assert "(white space at line ends was overlooked) is at lines 2, 4. Nothing was changed." in text


@pytest.mark.parametrize(
    ("text", "old", "new", "after"),
    [
        (
            "say \u201cit\u2019s\u201d\n",
            'say "it\'s"\n',
            'say "it\'s so"\n',
            "say \u201cit\u2019s so\u201d\n",
        ),
        ('say "it\'s"\n', "\u201cit\u2019s\u201d", '"no"', 'say "no"\n'),
        ("a\u00a0\u2013\u00a0b # x\n", "a - b", "a - c", "a\u00a0\u2013\u00a0c # x\n"),
        (
            "a \u2013 b\nc \u2013 d\n",
            "a - b\nc - d\n",
            "a - b\nnew\nc - d\n",
            "a \u2013 b\nnew\nc \u2013 d\n",
        ),
    ],
)
def test_typographic_characters_are_taken_for_plain_ones_and_kept(
    text: str, old: str, new: str, after: str, do: Do, world: World
) -> None:
    (world.root / "a.txt").write_text(text)
    answer = do("edit_file", path="a.txt", old=old, new=new)
    assert "(typographic characters were taken for plain ones)" in answer.text
    assert (world.root / "a.txt").read_text() == after


def test_of_several_places_for_plain_characters_none_is_taken(do: Do, world: World) -> None:
    (world.root / "a.txt").write_text("\u201ca\u201d\n\u201ea\u201c\n")
    assert "is at lines 1, 2. Nothing was changed." in do("edit_file", path="a.txt", old='"a"', new="b").text


@pytest.mark.parametrize(
    ("old", "new", "after"),
    [
        (
            "2\t    if a:\n3\t        return 1\n",
            "2\t    if b:\n3\t        return 1\n",
            _CODE.replace("if a", "if b"),
        ),
        ("     2\t    if a:", "    if b:", _CODE.replace("if a", "if b")),
        ("2\tif a:\n3\t    return 1", "if b:\n    return 1", _CODE.replace("if a", "if b")),
        ("9\treturn", "return", None),  # it is there twice
        ("2\t    if a:\n        return 1", "x", None),  # not every line has a number
    ],
)
def test_line_numbers_are_taken_off_where_every_line_has_one(
    old: str, new: str, after: str | None, do: Do, world: World
) -> None:
    (world.root / "a.txt").write_text(_CODE)
    answer = do("edit_file", path="a.txt", old=old, new=new)
    assert answer.ok == (after is not None)
    assert ("line numbers were taken off" in answer.text) == answer.ok
    assert (world.root / "a.txt").read_text() == (after or _CODE)


def test_an_indentation_that_does_not_shift_as_one_is_no_match(do: Do, world: World) -> None:
    (world.root / "a.txt").write_text("    if a:\n        x\n")
    assert not do("edit_file", path="a.txt", old="if a:\n  x\n", new="if a:\n  y\n").ok


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"one\r\ntwo\r\nthree\r\n", b"one\r\n2\r\n2b\r\nthree\r\n"),
        (b"one\ntwo\r\nthree\r\n", b"one\n2\r\n2b\r\nthree\r\n"),
        (b"caf\xe9\ntwo\n", b"caf\xe9\n2\n2b\n"),
        (b"\xef\xbb\xbftwo\n", b"\xef\xbb\xbf2\n2b\n"),
        (b"\xff\xfe\x80\r\ntwo\n\x85\x0c", b"\xff\xfe\x80\r\n2\n2b\n\x85\x0c"),
    ],
)
def test_line_ends_and_encoding_stay(before: bytes, after: bytes, do: Do, world: World) -> None:
    (world.root / "a.txt").write_bytes(before)
    assert do("edit_file", path="a.txt", old="two\n", new="2\n2b\n").ok
    assert (world.root / "a.txt").read_bytes() == after


def test_a_character_the_file_can_not_hold_is_said(do: Do, world: World) -> None:
    (world.root / "a.txt").write_bytes(b"caf\xe9\n")
    assert "can't hold all characters" in do("edit_file", path="a.txt", old="caf", new="😀").text
    assert (world.root / "a.txt").read_bytes() == b"caf\xe9\n"


def test_a_binary_file_a_folder_and_a_huge_file_are_refused(do: Do, world: World) -> None:
    (world.root / "binary").write_bytes(b"old\0")
    with (world.root / "huge").open("wb") as file:
        file.truncate(20_000_001)
    for path, said in (("binary", "binary file of 4 bytes"), (".", ". is a folder"), ("huge", "longer than")):
        assert said in do("edit_file", path=path, old="old", new="new").text


def test_a_python_file_that_no_longer_parses_is_said(do: Do, world: World) -> None:
    (world.root / "a.py").write_text(_CODE)
    broken = do("edit_file", path="a.py", old="def f(a):", new="def f(a)")
    assert broken.ok
    assert broken.text.split("\n")[-1].startswith("[it no longer parses (Python 3.")
    assert broken.text.endswith("line 1]")
    assert "parses" not in do("edit_file", path="a.py", old="return 1", new="return (").text
    assert "parses" not in do("edit_file", path="a.py", old="def f(a)", new="def f(a):").text


@settings(max_examples=100)
@given(st.text("ab \n", max_size=40), st.text("ab \n", min_size=1, max_size=5), st.text("abc\n", max_size=5))
def test_an_exact_edit_is_what_replacing_in_the_text_is(text: str, old: str, new: str) -> None:
    assume(old != new)
    assume(old in text)
    with tempfile.TemporaryDirectory() as folder:
        world = world_in(Path(folder))
        (world.root / "a.txt").write_text(text)
        arguments = {"path": "a.txt", "old": old, "new": new, "all": False}
        if text.count(old) > 1:
            with pytest.raises(ToolError):
                EditFile().run(arguments, world)
            assert (world.root / "a.txt").read_text() == text
        EditFile().run(arguments | {"all": True}, world)
        assert (world.root / "a.txt").read_text() == text.replace(old, new)


@settings(max_examples=200)
@given(
    st.text("ab \t\r\n", max_size=40), st.text("ab \t\r\n", max_size=12), st.text("ab \t\r\n", max_size=12)
)
def test_any_edit_changes_the_file_or_says_why_not(text: str, old: str, new: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = world_in(Path(folder))
        (world.root / "a.txt").write_bytes(text.encode())
        try:
            EditFile().run({"path": "a.txt", "old": old, "new": new, "all": False}, world)
        except ToolError as error:
            assert str(error)
            assert (world.root / "a.txt").read_bytes() == text.encode()


def test_the_nearest_lines_of_a_huge_text_are_found_quickly() -> None:
    text = "x" * 300_000 + "\n" + "".join(f"value_{n} = {n}\n" for n in range(100_000)) + "y" * 300_000
    assert "4001\tvalue_3999 = 3999" in closest(text, "valve_3999 = 3999")
    assert "90002\tvalue_90000 = 90000" in closest(text, "value_90000 = 90000\nsomething else")
