"""When broken cases are run again, how often, and what is made of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from ci_agent.evidence.again import MOST, Results, again
from ci_agent.journal.events import Change, Result, Stability

PASS, FAIL = Result.PASSED, Result.FAILED

Answer = Callable[[str, int], Result | None]


class Played:
    """Plays runs: what a case comes to the n-th time alone on each side, all at once, and with all others."""

    def __init__(
        self,
        result: Answer,
        base: Answer = lambda *_: PASS,
        *,
        once: Answer = lambda *_: FAIL,
        together: Result | None = None,
        alone: bool = True,
    ) -> None:
        self._result, self._base, self._once, self._together = result, base, once, together
        self.alone = alone
        self.calls: list[str] = []

    def on_result(self, ids: Sequence[str], number: int) -> Results:
        return self._say("result", ids, number, self._result)

    def on_base(self, ids: Sequence[str], number: int) -> Results:
        return self._say("base", ids, number, self._base)

    def at_once(self, ids: Sequence[str]) -> Results:
        return self._say("once", ids, 1, self._once)

    def with_all(self, ids: Sequence[str]) -> Results:
        return self._say("all", ids, 1, lambda *_: self._together)

    def _say(self, call: str, ids: Sequence[str], number: int, answer: Answer) -> Results:
        self.calls.append(f"{call} {number}: {' '.join(ids)}" if len(ids) < 4 else f"{call} {len(ids)}")
        found = {name: answer(name, number) for name in ids}
        return {name: result for name, result in found.items() if result}


def _retry(runs: Played, names: Sequence[str], left: float = 1000) -> dict[str, Stability]:
    suspects = [Change(name, PASS, FAIL) for name in names]
    found = again(runs, suspects, times=3, left=lambda: left, round=1)
    assert found.left + found.together + len(found.cases) == len(names)
    return {case.id: case.stability for case in found.cases}


def test_a_steady_failure_needs_one_run_on_the_base() -> None:
    runs = Played(lambda *_: FAIL)
    assert _retry(runs, ["a"]) == {"a": Stability.BROKEN}
    assert runs.calls == ["result 1: a", "result 2: a", "result 3: a", "base 1: a"]


def test_a_failure_that_comes_and_goes_is_looked_for_on_the_base_as_often() -> None:
    runs = Played(lambda _, number: FAIL if number == 2 else PASS)
    assert _retry(runs, ["a"]) == {"a": Stability.FLAKY}
    assert runs.calls[3:] == ["base 1: a", "base 2: a", "base 3: a"]


@pytest.mark.parametrize(("together", "expected"), [(FAIL, Stability.ORDER), (PASS, Stability.FLAKY)])
def test_what_passes_alone_is_run_with_all_the_others_once_more(
    together: Result, expected: Stability
) -> None:
    runs = Played(lambda *_: PASS, together=together)
    assert _retry(runs, ["a", "b"]) == {"a": expected, "b": expected}
    assert runs.calls == ["result 1: a b", "result 2: a b", "result 3: a b", "all 1: a b"]


def test_a_case_that_fails_alone_on_both_sides_depends_on_the_order() -> None:
    assert _retry(Played(lambda *_: FAIL, lambda *_: FAIL), ["a"]) == {"a": Stability.ORDER}


def test_what_can_not_be_run_alone_is_left() -> None:
    runs = Played(lambda name, _: None if name == "a" else FAIL)
    assert _retry(runs, ["a"]) == {}
    assert runs.calls == ["result 1: a"]
    assert _retry(runs, ["a", "b"]) == {"b": Stability.BROKEN}


def test_many_that_fail_once_more_all_together_are_broken_at_once() -> None:
    names = [f"t{number}" for number in range(MOST + 5)]
    runs = Played(lambda *_: PASS, once=lambda name, _: PASS if name == "t3" else FAIL, together=PASS)
    assert _retry(runs, names) == {"t3": Stability.FLAKY}
    assert runs.calls[:2] == [f"once {len(names)}", "result 1: t3"]


def test_a_case_that_is_missing_where_many_are_run_is_not_called_broken_for_that() -> None:
    names = [f"t{number}" for number in range(MOST + 5)]
    assert len(_retry(Played(lambda *_: FAIL, once=lambda *_: None), names)) == MOST


def test_where_all_tests_are_run_each_time_that_is_what_they_come_to_together() -> None:
    assert _retry(Played(lambda *_: PASS, alone=False), ["a"]) == {"a": Stability.FLAKY}
    steady = Played(lambda *_: FAIL, alone=False)
    assert _retry(steady, ["a"]) == {"a": Stability.BROKEN}
    assert "all" not in " ".join(steady.calls)


def test_it_takes_no_more_than_half_of_the_time_that_is_left() -> None:
    clock = iter([100.0, 60.0, 40.0, 40.0, 40.0])
    runs = Played(lambda *_: FAIL)
    found = again(runs, [Change("a", PASS, FAIL)], times=3, left=lambda: next(clock), round=1)
    assert [len(case.result_alone) for case in found.cases] == [2]
    assert runs.calls == ["result 1: a", "result 2: a"]
