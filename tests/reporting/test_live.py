"""The live view, drawn on a terminal that is a string."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from ci_agent.journal.events import ModelRetried, Warned
from ci_agent.reporting.live import LiveView
from tests.support.stories import ALL, facts, story, success, working


class Clock:
    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def screen(events: list, width: int = 100, later: float = 0.0, encoding: str = "utf-8") -> list[str]:  # type: ignore[type-arg]
    """The view after these events, as lines."""
    raw = io.BytesIO()
    console = Console(
        file=io.TextIOWrapper(raw, encoding=encoding, write_through=True),
        width=width,
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
        "phase         coding · step 5 of 50 · 3 min 27 s",
        "now           edit_file: slugs/core.py",
        "tests before  211 passed, 1 failed, 3 skipped",
        "model         gpt-5-mini · 25,750 tokens, 69 % cached · $0.05 of $3.00",
        "its plan      1 of 3 steps done",
        "              ✓ Reproduce: `slug('A  b')` gives `a--b`",
        "              · Split at runs of white space in `slugs/core.py`",
        "              · Add tests for tabs and trailing blanks",
    ]


def test_the_clock_goes_on_between_events() -> None:
    assert "3 min 37 s" in screen(working(), later=10.2)[1]


def test_the_clock_stands_when_the_session_has_ended() -> None:
    assert "6 min" in screen(success(), later=600)[1]


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
    assert screen(working(), encoding="ascii")[1] == "phase         coding ? step 5 of 50 ? 3 min 27 s"


def test_when_it_ends_two_lines_stay_and_the_view_is_gone() -> None:
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=False)
    with LiveView(console) as view:
        for event in [*success(), *story(Warned("x"))]:
            view.observe(event)
    assert out.getvalue() == "issue 12: slug() makes double dashes\ncompleted · 6 min · 6 steps\n"


def test_the_cursor_is_given_back_even_when_the_session_breaks() -> None:
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True)
    with pytest.raises(KeyboardInterrupt), LiveView(console):
        raise KeyboardInterrupt
    assert out.getvalue().rindex("\x1b[?25h") > out.getvalue().rindex("\x1b[?25l")
