"""The `read_file` tool: windows, folders, and files that are no plain text."""

from __future__ import annotations

import tempfile
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_agent.tools import World
from ci_agent.tools.outline import outline
from ci_agent.tools.read_file import ReadFile, _skip_lines
from tests.tools.conftest import Do, world_in


@pytest.mark.parametrize(
    ("window", "text"),
    [
        ({}, "one\ntwo\nthree"),
        ({"start": 2}, "two\nthree\n[lines 2 to 3 of 3]"),
        ({"start": 1, "end": 2}, "one\ntwo\n[lines 1 to 2 of 3]"),
        ({"start": 0, "end": 99}, "one\ntwo\nthree\n[`start` was set to 1, the nearest it can be]"),
        ({"start": 9}, "one\ntwo\nthree\n[there is no line 9]"),
        ({"start": 9, "end": 20}, "one\ntwo\nthree\n[there is no line 9]"),
        ({"view_range": [2, 3]}, "two\nthree\n[lines 2 to 3 of 3]"),
        ({"view_range": [2, -1]}, "two\nthree\n[lines 2 to 3 of 3]"),
        ({"end": 2}, "one\ntwo\n[lines 1 to 2 of 3]"),
        ({"start": 2, "end": 1}, "two\n[lines 2 to 2 of 3]"),
        ({"start": 2, "end": -1}, "two\nthree\n[lines 2 to 3 of 3]"),
    ],
)
@pytest.mark.parametrize("end", ["", "\n"])
def test_a_window_is_clamped_and_says_where_to_go_on_if_more_was_asked_for(
    window: dict[str, int], text: str, end: str, do: Do, world: World
) -> None:
    (world.root / "a.txt").write_text("one\ntwo\nthree" + end)
    assert do("read_file", path="a.txt", **window).text == text


def test_at_most_four_hundred_lines_are_shown(do: Do, world: World) -> None:
    (world.root / "a.txt").write_text("x\n" * 1000)
    lines = do("read_file", path="a.txt").text.split("\n")
    assert lines[-1] == "[lines 1 to 400 of 1,000; go on with start=401]"
    assert len(lines) == 401
    asked = do("read_file", path="a.txt", start=2, end=500).text
    assert asked.endswith("\n[lines 2 to 401 of 1,000; go on with start=402]")


def test_a_short_rest_is_not_cut_off(do: Do, world: World) -> None:
    (world.root / "a.txt").write_text("x\n" * 1000)
    assert do("read_file", path="a.txt", start=1, end=480).text.endswith("\n[lines 1 to 480 of 1,000]")
    asked = do("read_file", path="a.txt", start=501, end=981).text
    assert asked.endswith("\n[lines 501 to 900 of 1,000; go on with start=901]")


def test_at_most_sixteen_thousand_characters_are_shown(do: Do, world: World) -> None:
    (world.root / "a.txt").write_text(("x" * 999 + "\n") * 100)
    text = do("read_file", path="a.txt").text
    assert len(text) < 16_100
    assert text.endswith("\n[cut at 16,000 characters: lines 1 to 16 of 100; go on with start=17]")
    asked = do("read_file", path="a.txt", start=50, end=99).text
    assert asked.endswith("\n[cut at 16,000 characters: lines 50 to 65 of 100; go on with start=66]")
    assert do("read_file", path="a.txt", start=60, end=70).text.endswith("\n[lines 60 to 70 of 100]")


def test_behind_the_end_the_last_lines_are_shown(do: Do, world: World) -> None:
    (world.root / "a.txt").write_text("".join(f"{number}\n" for number in range(1, 101)))
    lines = do("read_file", path="a.txt", start=200, end=260).text.split("\n")
    assert lines[0] == "81"
    assert lines[-2:] == ["[there is no line 200]", "[lines 81 to 100 of 100]"]


_LONG = "".join(f"class C{n}:\n    def f(self):\n        return {n}\n\n\n" for n in range(100))


def test_of_a_long_file_without_a_range_the_head_and_its_definitions_are_shown(do: Do, world: World) -> None:
    (world.root / "a.py").write_text(_LONG + "text = '''\ndef no():\n'''\n")
    text = do("read_file", path="a.py").text
    head, _, contents = text.partition("\n[lines 1 to 200 of 503]\n")
    assert head.split("\n")[-2:] == ["", ""]
    lines = contents.split("\n")
    assert lines[0] == "[its definitions (100 more are left out); see them with start and end:]"
    assert lines[1:3] == ["1\tclass C0:", "6\tclass C1:"]
    assert lines[-1] == "496\tclass C99:"
    assert "definitions" not in do("read_file", path="a.py", start=1).text
    assert len(text) < 16_000


