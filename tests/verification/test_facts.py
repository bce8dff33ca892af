from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ci_agent.journal.events import Case, Moment, Result, TestsRan
from ci_agent.verification import compare, facts, ran_facts
from ci_agent.verification.excerpt import excerpt

PASSED, FAILED, ERROR = Result.PASSED, Result.FAILED, Result.ERROR
TRACE = "\n".join(f"trace line {number}" for number in range(100))


def ran(*cases: Case, **fields: object) -> TestsRan:
    bad = any(case.result.bad for case in cases)
    run = TestsRan(Moment.ASKED, "pytest -q", "t", int(bad), 2.04, False, "", True, cases, "log", "the tail")
    return replace(run, **fields)  # type: ignore[arg-type]


def failing(name: str, details: str = "") -> Case:
    return Case(name, FAILED, 0.1, f"assert {name}", details)


def base(*cases: Case, **fields: object) -> TestsRan:
    return ran(*cases, moment=Moment.BEFORE, **fields)


def hung(**fields: object) -> TestsRan:
    case = Case("pytest -q", ERROR)
    return ran(case, by_case=False, exit_code=None, timed_out=True, problem="they took too long", **fields)


# --- a hand-in that is sent back --------------------------------------------------------------------------


def test_a_hand_in_that_broke_something_is_told_with_reason_and_trace() -> None:
    after = ran(failing("a", TRACE), failing("old"), Case("b", PASSED), failing("new"), failing("s"))
    before = base(Case("a", PASSED), failing("old"), Case("gone", PASSED), Case("s", Result.SKIPPED))
    compared = compare(before, after, 1)
    text = facts(compared, after)
    assert text.startswith(
        f"{compared.reason}\n\n$ pytest -q\nIt ended with exit code 1 after 2.0 s; 5 tests: "
    )
    assert "FAILED a (passes on the base)\nassert a\ntrace line 0\n" in text
    assert "FAILED new (not there on the base)\nassert new" in text
    assert "FAILED s (skipped on the base)" in text
    assert text.count("trace line") == 29
    assert "trace line 99" in text
    assert "Failing on the base as well (1):\n- old" in text
    assert "There on the base, and gone now (1):\n- gone" in text


def test_a_hand_in_that_lost_tests_is_told_which_and_what_to_do() -> None:
    before = base(Case("a", PASSED), failing("f::gone"), Case("f::skipped", PASSED), Case("f::old", PASSED))
    after = ran(Case("a", PASSED), Case("f::skipped", Result.SKIPPED), Case("g::old", PASSED))
    text = facts(compare(before, after, 1), after)
    assert text.startswith("2 tests that ran before do not run now: f::skipped, f::gone.")
    assert (
        "\n\nRestore the tests that do not run any more, so that they run and pass. Where the issue" in text
    )
    assert "Skipped now, but not on the base (1):\n- f::skipped" in text
    assert "There on the base, and gone now (1):\n- f::gone" in text
    assert "f::old" not in text


def test_nothing_is_to_be_restored_where_nothing_is_lost() -> None:
    after = ran(failing("a"))
    assert "Restore" not in facts(compare(base(Case("a", PASSED)), after, 1), after)


def test_a_run_of_the_whole_command_says_what_the_hand_in_would_miss() -> None:
    before = base(Case("a", PASSED), Case("gone", PASSED))
    after = ran(Case("a", PASSED))
    assert ran_facts(after, before).startswith(
        "No test newly broken; 1 test of the base not run now: gone.\n"
    )
    assert "not run now" not in ran_facts(replace(after, command="pytest -q a"), before)
    assert "not run now" not in ran_facts(replace(after, problem="it was killed", exit_code=None), before)


def test_five_are_told_in_full_and_the_others_named_within_the_limit() -> None:
    cases = [failing(f"tests/test_{number:03}.py::{'x' * 100}", TRACE * 5) for number in range(300)]
    after = ran(*cases)
    text = facts(compare(base(), after, 1), after)
    assert text.count("FAILED ") == 5
    assert "- tests/test_005.py" in text
    assert "Failing as well, but not on the base (295):" in text
    assert "more" in text.splitlines()[-1]
    assert len(text) <= 6_000


