from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.journal.events import (
    Case,
    CasesRetried,
    Change,
    CheckCompared,
    ChecksCompared,
    CoverageMeasured,
    FileCoverage,
    Grade,
    Moment,
    Outdated,
    ProofRan,
    Result,
    Retried,
    Shown,
    Stability,
    Submitted,
    TestsRan,
    Verdict,
    Without,
)
from ci_agent.verification import compare
from ci_agent.verification.verdict import Evidence, judge

PASSED, FAILED, SKIPPED = Result.PASSED, Result.FAILED, Result.SKIPPED
VERIFIED, REMARKS, NOT, BROKEN = Grade.VERIFIED, Grade.REMARKS, Grade.NOT_VERIFIED, Grade.BROKEN
ORDER = (VERIFIED, REMARKS, NOT, BROKEN)


def ran(cases: dict[str, Result] | None = None, **fields: object) -> TestsRan:
    told = tuple(Case(name, result) for name, result in (cases or {}).items())
    code = int(any(case.result.bad for case in told))
    run = TestsRan(Moment.AFTER, "pytest", "t", code, 1.0, False, "", True, told, "log", "")
    return replace(run, **fields)  # type: ignore[arg-type]


def whole(result: Result) -> TestsRan:
    return ran({"make test": result}, command="make test", by_case=False)


def evidence(before: TestsRan | None, after: TestsRan, **fields: object) -> Evidence:
    given = Evidence(round=2, before=before, after=after, compared=compare(before, after, 2))
    return replace(given, **fields)  # type: ignore[arg-type]


def proof(*kinds: Without, name: str = "new", problem: str = "") -> ProofRan:
    cases = tuple(Shown(f"{name}{number or ''}", True, kind) for number, kind in enumerate(kinds))
    return ProofRan(2, ("test_a.py",), cases, problem)


def checks(*worse: bool) -> ChecksCompared:
    said = {
        True: "`lint` passes before the change and fails after it (exit code 1).",
        False: "`lint` passes.",
    }
    return ChecksCompared(
        2, tuple(CheckCompared("lint", 0, int(bad), (), 0, bad, said[bad]) for bad in worse)
    )


def covered(executable: int, missed: int, tool: str = "coverage.py 7") -> CoverageMeasured:
    lines = tuple(range(1, executable + 1))
    return CoverageMeasured(2, tool, (FileCoverage("a.py", lines, lines[:missed]),))


def moved(given: Evidence, name: str, to: str, **fields: object) -> Evidence:
    """As after cases were run again: one is no longer newly broken, but in another list."""
    assert given.compared
    change = next(change for change in given.compared.newly_broken if change.id == name)
    left = tuple(other for other in given.compared.newly_broken if other is not change)
    compared = replace(
        given.compared, newly_broken=left, verdict=Verdict.VERIFIED, reason="No test newly broken."
    )
    return replace(given, compared=replace(compared, **{to: (change,)}), **fields)  # type: ignore[arg-type]


GREEN = ran({"a": PASSED, "new": PASSED})
SAME = evidence(ran({"a": PASSED}), ran({"a": PASSED}))
ADDED = evidence(ran({"a": PASSED}), GREEN)
FIXED = evidence(ran({"a": PASSED, "b": FAILED}), ran({"a": PASSED, "b": PASSED}))
BREAKING = evidence(ran({"a": PASSED, "b": PASSED}), ran({"a": PASSED, "b": FAILED}))
LOST = evidence(ran({"a": PASSED, "b": PASSED}), ran({"a": PASSED, "b": SKIPPED}))
STOPPED = ran(
    {"pytest": Result.ERROR}, by_case=False, problem="the tests did not end within 9 s", exit_code=None
)
RETRIED = CasesRetried(2, (Retried("b", (PASSED, FAILED, PASSED), (PASSED,), None, Stability.FLAKY),))
NOTHING = "Nothing shows what the change does: no test fails without it and passes with it."
LESS = "1 new test can't run without the change (it needs what it adds), passes with it."
DECLINED = Submitted("t", "s", no_test="only a comment changed")