def test_definitions_of_a_file_with_long_lines_fit_too(do: Do, world: World) -> None:
    (world.root / "a.js").write_text(("// " + "x" * 300 + "\n") * 300 + "export function f() {}\n")
    text = do("read_file", path="a.js").text
    assert text.endswith("[its definitions; see them with start and end:]\n301\texport function f() {}")
    assert len(text) < 16_500


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("a.py", "    async def f(self):"),
        ("a.js", "export default class A {"),
        ("a.js", "const f = async (a, b) => {"),
        ("a.ts", "export interface A<T> {"),
        ("a.ts", "export const a = 1;"),
        ("a.go", "func (s *Server) Run() error {"),
        ("a.go", "type Server struct {"),
        ("a.rs", "    pub(crate) async fn run(&self) {"),
        ("a.rs", "impl<T> A for B<T> {"),
        ("a.java", "    public static void main(String[] args) {"),
        ("a.c", "static int main(int argc, char **argv)"),
        ("a.rb", "  def self.run"),
        ("a.md", "## Heading"),
    ],
)
def test_a_definition_is_known_by_how_it_begins(name: str, line: str) -> None:
    others = "x = 1\n\n    return f(x);\n    // class of its own\n"  # which Python's parser does not take
    assert outline(name, f"{others}{line}\n{others}") == (
        f"[its definitions; see them with start and end:]\n5\t{line}"
    )


def test_of_text_no_definitions_are_told() -> None:
    assert not outline("a.txt", "class A:\n")
    assert not outline("a.py", "x = 1\n")


@settings(max_examples=50)
@given(st.sampled_from(["a.py", "a.js", "a.md", "a.c"]), st.text(max_size=300))
def test_an_outline_of_anything_is_bounded(name: str, text: str) -> None:
    assert len(outline(name, text * 50)) < 7_000


def test_both_limits_are_in_the_description() -> None:
    assert "at most 400 or 16,000 characters" in ReadFile.description


def test_a_very_long_line_is_cut(do: Do, world: World) -> None:
    (world.root / "a.txt").write_text("é" * 3_000 + "\n" + "y" * 1_000_000 + "\nend\n")
    lines = do("read_file", path="a.txt").text.split("\n")
    assert lines[0] == "" + "é" * 2_000 + "… [1,000 characters more]"
    assert lines[1].startswith("" + "y" * 2_000 + "… [")
    assert lines[2] == "end"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "[a is empty]"),
        (b"\x7fELF\0\0", "[a is a binary file of 6 bytes]"),
        (b"caf\xe9\n", "café\n[not UTF-8; shown as Latin-1]"),
        ("café\n".encode(), "café"),
        (b"one\r\ntwo\r\n", "one\ntwo\n[lines end with CR LF]"),
        (b"one\r\ntwo\n", "one\r\ntwo"),
        (b"\n", ""),
    ],
)
def test_what_kind_of_file_it_is_is_said(data: bytes, text: str, do: Do, world: World) -> None:
    (world.root / "a").write_bytes(data)
    assert do("read_file", path="a").text == text


def test_an_output_with_control_characters_is_shown_as_text(do: Do, world: World) -> None:
    world.outputs.mkdir()
    (world.outputs / "1.txt").write_bytes(b"\x1b[31mred\x1b[0m\0\n1%\r2%\n")
    assert do("read_file", path="$AGENT_OUTPUTS/1.txt").text == "red␀\n2%"


def test_a_folder_is_listed(do: Do, world: World) -> None:
    (world.root / "b").mkdir()
    (world.root / "a.txt").touch()
    assert do("read_file", path="").text == ". is a folder:\na.txt\nb/"


def test_a_big_folder_is_listed_in_part(do: Do, world: World) -> None:
    for number in range(310):
        (world.root / f"{number:03}").touch()
    assert do("read_file", path=".").text.endswith("\n299\n[10 more]")


@given(st.binary(max_size=200), st.integers(0, 20))
def test_skipping_lines_ends_where_reading_them_does(data: bytes, count: int) -> None:
    skipped, read = BytesIO(data), BytesIO(data)
    _skip_lines(skipped, count)
    for _ in range(count):
        read.readline()
    assert skipped.read() == read.read()


@settings(max_examples=50)
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=20), min_size=1, max_size=30),
    st.integers(1, 40),
    st.integers(1, 40),
)
def test_every_window_shows_exactly_its_lines(lines: list[str], start: int, end: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = world_in(Path(folder))
        (world.root / "a.txt").write_text("".join(f"{line}\n" for line in lines))
        text = ReadFile().run({"path": "a.txt", "start": start, "end": end, "symbol": ""}, world).text
    behind = start > len(lines)
    first = max(1, len(lines) - 19) if behind else start
    last = len(lines) if behind else min(max(end, first), len(lines))
    shown = lines[first - 1 : last]
    assert text.split("\n")[: len(shown)] == shown
