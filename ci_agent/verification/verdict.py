"""The verdict on a change: from everything that was measured to *verified*, *verified with remarks*, *not
verified* or *broken*, and whether it is fit to be reviewed. A pure function; it reads no file and starts nothing.

What was measured becomes sentences, each with the best grade that it still allows. The worst one decides, so
that one more thing that is wrong never makes a verdict better.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ci_agent.journal.events import (
    CasesRetried,
    Change,
    ChecksCompared,
    CoverageMeasured,
    Grade,
    Judged,
    Outdated,
    ProofRan,
    Result,
    Retried,
    Submitted,
    TestsCompared,
    TestsRan,
    Verdict,
    Without,
)
from ci_agent.verification.proving import proves, sentence
from ci_agent.verification.text import counted, one_line, only_exit_code, short

NAMED = 3  # tests in a sentence
LONGEST_NAME = 120
LEAST_COVERED = (
    0.5  # share of the changed lines that can be run; below it, that they were not run is a remark
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was measured in a round. None: it was not done.

    `compared` has the flaky and the order-dependent cases in lists of their own, not among the newly broken.
    """

    round: int
    before: TestsRan | None = None
    after: TestsRan | None = None
    compared: TestsCompared | None = None
    retried: CasesRetried | None = None
    proof: ProofRan | None = None
    coverage: CoverageMeasured | None = None
    checks: ChecksCompared | None = None
    submitted: Submitted | None = None
    off: str = ""  # why the tests were not to be run at all, as a clause; empty where they were
    narrowed: str = ""  # why the last run was only of some tests, as a clause; empty when it was whole
    steered: tuple[str, ...] = ()  # files of the change that decide how tests are run, see `steering`
    setup_failed: str = ""  # how set-up failed on the result, as a clause; empty when it did not
    setup_failed_before: bool = False  # it failed on the base, too
    setup_needed: bool = False  # a person asked for set-up, and on the base it did not fail


_WORST_LAST = (Grade.VERIFIED, Grade.REMARKS, Grade.NOT_VERIFIED, Grade.BROKEN)


def judge(evidence: Evidence) -> Judged:
    """The verdict on `evidence`.

    - *broken*: a test is newly broken.
    - *not verified*: the tests did not run or reached no end after the change, nothing passes in that run, tests
      are lost (removed or newly skipped) or pass only because they were changed, order-dependent ones fail since
      the change, or a check is worse. These are not ready. A change of which nothing can be said because there are no tests (no run on either side, or
      none with a case) or because they are switched off is not verified either, but ready: nothing speaks
      against it.
    - *verified with remarks*: nothing of that, but nothing shows what the change does (no fixed test, and no
      test of the change that fails without it), or something weakens what was measured: flaky tests, tests of
      the change that were not run to their end without it, a run of some tests only, a base that is not known, tests that fail as
      before, results known only by exit code, fewer than half of the changed lines run (`LEAST_COVERED`).
    - *verified*: all tests ran, nothing is broken, and something shows what the change does.

    The reasons are what keeps it from a better grade, for the two better grades what was measured; the remarks
    are all else.
    """
    points = [*_broken(evidence), *_unproved(evidence), *_worse_checks(evidence)]
    remarks = tuple(_remarks(evidence) if points else [*_remarks(evidence), *_shows_nothing(evidence)])
    grades = [point.grade for point in points] or [Grade.REMARKS if remarks else Grade.VERIFIED]
    grade = max(grades, key=_WORST_LAST.index)
    reasons = tuple(point.text for point in points) or _measured(evidence, remarks)
    return Judged(evidence.round, grade, not any(point.against for point in points), reasons, remarks)


# --- what keeps a change from being verified --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Point:
    """`against`: it speaks against the change, which is then not ready to be reviewed."""

    grade: Grade
    text: str
    against: bool = True


