"""When broken cases are run again, how often, and what is made of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ci_agent.evidence.again import MOST, again
from ci_agent.journal.events import Case, Change, Moment, Result, Stability, TestsRan

PASS, FAIL = Result.PASSED, Result.FAILED


class Runs:
    """Plays runs: `results` says what a case comes to, by side and how many others run with it."""

    def __init__(
        self, result: Callable[[str, int], Result | None], base: Callable[[str, int], Result | None]
    ) -> None:
        self.sides = {False: result, True: base}
        self.calls: list[tuple[bool, int]] = []
        self.names: list[str] = []

    def __call__(self, on_base: bool, cases: Sequence[str], seed: int) -> TestsRan | None:
        self.calls.append((on_base, len(cases)))
        names = list(cases) or self.names
        found = ((name, self.sides[on_base](name, len(cases))) for name in names)
        made = tuple(Case(name, result) for name, result in found if result)
        return TestsRan(Moment.AGAIN, "t", "t" * 40, 0, 0.1, False, "", True, made, "", "")


def _retry(runs: Runs, names: Sequence[str], times: int = 3, left: float = 1000) -> dict[str, Stability]:
    runs.names = list(names)
    suspects = [Change(name, PASS, FAIL) for name in names]
    found = again(runs, suspects, times=times, left=lambda: left, round=1)
    assert found.left == len(names) - len(found.cases)
    return {case.id: case.stability for case in found.cases}


def test_a_steady_failure_needs_one_run_on_the_base() -> None:
    runs = Runs(lambda *_: FAIL, lambda *_: PASS)
    assert _retry(runs, ["a"]) == {"a": Stability.BROKEN}
    assert runs.calls == [(False, 1)] * 3 + [(True, 1)]


def test_what_passes_alone_is_run_with_all_the_others_once_more() -> None:
    together = Runs(lambda _, others: PASS if others else FAIL, lambda *_: PASS)
    assert _retry(together, ["a"]) == {"a": Stability.ORDER}
    assert together.calls == [(False, 1)] * 3 + [(False, 0)]
    once = Runs(lambda *_: PASS, lambda *_: PASS)
    assert _retry(once, ["a"]) == {"a": Stability.FLAKY}


def test_a_case_that_fails_alone_on_both_sides_depends_on_the_order() -> None:
    assert _retry(Runs(lambda *_: FAIL, lambda *_: FAIL), ["a"]) == {"a": Stability.ORDER}


def test_what_can_not_be_run_alone_is_left() -> None:
    assert _retry(Runs(lambda *_: None, lambda *_: None), ["a"]) == {}


def test_many_that_fail_together_once_more_are_broken_at_once() -> None:
    names = [f"t{number}" for number in range(MOST + 5)]
    runs = Runs(lambda name, others: PASS if name == "t3" else FAIL, lambda *_: PASS)
    assert _retry(runs, names) == {"t3": Stability.FLAKY}
    assert runs.calls[0] == (False, len(names))


def test_it_takes_no_more_than_half_of_the_time_that_is_left() -> None:
    clock = iter([100.0, 100.0, 60.0, 40.0, 40.0, 40.0, 40.0])
    runs = Runs(lambda *_: FAIL, lambda *_: PASS)
    runs.names = ["a", "b"]
    found = again(
        runs, [Change(name, PASS, FAIL) for name in "ab"], times=3, left=lambda: next(clock), round=1
    )
    assert [case.id for case in found.cases] == ["a"]
    assert found.left == 1