def test_a_run_without_results_by_case_is_told_by_its_last_lines() -> None:
    before = base(Case("pytest -q", PASSED), by_case=False)
    after = ran(failing("pytest -q"), by_case=False)
    text = facts(compare(before, after, 1), after)
    assert "There are no results by test case." in text
    assert "The end of its output:\nthe tail" in text


def test_a_run_that_was_stopped_says_once_why_it_is_not_complete() -> None:
    after = hung()
    text = facts(compare(base(Case("a", PASSED)), after, 1), after)
    assert "was stopped after 2.0 s" in text
    assert text.count("they took too long.") == 1
    assert "the tail" in text


def test_a_failure_of_which_the_base_knows_nothing_is_not_said_to_be_old() -> None:
    after = ran(failing("a"), Case("b", PASSED))
    text = facts(compare(hung(), after, 1), after)
    assert "Failing, not known on the base (1):\n- a" in text
    assert "Failing on the base" not in text


# --- the run on the base ----------------------------------------------------------------------------------


def test_failures_of_the_base_are_a_line_each_and_one_for_those_with_the_same_message() -> None:
    same = [
        Case(f"tests/test_cd.py::test_{n}", FAILED, 0.1, "CommandNotFound: cd\nmore", TRACE) for n in "abc"
    ]
    other = [failing("tests/test_x.py::test_y", TRACE), Case("tests/test_z.py", ERROR, 0.1, "", "")]
    text = ran_facts(base(*other, *same, Case("good", PASSED)), None)
    assert text == (
        "$ pytest -q\nIt ended with exit code 1 after 2.0 s; 6 tests: 1 passed, 4 failed, 1 error.\n\n"
        "Failing on the base, before any work:\n"
        "- tests/test_x.py::test_y: assert tests/test_x.py::test_y\n"
        "- tests/test_z.py: error\n"
        "- 3 \N{MULTIPLICATION SIGN} `CommandNotFound: cd`: tests/test_cd.py::test_a, tests/test_cd.py::test_b, tests/test_cd.py::test_c"
    )


def test_two_failures_of_the_base_are_told_with_details_and_without_labels() -> None:
    text = ran_facts(base(failing("a", TRACE), failing("b", "why b")), None)
    assert "FAILED a\nassert a\ntrace line 0\n" in text
    assert text.endswith("FAILED b\nassert b\nwhy b")


def test_very_many_failures_of_the_base_take_fifteen_lines() -> None:
    text = ran_facts(base(*(failing(f"t{number}") for number in range(1_000))), None)
    lines = text.partition("before any work:\n")[2].split("\n")
    assert len(lines) == 16
    assert lines[-1] == "- and 985 more"
    same = base(*(Case(f"test_{number:03}", FAILED, 0.1, "the same") for number in range(1_000)))
    line = ran_facts(same, None).split("\n")[-1]
    assert line.startswith("- 1,000 \N{MULTIPLICATION SIGN} `the same`: test_000, test_001, ")
    assert line.endswith(" more")
    assert len(line) < 500


def test_a_base_without_a_failure_is_told_in_two_lines() -> None:
    assert ran_facts(base(Case("a", PASSED)), None) == (
        "$ pytest -q\nIt ended with exit code 0 after 2.0 s; 1 test: 1 passed."
    )


def test_a_base_that_was_stopped_is_told_with_its_last_lines() -> None:
    text = ran_facts(hung(moment=Moment.BEFORE), None)
    assert "This is no complete result: they took too long." in text
    assert "The end of its output:\nthe tail" in text


# --- a run that was asked for -----------------------------------------------------------------------------


OLD = [failing(f"old{number}", TRACE) for number in range(7)]


def test_a_run_that_broke_nothing_says_so_first_and_only_names_what_fails_anyway() -> None:
    text = ran_facts(ran(*OLD, Case("a", PASSED)), base(*OLD, Case("a", PASSED)))
    assert text.startswith("No test newly broken; 7 fail on the base as well.\n\n$ pytest -q\n")
    assert "Failing on the base as well (7):\n- old0\n" in text
    assert "trace line" not in text


def test_what_a_run_broke_or_mended_is_its_first_line() -> None:
    before = base(*OLD[:2], Case("a", PASSED), Case("s", Result.SKIPPED))
    text = ran_facts(
        ran(Case("old0", PASSED), OLD[1], failing("a", TRACE), failing("s"), failing("new")), before
    )
    assert text.startswith(
        "2 tests newly broken: a, s; 1 new test failing: new; 1 fixed; 1 fails on the base as well.\n\n"
    )
    assert "FAILED a (passes on the base)\nassert a\ntrace line 0\n" in text
    assert "FAILED s (skipped on the base)" in text
    assert "FAILED new (not there on the base)" in text
    assert "Failing on the base as well (1):\n- old1" in text


