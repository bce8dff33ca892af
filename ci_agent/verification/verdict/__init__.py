"""The verdict on a change: from everything that was measured to *verified*, *verified with remarks*, *not
verified* or *broken*, and whether it is fit to be reviewed. A pure function; it reads no file and starts nothing.

What was measured becomes sentences, each with the best grade that it still allows. The worst one decides, so
that one more thing that is wrong never makes a verdict better.
"""

from __future__ import annotations

from collections.abc import Sequence

from ci_agent.journal.events import Grade, Judged, Verdict
from ci_agent.verification.proving import sentence
from ci_agent.verification.verdict.measured import Evidence
from ci_agent.verification.verdict.points import points
from ci_agent.verification.verdict.remarks import remarks, shows_nothing

__all__ = ["Evidence", "judge"]


_WORST_LAST = (Grade.VERIFIED, Grade.REMARKS, Grade.NOT_VERIFIED, Grade.BROKEN)


def judge(evidence: Evidence) -> Judged:
    """The verdict on `evidence`.

    - *broken*: a test is newly broken.
    - *not verified*: the tests did not run or reached no end after the change, nothing passes in that run, tests
      are lost (removed or newly skipped) or pass only because they were changed, became flaky or are new and flaky,
      order-dependent ones fail since the change, or a check is worse. These are not ready. A change of which nothing
      can be said because there are no tests (no run on either side, or none with a case) or because they are
      switched off is not verified either, but ready: nothing speaks against it.
    - *verified with remarks*: nothing of that, but nothing shows what the change does (no fixed test, and no
      test of the change that fails without it), or something weakens what was measured: flaky tests, tests that were
      edited and fail in their old form, a change to what runs them, a proof or a set-up that did not come to its end, a run of some tests
      only, a base that is not known, tests that fail as before, results known only by exit code, fewer than half of
      the changed lines run.
    - *verified*: all tests ran, nothing is broken, and something shows what the change does.

    The reasons are what keeps it from a better grade, for the two better grades what was measured; the remarks
    are all else.
    """
    found = list(points(evidence))
    beside = tuple(remarks(evidence) if found else [*remarks(evidence), *shows_nothing(evidence)])
    grades = [point.grade for point in found] or [Grade.REMARKS if beside else Grade.VERIFIED]
    grade = max(grades, key=_WORST_LAST.index)
    reasons = tuple(point.text for point in found) or _measured(evidence, beside)
    return Judged(evidence.round, grade, not any(point.against for point in found), reasons, beside)


def _measured(evidence: Evidence, remarks: Sequence[str]) -> tuple[str, ...]:
    """What was measured, without what the remarks say already."""
    compared = evidence.compared
    reason = compared.reason if compared and compared.verdict is Verdict.VERIFIED else ""
    for remark in remarks:
        reason = reason.replace(remark, "").strip()
    shows = sentence(evidence.proof.cases) if evidence.proof else ""
    return tuple(filter(None, [reason or "No test newly broken.", shows if shows not in remarks else ""]))
