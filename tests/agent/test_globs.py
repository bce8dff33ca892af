"""Globs that name files."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.agent.globs import matches

_REGEX = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]", "{": "(?:", "}": ")", ",": "|"}
_PIECES = st.sampled_from(["**/", "**", "*", "?", "a", "b", "/", ".", "{a,b/}", "{*,{a,b}?}", "{,a}"])


@pytest.mark.parametrize(
    ("glob", "path", "expected"),
    [
        ("*.py", "src/a/b.py", True),
        ("/src/*.py", "src/a/b.py", False),
        ("./src/**/*.py", "src/b.py", True),
        ("**/**/b.py", "src/b.py", True),
        ("src/", "src/a/b.py", True),
        ("src/**", "srcs/a.py", False),
        ("*.{ts,ts?}", "a/b.tsx", True),
        ("src/{a,b/{c,d}}/*", "src/b/d/x", True),
        ("src/{a,b/{c,d}}/*", "src/d/x", False),
        ("a?.py", "a/.py", False),
        ("{a", "{a", True),
        ("{a", "a", False),
        ("a}", "a}", True),
        ("a,b", "a,b", True),
        ("a+(b)[c]", "a+(b)[c]", True),
        ("", "", True),
        ("*", "a/b", True),
    ],
)
def test_a_glob_names_files_as_in_gitignore(glob: str, path: str, expected: bool) -> None:
    assert matches(path, glob) is expected


@given(st.lists(_PIECES, min_size=1, max_size=6), st.text("ab/.", max_size=8))
def test_it_is_what_the_regular_expression_would_say(pieces: list[str], path: str) -> None:
    glob, path = f"a/{''.join(pieces)}a", f"a/{path}a"
    pattern = re.sub(r"\*\*/|\*\*|.", lambda part: _REGEX.get(part[0], re.escape(part[0])), glob)
    assert matches(path, glob) is (re.fullmatch(pattern, path) is not None)


@pytest.mark.parametrize(
    "glob", ["*a" * 40 + "b", "**a" * 40 + "b", "**/" * 1_000 + "b", "{a,*}" * 500 + "b", "{" * 4_000]
)
def test_no_glob_takes_long(glob: str) -> None:
    began = time.process_time()
    assert not matches("a" * 200 + "/" + "a" * 200, glob)
    assert time.process_time() - began < 1


@given(st.text("ab/*?{},", max_size=30), st.text("ab/{},", max_size=10))
def test_any_text_is_a_glob(glob: str, path: str) -> None:
    assert isinstance(matches(path, glob), bool)
