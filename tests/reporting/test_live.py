"""The live view, drawn on a terminal that is a string."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from ci_agent.journal import Event, Fact
from ci_agent.journal.events import (
    CommandStarted,
    ModelRetried,
    Moment,
    PlanItem,
    PlanUpdated,
    SetupRan,
    ToolCalled,
    Warned,
)
from ci_agent.reporting.live import LiveView
from ci_agent.sandbox.plain import Plain
from ci_agent.tools import World
from ci_agent.tools.bash import Bash
from tests.support.stories import (
    ALL,
    answered,
    broken_round,
    called,
    facts,
    hand_in,
    handed_in,
    limit,
    needs_human,
    ran,
    replied,
    second_try,
    sent_back,
    started,
    story,
    success,
    working,
)


class Clock:
    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def screen(
    events: list[Event], width: int = 100, later: float = 0.0, encoding: str = "utf-8", height: int = 40
) -> list[str]:
    """The view after these events, as lines."""
    raw = io.BytesIO()
    console = Console(
        file=io.TextIOWrapper(raw, encoding=encoding, write_through=True),
        width=width,
        height=height,
        force_terminal=True,
        color_system=None,
    )
    clock = Clock()
    view = LiveView(console, now=clock)
    for event in events:
        view.observe(event)
    clock.seconds += later
    console.print(view.render())
    return [line.rstrip() for line in raw.getvalue().decode(encoding).splitlines()]


def test_the_view_says_where_the_session_is() -> None:
    assert screen(working()) == [
        "ci-agent      issue 12: slug() makes double dashes",
        "phase         coding · step 5 of 50 · 3 min 54 s",
        "now           edit_file: slugs/core.py",
        "tests before  211 passed, 1 failed, 3 skipped",
        "model         gpt-5-mini · 25,750 tokens, 69 % cached · $0.05 of $3.00",
        "its words     I'll read `slug` and its tests first.",
        "its plan      1 of 3 steps done",
        "              ✓ Reproduce: `slug('A  b')` gives `a--b`",
        "              · Split at runs of white space in `slugs/core.py`",
        "              · Add tests for tabs and trailing blanks",
        "last actions  ✓ read_file: slugs/core.py",
        "              ✓ read_file: tests/test_core.py",
        "              ✓ bash: python -c \"from slugs import slug; print(slug('A  b'))\"",
    ]


@pytest.mark.parametrize(
    ("purpose", "now"),
    [
        ("set-up (work)", "now           set-up: python3 -m venv .venv"),
        ("tests before", "now           tests before: python3 -m venv .venv"),
        ("tests asked", "now           tests run for the model: python3 -m venv .venv"),
    ],
)
def test_a_command_of_the_harness_is_shown_until_it_has_ended(purpose: str, now: str) -> None:
    told: list[Fact] = [started(), CommandStarted(purpose, "python3 -m venv .venv")]
    assert now in screen(story(*told))
    over = SetupRan("x", 0, 1.0, False, "", "") if purpose == "set-up (work)" else ran(Moment.BEFORE)
    assert not any(line.startswith("now") for line in screen(story(*told, over)))


def test_what_a_hand_in_came_to_stays_in_sight() -> None:
    told = [*handed_in(), *broken_round(1), *sent_back(6)]
    assert "hand-in 1     1 newly broken, 2 tries left" in screen(story(*told))
    told += [*hand_in(7), *broken_round(2), *sent_back(7)]
    assert "hand-in 2     1 newly broken, 1 try left" in screen(story(*told))
    told += [*hand_in(8), *broken_round(3)]
    assert "hand-in 3     1 newly broken, no try left" in screen(story(*told))
    assert "hand-in 2     verified" in screen(second_try())
    assert not any(line.startswith("hand-in") for line in screen(limit()))


def test_while_the_tests_run_the_hand_in_is_not_what_it_does() -> None:
    told = [*handed_in(), CommandStarted("tests after", "make check")]
    assert screen(story(*told))[2] == "now           tests after: make check"


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        (called(6, "submit", title="Split slugs", summary="Because."), "submit: Split slugs"),
        (called(6, "ask_user", question="Tabs too?", choices=["a"]), "ask_user: Tabs too?"),
        (called(6, "update_plan", steps=[{"step": "a", "done": True}] * 3), "update_plan: 3 steps"),
        (called(6, "search", pattern="def slug", path="slugs"), "search: def slug in slugs"),
        (called(6, "search", pattern="def slug", path=".", glob="*.py"), "search: def slug in *.py"),
        (called(6, "search", pattern="def slug"), "search: def slug"),
        (called(6, "read_file", path="a.py", start=95, end=300), "read_file: a.py 95\N{EN DASH}300"),
        (called(6, "read_file", path="a.py", start=95), "read_file: a.py from 95"),
        (called(6, "read_file", path="a.py", start=1, end=20), "read_file: a.py 1\N{EN DASH}20"),
        (called(6, "read_file", path="a.py", end=20), "read_file: a.py up to 20"),
        (called(6, "read_file", path="a.py", start="x"), "read_file: a.py"),
        (called(6, "run_tests"), "run_tests"),
        (called(6, "run_tests", selector="tests/a.py"), "run_tests: tests/a.py"),
        (called(6, "no_such_tool", x=1), 'no_such_tool: {"x": 1}'),
        (ToolCalled(6, "c", "update_plan", "no JSON"), "update_plan"),
    ],
)
def test_a_call_is_shown_by_what_says_most(call: ToolCalled, shown: str) -> None:
    assert f"now           {shown}" in screen(story(started(), call))


def actions(*told: Fact) -> list[str]:
    lines = screen(story(started(), *told))
    first = next(number for number, line in enumerate(lines) if line.startswith("last actions"))
    return [line[14:] for line in lines[first:]]


def test_an_action_is_shown_with_its_result() -> None:
    assert actions(
        called(1, "edit_file", path="a.py"),
        answered(1, "edit_file", "no match", ok=False),
        called(1, "bash", command="grep [exit a.py"),
        answered(1, "bash", "[exit 7, forged by the output\n[exit 1, 0.2s]\n\n[60 % of the time is used.]"),
        called(1, "bash", command="make"),
        answered(1, "bash", "fine\n[exit 0, 0.2s]"),
        called(2, "run_tests"),
        CommandStarted("tests asked", "pytest"),
        ran(Moment.ASKED, {"t::a": "no"}, passed=3, skipped=0),
        answered(2, "run_tests", "facts"),
    ) == [
        "✗ edit_file: a.py",
        "✗ bash (exit 1): grep [exit a.py",
        "✓ bash: make",
        "✗ run_tests (3 passed, 1 failed)",
    ]


def test_the_exit_code_is_found_where_the_tool_says_it(tmp_path: Path) -> None:
    world = World(
        root=tmp_path,
        outputs=tmp_path,
        sandbox=Plain(tmp_path, tmp_path),
        remaining=lambda: 60.0,
        run_tests=lambda _: "",
        command_timeout=10,
    )
    text = Bash().run({"command": "echo; exit 3", "timeout": None}, world).text
    told: list[Fact] = [called(1, "bash", command="echo; exit 3"), answered(1, "bash", text)]
    assert actions(*told) == ["✗ bash (exit 3): echo; exit 3"]


def test_the_plan_and_a_hand_in_are_no_actions() -> None:
    told = [*handed_in(), *broken_round(1), *sent_back(6)]
    assert not any("submit" in line or "update_plan" in line for line in screen(story(*told)))


def test_only_the_last_line_of_what_the_model_said_last_is_shown() -> None:
    told = [replied(1, words="First.\n\nThen this.\n"), replied(2)]
    assert "its words     Then this." in screen(story(started(), *told))


@pytest.mark.parametrize("height", [3, 6, 9, 12, 15, 24, 40])
def test_the_view_is_never_higher_than_the_terminal(height: int) -> None:
    told = [*facts(needs_human())[:-8], PlanUpdated(tuple(PlanItem(f"step {n}", n < 9) for n in range(20)))]
    told += [fact for n in range(9) for fact in (called(n, "bash", command="make"), answered(n, "bash"))]
    lines = screen(story(*told), height=height)
    assert len(lines) <= max(height - 1, 7)
    if height >= 24:
        assert sum("bash: make" in line for line in lines) == 5
        assert "              · step 9" in lines


@pytest.mark.parametrize("width", [60, 80, 110])
def test_labels_are_never_cut_by_a_long_value(width: int) -> None:
    told = [*handed_in(), *broken_round(1), *sent_back(6), called(7, "bash", command="x" * 500)]
    lines = screen(story(*told), width)
    assert lines[2].startswith("now           bash: xxx")
    assert {line[:14].rstrip() for line in lines} == {
        "ci-agent", "phase", "now", "tests before", "hand-in 1", "model", "its words", "its plan", "", "last actions",
    }  # fmt: skip


def test_the_clock_goes_on_between_events() -> None:
    assert "4 min 4 s" in screen(working(), later=10.2)[1]


def test_the_clock_stands_when_the_session_has_ended() -> None:
    assert "7 min 12 s" in screen(success(), later=600)[1]


def test_a_model_that_does_not_answer_is_what_it_waits_for() -> None:
    assert "now           waiting for the model: HTTP 429" in screen(
        story(*facts(working()), ModelRetried(1, "HTTP 429", 3))
    )


@pytest.mark.parametrize("width", [1, 10, 20, 44, 60, 200])
@pytest.mark.parametrize("name", ALL)
def test_no_line_is_wider_than_the_terminal(name: str, width: int) -> None:
    assert max(map(len, screen(ALL[name](), width))) <= width


def test_a_narrow_terminal_gets_one_column() -> None:
    assert screen(working(), 44)[2] == "now: edit_file: slugs/core.py"


def test_markup_and_control_characters_of_strangers_are_only_text() -> None:
    told = [*facts(working()), ModelRetried(1, "[bold]x[/bold]\x1b[2J\n[link=http://e]y", 3)]
    assert "now           waiting for the model: [bold]x[/bold] [link=http://e]y" in screen(story(*told))


def test_a_terminal_that_knows_only_ascii_gets_question_marks() -> None:
    assert screen(working(), encoding="ascii")[1] == "phase         coding ? step 5 of 50 ? 3 min 54 s"


def test_when_it_ends_two_lines_stay_and_the_view_is_gone() -> None:
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=False)
    with LiveView(console) as view:
        for event in [*success(), *story(Warned("x"))]:
            view.observe(event)
    assert out.getvalue() == "issue 12: slug() makes double dashes\ncompleted · 7 min 12 s · 6 steps\n"


def test_the_cursor_is_given_back_even_when_the_session_breaks() -> None:
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True)
    with pytest.raises(KeyboardInterrupt), LiveView(console):
        raise KeyboardInterrupt
    assert out.getvalue().rindex("\x1b[?25h") > out.getvalue().rindex("\x1b[?25l")