def _broken(evidence: Evidence) -> Iterator[_Point]:
    if not (evidence.compared and evidence.compared.newly_broken):
        return
    broken = evidence.compared.newly_broken
    noun = "test" if evidence.after is None or evidence.after.by_case else "command"
    text = f"{counted(len(broken), noun)} newly broken: {_names(broken)}."
    if evidence.retried and evidence.retried.together:
        text += f" {evidence.retried.together:,} of them failed once more, run together."
    if evidence.retried and evidence.retried.left:
        text += f" {_part(evidence.retried.left, len(broken))} not run again."
    yield _Point(Grade.BROKEN, text)


def _unproved(evidence: Evidence) -> Iterator[_Point]:
    if evidence.off:
        text = f"The tests were not run: {evidence.off}."
        yield _Point(Grade.NOT_VERIFIED, text, against=False)
        return
    compared = evidence.compared
    if text := _no_result(evidence):
        yield _Point(Grade.NOT_VERIFIED, text)
    elif compared is None or compared.verdict is Verdict.NO_TESTS:
        text = compared.reason if compared else "There is no test to run."
        yield _Point(Grade.NOT_VERIFIED, text, against=False)
    yield from _lost(compared)
    outdated = evidence.proof.outdated if evidence.proof else ()
    if gone := [old.id for old in outdated if old.gone and not old.lacks]:
        was = "is" if len(gone) == 1 else "are"
        text = f"{counted(len(gone), 'test')} that {was} there no more {_fail(gone)} with this change: {_ids(gone)}."
        yield _Point(Grade.NOT_VERIFIED, text)
    if weakened := _weakened(evidence):
        passes = "passes" if len(weakened) == 1 else "pass"
        text = f"{counted(len(weakened), 'test')} that failed before {passes} now only because the test was changed"
        yield _Point(Grade.NOT_VERIFIED, f"{text}: {_names(weakened)}.")
    if since := _flaky_since(evidence):
        became = counted(len(since), "test")
        text = f"{became} became flaky with the change: {_flaky(since, evidence.retried)}."
        yield _Point(Grade.NOT_VERIFIED, text)
    if new := [change for change in (compared.flaky if compared else ()) if change.before is None]:
        is_ = "is" if len(new) == 1 else "are"
        text = f"{counted(len(new), 'test')} of the change {is_} flaky: {_flaky(new, evidence.retried)}."
        yield _Point(Grade.NOT_VERIFIED, text)
    if compared and compared.order_dependent:
        fail = "fails" if len(compared.order_dependent) == 1 else "fail"
        many = counted(len(compared.order_dependent), "order-dependent test")
        yield _Point(
            Grade.NOT_VERIFIED, f"{many} {fail} since the change: {_names(compared.order_dependent)}."
        )


def _lost(compared: TestsCompared | None) -> Iterator[_Point]:
    changes = compared.lost if compared else ()
    lost = [change.id for change in changes if not change.behind]
    behind = [change.behind for change in changes if change.behind]
    if lost:
        does = "does" if len(lost) == 1 else "do"
        text = f"{counted(len(lost), 'test')} that ran before {does} not run now: {_ids(lost)}."
        yield _Point(Grade.NOT_VERIFIED, text)
    if behind:
        errors = list(dict.fromkeys(behind))
        end = "ends" if len(errors) == 1 else "end"
        text = f"{counted(len(behind), 'test')} can't be run, because {_ids(errors)} {end} in an error."
        yield _Point(Grade.NOT_VERIFIED, text)


def _weakened(evidence: Evidence) -> list[Change]:
    """The fixed tests that pass against the source of the base as well: not the source was mended, but the test."""
    proof = evidence.proof
    passing = {case.id for case in proof.cases if case.without is Without.PASSES} if proof else set()
    passing |= set(proof.unneeded) if proof else set()
    return [
        change for change in (evidence.compared.fixed if evidence.compared else ()) if change.id in passing
    ]


