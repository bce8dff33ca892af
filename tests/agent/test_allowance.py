"""What is left of the limits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ci_agent.agent import Allowance
from ci_agent.task import Ending, Limits, Usage

_LIMITS = Limits(iterations=20, minutes=10, cost=2.0, input_tokens=1000, output_tokens=100, verifications=3)


class _Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def _allowance(clock: _Clock, *, reserve: float = 0, **limits: float) -> Allowance:
    return Allowance(replace(_LIMITS, **limits), started=1000.0, reserve=reserve, clock=clock)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("usage", "cost", "seconds", "expected"),
    [
        (Usage(), 0.0, 0, None),
        (Usage(999, 999, 99, 99), 1.99, 599, None),
        (Usage(), 2.0, 0, Ending.LIMIT_COST),
        (Usage(prompt=1000), None, 0, Ending.LIMIT_TOKENS),
        (Usage(completion=100), None, 0, Ending.LIMIT_TOKENS),
        (Usage(), 0.0, 600, Ending.LIMIT_WALL),
    ],
)
def test_each_limit_ends_it_when_it_is_reached_and_not_before(
    usage: Usage, cost: float | None, seconds: float, expected: Ending | None
) -> None:
    clock = _Clock()
    allowance = _allowance(clock)
    allowance.spend(usage, cost)
    clock.now += seconds
    exceeded = allowance.exceeded()
    assert (exceeded[0] if exceeded else None) is expected


def test_steps_are_counted_by_replies() -> None:
    allowance = _allowance(_Clock(), iterations=2)
    allowance.spend(Usage(), None)
    assert allowance.exceeded() is None
    allowance.spend(Usage(), None)
    assert allowance.exceeded() == (Ending.LIMIT_STEPS, "All 2 steps are used (limits.max_iterations).")


def test_the_reserve_belongs_to_the_last_tests() -> None:
    clock = _Clock()
    allowance = _allowance(clock, reserve=120)
    clock.now += 479
    assert allowance.remaining() == 1
    clock.now += 1
    assert allowance.remaining() == 0
    assert allowance.exceeded() is not None
    clock.now += 100
    assert allowance.remaining() == 0


def test_each_limit_that_comes_near_is_told_once() -> None:
    clock = _Clock()
    allowance = _allowance(clock)
    assert allowance.notice() == ""
    allowance.spend(Usage(), 1.6)
    assert "little of the budget" in allowance.notice()
    assert allowance.notice() == ""
    clock.now += 480
    assert "2 minutes are left, and little of the time" in allowance.notice()
    allowance.spend(Usage(prompt=800), None)
    assert "little of the tokens" in allowance.notice()
    for _ in range(13):
        allowance.spend(Usage(), None)
    assert allowance.notice().startswith("[5 steps")
    assert allowance.notice() == ""
