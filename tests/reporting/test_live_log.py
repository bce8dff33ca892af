"""The log on a terminal while a branch is compared."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from ci_agent.journal.events import CommandStarted, Fact, Warned
from ci_agent.reporting.live_log import LiveLog
from tests.support.stories import alone, story, success


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def beneath(*facts: Fact, width: int = 80, encoding: str = "utf-8", later: float = 0.0) -> str:
    """What stands beneath the log after these facts."""
    raw = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    clock = Clock()
    console = Console(file=raw, width=width, force_terminal=True)
    log = LiveLog(console, now=clock)
    for event in story(*facts):
        log.observe(event)
    clock.seconds += later
    with console.capture() as captured:
        console.print(log.render(), end="")
    return captured.get()


def test_what_runs_now_stands_beneath_with_a_clock() -> None:
    assert "… tests after: make test 1 min 5 s" in beneath(
        CommandStarted("tests after", "make test"), later=65.4
    )


def test_nothing_stands_there_when_it_has_ended() -> None:
    assert "make" not in beneath(CommandStarted("tests after", "make test"), Warned("x"))


@pytest.mark.parametrize("width", [20, 40, 80])
def test_a_long_command_is_one_line_of_the_terminal(width: int) -> None:
    said = beneath(CommandStarted("checks", "\x1b[2Jlint " * 100), width=width)
    assert "\n" not in said.strip()
    assert "\x1b[2J" not in said


def test_a_terminal_that_knows_only_ascii_gets_question_marks() -> None:
    assert "caf? " in beneath(CommandStarted("checks", "café"), encoding="ascii")


def test_the_lines_of_the_log_stay_and_the_verdict_is_left_to_the_last_words() -> None:
    out = io.StringIO()
    with LiveLog(Console(file=out, width=40, force_terminal=False)) as log:
        for event in [*alone(success()), *story(Warned("[bold]x[/bold]"))]:
            log.observe(event)
    lines = [line for line in out.getvalue().splitlines() if line]
    assert any("tests before: 211 passed, 1 failed, 3 skipped" in line for line in lines)
    assert "warning: [bold]x[/bold]" in lines[-1]
    assert "Verified" not in out.getvalue()


def test_the_cursor_is_given_back_even_when_it_breaks() -> None:
    out = io.StringIO()
    with pytest.raises(KeyboardInterrupt), LiveLog(Console(file=out, width=80, force_terminal=True)):
        raise KeyboardInterrupt
    assert out.getvalue().rindex("\x1b[?25h") > out.getvalue().rindex("\x1b[?25l")
