"""What keeps a change from being verified: sentences, each with the best grade that it still allows. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ci_agent.journal.events import Grade, Result, TestsCompared, Verdict
from ci_agent.verification.text import counted
from ci_agent.verification.verdict.measured import Evidence, flaky_since, weakened
from ci_agent.verification.verdict.words import fail, how_flaky, listed, named, part, when


@dataclass(frozen=True, slots=True)
class Point:
    """`against`: it speaks against the change, which is then not ready to be reviewed."""

    grade: Grade
    text: str
    against: bool = True


def points(evidence: Evidence) -> Iterator[Point]:
    """All of them."""
    yield from _broken(evidence)
    yield from _unproved(evidence)
    yield from _worse_checks(evidence)


def _broken(evidence: Evidence) -> Iterator[Point]:
    if not (evidence.compared and evidence.compared.newly_broken):
        return
    broken = evidence.compared.newly_broken
    noun = "test" if evidence.after is None or evidence.after.by_case else "command"
    text = f"{counted(len(broken), noun)} newly broken: {named(broken)}."
    if evidence.retried and evidence.retried.together:
        text += f" {evidence.retried.together:,} of them failed once more, run together."
    if evidence.retried and evidence.retried.left:
        text += f" {part(evidence.retried.left, len(broken))} not run again."
    yield Point(Grade.BROKEN, text)


def _unproved(evidence: Evidence) -> Iterator[Point]:
    if evidence.off:
        text = f"The tests were not run: {evidence.off}."
        yield Point(Grade.NOT_VERIFIED, text, against=False)
        return
    compared = evidence.compared
    if text := _no_result(evidence):
        yield Point(Grade.NOT_VERIFIED, text)
    elif compared is None or compared.verdict is Verdict.NO_TESTS:
        text = compared.reason if compared else "There is no test to run."
        yield Point(Grade.NOT_VERIFIED, text, against=False)
    yield from _lost(compared)
    outdated = evidence.proof.outdated if evidence.proof else ()
    if gone := [old.id for old in outdated if old.gone and not old.lacks]:
        text = f"{counted(len(gone), 'removed test')} would fail with this change: {listed(gone)}."
        yield Point(Grade.NOT_VERIFIED, text)
    if weak := weakened(evidence):
        passes = "passes" if len(weak) == 1 else "pass"
        text = (
            f"{counted(len(weak), 'test')} that failed before {passes} now only because the test was changed"
        )
        yield Point(Grade.NOT_VERIFIED, f"{text}: {named(weak)}.")
    if since := flaky_since(evidence):
        became = counted(len(since), "test")
        text = f"{became} became flaky with the change: {how_flaky(since, evidence.retried)}."
        yield Point(Grade.NOT_VERIFIED, text)
    if new := [change for change in (compared.flaky if compared else ()) if change.before is None]:
        is_ = "is" if len(new) == 1 else "are"
        text = f"{counted(len(new), 'test')} of the change {is_} flaky: {how_flaky(new, evidence.retried)}."
        yield Point(Grade.NOT_VERIFIED, text)
    if compared and compared.order_dependent:
        many = counted(len(compared.order_dependent), "order-dependent test")
        text = f"{many} {fail(compared.order_dependent)} since the change: {named(compared.order_dependent)}."
        yield Point(Grade.NOT_VERIFIED, text)


def _lost(compared: TestsCompared | None) -> Iterator[Point]:
    changes = compared.lost if compared else ()
    gone = [change for change in changes if not change.behind]
    errors = [change.id for change in gone if change.before is Result.ERROR and change.after is None]
    lost = [change.id for change in gone if change.id not in errors]
    if errors:
        was = "was" if len(errors) == 1 else "were"
        text = f"{counted(len(errors), 'error')} of the base {was} not mended, but removed: {listed(errors)}."
        yield Point(Grade.NOT_VERIFIED, text)
    behind = [change.behind for change in changes if change.behind]
    if lost:
        does = "does" if len(lost) == 1 else "do"
        text = f"{counted(len(lost), 'test')} that ran before {does} not run now: {listed(lost)}."
        yield Point(Grade.NOT_VERIFIED, text)
    if behind:
        ends = list(dict.fromkeys(behind))
        end = "ends" if len(ends) == 1 else "end"
        text = f"{counted(len(behind), 'test')} can't be run, because {listed(ends)} {end} in an error."
        yield Point(Grade.NOT_VERIFIED, text)


def _no_result(evidence: Evidence) -> str:
    """Why the run after the change proves nothing, though there should be one; empty where it proves something."""
    before, after, compared = evidence.before, evidence.after, evidence.compared
    passes = after is not None and any(case.result is Result.PASSED for case in after.cases)
    if evidence.setup_failed and evidence.setup_needed:
        return f"Set-up fails after the change: {evidence.setup_failed}."
    if evidence.setup_failed and not (passes and after and not after.problem):
        return f"The tests can't run {when(evidence)}, because set-up fails: {evidence.setup_failed}."
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


def _worse_checks(evidence: Evidence) -> Iterator[Point]:
    for check in evidence.checks.checks if evidence.checks else ():
        if check.worse:
            yield Point(Grade.NOT_VERIFIED, check.said)
