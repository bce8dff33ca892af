from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.journal.events import Case, Change, Moment, Result, TestsCompared, TestsRan, Verdict
from ci_agent.verification import compare

PASSED, FAILED, ERROR, SKIPPED = Result.PASSED, Result.FAILED, Result.ERROR, Result.SKIPPED
LISTS = ("fixed", "newly_broken", "still_failing", "newly_skipped", "added", "removed")


def ran(cases: dict[str, Result] | None = None, **fields: object) -> TestsRan:
    told = tuple(
        Case(name, result, message=f"why {name}" if result.bad else "")
        for name, result in (cases or {}).items()
    )
    bad = any(case.result.bad for case in told)
    run = TestsRan(Moment.AFTER, "pytest", "t", int(bad), 1.0, False, "", True, told, "log", "")
    return replace(run, **fields)  # type: ignore[arg-type]


def whole(result: Result) -> TestsRan:
    return ran({"make test": result}, command="make test", by_case=False)


def stopped() -> TestsRan:
    problem = "the tests did not end within 9 s"
    return ran({"pytest": ERROR}, by_case=False, problem=problem, exit_code=None, timed_out=True)


def ids(compared: TestsCompared) -> dict[str, list[str]]:
    return {
        name: [change.id for change in getattr(compared, name)] for name in LISTS if getattr(compared, name)
    }


@pytest.mark.parametrize(
    ("was", "now", "kind"),
    [
        (FAILED, PASSED, "fixed"),
        (ERROR, PASSED, "fixed"),
        (PASSED, FAILED, "newly_broken"),
        (SKIPPED, ERROR, "newly_broken"),
        (None, FAILED, "newly_broken"),
        (FAILED, ERROR, "still_failing"),
        (PASSED, SKIPPED, "newly_skipped"),
        (FAILED, SKIPPED, "newly_skipped"),
        (None, PASSED, "added"),
        (None, SKIPPED, "added"),
        (PASSED, None, "removed"),
        (FAILED, None, "removed"),
    ],
)
def test_a_case_is_told_by_its_two_results(was: Result | None, now: Result | None, kind: str) -> None:
    before, after = {"anchor": PASSED}, {"anchor": PASSED}
    before |= {"x": was} if was else {}
    after |= {"x": now} if now else {}
    compared = compare(ran(before), ran(after), 2)
    message = "why x" if (was and was.bad) or (now and now.bad) else ""
    assert {name: getattr(compared, name) for name in LISTS if getattr(compared, name)} == {
        kind: (Change("x", was, now, message),)
    }
    assert (compared.still_passing, compared.round) == (1, 2)


@pytest.mark.parametrize(("was", "passing", "skipped"), [(PASSED, 1, 0), (SKIPPED, 1, 0)])
def test_what_passes_and_is_not_new_is_only_counted(was: Result, passing: int, skipped: int) -> None:
    compared = compare(ran({"x": was}), ran({"x": PASSED}), 1)
    assert (ids(compared), compared.still_passing, compared.still_skipped) == ({}, passing, skipped)


def test_what_stays_skipped_is_only_counted() -> None:
    compared = compare(ran({"x": SKIPPED, "y": PASSED}), ran({"x": SKIPPED, "y": PASSED}), 1)
    assert (ids(compared), compared.still_skipped) == ({}, 1)