def _no_result(evidence: Evidence) -> str:
    """Why the run after the change proves nothing, though there should be one; empty where it proves something."""
    before, after, compared = evidence.before, evidence.after, evidence.compared
    passes = after is not None and any(case.result is Result.PASSED for case in after.cases)
    if evidence.setup_failed and evidence.setup_needed:
        return f"Set-up fails after the change: {evidence.setup_failed}."
    if evidence.setup_failed and not (passes and after and not after.problem):
        return f"The tests can't run {_when(evidence)}, because set-up fails: {evidence.setup_failed}."
    if after is None:
        return "The tests were not run after the change." if before else ""
    if after.problem:
        return f"The tests after the change prove nothing: {after.problem}."
    if compared is None:
        return "The tests after the change were not compared with those before it."
    if compared.verdict is Verdict.INCOMPLETE:
        return compared.reason
    if not passes and compared.verdict is not Verdict.NO_TESTS:
        return "Nothing passes after the change, so nothing is proved."
    return ""


def _when(evidence: Evidence) -> str:
    """When set-up fails: nobody shall blame the change for what its base has."""
    return "before the change and after it" if evidence.setup_failed_before else "after the change"


def _worse_checks(evidence: Evidence) -> Iterator[_Point]:
    for check in evidence.checks.checks if evidence.checks else ():
        if check.worse:
            yield _Point(Grade.NOT_VERIFIED, check.said)


# --- what to know beside ----------------------------------------------------------------------------------


def _remarks(evidence: Evidence) -> Iterator[str]:
    fixed = evidence.compared.fixed if evidence.compared else ()
    yield from _of_proof(evidence.proof, mended=len(fixed) > len(_weakened(evidence)))
    yield from _of_old_tests(evidence.proof.outdated if evidence.proof else ())
    if evidence.proof and evidence.proof.unfinished:
        yield f"A run that belongs to the proof did not reach its end: {evidence.proof.unfinished}."
    if evidence.steered:
        have = "has" if len(evidence.steered) == 1 else "have"
        files = _ids(evidence.steered)
        yield f"The change edits {files}, which {have} a say in how tests and their coverage are run."
    since = _flaky_since(evidence)
    known = [case for case in (evidence.compared.flaky if evidence.compared else ()) if case.before]
    flaky = [case for case in known if case not in since]
    if flaky:
        yield f"{counted(len(flaky), 'flaky test')}: {_flaky(flaky, evidence.retried)}."
    yield from _of_runs(evidence)
    yield from (check.said for check in (evidence.checks.checks if evidence.checks else ()) if check.unknown)
    yield from _of_coverage(evidence.coverage)


def _of_old_tests(outdated: Sequence[Outdated]) -> Iterator[str]:
    if edited := [old.id for old in outdated if not (old.gone or old.lacks)]:
        was, they = ("was", "it") if len(edited) == 1 else ("were", "they")
        text = f"{counted(len(edited), 'test')} {was} changed to fit"
        yield f"{text}: as before, {they} {_fail(edited)} with this change: {_ids(edited)}."
    if lacking := [old.id for old in outdated if old.lacks]:
        they = "it needs" if len(lacking) == 1 else "they need"
        text = f"As before, {counted(len(lacking), 'test')} can't run with this change"
        yield f"{text}, which takes away what {they}: {_ids(lacking)}."


def _of_proof(proof: ProofRan | None, *, mended: bool) -> Iterator[str]:
    """`mended`: a test that failed before shows what the change does, so that new ones need not."""
    if proof and proof.problem:
        yield f"What the tests of the change do without it is not known: {proof.problem}."
    elif proof and proof.cases:
        kinds = {case.without for case in proof.cases}
        unclear = kinds & {Without.UNKNOWN, Without.UNSTEADY}
        if not (proves(proof.cases) or (mended and kinds == {Without.MISSING})) or unclear:
            yield sentence(proof.cases)


def _flaky_since(evidence: Evidence) -> list[Change]:
    """Those that failed more than once on the result, and passed in all of several runs on the base."""
    cases = evidence.retried.cases if evidence.retried else ()
    since = {
        case.id
        for case in cases
        if case.failures[0] > 1 and len(case.base_alone) > 1 and set(case.base_alone) == {Result.PASSED}
    }
    return [change for change in (evidence.compared.flaky if evidence.compared else ()) if change.id in since]


def _flaky(flaky: Sequence[Change], retried: CasesRetried | None) -> str:
    again = {case.id: case for case in retried.cases} if retried else {}
    return _enumerated([_how_flaky(change, again.get(change.id)) for change in flaky[:NAMED]], len(flaky))


