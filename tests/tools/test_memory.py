"""What the model was shown is not shown again unless it asks for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.tools import World
from ci_agent.tools.memory import Memory, Shown
from tests.tools.conftest import Do


@pytest.fixture
def text(world: World) -> str:
    text = "".join(f"line {number}\n" for number in range(1, 201))
    (world.root / "a.txt").write_text(text)
    return text


def test_an_unchanged_file_is_shown_once_and_again_when_that_is_asked_for(do: Do, text: str) -> None:
    first = do("read_file", path="a.txt")
    do("bash", command="true")
    second = do("read_file", path="a.txt")
    assert second.ok
    assert second.text == (
        "[a.txt, lines 1 to 200: unchanged since you were shown it 2 calls ago. Ask once more to see it again.]"
    )
    assert second.unchanged == first.text
    assert do("read_file", path="a.txt").text == first.text
    assert "in the call before this one" in do("read_file", path="a.txt").text


def test_a_window_inside_one_that_was_shown_is_unchanged_too(do: Do, text: str) -> None:
    do("read_file", path="a.txt", start=50, end=150)
    assert do("read_file", path="a.txt", start=60, end=140).text.startswith(
        "[a.txt, lines 60 to 140: unchanged"
    )
    assert "line 1\n" in do("read_file", path="a.txt", start=1, end=100).text
    assert do("read_file", path="a.txt", start=151, end=200).text.startswith("line 151\n")


def test_what_changed_is_shown(do: Do, text: str, world: World) -> None:
    do("read_file", path="a.txt", start=1, end=100)
    do("edit_file", path="a.txt", old="line 150\n", new="")
    assert "unchanged" in do("read_file", path="a.txt", start=1, end=100).text
    do("edit_file", path="a.txt", old="line 50\n", new="")
    assert "line 51\n" in do("read_file", path="a.txt", start=1, end=100).text


def test_new_definitions_behind_an_unchanged_head_are_shown(do: Do, world: World) -> None:
    (world.root / "a.py").write_text("x = 1\n" * 500 + "def f(): ...\n")
    do("read_file", path="a.py")
    do("edit_file", path="a.py", old="def f(): ...\n", new="def f(): ...\ndef g(): ...\n")
    assert do("read_file", path="a.py").text.endswith("502\tdef g(): ...")
    assert "unchanged" in do("read_file", path="a.py", start=2, end=120).text


def test_each_of_several_reads_in_a_row_can_be_had_again(do: Do, text: str, world: World) -> None:
    (world.root / "b.txt").write_text(text)
    for _ in range(2):
        answers = [do("read_file", path=name).text for name in ("a.txt", "b.txt")]
    assert all("unchanged" in answer for answer in answers)
    assert all(do("read_file", path=name).text.startswith("line 1\n") for name in ("a.txt", "b.txt"))


def test_the_same_matches_are_shown_once(do: Do, text: str) -> None:
    first = do("search", pattern="line 1")
    again = do("search", pattern="line 1")
    assert again.text.startswith(
        "[the answer: unchanged since you were shown it in the call before this one."
    )
    assert again.unchanged == first.text
    assert "a.txt" in do("search", pattern="line 2").text


def test_what_is_short_is_simply_shown(do: Do, world: World) -> None:
    (world.root / "b.txt").write_text("one\n")
    assert [do("read_file", path="b.txt").text for _ in range(3)] == ["one"] * 3


def test_commands_are_run_each_time(do: Do) -> None:
    assert [do("bash", command="seq 300").text[:4] for _ in range(3)] == ["1\n2\n"] * 3


def test_what_is_no_longer_in_the_context_is_shown_again(do: Do, text: str, world: World) -> None:
    first = do("read_file", path="a.txt").text
    do("submit", title="Fix it", summary="It was wrong.")
    world.memory.forget()
    assert do("read_file", path="a.txt").text == first
    assert do("submit").ends is not None


_NUMBERS = st.integers(1, 12)


@given(st.lists(st.tuples(_NUMBERS, _NUMBERS), min_size=1, max_size=8))
def test_only_windows_that_lie_in_an_earlier_one_count_as_seen(windows: list[tuple[int, int]]) -> None:
    memory = Memory()
    lines = [str(number) for number in range(1, 30)]
    shown: list[set[int]] = []
    pointed: set[tuple[int, int]] = (
        set()
    )  # those that were told to have been seen, until they are shown again
    for first, count in windows:
        memory.begin_call()
        numbers = set(range(first, first + count))
        ago = memory.seen(Shown("a", first, tuple(lines[first - 1 : first - 1 + count])))
        held = any(numbers <= earlier for earlier in shown)
        assert bool(ago) == (held and (first, count) not in pointed)
        pointed ^= {(first, count)} & (pointed if not ago else {(first, count)} - pointed)
        if not ago:
            shown.append(numbers)
