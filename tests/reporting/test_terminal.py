"""What a run prints where there is no live view, and its last words."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from ci_agent.journal import encode
from ci_agent.journal.events import (
    AgentStopped,
    Change,
    CheckRan,
    CommandStarted,
    CoverageMeasured,
    HandedOver,
    Judged,
    ModelReplied,
    Moment,
    ProofRan,
    Pushed,
    QuestionAsked,
    Result,
    SessionEnded,
    SetupChosen,
    SetupRan,
    TestsChosen,
    TestsCompared,
    Warned,
)
from ci_agent.reporting.terminal import JsonLines, PlainLog, closing, concluding
from ci_agent.task import Ending, Status
from tests.support.stories import (
    ALL,
    BRANCH,
    HEAD,
    PROVEN,
    alone,
    answered,
    facts,
    question,
    ran,
    remarks,
    second_try,
    set_up_fails,
    several,
    started,
    story,
    success,
    unchanged,
    worse,
)

SOME = "not all tests were run: those of the changed files, because there is little time left"


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
    assert "12:00:45 set-up: pip install -e . (it is set in .ci-agent.yml)" in lines
    assert "12:01:03 set-up: exit code 0 in 8.2 s" in lines
    assert "12:01:30 tests before: 211 passed, 1 failed, 3 skipped in 6.4 s" in lines
    assert "12:01:57 step 1: read_file: slugs/core.py" in lines
    assert "12:06:27 commit 9b8e7d6, 2 files: Split slugs at runs of white space" in lines
    assert "12:06:36 branch feat/ai-task-12 is in /home/dana/slugs" in lines
    assert lines[-1] == "12:07:12 == completed after 4 min 12 s"


def test_the_result_is_said_once_and_once_more_in_the_last_words() -> None:
    lines = logged(success())
    assert [line[9:] for line in lines if "1 test fixed" in line] == [
        f"round 1: Verified. 1 test fixed, none newly broken. {PROVEN}"
    ]
    assert closing(success(), places={}).count("1 test fixed") == 1


def test_how_the_agent_stopped_is_said_only_where_the_session_ends_otherwise() -> None:
    stopped = AgentStopped(Ending.SUBMITTED, "1 test fixed.")
    same = SessionEnded(Status.COMPLETED, Ending.SUBMITTED, "1 test fixed.", 0, 9)
    other = SessionEnded(Status.FAILED, Ending.ENVIRONMENT, "The remote refused.", 1, 9)
    assert logged(story(stopped, same)) == ["12:00:09 == completed after 9 s"]
    assert logged(story(stopped, other)) == [
        "12:00:09 the agent stopped: submitted, 1 test fixed.",
        "12:00:09 == failed after 9 s",
    ]


def test_a_hand_in_that_is_sent_back_has_one_line() -> None:
    lines = [line[9:] for line in logged(second_try()) if "round" in line or "submit" in line]
    assert lines == [
        "round 1: Broken. 1 test newly broken by this change.",
        f"round 2: Verified. 1 test fixed, none newly broken. {PROVEN}",
    ]


def test_tests_that_the_model_asked_for_are_called_that() -> None:
    assert logged(story(CommandStarted("tests asked", "pytest"), ran(Moment.ASKED))) == [
        "12:00:09 tests run for the model: 211 passed, 3 skipped in 6.4 s"
    ]


def test_a_run_without_a_commit_of_its_own_says_where_the_branch_stays() -> None:
    lines = [line[9:] for line in logged(unchanged())]
    assert "no new commit: the branch stays at 9b8e7d6" in lines
    assert not any(line.startswith("commit") for line in lines)
    last = closing(unchanged(), places={})
    assert last.startswith("Nothing changed in this run.\n")
    assert "feat/ai-task-12 (9b8e7d6, as an earlier run left it)\n" in last


def test_what_a_tool_answered_is_left_out_unless_it_failed() -> None:
    assert logged(story(answered(1, "bash", "fine"))) == []
    assert logged(story(answered(1, "bash", "no\nsuch file", ok=False))) == [
        "12:00:00 step 1: bash failed: no such file"
    ]
    named = "edit_file was not run: `path` is missing"
    assert logged(story(answered(1, "edit_file", named, ok=False))) == [f"12:00:00 step 1: {named}"]


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
        "  used           7 min 12 s, $0.06 of $3.00, 30,900 tokens, 72 % cached\n"
    )


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("working", "Not finished."),
        ("needs_human", "Not solved. After 3 rounds 1 test is newly broken."),
        ("added_only", "Done, verified, with remarks: no test newly broken, 2 added, 1 still failing."),
        ("no_tests", "Done, not verified: there are no tests to run."),
        ("cancelled", "Cancelled. Interrupted by a signal (SIGINT)."),
        ("limit", "Stopped at a limit. The limit of 50 model replies was reached."),
        ("no_change", "Nothing changed. The model handed in without changing anything."),
        ("question", "Waiting for an answer. The model asks: Should tabs count as white space?"),
    ],
)
def test_the_last_words_start_with_how_it_ended(name: str, first: str) -> None:
    assert closing(ALL[name](), places={}).split("\n")[0] == first


def test_a_branch_is_named_only_when_it_is_there_and_else_the_checkout() -> None:
    said = closing(ALL["not_handed_over"](), places={})
    assert "  checkout  /tmp/work/12/repo\n" in said
    assert "feat/ai-task-12" not in said
    lost = [fact for fact in facts(ALL["not_handed_over"]()) if not isinstance(fact, Warned)]
    assert "feat/ai-task-12" not in closing(story(*lost), places={})
    assert "checkout" not in closing(success(), places={})


def test_the_branch_of_an_earlier_job_is_not_taken_for_that_of_the_last_commit() -> None:
    said = closing(story(*facts(success()), *facts(ALL["not_handed_over"]())), places={})
    assert "  branch  " not in said
    assert "  checkout       /tmp/work/12/repo\n" in said


def test_a_log_tells_a_branch_that_is_there_from_one_that_was_pushed() -> None:
    pushed = Pushed("https://host.example/s.git", BRANCH, HEAD)
    assert [said[9:] for said in logged(story(HandedOver("/home/dana/slugs", BRANCH, HEAD), pushed))] == [
        "branch feat/ai-task-12 is in /home/dana/slugs",
        "pushed feat/ai-task-12 to https://host.example/s.git",
    ]


def test_a_cost_that_is_not_known_is_explained() -> None:
    told = [replace(fact, cost=None) if isinstance(fact, ModelReplied) else fact for fact in facts(success())]
    assert "7 min 12 s, cost unknown: no price known for gpt-5-mini, 30,900 tokens" in closing(
        story(*told), places={}
    )
    assert "price" not in closing(story(started()), places={})


def test_a_questions_choices_are_among_the_last_words() -> None:
    assert "  1.     Yes, any white space\n  2.     No, blanks only\n" in closing(question(), places={})


def test_the_last_words_of_nothing_at_all() -> None:
    assert closing([], places={"report": "here"}) == "Not finished.\n  report  here\n"


def test_the_models_question_can_not_paint_on_the_terminal() -> None:
    told = [
        QuestionAsked("\x1b[31mred\r") if isinstance(e.fact, QuestionAsked) else e.fact for e in question()
    ]
    assert "\x1b" not in closing(story(*told), places={"report": "\x1b[2Jx"})


def test_the_log_tells_each_part_of_a_verification() -> None:
    lines = [line[9:] for line in logged(remarks())]
    for line in (
        "check before: ruff check .: exit code 0 in 0.2 s",
        "set-up of the result: exit code 0 in 6.1 s",
        f"tests after: 214 passed, 1 failed, 3 skipped in 6.4 s; {SOME}",
        "tests/test_cache.py::test_expiry is flaky, failed 2 of 4 runs",
        "the change's tests on the old source: 1 passed, 1 failed, 3 skipped in 6.4 s",
        "check after: ruff check .: exit code 0 in 0.2 s",
        "round 1: Verified, with remarks. 1 test fixed, none newly broken.",
    ):
        assert line in lines


def test_what_could_not_be_measured_is_said_in_the_log() -> None:
    proof = ProofRan(1, ("t.py",), (), "the base can't be checked out")
    coverage = CoverageMeasured(1, "", (), "there is no coverage.py")
    check = CheckRan(Moment.AFTER, "lint", None, 9, "it took more than 9 s", (), "", "")
    chosen = TestsChosen("", "", "there is no sign of any", "web")
    assert [
        line[9:] for line in logged(story(proof, coverage, check, chosen, SetupChosen("", "all is there")))
    ] == [
        "the tests of the change without it: the base can't be checked out",
        "coverage: there is no coverage.py",
        "check after: lint: it took more than 9 s in 9 s",
        "tests in web: none (there is no sign of any)",
        "set-up: none (all is there)",
    ]


def test_the_last_words_of_a_verification_without_a_session() -> None:
    assert concluding(alone(worse()), places={"report": "out/"}) == (
        "Not verified. 1 test fails together with the others since this change. 1 check got worse.\n"
        "  tests            before: 211 passed, 1 failed, 3 skipped\n"
        "                   after:  214 passed, 2 failed, 3 skipped; "
        f"{SOME}\n"
        "  order-dependent  tests/test_cache.py::test_clear\n"
        "  flaky            tests/test_cache.py::test_expiry: failed 2 of 4 runs\n"
        "  lines            4 of 7 changed lines run by the tests\n"
        "  check            `ruff check .` fails before and after the change: 1 new finding.\n"
        "                   slugs/core.py:14: `re` imported but unused\n"
        "  report           out/\n"
    )
    assert concluding(alone(remarks()), places={}).startswith(
        "Verified, with remarks. 1 test fixed, none newly broken.\n- 1 test is flaky.\n- 1 of 2 new tests shows nothing.\n"
    )
    assert concluding([], places={}).startswith("Not finished. The change was not judged to the end.\n")


def test_of_a_long_list_the_first_are_among_the_last_words() -> None:
    many = tuple(Change(f"t::{n}\x1b[2J", None, Result.FAILED) for n in range(14))
    told = [replace(f, newly_broken=many) if isinstance(f, TestsCompared) else f for f in facts(success())]
    said = concluding(alone(story(*told)), places={})
    assert "  newly broken  t::0\n                t::1\n" in said
    assert "                t::9\n                and 4 more\n" in said
    assert "\x1b" not in said


def test_the_last_words_where_set_up_fails_say_so_and_where_to_read_on() -> None:
    assert concluding(set_up_fails(), places={"report": "out/"}) == (
        "Not finished. Set-up fails before the change, so nothing was compared: `npm ci; npm run build` failed with "
        "exit code 2: error: no such file `a.ts`. All it printed is in the report's logs/setup.log.\n"
        "  tests   before: not run\n"
        "          after:  not run\n"
        "  report  out/\n"
    )
    late = [
        replace(f, timed_out=True, tail="") if isinstance(f, SetupRan) else f for f in facts(set_up_fails())
    ]
    assert "`npm ci; npm run build` did not end in time. All it" in concluding(story(*late), places={})


@pytest.mark.parametrize(
    "change", [{"exit_code": 0}, {"command": "guessed"}], ids=["it passed", "nobody asked for it"]
)
def test_a_set_up_that_stopped_nothing_is_not_blamed(change: dict[str, object]) -> None:
    told = [replace(f, **change) if isinstance(f, SetupRan) else f for f in facts(set_up_fails())]  # type: ignore[arg-type]
    assert concluding(story(*told), places={}).startswith(
        "Not finished. The change was not judged to the end.\n"
    )


def test_long_reasons_have_lines_of_their_own_among_the_last_words() -> None:
    long = ("a" * 400, "b" * 400)
    told = [replace(f, reasons=long) if isinstance(f, Judged) else f for f in facts(alone(success()))]
    lines = concluding(story(*told), places={}).split("\n")
    assert lines[:3] == ["Verified.", f"A{'a' * 399}.", f"B{'b' * 399}."]


def test_flaky_cases_are_told_with_how_they_went_on_which_side() -> None:
    said = concluding(alone(several()), places={})
    assert "tests/test_cache.py::test_expiry: failed 2 of 4 runs\n" in said
    assert "tests/test_cache.py::test_size: failed and passed on the base\n" in said
