"""The `search` tool, with whichever program this machine has and with git grep alone."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from ci_agent.tools import Answer, World, all_tools, call
from tests.tools.conftest import Do, world_in


def fill(root: Path) -> None:
    files = {
        "src/app.py": "import os\n\n\ndef slug(text):\n    return text.lower()\n",
        "src/web/app.ts": "const slug = 1;\n",
        "b.py": "slug = 'b'\n",
        "a.py": "slug = 'a'\n",
        ".hidden/h.py": "slug = 'h'\n",
        "naïve name.py": "slug = 'ï'\n",
        "ignored/x.py": "slug = 'ignored'\n",
        ".gitignore": "ignored/\n",
        "binary.bin": "slug\0slug\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def ignore_what_is_tracked(world: World) -> None:
    """Files that git tracks and an ignore rule matches, by folder and by name; one of the name that is not tracked."""
    for name in ("x.egg-info/PKG-INFO", "kept.log", "left.log"):
        (world.root / name).parent.mkdir(exist_ok=True)
        (world.root / name).write_text("first\nName: slug\nslug again\n")
    subprocess.run(["git", "add", "x.egg-info", "kept.log", "a.py"], cwd=world.root, check=True)
    with (world.root / ".git/info/exclude").open("a") as exclude:
        exclude.write("*.egg-info/\n*.log\n")


def grep_only(folder: Path, monkeypatch: pytest.MonkeyPatch, programs: list[str]) -> World:
    """A world whose commands find nothing but these programs."""
    (folder / "bin").mkdir()
    for name in programs:
        (folder / "bin" / name).symlink_to(str(shutil.which(name)))
    world = world_in(folder)
    monkeypatch.setenv("PATH", str(folder / "bin"))
    return World(
        world.root,
        world.outputs,
        type(world.sandbox)(folder / "home", folder / "temporary"),  # type: ignore[call-arg]
        world.remaining,
        world.run_tests,
        5,
    )


_SEARCHES = [
    (
        {"pattern": "^slug"},
        [".hidden/h.py:1:slug = 'h'", "a.py:1:slug = 'a'", "b.py:1:slug = 'b'", "naïve name.py:1:slug = 'ï'"],
    ),
    ({"pattern": r"def \w+\("}, ["src/app.py:4:def slug(text):"]),
    ({"pattern": r"=\s\d"}, ["src/web/app.ts:1:const slug = 1;"]),
    ({"pattern": "(?i)IMPORT"}, ["src/app.py:1:import os"]),
    (
        {"pattern": "slug", "path": "src"},
        ["src/app.py:4:def slug(text):", "src/web/app.ts:1:const slug = 1;"],
    ),
    ({"pattern": "slug", "path": "src/app.py"}, ["src/app.py:4:def slug(text):"]),
    ({"pattern": "slug", "path": "naïve name.py"}, ["naïve name.py:1:slug = 'ï'"]),
    ({"pattern": "slug", "glob": "*.ts"}, ["src/web/app.ts:1:const slug = 1;"]),
    (
        {"pattern": "slug", "glob": "src/**/*.{py,ts}"},
        ["src/app.py:4:def slug(text):", "src/web/app.ts:1:const slug = 1;"],
    ),
    (
        {"pattern": "slug", "path": "src", "glob": "app.*", "max_results": 1},
        [
            "src/app.py:4:def slug(text):",
            "[1 matches left out; narrow pattern, path or glob, or raise max_results]",
            "+ 1 more in src/web/app.ts",
        ],
    ),
    ({"pattern": "nowhere"}, ["[no matches]"]),
    ({"pattern": "-slug"}, ["[no matches]"]),
    ({"pattern": "slug", "path": "src/**/*.ts"}, ["src/web/app.ts:1:const slug = 1;"]),
    (
        {"pattern": "= slug|slug =", "path": "*.py", "max_results": 2},
        [
            ".hidden/h.py:1:slug = 'h'",
            "a.py:1:slug = 'a'",
            "[2 matches left out; narrow pattern, path or glob, or raise max_results]",
            "+ 1 more in b.py",
            "+ 1 more in naïve name.py",
        ],
    ),
    ({"pattern": "slug", "glob": "src/web"}, ["src/web/app.ts:1:const slug = 1;"]),
    (
        {"pattern": "slug", "glob": "*.ts,app.*"},
        ["src/app.py:4:def slug(text):", "src/web/app.ts:1:const slug = 1;"],
    ),
    ({"pattern": "slug", "path": "src", "glob": "!*.py"}, ["src/web/app.ts:1:const slug = 1;"]),
    (
        {"pattern": r"const\|import os"},
        [
            "src/app.py:1:import os",
            "src/web/app.ts:1:const slug = 1;",
            r"[`\|` finds nothing, so it was taken as `|`]",
        ],
    ),
]


@pytest.mark.parametrize(("arguments", "lines"), _SEARCHES)
def test_matching_lines_are_found_in_a_fixed_order(
    arguments: dict[str, object], lines: list[str], do: Do, world: World
) -> None:
    fill(world.root)
    assert do("search", **arguments).text.split("\n") == lines
    assert not list(world.outputs.iterdir())


@pytest.mark.parametrize(("arguments", "lines"), _SEARCHES)
def test_git_grep_alone_finds_the_same(
    arguments: dict[str, object], lines: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = grep_only(tmp_path, monkeypatch, ["git"])
    fill(world.root)
    assert _search(world, **arguments).text.split("\n") == lines


_TRACKED = [
    (
        {"pattern": "slug", "path": "."},
        [
            ".hidden/h.py:1:slug = 'h'",
            "a.py:1:slug = 'a'",
            "b.py:1:slug = 'b'",
            "kept.log:",
            "2:Name: slug",
            "3:slug again",
            "naïve name.py:1:slug = 'ï'",
            "src/app.py:4:def slug(text):",
            "src/web/app.ts:1:const slug = 1;",
            "x.egg-info/PKG-INFO:",
            "2:Name: slug",
            "3:slug again",
        ],
    ),
    ({"pattern": "^Name", "path": "x.egg-info"}, ["x.egg-info/PKG-INFO:2:Name: slug"]),
    ({"pattern": "^Name", "path": "x.egg-info/PKG-INFO"}, ["x.egg-info/PKG-INFO:2:Name: slug"]),
    ({"pattern": "^Name", "glob": "PKG-*"}, ["x.egg-info/PKG-INFO:2:Name: slug"]),
    ({"pattern": "nowhere"}, ["[no matches]"]),
]


@pytest.mark.parametrize(("arguments", "lines"), _TRACKED)
def test_a_tracked_file_is_found_although_an_ignore_rule_matches_it(
    arguments: dict[str, object], lines: list[str], do: Do, world: World
) -> None:
    fill(world.root)
    ignore_what_is_tracked(world)
    assert do("search", **arguments).text.split("\n") == lines


@pytest.mark.parametrize(("arguments", "lines"), _TRACKED)
def test_git_grep_alone_finds_it_too(
    arguments: dict[str, object], lines: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = grep_only(tmp_path, monkeypatch, ["git"])
    fill(world.root)
    ignore_what_is_tracked(world)
    assert _search(world, **arguments).text.split("\n") == lines


def test_without_a_repository_the_files_are_searched_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = grep_only(tmp_path, monkeypatch, ["git"])
    fill(world.root)
    shutil.rmtree(world.root / ".git")
    assert _search(world, pattern=r"def \w+\(").text == "src/app.py:4:def slug(text):"


def test_without_any_program_the_way_out_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = grep_only(tmp_path, monkeypatch, [])
    assert "Use bash with grep" in _search(world, pattern="x").text


def _search(world: World, **arguments: object) -> Answer:
    return call("search", json.dumps(arguments), all_tools(), world)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("", "must be one line"),
        ("a\nb", "must be one line"),
        ("\0", "must be"),
    ],
)
def test_a_pattern_that_is_no_line_of_text_is_refused(pattern: str, said: str, do: Do, world: World) -> None:
    fill(world.root)
    answer = do("search", pattern=pattern)
    assert not answer.ok
    assert said in answer.text


def test_what_is_no_expression_is_searched_as_it_stands(do: Do, world: World) -> None:
    fill(world.root)
    lines = do("search", pattern="slug(").text.split("\n")
    assert lines[0] == "src/app.py:4:def slug(text):"
    assert lines[1].startswith("[`pattern` is no regular expression (")
    assert lines[1].endswith("): taken as plain text]")


def test_what_is_no_expression_and_stands_nowhere_is_said_to_be_none(do: Do, world: World) -> None:
    fill(world.root)
    answer = do("search", pattern="(zebra|giraffe")
    assert not answer.ok
    assert "is no regular expression (" in answer.text
    assert "Write it differently" in answer.text


def test_an_escape_that_stands_so_in_a_file_is_found(do: Do, world: World) -> None:
    (world.root / "a.json").write_text('{"drink": "caf\\u00e9 (bar)"}\n')
    for pattern in (r"caf\u00e9", r"caf\u00e9 (bar"):
        answer = do("search", pattern=pattern)
        assert answer.text.startswith('a.json:1:{"drink": "caf\\u00e9 (bar)"}'), answer.text


@pytest.mark.parametrize(
    "pattern", [r"[\U0001F300-\U0001FAFF]|zebra", r"\U0001F984", r"\u00e9\u002e", r"(?i)\U0001F984 \u00C9"]
)
def test_characters_may_be_written_as_in_python(pattern: str, do: Do, world: World) -> None:
    (world.root / "a.py").write_text("x = 1\nSAID = '\U0001f984 é.'\n")
    assert do("search", pattern=pattern).text == "a.py:2:SAID = '\U0001f984 é.'"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x" * 5_000 + "needle", "…" + "x" * 60 + "needle"),
        ("é" * 300 + "needle" + "x" * 300, "…" + "é" * 60 + "needle" + "x" * 134 + "…"),
        ("needle" + "x" * 300, "needle" + "x" * 194 + "…"),
        ("x" * 194 + "needle", "x" * 194 + "needle"),
    ],
)
def test_a_long_line_is_cut_around_the_match(text: str, shown: str, do: Do, world: World) -> None:
    (world.root / "a.js").write_text(f"{text}\n")
    assert do("search", pattern="needle").text == f"a.js:1:{shown}"


def test_of_too_many_matches_some_of_each_file_are_shown_and_where_the_others_are(
    do: Do, world: World
) -> None:
    for number, count in enumerate((47, 3, 30), start=1):
        (world.root / f"{number}.txt").write_text("needle\n" * count)
    lines = do("search", pattern="needle").text.split("\n")
    assert lines[:4] == ["1.txt:", "1:needle", "2:needle", "3:needle"]
    heads = [lines.index(f"{number}.txt:") for number in (1, 2, 3)]
    assert heads == [0, 25, 29]  # 24, 3 and 23: all of the small one, and the others alike
    assert lines[53:] == [
        "[30 matches left out; narrow pattern, path or glob, or raise max_results]",
        "+ 23 more in 1.txt",
        "+ 7 more in 3.txt",
    ]
    alone = do("search", pattern="needle", path="1.txt", max_results=40).text.split("\n")
    assert alone[-1] == "[7 matches left out; narrow pattern, path or glob, or raise max_results]"
    assert do("search", pattern="needle", max_results=100).text.count(":needle") == 80


def test_of_very_many_files_most_are_only_counted(do: Do, world: World) -> None:
    for number in range(300):
        (world.root / f"{number:03}.txt").write_text("needle\n")
    lines = do("search", pattern="needle").text.split("\n")
    assert len(lines) == 50 + 1 + 20 + 1
    assert lines[-1] == "+ 230 more files"


def test_many_long_lines_are_shown_as_far_as_an_answer_goes(do: Do, world: World) -> None:
    (world.root / "a.js").write_text(("x" * 300 + "\n") * 300)
    text = do("search", pattern="x", max_results=200).text
    assert len(text) < 16_200
    left = 300 - text.count(":x")
    assert 100 < left < 250
    assert f"[{left} matches left out;" in text


def test_a_path_that_is_not_there_is_said(do: Do, world: World) -> None:
    fill(world.root)
    assert (
        do("search", pattern="x", path="app.py").text == "There is no app.py. Files of that name: src/app.py."
    )


def test_what_the_repository_configures_for_git_runs_without_our_secrets(
    do: Do, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    fill(world.root)
    hook = world.root / "hook"
    hook.write_text(f"#!/bin/sh\nenv > '{tmp_path}/seen'\n")
    hook.chmod(0o755)
    do("bash", command="git config core.fsmonitor ./hook")
    assert do("search", pattern="import os").text == "src/app.py:1:import os"
    seen = tmp_path / "seen"
    assert "sk-canary" not in (seen.read_text() if seen.exists() else "")
