"""Errors of syntax are told where a change brought them, and only then."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ci_agent.tools import World
from ci_agent.tools.outputs import Output, fresh
from tests.tools.conftest import Do

_CHANGES = [
    ("a.py", "x = 1\n", "x = (\n", "Python 3."),
    ("a.json", '{"a": 1}\n', '{"a": 1,}\n', "JSON): "),
    ("a.toml", "a = 1\n", "a = \n", "TOML): "),
    ("a.yml", "a: [1]\n", "a: [1\n", "YAML): "),
    ("a.yaml", "a: 1\n", "a: b: c\n", "YAML): mapping values are not allowed in this context, line 1"),
]
needs_node = pytest.mark.skipif(not shutil.which("node"), reason="there is no node")


@pytest.mark.parametrize(("name", "good", "bad", "said"), _CHANGES)
def test_what_an_edit_broke_is_said(name: str, good: str, bad: str, said: str, do: Do, world: World) -> None:
    (world.root / name).write_text(good)
    broken = do("edit_file", path=name, old=good, new=bad)
    assert broken.ok
    last = broken.text.split("\n")[-1]
    assert last.startswith("[it no longer parses (")
    assert said in last
    assert "parse" not in do("edit_file", path=name, old=bad, new=f"{bad}\n").text
    assert "parse" not in do("edit_file", path=name, old=bad, new=good).text


@pytest.mark.parametrize(("name", "good", "bad", "said"), _CHANGES)
def test_what_is_written_is_looked_at_too(
    name: str, good: str, bad: str, said: str, do: Do, world: World
) -> None:
    assert "[it does not parse (" in do("write_file", path=name, content=bad).text
    assert "parse" not in do("write_file", path=name, content=f"{bad}\n").text
    assert "parse" not in do("write_file", path=name, content=good).text
    assert "[it no longer parses (" in do("write_file", path=name, content=bad).text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tsconfig.json", '{"a": 1, // why\n}'),
        ("a.yml", "a: !vault x\n---\nb: 1\n"),
        ("a.txt", "x = ("),
        ("a.json", "1\n" * 300_000),
        ("new.js", "const a = <p>hello</p>;\n"),
    ],
)
def test_what_may_be_right_is_not_called_wrong(name: str, text: str, do: Do) -> None:
    assert "parse" not in do("write_file", path=name, content=text).text


@needs_node
@pytest.mark.parametrize("name", ["a.js", "a.mjs", "a.cjs"])
@pytest.mark.parametrize("good", ["const a = 1;\n", "import b from 'b';\nexport const a = 1;\n"])
def test_javascript_that_no_longer_parses_is_said(name: str, good: str, do: Do, world: World) -> None:
    (world.root / name).write_text(good)
    answer = do("edit_file", path=name, old="const a = 1;", new="const a = (;")
    line = good.count("\n")
    assert (
        answer.text.split("\n")[-1]
        == f"[it no longer parses (JavaScript): Unexpected token ';', line {line}]"
    )
    assert "parse" not in do("edit_file", path=name, old="(;", new="((;").text
    assert not list(world.outputs.iterdir())


@needs_node
def test_javascript_that_only_a_compiler_takes_is_left_alone(do: Do, world: World) -> None:
    (world.root / "a.js").write_text("const a = <p>hello</p>;\n")
    assert "parse" not in do("edit_file", path="a.js", old="hello", new="there").text


def test_nothing_of_the_file_is_run(do: Do, world: World) -> None:
    for name, text in (("a.py", "open('ran', 'w')\nx = 1\n"), ("a.mjs", "import 'fs';\nlet x = 1;\n")):
        (world.root / name).write_text(text)
        assert do("edit_file", path=name, old="x = 1", new="x = (").ok
    assert not (world.root / "ran").exists()


@needs_node
def test_a_link_in_place_of_what_node_reads_is_not_written_through(
    do: Do, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = world.root.parent / "victim"
    victim.write_text("as it was")

    @contextmanager
    def replaced(folder: Path) -> Iterator[Output]:
        """The first file is replaced at once, by something that was left running."""
        with fresh(folder) as output:
            if output.path.name == "1.txt":
                output.path.unlink()
                output.path.symlink_to(victim)
            yield output

    monkeypatch.setattr("ci_agent.tools.syntax.fresh", replaced)
    (world.root / "a.js").write_text("const a = 1;\n")
    do("edit_file", path="a.js", old="1", new="(")
    assert victim.read_text() == "as it was"
