"""The evidence on a change: tests on the base and on the result, again where something broke, and what is measured
beside. Every run is in the journal before anything is concluded from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ci_agent import verification
from ci_agent.evidence import baseline, earlier
from ci_agent.evidence.again import again
from ci_agent.evidence.bench import Bench
from ci_agent.evidence.beside import Checks, cover
from ci_agent.evidence.choice import Choice
from ci_agent.evidence.ground import Ground, failed, failure
from ci_agent.evidence.proof import Change, prove
from ci_agent.evidence.reruns import SOON, Reruns, run_cases
from ci_agent.evidence.suites import merged
from ci_agent.journal.events import (
    CasesRetried,
    Judged,
    Moment,
    Result,
    Retried,
    Submitted,
    TestsChosen,
    TestsCompared,
    TestsRan,
    Warned,
)
from ci_agent.verification import verdict
from ci_agent.verification.steering import is_apart

_ROOM = 1.3  # of the time the tests took on the base must be left: those of the result may be more
_POLICY = "`verification.policy` asks for those that the change reaches"
_FIXED = 2  # runs more, on the base, of what seems fixed


@dataclass(frozen=True, slots=True)
class Round:
    """What one examination of a change came to."""

    before: TestsRan | None
    after: TestsRan
    compared: TestsCompared
    measured: verdict.Evidence
    judged: Judged


class Evidence:
    """Examines one result after the other against the same base, and remembers what was measured there."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self._journal = ground.journal
        self._settings = ground.config.verification
        self._bench = Bench(ground)
        self._checks = Checks(self._bench)
        self.choice = Choice(self._bench)
        self.before: TestsRan | None = None  # all tests on the base; None: they were not run
        self.rounds = earlier.rounds(self._journal.events)  # of all jobs

    # --- what to run --------------------------------------------------------------------------------------

    def begin(self) -> str:
        """Find out all of it in a checkout of the base. Gives why that can't be prepared, as a sentence."""
        bare = self._bench.lay_out_base()
        self.choice.set_up(bare.root, bare.sandbox)
        place = self._bench.prepare_base()
        self.choice.tests(place.root, place.sandbox)
        return failed(place.set_up) if self._bench.setup.configured else ""

    # --- the base -----------------------------------------------------------------------------------------

    def measure_base(self) -> str:
        """Run the checks and all tests on the base, unless the policy is another. Gives why that can't be done, as
        a sentence."""
        if not self.choice.on_base or self._settings.policy != "full":
            return ""
        self.before = self._whole_base()
        if self.before.reused or not self._bench.setup.configured:
            return ""
        return failed(self._bench.base.set_up)

    def _whole_base(self, *, fresh: bool = False) -> TestsRan:
        """All tests on the base, run now or, unless it has to be `fresh`, in an earlier session."""
        bench = self._bench
        passed = self.ground.config.sandbox.env
        junit = self._settings.junit or ""
        name = baseline.key(self.ground.base, bench.setup, self.choice.on_base, junit, passed)
        ran = None if fresh else self._known(name)
        if ran is None:
            self._checks.measure_base()
            ran = bench.run(bench.base, Moment.BEFORE, self.choice.on_base)
            if not failure(bench.base.set_up):
                baseline.keep(self.ground.remembered, name, ran)
        self._journal.append(ran)
        return ran

    def _known(self, name: str) -> TestsRan | None:
        """From an earlier job of this session, else from an earlier session."""
        bench = self._bench
        ran = earlier.before(self._journal.events, bench.base_tree, bench.setup, self.choice.on_base)
        return ran or baseline.recall(self.ground.remembered, name, bench.base_tree)

    def _run_on_base(self, more: Sequence[TestsChosen]) -> None:
        """The tests of projects that only a change tells of, beside those that ran there. What can't be run there is
        left out, or it would say of the change what is no fault of it."""
        if not more or self.before is None:
            return
        runs = [self.before]
        for suite in more:
            ran = self._bench.run(self._bench.base, Moment.BEFORE, [suite])
            self._journal.append(ran)
            if ran.problem and not any(case.result is Result.PASSED for case in ran.cases if ran.by_case):
                self.choice.leave_out(suite)
                self._journal.append(Warned(f"The tests in {suite.folder} are left out: {ran.problem}."))
            else:
                runs.append(ran)
        self.before = merged(runs)
        self._journal.append(self.before)

    # --- a change -----------------------------------------------------------------------------------------

    def examine(self, tree: str, submitted: Submitted | None = None, *, thorough: bool = True) -> Round:
        """Measure the change from the base to `tree` and judge it.

        Without `thorough` nothing more is measured once tests are known to be broken. `submitted` is what the model
        said of it.
        """
        self.rounds += 1
        bench = self._bench
        changed = self.ground.control.changes(tree)
        paths = [path for change in changed for path in (change.path, change.previous) if path]
        bench.more = None
        place = bench.open_result(tree)
        self._run_on_base(self.choice.look_again(paths))
        set_up = failure(place.set_up)
        checks = self._checks.compare(changed, self.rounds)
        before, after, compared, retried = self._compared(tree, paths)
        proof = coverage = None
        passing = after.by_case and any(case.result is Result.PASSED for case in after.cases)
        if (thorough or not compared.newly_broken) and self.choice.on_result and passing:
            coverage = cover(bench, self.choice.on_result, tree, after, paths, self.rounds)
            if self._settings.proof:
                change = Change(tree, changed, before, after, self.rounds)
                proof = prove(bench, self.choice.on_base, self.choice.on_result, change)
        for fact in (proof, coverage, checks):
            if fact is not None:
                self._journal.append(fact)
        measured = verdict.Evidence(
            round=self.rounds,
            before=before,
            after=after,
            compared=compared,
            retried=retried,
            proof=proof,
            coverage=coverage,
            checks=checks,
            submitted=submitted,
            off=self.choice.off,
            narrowed=after.some,
            apart=bool(paths) and all(map(is_apart, paths)),
            steered=self.choice.steered(tree, paths),
            setup_failed=set_up,
            setup_failed_before=bench.base_failed,
            setup_needed=bench.setup.configured,
        )
        judged = verdict.judge(measured)
        self._journal.append(judged)
        return Round(before, after, compared, measured, judged)

    def close(self) -> None:
        """Delete the checkouts."""
        self._bench.close()

    # --- tests before and after ---------------------------------------------------------------------------

    def _compared(
        self, tree: str, paths: Sequence[str]
    ) -> tuple[TestsRan | None, TestsRan, TestsCompared, CasesRetried | None]:
        """All of them, or first those that the change reaches."""
        retried: CasesRetried | None = None
        for some in self._passes():
            related = paths if some else ()
            after = self._bench.run(
                self._bench.result, Moment.AFTER, self.choice.on_result, related=related, some=some
            )
            if self.choice.on_result:
                self._journal.append(after)
            before = self._before(after.some, related)
            compared = verification.compare(before, after, self.rounds)
            found = self._again(tree, compared, after)
            if before and before.reused and found and any(_bad_on_base(case) for case in found.cases):
                self._bench.open_base(self._bench.base_tree)  # it is not any more as it was then
                before = self.before = self._whole_base(fresh=True)
                compared = verification.compare(before, after, self.rounds)
                found = self._again(tree, compared, after)
            if found:
                self._journal.append(found)
                retried = _joined(retried, found)
            unsteady = self._unsteady(compared, after.seconds <= SOON)
            if retried or unsteady:
                cases = retried.cases if retried else ()
                compared = verification.compare(before, after, self.rounds, cases, unsteady)
            if compared.newly_broken or not after.some:
                break
        self._journal.append(compared)
        return before, after, compared, retried

    def _passes(self) -> list[str]:
        """Which runs are compared, one after the other: for each, why it is not of all tests ("" where it is)."""
        can = any(verification.can_narrow(suite, "related") for suite in self.choice.on_result)
        if not can:
            return [""]
        left = self._bench.clock.left()
        known = self.before.seconds if self.before else 0.0
        if self._settings.policy == "changed":
            return [_POLICY, ""] if self._settings.final_full else [_POLICY]
        if left < known * _ROOM:
            return [f"all of them take {known:.0f} s, and {left:.0f} s were left"]
        return [""]

    def _before(self, some: str, related: Sequence[str]) -> TestsRan | None:
        """On the base, as many tests as on the result."""
        if not self.choice.on_base:
            return None
        if not some:
            self.before = self.before or self._whole_base()
            return self.before
        ran = self._bench.run(
            self._bench.base, Moment.BEFORE, self.choice.on_base, related=related, some=some
        )
        self._journal.append(ran)
        return ran

    def _again(self, tree: str, compared: TestsCompared, after: TestsRan) -> CasesRetried | None:
        """What broke is run again before it is called broken. None: nothing did, or nobody wants that."""
        times = self._settings.reruns
        if not (compared.newly_broken and times):
            return None
        runs = Reruns(self._bench, self.choice.on_base, self.choice.on_result, tree, after.seconds)
        if not runs.possible:
            return CasesRetried(self.rounds, (), len(compared.newly_broken))
        return again(runs, compared.newly_broken, times=times, left=self._bench.clock.left, round=self.rounds)

    def _unsteady(self, compared: TestsCompared, quick: bool) -> set[str]:
        """Of what seems fixed, what passes on the base when it is run again there: nothing was mended."""
        passing: set[str] = set()
        for number in range(1, _FIXED + 1):
            names = [change.id for change in compared.fixed if change.id not in passing]
            if not names:
                break
            found = run_cases(
                self._bench, self._bench.base, self.choice.on_base, names, number + 1, whole=quick
            )
            passing |= {name for name, case in found.items() if case.result is Result.PASSED}
        return passing


def _bad_on_base(case: Retried) -> bool:
    return any(result.bad for result in case.base_alone)


def _joined(earlier: CasesRetried | None, now: CasesRetried) -> CasesRetried:
    """Those of two passes over one change, the later one's word first."""
    if earlier is None:
        return now
    later = {case.id for case in now.cases}
    return replace(now, cases=(*now.cases, *(case for case in earlier.cases if case.id not in later)))
