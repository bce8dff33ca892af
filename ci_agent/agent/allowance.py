"""What is left of a session's limits. Counts, compares and words it; ends nothing by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from ci_agent.task import Ending, Limits, Usage

_NEAR, _NEARLY_OVER = 0.8, 0.95  # of a limit: early enough to finish properly, and the last moment to do so


@dataclass(frozen=True, slots=True)
class _Gauge:
    """One limit. `share` of it is used; `left` says what is not, in words."""

    name: str
    share: float
    left: str


@dataclass(frozen=True, slots=True)
class Used:
    """What a session has used up."""

    steps: int = 0
    usage: Usage = field(default_factory=Usage)
    cost: float = 0.0  # US dollars


NOTHING: Final = Used()


class Allowance:
    """Keeps account of one session, of which earlier jobs have `used` something.

    `reserve` seconds at the end of the time limit belong to the tests that the harness runs after the agent.
    `clock` is monotonic, in seconds, and starts counting at `started`.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        started: float,
        reserve: float = 0,
        clock: Callable[[], float] = time.monotonic,
        used: Used = NOTHING,
    ) -> None:
        self.limits = limits
        self.steps = used.steps
        self.usage = used.usage
        self.cost = used.cost
        self._clock = clock
        self._started = started
        self._reserve = reserve
        self._said: dict[str, float] = {}
        self._unpriced: set[str] = set()  # models that people were told of

    @property
    def deadline(self) -> float:
        """When the agent's time is up, on the monotonic clock."""
        return self._started + self.limits.minutes * 60 - self._reserve

    def remaining(self) -> float:
        """Seconds of the agent's time left; not below 0."""
        return max(0.0, self.deadline - self._clock())

    def spend(self, usage: Usage, cost: float | None, model: str, *, step: bool = True) -> str:
        """Book one reply of `model`. `step`: it is one of the agent's own. Gives what people have to know of it, once
        for each model: that a limit does not hold; else empty."""
        self.steps += step
        self.usage += usage
        self.cost += cost or 0.0
        if cost is not None or model in self._unpriced:
            return ""
        self._unpriced.add(model)
        if usage == Usage():
            return f"Neither money nor tokens of {model} can be counted: its endpoint does not say how many there were."
        return f"The limit of money does not hold: no price is known for {model} (set `models.prices`)."

    def exceeded(self) -> tuple[Ending, str] | None:
        """The limit that does not allow another model reply, with its sentence; None: go on."""
        limits, usage = self.limits, self.usage
        if self.steps >= limits.iterations:
            return Ending.LIMIT_STEPS, f"All {limits.iterations} steps are used (limits.max_iterations)."
        if self.cost >= limits.cost:
            return (
                Ending.LIMIT_COST,
                f"${self.cost:.2f} of the budget of ${limits.cost:.2f} are spent (limits.max_cost).",
            )
        if usage.prompt >= limits.input_tokens:
            return (
                Ending.LIMIT_TOKENS,
                f"All {limits.input_tokens:,} input tokens are used (limits.max_input_tokens).",
            )
        if usage.completion >= limits.output_tokens:
            return (
                Ending.LIMIT_TOKENS,
                f"All {limits.output_tokens:,} output tokens are used (limits.max_output_tokens).",
            )
        if self.remaining() <= 0:
            return Ending.LIMIT_WALL, self._time_up()
        return None

    def said_of(self, ending: Ending, said: str) -> str:
        """What people are told of a model that came to this end: that the time was up, with whose limit that was, and
        what the model `said` of it."""
        if ending is not Ending.LIMIT_WALL or said == self._time_up():
            return said
        return f"{self._time_up()} {said}"

    def _time_up(self) -> str:
        limits = self.limits
        if limits.job_minutes is None:
            return (
                f"The time is up: {limits.minutes:g} minutes, less what the last tests need (limits.timeout)."
            )
        return (
            f"The time is up: this job may take {limits.job_minutes:g} minutes, less what the last tests and the last "
            "word need."
        )

    def notice(self) -> str:
        """A sentence for the model when a limit comes near, and another one when it is nearly over; else empty."""
        near = [gauge for gauge in self._gauges() if gauge.share >= _NEAR]
        new = [gauge for gauge in near if _level(gauge) > self._said.get(gauge.name, 0)]
        self._said |= {gauge.name: _level(gauge) for gauge in new}
        if not new:
            return ""
        left = ", ".join(gauge.left for gauge in near)
        if any(_level(gauge) == _NEARLY_OVER for gauge in new):
            return (
                f"[Nearly over: {left} left. Call `submit` now with what is sound, and say in the summary what is "
                "not done.]"
            )
        return f"[A limit comes near: {left} left. Finish what is sound, test it, and call `submit`.]"

    def _gauges(self) -> Iterator[_Gauge]:
        limits, usage = self.limits, self.usage
        yield _Gauge("steps", self.steps / limits.iterations, f"{limits.iterations - self.steps} steps")
        yield _Gauge(
            "money", self.cost / limits.cost, f"${max(0.0, limits.cost - self.cost):.2f} of the budget"
        )
        yield _Gauge(
            "input",
            usage.prompt / limits.input_tokens,
            f"{max(0, limits.input_tokens - usage.prompt):,} input tokens",
        )
        yield _Gauge(
            "output",
            usage.completion / limits.output_tokens,
            f"{max(0, limits.output_tokens - usage.completion):,} output tokens",
        )
        total = limits.minutes * 60 - self._reserve
        minutes = self.remaining() / 60
        yield _Gauge("time", 1 - self.remaining() / total if total > 0 else 1.0, f"{minutes:.0f} minutes")


def _level(gauge: _Gauge) -> float:
    return _NEARLY_OVER if gauge.share >= _NEARLY_OVER else _NEAR
