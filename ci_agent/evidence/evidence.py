"""The evidence on a change: tests on the base and on the result, again where something broke, and what is measured
beside. Every run is in the journal before anything is concluded from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ci_agent import verification
from ci_agent.evidence import baseline
from ci_agent.evidence.again import again
from ci_agent.evidence.bench import Bench
from ci_agent.evidence.beside import Checks, cover, prove
from ci_agent.evidence.ground import Ground, failed, failure
from ci_agent.evidence.suites import merged
from ci_agent.journal.events import (
    CasesRetried,
    FileChanged,
    Judged,
    Moment,
    SetupChosen,
    Submitted,
    TestsChosen,
    TestsCompared,
    TestsRan,
)
from ci_agent.sandbox import Sandbox
from ci_agent.verification import verdict

_ROOM = 1.3  # of the time the tests took on the base must be left: those of the result may be more
_POLICY = "`verification.policy` asks for those that the change reaches"


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
        self._suites: tuple[TestsChosen, ...] = ()
        self.before: TestsRan | None = None  # all tests on the base; None: they were not run
        self.rounds = 0

    # --- what to run --------------------------------------------------------------------------------------

    def begin(self) -> str:
        """Find out all of it in a checkout of the base. Gives why that can't be prepared, as a sentence."""
        bare = self._bench.lay_out_base()
        self.choose_setup(bare.root, bare.sandbox)
        place = self._bench.prepare_base()
        self.choose_tests(place.root, place.sandbox)
        return failed(place.set_up) if self._bench.setup.configured else ""

    def choose_setup(self, root: Path, sandbox: Sandbox) -> SetupChosen:
        """Find out how a checkout is prepared, of which there is a fresh one in `root`."""
        found = self._found(root, sandbox)
        self._bench.setup = verification.choose_setup(root, self._settings.setup or "", sandbox, found)
        self._journal.append(self._bench.setup)
        return self._bench.setup

    def choose_tests(self, root: Path, sandbox: Sandbox) -> tuple[TestsChosen, ...]:
        """Find out what runs the tests of the prepared checkout in `root`; without a command where nothing does."""
        self._suites = self._found(root, sandbox)
        for suite in self._suites:
            self._journal.append(suite)
        return self._suites

    def _found(self, root: Path, sandbox: Sandbox) -> tuple[TestsChosen, ...]:
        if self._settings.policy == "off":
            return (TestsChosen("", "", "the configuration says `verification.policy: off`"),)
        chosen = verification.choose(root, self._settings.test or "", sandbox)
        more = [] if chosen.command else verification.choose_more(root, sandbox, chosen, ())
        return tuple(more) or (chosen,)

    @property
    def suites(self) -> tuple[TestsChosen, ...]:
        """Those that have a command to run."""
        return tuple(suite for suite in self._suites if suite.command)

    # --- the base -----------------------------------------------------------------------------------------

    def measure_base(self) -> str:
        """Run all tests on the base, unless the policy is another. Gives why that can't be done, as a sentence."""
        if not self.suites or self._settings.policy != "full":
            return ""
        self.before = self._whole_base()
        return (
            failed(self._bench.base.set_up) if self._bench.setup.configured and not self.before.reused else ""
        )

    def _whole_base(self) -> TestsRan:
        """All tests on the base, run now or in an earlier session."""
        bench = self._bench
        name = baseline.key(bench.base_tree, bench.setup, self.suites, self._settings.junit or "")
        ran = baseline.recall(self.ground.remembered, name)
        if ran is None:
            ran = bench.run(bench.base, Moment.BEFORE, self.suites)
            baseline.keep(self.ground.remembered, name, ran)
        self._journal.append(ran)
        return ran

    # --- a change -----------------------------------------------------------------------------------------

    def examine(self, tree: str, submitted: Submitted | None = None, *, thorough: bool = True) -> Round:
        """Measure the change from the base to `tree` and judge it.

        Without `thorough` nothing more is measured once tests are known to be broken. `submitted` is what the model
        said of it.
        """
        self.rounds += 1
        bench = self._bench
        changed = self.ground.control.changes(tree)
        bench.open_result(tree)
        self._look_again(changed)
        before, after, compared, retried = self._compared(changed)
        whole = thorough or not compared.newly_broken
        checks = self._checks.compare(changed, self.rounds) if whole else None
        proof = coverage = None
        if whole and self.suites and after.by_case:
            if self._settings.proof:
                proof = prove(
                    bench, self.suites, tree, changed, before=before, after=after, round=self.rounds
                )
                self._journal.append(proof)
            coverage = cover(bench, self.suites, tree, after, self.rounds)
            if coverage:
                self._journal.append(coverage)
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
            policy=self._settings.policy,
            narrowed=after.some,
            setup_failed=failure(bench.result.set_up),
            setup_needed=bench.setup.configured,
        )
        judged = verdict.judge(measured)
        self._journal.append(judged)
        return Round(before, after, compared, measured, judged)

    def close(self) -> None:
        """Delete the checkouts."""
        self._bench.close()

    def _look_again(self, changed: Sequence[FileChanged]) -> None:
        """The first tests of a repository, which the change brings; projects in it that only the change tells of."""
        place = self._bench.result
        if not self.suites:
            self.choose_tests(place.root, place.sandbox)
        more = self._more(changed)
        if not more:
            return
        setup = verification.choose_setup(place.root, self._settings.setup or "", place.sandbox, more)
        if setup.command and not setup.configured:
            self._journal.append(setup)
            self._bench.set_up_more(setup)
            more = self._more(changed)  # set-up may have brought what runs them
        for suite in more:
            self._journal.append(suite)
        if self.before is not None:
            beside = self._bench.run(self._bench.base, Moment.BEFORE, more)
            self.before = merged([self.before, beside])
            self._journal.append(self.before)
        self._suites = (*self._suites, *more)

    def _more(self, changed: Sequence[FileChanged]) -> tuple[TestsChosen, ...]:
        place, known = self._bench.result, {suite.folder for suite in self._suites}
        paths = [change.path for change in changed]
        found = verification.choose_more(place.root, place.sandbox, self._suites[0], paths)
        return tuple(suite for suite in found if suite.folder not in known)

    def _compared(
        self, changed: Sequence[FileChanged]
    ) -> tuple[TestsRan | None, TestsRan, TestsCompared, CasesRetried | None]:
        """Tests before and after: all of them, or first those that the change reaches."""
        paths = [change.path for change in changed]
        for some in self._passes():
            related = paths if some else ()
            before = self._before(some, related)
            after = self._after(some, related)
            compared = verification.compare(before, after, self.rounds)
            retried = self._again(compared)
            if retried:
                self._journal.append(retried)
                compared = verification.compare(before, after, self.rounds, retried.cases)
            if compared.newly_broken:
                break
        self._journal.append(compared)
        return before, after, compared, retried

    def _passes(self) -> list[str]:
        """Which runs are compared, one after the other: for each, why it is not of all tests ("" where it is)."""
        can = any(verification.can_narrow(suite, "related") for suite in self.suites)
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
        if not self.suites:
            return None
        if not some:
            self.before = self.before or self._whole_base()
            return self.before
        ran = self._bench.run(self._bench.base, Moment.BEFORE, self.suites, related=related, some=some)
        self._journal.append(ran)
        return ran

    def _after(self, some: str, related: Sequence[str]) -> TestsRan:
        bench = self._bench
        ran = bench.run(bench.result, Moment.AFTER, self.suites, related=related, some=some)
        if self.suites:
            self._journal.append(ran)
        return ran

    def _again(self, compared: TestsCompared) -> CasesRetried | None:
        """What broke is run again before it is called broken. None: nothing did, or nobody wants that."""
        bench, times = self._bench, self._settings.reruns
        if not (compared.newly_broken and times):
            return None
        able = [suite for suite in self.suites if verification.can_narrow(suite, "cases")]

        def run(on_base: bool, cases: Sequence[str], seed: int) -> TestsRan | None:
            place = bench.base if on_base else bench.result
            if not cases:
                return bench.run(place, Moment.AGAIN, self.suites, seed=seed)
            return bench.run(place, Moment.AGAIN, able, cases=cases, seed=seed) if able else None

        return again(run, compared.newly_broken, times=times, left=bench.clock.left, round=self.rounds)
