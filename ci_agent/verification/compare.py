"""What changed between the tests before and the tests after, case by case. A pure function of the two runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from ci_agent.journal.events import (
    Case,
    Change,
    Result,
    Retried,
    Stability,
    TestsCompared,
    TestsRan,
    Verdict,
)
from ci_agent.verification.lost import behind_errors, lost
from ci_agent.verification.text import by_exit_code, counted, only_exit_code, short

NAMED = 3  # lost cases in the sentence
LONGEST_NAME = 120
_LISTS = (
    *("fixed", "newly_broken", "still_failing", "newly_skipped", "added", "removed"),
    *("flaky", "order_dependent", "still_passing", "still_skipped"),
)
_UNSTEADY = {Stability.FLAKY: "flaky", Stability.ORDER: "order_dependent"}


def compare(
    before: TestsRan | None,
    after: TestsRan,
    round: int,  # noqa: A002 - the event's own word
    retried: Sequence[Retried] = (),
    unsteady: Collection[str] = (),
) -> TestsCompared:
    """The verdict on `after`, the `round`-th verification, measured against `before` (None: there was no run).

    `retried` says what became of cases that were run again: those that are flaky or depend on the order are in
    lists of their own and not newly broken. `unsteady` are ids of what failed on the base once and passed there when
    it was run again: flaky, and not fixed.

    Each case of the two runs is in exactly one list or count of the result, with two exceptions: where one
    run has results by test case and the other only one for the whole command, nothing is said of single
    cases; and where `after` did not reach its end, or is of some tests only and `before` of all, a case it does not
    show is not called removed. A failing
    case of which an unfinished `before` knows nothing is counted as still failing, with None as its before.

    A case that was skipped and passes now is counted as still passing.

    *Broken*: a case is newly broken. *No tests*: neither run has a case. *Incomplete*: `after` did not reach
    its end, can't be compared, or has no passing case, so that it proves nothing. *Weakened*: a case that ran
    before is lost (see `lost`). Else *verified*.
    """
    if before and _known(before) and _known(after) and before.by_case != after.by_case:
        return TestsCompared(round, Verdict.INCOMPLETE, _unlike(after))
    compared = _sorted(before, after, round, {case.id: case.stability for case in retried}, unsteady)
    passing = {case.id for case in _known(after).values() if case.result is Result.PASSED}
    compared = replace(compared, lost=lost(compared, passing, before.command if before else ""))
    compared = behind_errors(compared)
    verdict, reason = _verdict(before, after, compared)
    return replace(compared, verdict=verdict, reason=reason)


def _sorted(
    before: TestsRan | None,
    after: TestsRan,
    round: int,  # noqa: A002 - as above
    steady: Mapping[str, Stability],
    unsteady: Collection[str],
) -> TestsCompared:
    """The cases in their lists, in the order of their ids; the verdict is left to the caller."""
    old, new = _known(before), _known(after)
    lists: dict[str, list[Change]] = {name: [] for name in _LISTS}
    for name in sorted(old.keys() | new.keys()):
        was, now = _result(name, old, before, None), _result(name, new, after, Result.ERROR)
        kind = _kind(was, now)
        if kind == "newly_broken" and was is None and before and before.problem:
            kind = "still_failing"
        if kind == "newly_broken" and name in steady:
            kind = _UNSTEADY.get(steady[name], kind)
        if kind == "fixed" and name in unsteady:
            kind = "flaky"
        if kind != "removed" or not (after.problem or (after.some and not (before and before.some))):
            lists[kind].append(Change(name, was, now, _message(new.get(name)) or _message(old.get(name))))
    return TestsCompared(
        round,
        Verdict.INCOMPLETE,
        "",
        fixed=tuple(lists["fixed"]),
        newly_broken=tuple(lists["newly_broken"]),
        still_failing=tuple(lists["still_failing"]),
        newly_skipped=tuple(lists["newly_skipped"]),
        added=tuple(lists["added"]),
        removed=tuple(lists["removed"]),
        still_passing=len(lists["still_passing"]),
        still_skipped=len(lists["still_skipped"]),
        flaky=tuple(lists["flaky"]),
        order_dependent=tuple(lists["order_dependent"]),
    )


def _known(run: TestsRan | None) -> dict[str, Case]:
    """The cases of a run by id. One that stands for a command that never reached its end says nothing."""
    if run is None or (run.problem and not run.by_case):
        return {}
    return {case.id: case for case in run.cases}


def _result(name: str, cases: dict[str, Case], run: TestsRan | None, failed: Result | None) -> Result | None:
    """The case's result, None where it is not there.

    A run shows the case of its exit code only where no other explains it. Where it is not shown, it passed
    if the code is 0; if not, it is hidden behind the failing cases and counts as `failed`.
    """
    if name in cases:
        return cases[name].result
    if run and run.by_case and name in map(by_exit_code, (run.command, *run.command.splitlines())):
        return Result.PASSED if run.exit_code == 0 else failed
    return None


def _kind(was: Result | None, now: Result | None) -> str:
    if now is None:
        return "removed"
    if now.bad:
        return "still_failing" if was and was.bad else "newly_broken"
    if was is None:
        return "added"
    if now is Result.SKIPPED:
        return "still_skipped" if was is Result.SKIPPED else "newly_skipped"
    return "fixed" if was.bad else "still_passing"


def _message(case: Case | None) -> str:
    return case.message if case and case.result.bad else ""


# --- the verdict ------------------------------------------------------------------------------------------


def _verdict(before: TestsRan | None, after: TestsRan, compared: TestsCompared) -> tuple[Verdict, str]:
    said = _sentence(compared, "test" if after.by_case else "command")
    unfinished = before.problem if before else ""
    if compared.newly_broken:
        return Verdict.BROKEN, said
    if not (after.cases or after.problem or (before and before.cases)):
        return Verdict.NO_TESTS, "There is no test, before the change or after it."
    if nothing := _proves_nothing(after, said):
        return Verdict.INCOMPLETE, nothing
    if compared.lost:
        return Verdict.WEAKENED, f"{_no_longer(compared)} {said}"
    if unfinished and compared.still_failing:
        many = counted(len(compared.still_failing), "test")
        said = f"{many} failing, and it is not known whether they did before: {unfinished}."
        return Verdict.INCOMPLETE, said
    if unfinished:
        said = f"No test fails. What failed before the change is not known: {unfinished}."
    return Verdict.VERIFIED, said if after.by_case else f"{said} {only_exit_code(after.command)}"


def _proves_nothing(after: TestsRan, said: str) -> str:
    """Why not, as a sentence; empty where the run after the change proves something."""
    if after.problem:
        return _unfinished(after)
    if not after.cases:
        return "No test ran after the change, though there were tests before it."
    if not any(case.result is Result.PASSED for case in after.cases):
        return f"Nothing passes after the change, so nothing is proved. {said}"
    return ""


def _no_longer(compared: TestsCompared) -> str:
    names = ", ".join(short(change.id, LONGEST_NAME) for change in compared.lost[:NAMED])
    more = f" and {len(compared.lost) - NAMED:,} more" if len(compared.lost) > NAMED else ""
    does = "does" if len(compared.lost) == 1 else "do"
    return f"{counted(len(compared.lost), 'test')} that ran before {does} not run now: {names}{more}."


def _unlike(after: TestsRan) -> str:
    if after.problem:
        return _unfinished(after)
    how = "test by test before the change, but only as a whole after it"
    if after.by_case:
        how = "only as a whole before the change, but test by test after it"
    return f"The tests can't be compared: their results are known {how}."


def _unfinished(after: TestsRan) -> str:
    return f"The tests after the change prove nothing: {after.problem}."


def _sentence(compared: TestsCompared, noun: str) -> str:
    """E.g. `1 test fixed, none newly broken, 2 added.`"""
    fixed, broken = len(compared.fixed), len(compared.newly_broken)
    if broken:
        parts = [f"{counted(broken, noun)} newly broken", f"{fixed:,} fixed" if fixed else ""]
    elif fixed:
        parts = [f"{counted(fixed, noun)} fixed", "none newly broken"]
    else:
        parts = [f"No {noun} newly broken"]
    others = {
        "added": compared.added,
        "removed": [change for change in compared.removed if not change.behind],
        "can't be run": [change for change in compared.removed if change.behind],
        "newly skipped": compared.newly_skipped,
        "failing as before": compared.still_failing,
        "flaky": compared.flaky,
        "failing only with the others": compared.order_dependent,
    }
    parts += [f"{len(changes):,} {word}" for word, changes in others.items() if changes]
    return ", ".join(filter(None, parts)) + "."
