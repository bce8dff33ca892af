"""What a run prints where there is no live view, and its last words."""

from __future__ import annotations

import io

import pytest

from ci_agent.journal import encode
from ci_agent.journal.events import QuestionAsked, Warned
from ci_agent.reporting.terminal import JsonLines, PlainLog, closing
from tests.support.stories import ALL, answered, question, story, success


def logged(events: list) -> list[str]:  # type: ignore[type-arg]
    stream = io.StringIO()
    log = PlainLog(stream)
    for event in events:
        log.observe(event)
    return stream.getvalue().splitlines()


def test_a_log_has_the_time_and_one_line_per_noteworthy_event() -> None:
    lines = logged(success())
    assert (
        lines[0]
        == "12:00:00 ci-agent 0.1.0: issue 12, slug() makes double dashes (gpt-5-mini, sandbox: none)"
    )
    assert "12:00:27 base main at 3f2c1aa; branch feat/ai-task-12 is new" in lines
    assert "12:01:03 tests before: 211 passed, 1 failed, 3 skipped in 6.4 s" in lines
    assert "12:01:30 step 1: read_file: slugs/core.py" in lines
    assert lines[-1] == "12:06:00 == completed after 4 min 12 s: Handed in and verified."


def test_what_a_tool_answered_is_left_out_unless_it_failed() -> None:
    assert logged(story(answered(1, "bash", "fine"))) == []
    assert logged(story(answered(1, "bash", "no\nsuch file", ok=False))) == [
        "12:00:00 step 1: bash failed: no such file"
    ]


def test_nothing_in_a_log_can_move_the_cursor_or_start_a_line() -> None:
    lines = logged(story(Warned("a\x1b[2J\x1b]0;title\x07b\r\n::error::forged\u2028x\u202ey")))
    assert lines == ["12:00:00 warning: ab ::error::forged xy"]


def test_a_terminal_that_does_not_know_a_character_gets_a_question_mark() -> None:
    raw = io.BytesIO()
    terminal = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    PlainLog(terminal).observe(story(Warned("é"))[0])
    assert raw.getvalue() == b"12:00:00 warning: ?\n"


def test_json_lines_are_the_journals_own() -> None:
    stream = io.StringIO()
    observer = JsonLines(stream)
    for event in success():
        observer.observe(event)
    assert stream.getvalue().splitlines() == [encode(event) for event in success()]


def test_the_last_words_of_a_success() -> None:
    assert closing(success(), places={"report": "ci-agent-report/"}) == (
        "Done, verified: 1 test fixed, none newly broken, 2 added.\n"
        "  tests          before: 211 passed, 1 failed, 3 skipped\n"
        "                 after:  214 passed, 3 skipped\n"
        "  branch         feat/ai-task-12 (9b8e7d6)\n"
        "  merge request  1  /home/dana/.state/merge-requests/1.md\n"
        "  report         ci-agent-report/\n"
        "  used           6 min, $0.06 of $3.00, 30,900 tokens, 72 % cached\n"
    )


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("working", "Not finished."),
        ("needs_human", "Not solved. After 3 rounds 1 test is newly broken."),
        ("no_tests", "Done, not verified: no tests were found."),
        ("cancelled", "Cancelled. Interrupted by a signal (SIGINT)."),
        ("limit", "Stopped at a limit. The limit of 50 model replies was reached."),
        ("no_change", "Nothing changed. The model handed in without changing anything."),
        ("question", "Waiting for an answer. The model asks: Should tabs count as white space?"),
    ],
)
def test_the_last_words_start_with_how_it_ended(name: str, first: str) -> None:
    assert closing(ALL[name](), places={}).split("\n")[0] == first


def test_a_questions_choices_are_among_the_last_words() -> None:
    assert "  1.     Yes, any white space\n  2.     No, blanks only\n" in closing(question(), places={})


def test_the_last_words_of_nothing_at_all() -> None:
    assert closing([], places={"report": "here"}) == "Not finished.\n  report  here\n"


def test_the_models_question_can_not_paint_on_the_terminal() -> None:
    told = [
        QuestionAsked("\x1b[31mred\r") if isinstance(e.fact, QuestionAsked) else e.fact for e in question()
    ]
    assert "\x1b" not in closing(story(*told), places={"report": "\x1b[2Jx"})