def test_the_verdict_names_three_of_many() -> None:
    text = ran_facts(ran(*OLD), base())
    assert text.startswith("7 new tests failing: old0, old1, old2 and 4 more.\n")
    assert "Failing as well, but not on the base (2):\n- old5\n- old6" in text


def test_what_a_selector_chose_is_told_with_details_though_it_fails_on_the_base_as_well() -> None:
    chosen = ran(*OLD[:2], failing("a", "why a"), command="pytest -q tests/test_a.py")
    text = ran_facts(chosen, base(*OLD, Case("a", PASSED)))
    assert text.startswith("1 test newly broken: a; 2 fail on the base as well.\n")
    first, second = (
        text.index("FAILED a (passes on the base)"),
        text.index("FAILED old0 (fails on the base as well)"),
    )
    assert first < second
    assert "trace line 99" in text
    assert "Failing on the base as well" not in text
    many = ran_facts(ran(*OLD, command="pytest -q tests/test_a.py"), base(*OLD))
    assert "Failing on the base as well (2):\n- old5\n- old6" in many


def test_where_the_base_did_not_reach_its_end_no_label_pretends_to_know() -> None:
    text = ran_facts(ran(failing("a")), hung(moment=Moment.BEFORE))
    assert text.startswith("1 test failing, not known on the base: the run there did not reach its end.\n")
    assert "FAILED a (not known on the base: the run there did not reach its end)" in text


def test_without_tests_on_the_base_a_failing_one_is_a_new_one_that_fails() -> None:
    text = ran_facts(ran(failing("a")), None)
    assert text.startswith("1 new test failing: a.\n")
    assert "FAILED a (not there on the base)" in text


def test_a_failing_command_is_told_as_a_whole() -> None:
    whole = ran(failing("pytest -q"), by_case=False)
    assert ran_facts(whole, replace(whole, moment=Moment.BEFORE)).startswith(
        "No command newly broken; 1 fails on the base as well.\n"
    )
    text = ran_facts(whole, base(Case("pytest -q", PASSED), by_case=False))
    assert text.startswith("1 command newly broken: pytest -q.\n")
    assert text.endswith("The end of its output:\nthe tail")


def test_of_a_narrowed_command_as_a_whole_the_base_says_nothing() -> None:
    chosen = ran(failing("npm test -- a"), command="npm test -- a", by_case=False)
    text = ran_facts(chosen, base(Case("npm test", PASSED), command="npm test", by_case=False))
    assert text.startswith("1 command failing, not known on the base: this command was not run there.\n")
    unexplained = ran(Case("a", PASSED), Case("pytest a (exit code)", ERROR), command="pytest a", exit_code=1)
    text = ran_facts(unexplained, base(Case("a", PASSED)))
    assert text.startswith("1 test failing, not known on the base: this command was not run there.\n")


def test_results_of_another_kind_are_not_compared() -> None:
    text = ran_facts(ran(failing("a")), base(Case("pytest -q", PASSED), by_case=False))
    assert "FAILED a (not known on the base: the results there are of another kind)" in text


def test_a_run_that_was_stopped_says_so_first_and_whether_the_base_was_too() -> None:
    text = ran_facts(hung(), base(Case("a", PASSED)))
    assert text.startswith("This is no complete result: they took too long.\n\n$ pytest -q\n")
    assert text.endswith("The end of its output:\nthe tail")
    part = ran(failing("a"), problem="it was killed", exit_code=137)
    assert ran_facts(part, base(Case("a", PASSED))).startswith(
        "This is no complete result: it was killed. 1 test newly broken: a.\n"
    )
    assert "The run on the base did not reach its end either.\n" in ran_facts(
        hung(), hung(moment=Moment.BEFORE)
    )


def test_a_hand_in_and_a_run_call_the_same_thing_the_same() -> None:
    before = base(Case("a", PASSED), Case("s", Result.SKIPPED), failing("old"))
    after = ran(failing("a"), failing("s"), failing("new"), failing("old"))
    told = facts(compare(before, after, 1), after), ran_facts(after, before)
    assert told[0].partition("\n\n")[2] == told[1].partition("\n\n")[2]


