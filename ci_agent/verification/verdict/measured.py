"""What was measured of a change in one round, and what several judgements on it begin with. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ci_agent.journal.events import (
    CasesRetried,
    Change,
    ChecksCompared,
    CoverageMeasured,
    ProofRan,
    Result,
    Submitted,
    TestsCompared,
    TestsRan,
    Without,
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
    apart: bool = False  # the change touches nothing that is run or built: documents, settings of a CI
    setup_failed: str = ""  # how set-up failed on the result, as a clause; empty when it did not
    setup_failed_before: bool = False  # it failed on the base, too
    setup_needed: bool = False  # a person asked for set-up, and on the base it did not fail


def weakened(evidence: Evidence) -> list[Change]:
    """The fixed tests that pass against the source of the base as well: not the source was mended, but the test."""
    proof = evidence.proof
    passing = {case.id for case in proof.cases if case.without is Without.PASSES} if proof else set()
    passing |= set(proof.unneeded) if proof else set()
    return [
        change for change in (evidence.compared.fixed if evidence.compared else ()) if change.id in passing
    ]


def flaky_since(evidence: Evidence) -> list[Change]:
    """Those that failed more than once on the result, and passed in all of several runs on the base."""
    cases = evidence.retried.cases if evidence.retried else ()
    since = {
        case.id
        for case in cases
        if case.failures[0] > 1 and len(case.base_alone) > 1 and set(case.base_alone) == {Result.PASSED}
    }
    return [change for change in (evidence.compared.flaky if evidence.compared else ()) if change.id in since]
