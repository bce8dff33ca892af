from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ci_agent.journal.events import Case, Moment, Result, TestsRan
from ci_agent.verification import compare, facts, ran_facts

PASSED, FAILED, ERROR = Result.PASSED, Result.FAILED, Result.ERROR
TRACE = "\n".join(f"trace line {number}" for number in range(100))


def ran(*cases: Case, **fields: object) -> TestsRan:
    bad = any(case.result.bad for case in cases)
    run = TestsRan(Moment.ASKED, "pytest -q", "t", int(bad), 2.04, False, "", True, cases, "log", "the tail")
    return replace(run, **fields)  # type: ignore[arg-type]


def failing(name: str, details: str = "") -> Case:
    return Case(name, FAILED, 0.1, f"assert {name}", details)


def test_a_hand_in_that_broke_something_is_told_with_reason_and_trace() -> None:
    before = ran(Case("a", PASSED), failing("old"), Case("gone", PASSED))
    after = ran(failing("a", TRACE), failing("old"), Case("b", PASSED))
    text = facts(compare(before, after, 1), after)
    assert text.startswith("1 test newly broken, 1 added, 1 removed, 1 failing as before.")
    assert "$ pytest -q\nIt ended with exit code 1 after 2.0 s; 3 tests: 1 passed, 2 failed." in text
    assert "FAILED a (passed before)\nassert a\ntrace line 0\n" in text
    assert text.count("trace line") == 29
    assert "trace line 99" in text
    assert "Failing before the change as well (1):\n- old" in text
    assert "gone now (1):\n- gone" in text


def test_five_are_told_in_full_and_the_others_named_within_the_limit() -> None:
    cases = [failing(f"tests/test_{number:03}.py::{'x' * 100}", TRACE * 5) for number in range(300)]
    after = ran(*cases)
    text = facts(compare(ran(), after, 1), after)
    assert text.count("FAILED ") == 5
    assert "- tests/test_005.py" in text
    assert "Newly broken as well (295):" in text
    assert "more" in text.splitlines()[-1]
    assert len(text) <= 6_000


def test_a_run_without_results_by_case_is_told_by_its_last_lines() -> None:
    before = ran(Case("pytest -q", PASSED), by_case=False)
    after = ran(failing("pytest -q"), by_case=False)
    text = facts(compare(before, after, 1), after)
    assert "There are no results by test case." in text
    assert "The end of its output:\nthe tail" in text


def test_a_run_that_was_stopped_says_why_it_is_not_complete() -> None:
    after = ran(
        Case("pytest -q", ERROR), by_case=False, exit_code=None, timed_out=True, problem="they took too long"
    )
    text = facts(compare(ran(Case("a", PASSED)), after, 1), after)
    assert "was stopped after 2.0 s" in text
    assert "This is no complete result: they took too long." in text
    assert "the tail" in text


def test_a_failure_of_which_the_base_knows_nothing_is_not_said_to_be_old() -> None:
    base = ran(Case("pytest -q", ERROR), by_case=False, exit_code=None, problem="they took too long")
    after = ran(failing("a"), Case("b", PASSED))
    text = facts(compare(base, after, 1), after)
    assert "Failing, not known before the change (1):\n- a" in text
    assert "Failing before the change" not in text


def test_very_many_failures_are_told_in_no_time() -> None:
    many = ran(*(failing(f"t{number}") for number in range(50_000)))
    assert "Failing as well (49,995)" in ran_facts(many, many)


def test_each_failing_case_of_a_run_is_labelled_with_its_result_on_the_base() -> None:
    base = ran(failing("old"), Case("a", PASSED), Case("s", Result.SKIPPED))
    text = ran_facts(ran(failing("old"), failing("a", TRACE), failing("s"), failing("new")), base)
    assert "FAILED old (fails on the base as well)" in text
    assert "FAILED a (passes on the base)" in text
    assert "FAILED s (skipped on the base)" in text
    assert "FAILED new (not on the base)" in text
    assert "trace line 99" in text


def test_where_the_base_is_not_known_no_label_pretends_it_is() -> None:
    run = ran(failing("a"))
    stopped = ran(Case("pytest -q", ERROR), by_case=False, exit_code=None, problem="they took too long")
    assert "FAILED a (not known on the base: no tests were run there)" in ran_facts(run, None)
    assert "FAILED a (not known on the base: the run there did not reach its end)" in ran_facts(run, stopped)


def test_cases_past_the_fifth_are_labelled_in_the_list() -> None:
    cases = [failing(f"t{number}") for number in range(7)]
    assert "Failing as well (2):\n- t5: passes on the base\n- t6: not on the base" in ran_facts(
        ran(*cases), ran(Case("t5", PASSED))
    )


def test_a_failing_command_is_labelled_as_a_whole() -> None:
    whole = ran(failing("pytest -q"), by_case=False)
    assert "On the base: fails on the base as well" in ran_facts(whole, whole)


def test_a_green_run_is_told_in_two_lines() -> None:
    assert ran_facts(ran(Case("a", PASSED)), None) == (
        "$ pytest -q\nIt ended with exit code 0 after 2.0 s; 1 test: 1 passed."
    )


def test_a_run_without_any_test_says_so() -> None:
    assert "no test was run" in ran_facts(ran(exit_code=5), None)


def test_a_repository_without_a_test_command_says_so() -> None:
    none = ran(command="", by_case=False, exit_code=None, log="", tail="")
    assert ran_facts(none, None) == "There is no command that runs tests in this repository."


def test_a_selector_that_had_no_effect_is_not_passed_over() -> None:
    assert "The selector 'tests/x.py' had no effect" in ran_facts(ran(Case("a", PASSED)), None, "tests/x.py")


TEXTS = st.text(max_size=50).map(lambda text: text * 200)
CASES = st.builds(Case, TEXTS, st.sampled_from(Result), st.just(0.0), TEXTS, TEXTS)


@given(st.lists(CASES, max_size=12), st.lists(CASES, max_size=12), TEXTS, st.booleans())
def test_the_text_stays_within_its_limit(old: list[Case], new: list[Case], text: str, by_case: bool) -> None:
    before = ran(*old)
    after = ran(*new, command=text, problem=text, tail=text, by_case=by_case)
    assert len(facts(compare(before, after, 1), after)) <= 6_000
    assert len(ran_facts(after, before, text)) <= 6_000
