"""What a model writes into a plan that a person approves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.journal import Event
from ci_agent.journal.events import PlanProposed
from ci_agent.journal.journal import as_line, from_line
from ci_agent.tools import World, all_tools, call
from ci_agent.unseen import plainly_seen
from tests.journal.any_events import numbered
from tests.tools.conftest import Do, world_in


@pytest.fixture
def do(world: World) -> Do:
    def do(name: str, /, **arguments: Any) -> Any:
        return call(name, json.dumps(arguments), all_tools(planning=True), world)

    return do


def test_a_plan_ends_the_turn_with_its_files(do: Do, world: World) -> None:
    (world.root / "src").mkdir()
    (world.root / "src" / "a.py").touch()
    (world.root / "docs").mkdir()
    files = ["src/a.py", "./src/../new.py", str(world.root / "src" / "a.py"), "docs", "more/", " "]
    found = do("propose_plan", plan=" Mend it. ", files=files).ends
    assert found == PlanProposed("Mend it.", ("src/a.py", "new.py", "docs/", "more/"), ("new.py", "more/"))


def test_a_file_behind_a_link_is_the_one_that_will_change(do: Do, world: World) -> None:
    (world.root / "src").mkdir()
    (world.root / "link").symlink_to("src")
    assert do("propose_plan", plan="x", files=["link/a.py"]).ends == PlanProposed(
        "x", ("src/a.py",), ("src/a.py",)
    )


def test_a_file_whose_name_looks_like_a_pattern_can_be_named(do: Do, world: World) -> None:
    (world.root / "a*.py").touch()
    assert do("propose_plan", plan="x", files=["a*.py", "[id].tsx"]).ends == PlanProposed(
        "x", ("a*.py", "[id].tsx"), ("[id].tsx",)
    )


@pytest.mark.parametrize(
    ("plan", "files", "said"),
    [
        (" ", ["a.py"], "`plan` is empty"),
        ("x" * 6_001, ["a.py"], "`plan` has 6,001 characters, at most 6,000"),
        ("x", [], "`files` names 0, 1 to 100 are wanted"),
        ("x", ["", " "], "`files` names 0"),
        ("x", [f"{n}.py" for n in range(101)], "`files` names 101"),
        ("x", ["."], "is all of the repository"),
        ("x", ["src/*.py"], "src/*.py is a pattern"),
        ("x", ["../outside.py"], "outside the workspace"),
        ("x", ["/etc/passwd"], "outside the workspace"),
        ("x", [".git/config"], "belongs to git"),
        ("x", ["a\nb.py"], "all of which can be seen"),
        ("x", ["a\u200b.py"], "all of which can be seen"),
        ("x", ["a\u3164.py"], "all of which can be seen"),
        ("x", ["a/" * 150], "at most 200 characters"),
        ("x", [{"path": "a.py"}], "wanted: an array"),
    ],
)
def test_what_is_no_plan_is_sent_back(plan: str, files: list[Any], said: str, do: Do) -> None:
    answer = do("propose_plan", plan=plan, files=files)
    assert not answer.ok
    assert answer.ends is None
    assert said in answer.text


def test_it_is_found_by_the_name_that_another_agent_gives_it(do: Do) -> None:
    assert do("ExitPlanMode", plan="x", files=["a.py"]).ends == PlanProposed("x", ("a.py",), ("a.py",))
    answer = do("ExitPlanMode", plan="x")
    assert not answer.ok
    assert "`files` is missing" in answer.text


def test_nobody_has_it_who_was_not_given_it(world: World) -> None:
    answer = call("propose_plan", json.dumps({"plan": "x", "files": ["a.py"]}), all_tools(), world)
    assert not answer.ok
    assert answer.ends is None


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> World:
    """One for all examples: a plan leaves nothing behind."""
    return world_in(tmp_path_factory.mktemp("planned"))


_values = st.text(max_size=300) | st.lists(st.text(max_size=60) | st.integers() | st.none(), max_size=5)


@given(arguments=st.fixed_dictionaries({}, optional={"plan": _values, "files": _values, "more": _values}))
def test_whatever_is_written_there_is_answered_or_can_be_shown_whole(
    place: World, arguments: dict[str, Any]
) -> None:
    answer = call("propose_plan", json.dumps(arguments), all_tools(planning=True), place)
    assert answer.text
    if answer.ends is None:
        assert not answer.ok
        return
    assert isinstance(answer.ends, PlanProposed)
    assert 0 < len(answer.ends.plan) <= 6_000
    assert 0 < len(answer.ends.files) <= 100
    for name in answer.ends.files:
        assert plainly_seen(name) == name
        assert name.isprintable()
        assert not Path(name).is_absolute()
        assert ".." not in Path(name).parts
    [event] = numbered([answer.ends])
    assert isinstance(event, Event)
    assert from_line(as_line(event), "here") == event