@pytest.mark.parametrize(
    ("before", "after", "verdict", "reason"),
    [
        (ran({"a": FAILED}), ran({"a": PASSED}), Verdict.VERIFIED, "1 test fixed, none newly broken."),
        (ran({"a": PASSED}), ran({"a": PASSED}), Verdict.VERIFIED, "No test newly broken."),
        (
            ran({"a": FAILED, "b": FAILED, "c": PASSED, "d": PASSED}),
            ran({"a": PASSED, "b": FAILED, "c": SKIPPED, "e": PASSED}),
            Verdict.WEAKENED,
            (
                "2 tests that ran before do not run now: c, d. 1 test fixed, none newly broken, "
                "1 added, 1 removed, 1 newly skipped, 1 failing as before."
            ),
        ),
        (
            ran({"a": PASSED, "b": FAILED}),
            ran({"a": FAILED, "b": PASSED, "c": FAILED}),
            Verdict.BROKEN,
            "2 tests newly broken, 1 fixed.",
        ),
        (
            whole(FAILED),
            whole(PASSED),
            Verdict.VERIFIED,
            "1 command fixed, none newly broken. Only the exit code of `make test` is known.",
        ),
        (whole(PASSED), whole(FAILED), Verdict.BROKEN, "1 command newly broken."),
        # the first tests of a project
        (None, ran({"a": PASSED}), Verdict.VERIFIED, "No test newly broken, 1 added."),
        (ran(), ran({"a": PASSED}), Verdict.VERIFIED, "No test newly broken, 1 added."),
        (
            ran(by_case=False),
            whole(PASSED),
            Verdict.VERIFIED,
            "No command newly broken, 1 added. Only the exit code of `make test` is known.",
        ),
        (None, ran({"a": FAILED}), Verdict.BROKEN, "1 test newly broken."),
        # no tests
        (None, ran(), Verdict.NO_TESTS, "There is no test, before the change or after it."),
        (ran(), ran(), Verdict.NO_TESTS, "There is no test, before the change or after it."),
        (
            ran({"a": PASSED}),
            ran(),
            Verdict.INCOMPLETE,
            "No test ran after the change, though there were tests before it.",
        ),
        # a run that did not reach its end
        (
            ran({"a": PASSED}),
            stopped(),
            Verdict.INCOMPLETE,
            "The tests after the change prove nothing: the tests did not end within 9 s.",
        ),
        (
            stopped(),
            ran({"a": PASSED}),
            Verdict.VERIFIED,
            "No test fails. What failed before the change is not known: the tests did not end within 9 s.",
        ),
        (
            stopped(),
            ran({"a": PASSED, "b": FAILED}),
            Verdict.INCOMPLETE,
            "1 test failing, and it is not known whether they did before: the tests did not end within 9 s.",
        ),
        # nothing that could have shown a defect
        (
            whole(FAILED),
            whole(FAILED),
            Verdict.INCOMPLETE,
            "Nothing passes after the change, so nothing is proved. No command newly broken, 1 failing as before.",
        ),
        (
            ran({"a": SKIPPED}),
            ran({"a": SKIPPED}),
            Verdict.INCOMPLETE,
            "Nothing passes after the change, so nothing is proved. No test newly broken.",
        ),
    ],
)
def test_the_verdict_and_its_sentence(
    before: TestsRan | None, after: TestsRan, verdict: Verdict, reason: str
) -> None:
    compared = compare(before, after, 1)
    assert (compared.verdict, compared.reason) == (verdict, reason)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (ran({"a": PASSED, "b": FAILED}), whole(FAILED)),
        (whole(PASSED), ran({"a": PASSED})),
        (ran({"a": PASSED}, problem="the report is cut off"), whole(PASSED)),
    ],
)
def test_a_result_by_case_and_one_for_the_whole_can_not_be_compared(
    before: TestsRan, after: TestsRan
) -> None:
    compared = compare(before, after, 1)
    assert compared.verdict is Verdict.INCOMPLETE
    assert "can't be compared" in compared.reason
    assert ids(compared) == {}


def test_of_a_stopped_run_that_can_not_be_compared_it_is_said_that_it_was_stopped() -> None:
    compared = compare(whole(PASSED), ran({"a": FAILED}, problem="it was killed", exit_code=None), 1)
    assert (compared.verdict, ids(compared)) == (Verdict.INCOMPLETE, {})
    assert "it was killed" in compared.reason


def test_a_run_that_was_stopped_removes_no_test_but_what_it_broke_is_told() -> None:
    after = ran({"a": FAILED}, problem="the test command was killed", exit_code=137)
    compared = compare(ran({"a": PASSED, "b": PASSED}), after, 1)
    assert compared.verdict is Verdict.BROKEN
    assert ids(compared) == {"newly_broken": ["a"]}


def test_a_failure_of_which_a_stopped_run_before_knows_nothing_is_not_called_newly_broken() -> None:
    compared = compare(stopped(), ran({"a": FAILED, "b": PASSED}), 1)
    assert compared.still_failing == (Change("a", None, FAILED, "why a"),)
    assert ids(compared) == {"still_failing": ["a"], "added": ["b"]}