ROWS: dict[str, tuple[Evidence, Grade, bool, tuple[str, ...], tuple[str, ...]]] = {
    # verified
    "fixed": (FIXED, VERIFIED, True, ("1 test fixed, none newly broken.",), ()),
    "proved": (
        replace(ADDED, proof=proof(Without.FAILS)),
        VERIFIED,
        True,
        ("No test newly broken, 1 added.", "1 new test: fails without the change, passes with it."),
        (),
    ),
    "proved, one by a name that is new": (
        replace(ADDED, proof=proof(Without.FAILS, Without.MISSING)),
        VERIFIED,
        True,
        (
            "No test newly broken, 1 added.",
            (
                "Of 2 new tests: 1 fails without the change, passes with it; "
                "1 can't run without the change (it needs what it adds), passes with it."
            ),
        ),
        (),
    ),
    "fixed, checks and coverage good": (
        replace(FIXED, checks=checks(False), coverage=covered(4, 2)),
        VERIFIED,
        True,
        ("1 test fixed, none newly broken.",),
        (),
    ),
    # with remarks
    "nothing shown": (SAME, REMARKS, True, ("No test newly broken.",), (NOTHING,)),
    "nothing shown, with a reason": (
        replace(SAME, submitted=DECLINED, proof=proof()),
        REMARKS,
        True,
        ("No test newly broken.",),
        (f"{NOTHING} The model gave a reason for adding none.",),
    ),
    "only names that are new": (
        replace(ADDED, proof=proof(Without.MISSING)),
        REMARKS,
        True,
        ("No test newly broken, 1 added.",),
        (LESS,),
    ),
    "fixed, and a test that shows nothing": (
        replace(FIXED, proof=proof(Without.PASSES)),
        REMARKS,
        True,
        ("1 test fixed, none newly broken.",),
        ("1 new test passes without the change as well: `new`.",),
    ),
    "fixed by editing the test": (
        replace(FIXED, proof=proof(Without.PASSES, name="b")),
        NOT,
        False,
        ("1 test that failed before passes now only because the test was changed: `b`.",),
        (),
    ),
    "the proof did not run": (
        replace(FIXED, proof=proof(problem="there was no time left")),
        REMARKS,
        True,
        ("1 test fixed, none newly broken.",),
        ("What the tests of the change do without it is not known: there was no time left.",),
    ),
    "flaky": (
        moved(BREAKING, "b", "flaky", retried=RETRIED, proof=proof(Without.FAILS)),
        REMARKS,
        True,
        ("No test newly broken.", "1 new test: fails without the change, passes with it."),
        ("1 flaky test: `b` (failed 2 of 4 runs).",),
    ),
    "narrowed": (
        replace(FIXED, narrowed="there was no time for all"),
        REMARKS,
        True,
        ("1 test fixed, none newly broken.",),
        ("Not all tests were run: there was no time for all.",),
    ),
    "proved, and one shows nothing": (
        replace(ADDED, proof=proof(Without.FAILS, Without.PASSES)),
        VERIFIED,
        True,
        (
            "No test newly broken, 1 added.",
            (
                "Of 2 new tests: 1 fails without the change, passes with it; "
                "1 passes without the change as well: `new1`."
            ),
        ),
        (),
    ),
    "proved, and one did not run": (
        replace(ADDED, proof=proof(Without.FAILS, Without.UNKNOWN)),
        REMARKS,
        True,
        ("No test newly broken, 1 added.",),
        (
            (
                "Of 2 new tests: 1 fails without the change, passes with it; "
                "1 passes with the change, and was not run to the end without it."
            ),
        ),
    ),
    "some tests": (
        evidence(ran({"b": FAILED}), ran({"b": PASSED}, some="the policy is `changed`")),
        REMARKS,
        True,
        ("1 test fixed, none newly broken.",),
        ("Not all tests were run: the policy is `changed`.",),
    ),
    "still failing": (
        evidence(ran({"a": FAILED, "b": FAILED}), ran({"a": FAILED, "b": PASSED})),
        REMARKS,
        True,
        ("1 test fixed, none newly broken, 1 failing as before.",),
        ("1 test fails as before the change.",),
    ),
    "base stopped": (
        evidence(STOPPED, GREEN, proof=proof(Without.FAILS)),
        REMARKS,
        True,
        ("No test fails.", "1 new test: fails without the change, passes with it."),
        ("What failed before the change is not known: the tests did not end within 9 s.",),
    ),
    "base not run": (
        evidence(None, GREEN, proof=proof(Without.FAILS)),
        REMARKS,
        True,
        ("No test newly broken, 2 added.", "1 new test: fails without the change, passes with it."),
        ("What failed before the change is not known: the tests were not run there.",),
    ),
    "only the exit code": (
        evidence(whole(FAILED), whole(PASSED)),
        REMARKS,
        True,
        ("1 command fixed, none newly broken.",),
        ("Only the exit code of `make test` is known.",),
    ),
    "set-up failed, tests ran": (
        replace(FIXED, setup_failed="`npm ci` failed"),
        REMARKS,
        True,
        ("1 test fixed, none newly broken.",),
        ("Set-up fails after the change: `npm ci` failed.",),
    ),
    "hardly covered": (
        replace(FIXED, coverage=covered(12, 7)),
        REMARKS,
        True,
        ("1 test fixed, none newly broken.",),
        ("The tests run only 5 of 12 changed lines that can be run.",),
    ),
    # not verified, and nothing against it
    "no tests": (
        evidence(ran(), ran()),
        NOT,
        True,
        ("There is no test, before the change or after it.",),
        (),
    ),
    "no command": (Evidence(round=2), NOT, True, ("There is no test to run.",), ()),
    "off": (
        Evidence(round=2, off="they are switched off (`verification.policy: off`)"),
        NOT,
        True,
        ("The tests were not run: they are switched off (`verification.policy: off`).",),
        (),
    ),
    # not verified
    "no tests, a check is worse": (
        evidence(ran(), ran(), checks=checks(True, False)),
        NOT,
        False,
        (
            "There is no test, before the change or after it.",
            "`lint` passes before the change and fails after it (exit code 1).",
        ),
        (),
    ),
    "a check is worse": (
        replace(FIXED, checks=checks(False, True)),
        NOT,
        False,
        ("`lint` passes before the change and fails after it (exit code 1).",),
        (),
    ),
    "not run after": (
        Evidence(round=2, before=GREEN),
        NOT,
        False,
        ("The tests were not run after the change.",),
        (),
    ),
    "not compared": (
        replace(FIXED, compared=None),
        NOT,
        False,
        ("The tests after the change were not compared with those before it.",),
        (),
    ),
    "set-up failed": (
        Evidence(round=2, before=GREEN, setup_failed="`npm ci` failed"),
        NOT,
        False,
        ("The tests can't run after the change, because set-up fails: `npm ci` failed.",),
        (),
    ),
    "stopped": (
        evidence(ran({"a": PASSED}), STOPPED),
        NOT,
        False,
        ("The tests after the change prove nothing: the tests did not end within 9 s.",),
        (),
    ),
    "base stopped, and one fails": (
        evidence(STOPPED, ran({"a": PASSED, "b": FAILED})),
        NOT,
        False,
        ("1 test failing, and it is not known whether they did before: the tests did not end within 9 s.",),
        (),
    ),
    "all tests gone": (
        evidence(ran({"a": SKIPPED}), ran()),
        NOT,
        False,
        ("No test ran after the change, though there were tests before it.",),
        (),
    ),
    "nothing passes": (
        evidence(ran({"a": FAILED}), ran({"a": FAILED})),
        NOT,
        False,
        (
            "Nothing passes after the change, so nothing is proved. No test newly broken, 1 failing as before.",
        ),
        ("1 test fails as before the change.",),
    ),
    "nothing passes but what is flaky": (
        moved(evidence(ran({"b": PASSED}), ran({"b": FAILED})), "b", "flaky"),
        NOT,
        False,
        ("Nothing passes after the change, so nothing is proved.",),
        ("1 flaky test: `b`.",),
    ),
    "lost": (LOST, NOT, False, ("1 test that ran before does not run now: `b`.",), ()),
    "flaky since the change": (
        replace(
            moved(BREAKING, "b", "flaky"),
            retried=CasesRetried(
                2,
                (Retried("b", (Result.FAILED, Result.PASSED), (Result.PASSED,) * 2, None, Stability.FLAKY),),
            ),
        ),
        NOT,
        False,
        ("1 test became flaky with the change: `b` (failed 2 of 3 runs, none of 3 on the base).",),
        (),
    ),
    "documents only": (
        replace(SAME, apart=True),
        REMARKS,
        True,
        ("No test newly broken.",),
        ("The change touches nothing but documents and settings of other tools.",),
    ),
    "what runs the tests is edited": (
        replace(FIXED, steered=("pytest.ini", "package.json")),
        REMARKS,
        True,
        ("1 test fixed, none newly broken.",),
        (
            "The change edits `pytest.ini`, `package.json`, which have a say in how tests and their coverage are run.",
        ),
    ),
    "a proof that reached no end": (
        replace(FIXED, proof=replace(proof(), unfinished="pytest ended early")),
        REMARKS,
        True,
        ("1 test fixed, none newly broken.",),
        ("A run that belongs to the proof did not reach its end: pytest ended early.",),
    ),
    "a fixed test that needs no change of the source": (
        replace(FIXED, proof=replace(proof(), unneeded=("b",))),
        NOT,
        False,
        ("1 test that failed before passes now only because the test was changed: `b`.",),
        (),
    ),
    "old tests that can't run": (
        replace(
            FIXED,
            proof=replace(proof(), outdated=(Outdated("x", True, "", True), Outdated("y", False, "", True))),
        ),
        REMARKS,
        True,
        ("1 test fixed, none newly broken.",),
        (
            "2 tests can't run with this change in their old form, because it takes away what they need: `x`, `y`.",
        ),
    ),
    "a test that passes one time and fails another": (
        replace(ADDED, proof=proof(Without.UNSTEADY)),
        REMARKS,
        True,
        ("No test newly broken, 1 added.",),
        ("1 new test passes one time and fails another, so it shows nothing.", NOTHING),
    ),
    "a new test that is flaky": (
        replace(
            moved(evidence(ran({"a": PASSED}), ran({"a": PASSED, "b": FAILED})), "b", "flaky"),
            retried=CasesRetried(2, (Retried("b", (PASSED, PASSED), (), None, Stability.FLAKY),)),
        ),
        NOT,
        False,
        ("1 test of the change is flaky: `b` (failed 1 of 3 runs).",),
        (),
    ),
    "an error that is removed": (
        evidence(ran({"a": PASSED, "f.py": Result.ERROR}), ran({"a": PASSED})),
        NOT,
        False,
        ("1 error of the base was not mended, but removed: `f.py`.",),
        (),
    ),
    "a fixed test, and tests that can't be parted from the source": (
        replace(FIXED, proof=proof(problem="they live there")),
        REMARKS,
        True,
        ("1 test fixed, none newly broken.",),
        ("What the tests of the change do without it is not known: they live there.",),
    ),
    "a file that can't be loaded any more": (
        evidence(
            ran({"a": PASSED, "b": PASSED, "f::T::x": PASSED, "f::y": FAILED}),
            ran({"a": PASSED, "f": Result.ERROR}),
        ),
        BROKEN,
        False,
        (
            "1 test newly broken: `f`.",
            "1 test that ran before does not run now: `b`.",
            "2 tests can't be run, because `f` ends in an error.",
        ),
        (),
    ),
    "flaky, and not run on the base": (
        replace(
            moved(BREAKING, "b", "flaky"),
            retried=CasesRetried(2, (Retried("b", (FAILED, PASSED), (SKIPPED,) * 2, None, Stability.FLAKY),)),
        ),
        REMARKS,
        True,
        ("No test newly broken.",),
        ("1 flaky test: `b` (failed 2 of 3 runs, none of 3 on the base).", NOTHING),
    ),
    "set-up that was asked for fails": (
        replace(FIXED, setup_failed="`make` failed", setup_needed=True),
        NOT,
        False,
        ("Set-up fails after the change: `make` failed.",),
        (),
    ),
    "set-up fails, as it did before": (
        replace(FIXED, setup_failed="`npm ci` failed", setup_failed_before=True),
        REMARKS,
        True,
        ("1 test fixed, none newly broken.",),
        ("Set-up fails before the change and after it: `npm ci` failed.",),
    ),
    "nothing can run on either side": (
        replace(evidence(STOPPED, STOPPED), setup_failed="`npm ci` failed", setup_failed_before=True),
        NOT,
        False,
        ("The tests can't run before the change and after it, because set-up fails: `npm ci` failed.",),
        (),
    ),
    "a check that had no result before": (
        replace(
            FIXED,
            checks=ChecksCompared(
                2, (CheckCompared("lint", 127, 0, (), 0, False, "`lint` is not known.", unknown=True),)
            ),
        ),
        REMARKS,
        True,
        ("1 test fixed, none newly broken.",),
        ("`lint` is not known.",),
    ),
    "coverage of one project is not known": (
        replace(FIXED, coverage=replace(covered(4, 3), problem="in web: it has none")),
        REMARKS,
        True,
        ("1 test fixed, none newly broken.",),
        ("The tests run only 1 of 4 changed lines that can be run.",),
    ),
    "a test that fails as it was": (
        replace(ADDED, proof=replace(proof(Without.FAILS), outdated=(Outdated("old", True, ""),))),
        NOT,
        False,
        ("1 removed test would fail with this change: `old`.",),
        (),
    ),
    "a test that was changed to fit": (
        replace(ADDED, proof=replace(proof(Without.FAILS), outdated=(Outdated("old", False, ""),))),
        REMARKS,
        True,
        ("No test newly broken, 1 added.", "1 new test: fails without the change, passes with it."),
        ("1 edited test fails with this change in its old form: `old`.",),
    ),
    "order-dependent": (
        moved(BREAKING, "b", "order_dependent"),
        NOT,
        False,
        ("1 order-dependent test fails since the change: `b`.",),
        (),
    ),
    # broken
    "broken": (BREAKING, BROKEN, False, ("1 test newly broken: `b`.",), ()),
    "broken, and all else": (
        evidence(
            ran({"a": PASSED, "b": PASSED, "c": PASSED, "d": PASSED, "e": PASSED, "f": PASSED}),
            ran({"a": PASSED, "b": FAILED, "c": FAILED, "d": FAILED, "e": FAILED}),
            checks=checks(True),
            retried=replace(RETRIED, left=2),
            proof=proof(Without.PASSES),
        ),
        BROKEN,
        False,
        (
            "4 tests newly broken: `b`, `c`, `d` and 1 more. 2 of them were not run again.",
            "1 test that ran before does not run now: `f`.",
            "`lint` passes before the change and fails after it (exit code 1).",
        ),
        ("1 new test passes without the change as well: `new`.",),
    ),
    "broken as a whole": (
        evidence(whole(PASSED), whole(FAILED)),
        BROKEN,
        False,
        ("1 command newly broken: `make test`.", "Nothing passes after the change, so nothing is proved."),
        ("Only the exit code of `make test` is known.",),
    ),
}


