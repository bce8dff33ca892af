"""What is left of the limits."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    allowance.spend(usage, cost, "m")
    clock.now += seconds
    exceeded = allowance.exceeded()
    assert (exceeded[0] if exceeded else None) is expected


def test_steps_are_counted_by_replies() -> None:
    allowance = _allowance(_Clock(), iterations=2)
    allowance.spend(Usage(), None, "m")
    assert allowance.exceeded() is None
    allowance.spend(Usage(), None, "m")
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


def test_each_limit_that_comes_near_is_told_once_and_once_more_when_it_is_nearly_over() -> None:
    clock = _Clock()
    allowance = _allowance(clock)
    assert allowance.notice() == ""
    allowance.spend(Usage(), 1.6, "m")
    assert allowance.notice() == (
        "[A limit comes near: $0.40 of the budget left. Finish what is sound, test it, and call `submit`.]"
    )
    assert allowance.notice() == ""
    clock.now += 480
    assert "$0.40 of the budget, 2 minutes left" in allowance.notice()
    allowance.spend(Usage(prompt=800), None, "m")
    assert "200 input tokens" in allowance.notice()
    allowance.spend(Usage(completion=95), None, "m")
    said = allowance.notice()
    assert said.startswith("[Nearly over: ")
    assert "5 output tokens" in said
    for _ in range(13):
        allowance.spend(Usage(), None, "m")
    assert allowance.notice().startswith("[A limit comes near: 4 steps")
    for _ in range(3):
        allowance.spend(Usage(), None, "m")
    assert allowance.notice().startswith("[Nearly over: 1 steps")
    assert allowance.notice() == ""


@given(st.integers(0, 30), st.integers(0, 1500), st.integers(0, 150), st.floats(0, 3), st.floats(0, 900))
def test_something_is_said_exactly_when_a_limit_is_near(
    steps: int, prompt: int, completion: int, cost: float, seconds: float
) -> None:
    clock = _Clock()
    allowance = _allowance(clock)
    for _ in range(steps):
        allowance.spend(Usage(), 0, "m")
    allowance.spend(Usage(prompt, 0, completion), cost, "m", step=False)
    clock.now += seconds
    shares = (steps / 20, prompt / 1000, completion / 100, cost / 2, seconds / 600)
    said = allowance.notice()
    assert bool(said) == (max(shares) >= 0.8)
    assert ("Nearly over" in said) == (max(shares) >= 0.95)
    assert allowance.notice() == ""


def test_a_reply_that_is_no_step_of_the_agent_is_paid_and_not_counted() -> None:
    allowance = _allowance(_Clock())
    allowance.spend(Usage(prompt=10), 0.5, "m", step=False)
    assert (allowance.steps, allowance.cost, allowance.usage.prompt) == (0, 0.5, 10)


def test_of_each_model_whose_price_is_not_known_people_are_told_once() -> None:
    allowance = _allowance(_Clock())
    assert allowance.spend(Usage(prompt=1), 0.1, "known") == ""
    said = allowance.spend(Usage(prompt=1), None, "new")
    assert said == "The limit of money does not hold: no price is known for new (set `models.prices`)."
    assert allowance.spend(Usage(prompt=1), None, "new") == ""
    assert "Neither money nor tokens of silent can be counted" in allowance.spend(Usage(), None, "silent")