def test_very_many_failures_are_told_in_no_time() -> None:
    many = ran(*(failing(f"t{number}") for number in range(50_000)))
    assert "Failing as well, but not on the base (49,995)" in ran_facts(many, base())
    assert "Failing on the base as well (50,000)" in ran_facts(many, many)


def test_a_green_run_is_told_in_three_lines() -> None:
    assert ran_facts(ran(Case("a", PASSED)), base(Case("a", PASSED))) == (
        "No test newly broken.\n\n$ pytest -q\nIt ended with exit code 0 after 2.0 s; 1 test: 1 passed."
    )


def test_a_run_without_any_test_says_so() -> None:
    assert ran_facts(ran(exit_code=5), base(Case("a", PASSED))).startswith("No test was run.\n")


def test_a_repository_without_a_test_command_says_so() -> None:
    none = ran(command="", by_case=False, exit_code=None, log="", tail="")
    assert ran_facts(none, None) == "There is no command that runs tests in this repository."


def test_a_selector_that_had_no_effect_is_not_passed_over() -> None:
    assert "The selector 'tests/x.py' had no effect" in ran_facts(ran(Case("a", PASSED)), None, "tests/x.py")


# --- cases ------------------------------------------------------------------------------------------------


def test_an_assertion_that_the_details_hold_is_not_said_twice() -> None:
    message = "AssertionError: assert 'b' == 'a'\n  \n  - a"
    details = "    def test_a():\n>       assert x == 'a'\nE       AssertionError: assert 'b' == 'a'\n\ntest_a.py:2: AssertionError"
    text = ran_facts(ran(Case("a", FAILED, 0.1, message, details)), base(Case("a", PASSED)))
    assert text.count("assert 'b' == 'a'") == 1
    assert text.endswith(f"FAILED a (passes on the base)\n{details}")
    cut = Case("a", FAILED, 0.1, "assert '" + "b" * 100 + "…", "E       assert '" + "b" * 200 + "' == 'a'")
    assert ran_facts(ran(cut), base(Case("a", PASSED))).count("assert '") == 1
    setup = Case("a", ERROR, 0.1, 'failed on setup with "ValueError: no"', "E   ValueError: no")
    assert "failed on setup" in ran_facts(ran(setup), base(Case("a", PASSED)))


def test_details_are_cut_once() -> None:
    details = excerpt(TRACE * 20, 4_000)
    text = ran_facts(ran(failing("a", details)), base(Case("a", PASSED)))
    assert text.count("left out") == 1
    assert text.count("trace line") == 29


TEXTS = st.text(max_size=50).map(lambda text: text * 200)
CASES = st.builds(Case, TEXTS, st.sampled_from(Result), st.just(0.0), TEXTS, TEXTS)


@given(st.lists(CASES, max_size=12), st.lists(CASES, max_size=12), TEXTS, st.booleans())
def test_the_text_stays_within_its_limit(old: list[Case], new: list[Case], text: str, by_case: bool) -> None:
    before = base(*old)
    after = ran(*new, command=text, problem=text, tail=text, by_case=by_case)
    assert len(facts(compare(before, after, 1), after)) <= 6_000
    assert len(ran_facts(after, before, text)) <= 6_000
    assert len(ran_facts(replace(after, moment=Moment.BEFORE), None)) <= 6_000


def test_of_a_test_that_fails_in_one_way_for_many_parameters_two_are_told_and_all_are_named() -> None:
    many = [
        Case(f"t.py::test_a[{n}]", FAILED, 0.1, f"AssertionError: {n}", f"{TRACE}\n{n}") for n in range(9)
    ]
    other = Case("t.py::test_b", FAILED, 0.1, "TypeError: no", TRACE)
    text = ran_facts(ran(*many, other), base(Case("t.py::test_b", PASSED)))
    assert [line for line in text.splitlines() if line.startswith("FAILED ")] == [
        "FAILED t.py::test_a[0] (not there on the base)",
        "FAILED t.py::test_a[1] (not there on the base)",
        "FAILED t.py::test_b (passes on the base)",
    ]
    assert all(f"- t.py::test_a[{n}]" in text for n in range(2, 9))