# --- proof that went missing ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [
        # deleted, whatever it came to
        ({"a::x": PASSED}, {}, ["a::x"]),
        ({"a::x": FAILED}, {}, ["a::x"]),
        ({"a::x": ERROR}, {}, ["a::x"]),
        # all skipped, and an empty one added
        (
            {"a::x": PASSED, "a::y": FAILED},
            {"a::x": SKIPPED, "a::y": SKIPPED, "a::z": PASSED},
            ["a::x", "a::y"],
        ),
        # one that did not run before is no loss
        ({"a::x": SKIPPED}, {}, []),
        # moved to another file or class
        ({"a::x": PASSED, "a::y": PASSED}, {"b::x": PASSED, "a::T::y": PASSED}, []),
        # a failing test may not make way for any, not even for one that is called the same
        ({"a::y": FAILED}, {"a::T::y": PASSED}, ["a::y"]),
        ({"a::x[1-2]": FAILED}, {"a::x[1-3]": PASSED}, ["a::x[1-2]"]),
        ({"a::x": PASSED}, {"b::x": SKIPPED}, ["a::x"]),
        ({"a::x": PASSED, "b::x": PASSED}, {"c::x": PASSED}, ["b::x"]),
        ({"a::x[1::2]": PASSED}, {"b::x[1::2]": PASSED}, []),
        # other parameters
        ({"a::x[1-2]": PASSED}, {"a::x[1-3]": PASSED}, []),
        ({"a::x[1]": PASSED, "a::x[2]": PASSED}, {"a::x[3]": PASSED}, ["a::x[2]"]),
        # another name that is much alike, in the same file
        ({"a::tabs": PASSED}, {"a::tabs_too": PASSED}, []),
        ({"a::tabs": PASSED, "a::tabs1": PASSED}, {"a::tabs_too": PASSED}, ["a::tabs1"]),
        ({"a::tabs[1]": PASSED}, {"a::tabs_too[1]": PASSED}, []),
        ({"a::tabs[1]": PASSED}, {"a::tabs_too[2]": PASSED}, ["a::tabs[1]"]),
        ({"a::tabs": PASSED}, {"b::tabs_too": PASSED}, ["a::tabs"]),
        ({"a::tabs": FAILED}, {"a::tabs_too": PASSED}, ["a::tabs"]),
        ({"a::total_of_nothing": PASSED}, {"a::limit": PASSED}, ["a::total_of_nothing"]),
        # a second run of the same that is gone
        ({"a::x": PASSED, "a::x#2": PASSED}, {"a::x": PASSED}, ["a::x#2"]),
        # an error that stood for a whole file or class
        ({"a.py": ERROR}, {"a.py::x[1]": PASSED}, []),
        ({"a.py": ERROR}, {"a.py::T::x": PASSED}, []),
        ({"a.py": ERROR}, {"a.py::x": SKIPPED}, ["a.py"]),
        ({"a.py": ERROR}, {"b.py::x": PASSED}, ["a.py"]),
        ({"a.b": ERROR}, {"a.b.T::x": PASSED}, []),
        ({"a.b": ERROR}, {"a.bc.T::x": PASSED}, ["a.b"]),
        ({"a.T::setUpClass": ERROR}, {"a.T::x": PASSED}, []),
        ({"a::setUpModule": ERROR}, {"a.T::x": PASSED}, []),
        ({"a.T::setUpClass": ERROR}, {"a.U::x": PASSED}, ["a.T::setUpClass"]),
    ],
)
def test_what_ran_before_and_has_no_successor_weakens_the_proof(
    before: dict[str, Result], after: dict[str, Result], lost: list[str]
) -> None:
    compared = compare(ran({"anchor": PASSED, **before}), ran({"anchor": PASSED, **after}), 1)
    assert [change.id for change in compared.lost] == lost
    assert (compared.verdict is Verdict.WEAKENED) == bool(lost)
    assert all(name in compared.reason for name in lost)


def test_failures_that_a_command_runs_again_are_not_missed_when_there_are_none() -> None:
    twice = {"command": "pytest || pytest --lf"}
    before = ran({"a::x": FAILED, "a::x#2": FAILED}, **twice)
    compared = compare(before, ran({"a::x": PASSED}, **twice), 1)
    assert (compared.lost, ids(compared)["removed"]) == ((), ["a::x#2"])


def test_of_a_run_of_some_tests_nothing_is_called_removed_against_one_of_all() -> None:
    before, after = ran({"a::x": PASSED, "b::y": PASSED}), ran({"a::x": PASSED})
    assert compare(before, replace(after, some="only some"), 1).removed == ()
    both = compare(replace(before, some="only some"), replace(after, some="only some"), 1)
    assert [change.id for change in both.removed] == ["b::y"]


