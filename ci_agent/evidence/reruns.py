"""How cases are run again: in checkouts that no test has changed, by themselves where their runner can do that."""

from __future__ import annotations

from collections.abc import Sequence

from ci_agent import verification
from ci_agent.evidence.again import Results
from ci_agent.evidence.bench import SEED, Bench
from ci_agent.evidence.ground import Place
from ci_agent.journal.events import Moment, TestsChosen

QUICK = 60.0  # seconds: tests that take longer are not run whole only to run one of them
CHEAP = 0.02  # of the time left: a checkout and its set-up are made anew for each time as long as they cost no more


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
        if number == 1 or self._cheap():
            self._bench.open_result(self._tree)
        return self._each(self._bench.result, self._on_result, ids, SEED + number - 1)

    def on_base(self, ids: Sequence[str], number: int) -> Results:
        return self._each(self._bench.base, self._on_base, ids, SEED + number - 1)

    def at_once(self, ids: Sequence[str]) -> Results:
        self._bench.open_result(self._tree)
        return self._run(self._bench.result, self._on_result, ids if self.alone else (), ids, SEED)

    def with_all(self, ids: Sequence[str]) -> Results:
        if not self._quick and self._bench.clock.left() < 4 * QUICK:
            return {}
        self._bench.open_result(self._tree)
        return self._run(self._bench.result, self._on_result, (), ids, SEED)

    def _cheap(self) -> bool:
        ran = self._bench.result.set_up
        return (ran.seconds if ran else 0.0) <= CHEAP * self._bench.clock.left()

    def _each(self, place: Place, suites: Sequence[TestsChosen], ids: Sequence[str], seed: int) -> Results:
        if not self.alone:
            return self._run(place, suites, (), ids, seed)
        found: dict[str, Results] = {name: self._run(place, suites, [name], [name], seed) for name in ids}
        return {name: results[name] for name, results in found.items() if name in results}

    def _run(
        self,
        place: Place,
        suites: Sequence[TestsChosen],
        cases: Sequence[str],
        wanted: Sequence[str],
        seed: int,
    ) -> Results:
        able = [suite for suite in suites if not cases or verification.can_narrow(suite, "cases")]
        if not able:
            return {}
        ran = self._bench.run(place, Moment.AGAIN, able, cases=cases, seed=seed)
        self._bench.ground.journal.append(ran)
        names = set(wanted)
        return {case.id: case.result for case in ran.cases if case.id in names}
