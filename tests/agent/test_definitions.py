"""Where what an issue names is defined."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.agent.definitions import mentioned, pattern, told
from tests.support.repositories import make_repository


def test_names_in_code_come_first_and_words_of_prose_are_none() -> None:
    text = "The function slug() and `Shop.add_item(x)` fail for True.\n```py\nfrom shop import Cart\nCart().total\n```"
    assert mentioned(text) == ["Shop", "add_item", "slug", "Cart"]
    assert mentioned("Please make the output nicer when there is an error.") == []


@pytest.mark.parametrize(
    "line",
    [
        "def wraps(func):",
        "    async def wraps(self):",
        "class wraps:",
        "export const wraps = f;",
        "export default function wraps() {",
        "const wraps = () => 1;",
        "func (s *Server) wraps() {",
        "pub fn wraps<T>() {}",
        "  interface wraps {",
    ],
)
def test_a_definition_is_found_in_the_languages_that_say_so_by_a_word(tmp_path: Path, line: str) -> None:
    path = make_repository(tmp_path / "r", {"a.js": f"wraps(1)\n{line}\nunwraps = wraps\n"}).path
    words = ("git", "-C", str(path), "grep", "-nIE", "-e", pattern(["wraps"]), "HEAD", "--")
    found = subprocess.run(words, capture_output=True, check=True, text=True).stdout.splitlines()
    lines = [one.removeprefix("HEAD:") for one in found]
    assert told(lines, ["wraps"]) == f"a.js:2: {line.strip()}"


def test_what_is_defined_all_over_the_place_is_left_out() -> None:
    lines = [f"{n}.py:1:def run():" for n in range(9)] + [
        "a.py:7:def only():",
        "no line",
        "b.py:x:def only():",
    ]
    assert told(lines, ["run", "only"]) == "a.py:7: def only():"


@given(st.text(max_size=200))
def test_any_text_gives_names_that_are_plain_words(text: str) -> None:
    assert all(name.isidentifier() for name in mentioned(text))
    told(text.splitlines(), mentioned(text))
