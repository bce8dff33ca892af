"""How cases are run again: in checkouts that no test has changed, by themselves where their runner can do that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ci_agent import verification
from ci_agent.evidence.again import Results
from ci_agent.evidence.bench import SEED, Bench
from ci_agent.evidence.ground import Place
from ci_agent.evidence.suites import cases_of
from ci_agent.journal.events import Case, Moment, TestsChosen

QUICK = 60.0  # seconds: tests that take longer are not run whole only to run one of them
SOON = 20.0  # seconds: the same, where it is only done to confirm something


class Reruns:
    """Runs cases of the change to `tree` again. `seconds` is what all tests took."""

    def __init__(
        self,
        bench: Bench,
        on_base: Sequence[TestsChosen],
        on_result: Sequence[TestsChosen],
        tree: str,
        seconds: float,
    ) -> None:
        self._bench = bench
        self._on_base, self._on_result = on_base, on_result
        self._tree = tree
        self._quick = seconds <= QUICK
        self.alone = any(verification.can_narrow(suite, "cases") for suite in on_result)

    @property
    def possible(self) -> bool:
        """Whether there is a way to run something again."""
        return self.alone or self._quick

    def on_result(self, ids: Sequence[str], number: int) -> Results:
        """The first time with the seed they failed with: what fails in a fresh clone is no accident."""
        if number == 1 or self._bench.cheap():
            self._bench.open_result(self._tree)
        return self._each(self._bench.result, self._on_result, ids, SEED + number - 1)

    def on_base(self, ids: Sequence[str], number: int) -> Results:
        return self._each(self._bench.base, self._on_base, ids, SEED + number - 1)

    def at_once(self, ids: Sequence[str]) -> Results:
        self._bench.open_result(self._tree)
        found = run_cases(self._bench, self._bench.result, self._on_result, ids, SEED, whole=self._quick)
        return _results(found)

    def with_all(self, ids: Sequence[str]) -> Results:
        if not self._quick and self._bench.clock.left() < 4 * QUICK:
            return {}
        self._bench.open_result(self._tree)
        found = run_cases(
            self._bench, self._bench.result, self._on_result, ids, SEED, narrow=False, whole=True
        )
        return _results(found)

    def _each(self, place: Place, suites: Sequence[TestsChosen], ids: Sequence[str], seed: int) -> Results:
        able = [suite for suite in suites if verification.can_narrow(suite, "cases")]
        alone = [name for suite in able for name in cases_of(suite, suites, ids)]
        found: dict[str, Case] = {}
        for name in alone:
            found |= run_cases(self._bench, place, suites, [name], seed)
        others = [name for name in ids if name not in alone]
        found |= run_cases(self._bench, place, suites, others, seed, narrow=False, whole=self._quick)
        return _results(found)


def _results(ran: Mapping[str, Case]) -> Results:
    return {name: case.result for name, case in ran.items()}


def run_cases(
    bench: Bench,
    place: Place,
    suites: Sequence[TestsChosen],
    ids: Sequence[str],
    seed: int,
    *,
    narrow: bool = True,
    whole: bool = False,
) -> Mapping[str, Case]:
    """These cases once more, of each project in one run: by themselves, or with all others of their project where
    its runner can't be narrowed to them and `whole` allows that. Without `narrow` always with all others."""

    def alone(suite: TestsChosen) -> bool:
        return narrow and verification.can_narrow(suite, "cases")

    theirs = {suite: cases_of(suite, suites, ids) for suite in suites}
    able = [suite for suite, own in theirs.items() if own and (whole or alone(suite))]
    if not able:
        return {}
    cases = [name for suite in able for name in theirs[suite]]
    ran = bench.run(place, Moment.AGAIN, able, cases=cases if narrow else (), seed=seed)
    bench.ground.journal.append(ran)
    wanted = set(ids)
    return {case.id: case for case in ran.cases if case.id in wanted}