def _how_flaky(change: Change, retried: Retried | None) -> str:
    if retried is None:
        on_base = change.before is not None and change.before.bad
        return f"{_name(change.id)}{' (failed and passed on the base)' if on_base else ''}"
    failed, runs = retried.failures
    base = f", none of {len(retried.base_alone) + 1} on the base" if len(retried.base_alone) > 1 else ""
    if any(each.bad for each in retried.base_alone):
        bad = sum(each.bad for each in retried.base_alone)
        base = f", {bad} of {len(retried.base_alone) + 1} on the base"
    return f"{_name(change.id)} (failed {failed} of {runs} runs{base})"


def _of_runs(evidence: Evidence) -> Iterator[str]:
    before, after, compared = evidence.before, evidence.after, evidence.compared
    if after is None or after.problem or not after.cases:
        return
    if evidence.setup_failed and not evidence.setup_needed:
        yield f"Set-up fails {_when(evidence)}: {evidence.setup_failed}."
    if some := evidence.narrowed or after.some:
        yield f"Not all tests were run: {some}."
    if before is None:
        yield "What failed before the change is not known: the tests were not run there."
    elif before.problem and not (compared and compared.verdict is Verdict.INCOMPLETE):
        yield f"What failed before the change is not known: {before.problem}."
    if compared and compared.still_failing and not (before and before.problem):
        fail = "fails" if len(compared.still_failing) == 1 else "fail"
        yield f"{counted(len(compared.still_failing), 'test')} {fail} as before the change."
    if not after.by_case:
        yield only_exit_code(after.command)


def _of_coverage(coverage: CoverageMeasured | None) -> Iterator[str]:
    files = coverage.files if coverage and coverage.tool else ()
    executable = sum(len(file.executable) for file in files)
    ran = executable - sum(len(file.missed) for file in files)
    if ran < LEAST_COVERED * executable:
        yield f"The tests run only {ran:,} of {counted(executable, 'changed line')} that can be run."


def _shows_nothing(evidence: Evidence) -> Iterator[str]:
    """That nothing shows what the change does. A test that fails before and passes now shows it, unless the
    same test passes without the change: then it is the test that changed."""
    cases = evidence.proof.cases if evidence.proof else ()
    fixed = evidence.compared.fixed if evidence.compared else ()
    if proves(cases) or len(fixed) > len(_weakened(evidence)):
        return
    if any(case.without is Without.MISSING for case in cases):
        return  # they show a little, and how little is a remark of its own
    text = "Nothing shows what the change does: no test fails without it and passes with it."
    if not cases and evidence.submitted and evidence.submitted.no_test:
        text += " The model gave a reason for adding none."
    yield text


# --- what speaks for it -----------------------------------------------------------------------------------


def _measured(evidence: Evidence, remarks: Sequence[str]) -> tuple[str, ...]:
    """What was measured, without what the remarks say already."""
    compared = evidence.compared
    reason = compared.reason if compared and compared.verdict is Verdict.VERIFIED else ""
    for remark in remarks:
        reason = reason.replace(remark, "").strip()
    shows = sentence(evidence.proof.cases) if evidence.proof else ""
    return tuple(filter(None, [reason or "No test newly broken.", shows if shows not in remarks else ""]))


def _names(changes: Sequence[Change]) -> str:
    return _ids([change.id for change in changes])


def _ids(names: Sequence[str]) -> str:
    return _enumerated([_name(name) for name in names[:NAMED]], len(names))


def _name(name: str) -> str:
    return f"`{short(one_line(name), LONGEST_NAME)}`"


def _fail(names: Sequence[str]) -> str:
    return "fails" if len(names) == 1 else "fail"


def _enumerated(told: Sequence[str], number: int) -> str:
    return ", ".join(told) + (f" and {number - len(told):,} more" if number > len(told) else "")


def _part(number: int, whole: int) -> str:
    if number >= whole:
        return "It was" if whole == 1 else "They were"
    return f"{number:,} of them {'was' if number == 1 else 'were'}"