@pytest.mark.parametrize(("given", "grade", "ready", "reasons", "remarks"), ROWS.values(), ids=ROWS)
def test_the_verdict(
    given: Evidence, grade: Grade, ready: bool, reasons: tuple[str, ...], remarks: tuple[str, ...]
) -> None:
    judged = judge(given)
    assert (judged.grade, judged.ready, judged.round) == (grade, ready, 2)
    assert judged.reasons == reasons
    assert judged.remarks == remarks


@pytest.mark.parametrize(
    ("coverage", "remark"),
    [(covered(4, 2), False), (covered(4, 3), True), (covered(0, 0), False), (covered(4, 4, ""), False)],
)
def test_lines_not_run_are_a_remark_below_half(coverage: CoverageMeasured, remark: bool) -> None:
    assert bool(judge(replace(FIXED, coverage=coverage)).remarks) is remark


names = st.sampled_from("abcdef")
runs = st.one_of(
    st.dictionaries(names, st.sampled_from(Result)).map(ran),
    st.sampled_from([STOPPED, whole(PASSED), whole(FAILED)]),
)
any_evidence = st.builds(
    evidence,
    st.none() | runs,
    runs,
    checks=st.none() | st.booleans().map(checks),
    proof=st.none() | st.lists(st.sampled_from(Without)).map(lambda kinds: proof(*kinds)),
    coverage=st.none() | st.builds(covered, st.just(4), st.integers(0, 4)),
    narrowed=st.sampled_from(["", "why"]),
    setup_failed=st.sampled_from(["", "why"]),
    off=st.sampled_from(["", "the command is `none`"]),
)


@given(any_evidence, st.integers(1, 3))
def test_a_verdict_never_gets_better_by_a_newly_broken_case(given: Evidence, number: int) -> None:
    assert given.compared
    more = tuple(Change(f"x{n}", PASSED, FAILED) for n in range(number))
    worse = replace(
        given, compared=replace(given.compared, newly_broken=(*given.compared.newly_broken, *more))
    )
    one, two = judge(given), judge(worse)
    assert ORDER.index(two.grade) >= ORDER.index(one.grade)
    assert two.ready <= one.ready
    assert two.grade is BROKEN


@given(any_evidence)
def test_every_verdict_has_a_reason_and_no_sentence_twice(given: Evidence) -> None:
    judged = judge(given)
    said = (*judged.reasons, *judged.remarks)
    assert judged.reasons
    assert len(set(said)) == len(said)
    assert all(text.endswith(".") for text in said)
    assert judged.ready or judged.grade in (NOT, BROKEN)
    assert bool(judged.remarks) or judged.grade is not REMARKS