def test_what_failed_on_the_base_by_accident_is_flaky() -> None:
    compared = compare(ran({"a": FAILED, "b": FAILED}), ran({"a": PASSED, "b": PASSED}), 1, (), {"a"})
    assert [change.id for change in compared.flaky] == ["a"]
    assert ids(compared) == {"fixed": ["b"]}


def test_what_is_broken_comes_before_what_is_lost() -> None:
    compared = compare(ran({"a": PASSED, "b": PASSED}), ran({"a": FAILED}), 1)
    assert (compared.verdict, [change.id for change in compared.lost]) == (Verdict.BROKEN, ["b"])


def test_of_many_lost_tests_the_sentence_names_three_and_counts_the_others() -> None:
    many = {f"f{number}::{number}": PASSED for number in range(1, 7)}
    compared = compare(ran({"a": PASSED, **many}), ran({"a": PASSED}), 1)
    said = "6 tests that ran before do not run now: f1::1, f2::2, f3::3 and 3 more. No test newly broken, 6 removed."
    assert compared.reason == said


def test_a_run_that_was_stopped_loses_no_test() -> None:
    stopped_later = ran({"a": PASSED}, problem="the test command was killed", exit_code=137)
    assert compare(ran({"a": PASSED, "b": PASSED}), stopped_later, 1).lost == ()


EXIT = "pytest (exit code)"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (ran({"a": PASSED}), ran({"a": PASSED, EXIT: ERROR}), {"newly_broken": [EXIT]}),
        (ran({"a": PASSED, EXIT: ERROR}), ran({"a": PASSED}), {"fixed": [EXIT]}),
        (ran({"a": PASSED, EXIT: ERROR}), ran({"a": PASSED, EXIT: ERROR}), {"still_failing": [EXIT]}),
        # with another case failing, nobody can see whether the exit code would have been 0 without it
        (ran({"a": FAILED}), ran({"a": PASSED, EXIT: ERROR}), {"fixed": ["a"], "newly_broken": [EXIT]}),
        (
            ran({"a": PASSED, EXIT: ERROR}),
            ran({"a": FAILED}),
            {"newly_broken": ["a"], "still_failing": [EXIT]},
        ),
    ],
)
def test_an_exit_code_that_is_not_shown_counts_as_what_the_run_ended_with(
    before: TestsRan, after: TestsRan, expected: dict[str, list[str]]
) -> None:
    assert ids(compare(before, after, 1)) == expected


RUNS = st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from(Result), min_size=1).map(ran)


@given(RUNS, RUNS)
def test_each_case_is_in_exactly_one_place(before: TestsRan, after: TestsRan) -> None:
    compared = compare(before, after, 1)
    listed = [name for names in ids(compared).values() for name in names]
    everything = {case.id for case in (*before.cases, *after.cases)}
    assert len(listed) == len(set(listed))
    assert set(listed) <= everything
    assert len(everything) - len(listed) == compared.still_passing + compared.still_skipped


@given(RUNS, RUNS)
def test_looked_at_backwards_what_was_fixed_is_broken(before: TestsRan, after: TestsRan) -> None:
    forwards, backwards = compare(before, after, 1), compare(after, before, 1)
    broken = [change.id for change in backwards.newly_broken if change.before is PASSED]
    assert [change.id for change in forwards.fixed] == broken


@given(RUNS, RUNS, st.randoms(use_true_random=False))
def test_the_order_of_cases_does_not_matter(before: TestsRan, after: TestsRan, chance: random.Random) -> None:
    def shuffled(run: TestsRan) -> TestsRan:
        return replace(run, cases=tuple(chance.sample(run.cases, len(run.cases))))

    assert compare(shuffled(before), shuffled(after), 1) == compare(before, after, 1)


@given(st.none() | RUNS, RUNS)
def test_nothing_newly_broken_is_ever_called_verified_and_a_sentence_says_why(
    before: TestsRan | None, after: TestsRan
) -> None:
    compared = compare(before, after, 1)
    assert (compared.verdict is Verdict.BROKEN) == bool(compared.newly_broken)
    assert not (compared.verdict is Verdict.VERIFIED and (compared.lost or compared.newly_skipped))
    assert {change.id for change in compared.lost} <= {case.id for case in before.cases} if before else True
    assert compared.reason.endswith(".")
    assert compared.reason[0].isupper() or compared.reason[0].isdigit()
