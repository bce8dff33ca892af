"""What is left of the limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

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


_USED_UP: dict[str, Callable[[Allowance, _Clock, float], Any]] = {  # of each limit, by a share of it
    "4 steps": lambda allowance, clock, share: [
        allowance.spend(Usage(), 0.0, "m") for _ in range(round(20 * share))
    ],
    "2 minutes": lambda allowance, clock, share: setattr(clock, "now", 1000.0 + 600 * share),
    "$0.40 of the budget": lambda allowance, clock, share: allowance.spend(
        Usage(), 2 * share, "m", step=False
    ),
    "200 input tokens": lambda allowance, clock, share: allowance.spend(
        Usage(prompt=round(1000 * share)), 0.0, "m", step=False
    ),
    "20 output tokens": lambda allowance, clock, share: allowance.spend(
        Usage(completion=round(100 * share)), 0.0, "m", step=False
    ),
}


@pytest.mark.parametrize("left", _USED_UP)
def test_each_limit_alone_is_told_at_80_percent(left: str) -> None:
    clock = _Clock()
    allowance = _allowance(clock)
    _USED_UP[left](allowance, clock, 0.75)
    assert allowance.notice() == ""
    clock = _Clock()
    allowance = _allowance(clock)
    _USED_UP[left](allowance, clock, 0.8)
    assert allowance.notice() == (
        f"[A limit comes near: {left} left. Finish what is sound, test it, and call `submit`.]"
    )


@pytest.mark.parametrize("left", _USED_UP)
def test_each_limit_alone_asks_at_95_percent_to_hand_in_what_is_sound_and_to_say_what_is_left(
    left: str,
) -> None:
    clock = _Clock()
    allowance = _allowance(clock)
    _USED_UP[left](allowance, clock, 0.95)
    said = allowance.notice()
    assert said.startswith("[Nearly over: ")
    assert said.endswith(
        " left. Call `submit` now with what is sound, and say in the summary what is not done.]"
    )
    assert allowance.exceeded() is None


def test_time_that_earlier_jobs_worked_counts_as_used() -> None:
    clock = _Clock()
    allowance = Allowance(_LIMITS, started=clock.now - 570, clock=clock)
    assert allowance.notice().startswith("[Nearly over: 0 minutes left.")
    clock.now += 30
    assert allowance.exceeded() is not None


def test_the_end_of_the_time_names_the_limit_that_it_was() -> None:
    clock = _Clock()
    own, job = _allowance(clock), _allowance(clock, job_minutes=75.0)
    clock.now += 600
    mine = "The time is up: 10 minutes, less what the last tests need (limits.timeout)."
    jobs = "The time is up: this job may take 75 minutes, less what the last tests and the last word need."
    assert own.exceeded() == (Ending.LIMIT_WALL, mine)
    assert job.exceeded() == (Ending.LIMIT_WALL, jobs)
    assert job.said_of(Ending.LIMIT_WALL, jobs) == jobs
    assert job.said_of(Ending.LIMIT_WALL, "No answer came") == f"{jobs} No answer came"
    assert job.said_of(Ending.LLM_QUOTA, "No money") == "No money"
