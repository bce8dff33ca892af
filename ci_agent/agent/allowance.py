"""What is left of a session's limits. Counts, compares and words it; ends nothing by itself."""

from __future__ import annotations

import time
from collections.abc import Callable

from ci_agent.task import Ending, Limits, Usage

_WARN_SHARE = 0.8  # of a limit: late enough to be rare, early enough to finish properly
_WARN_STEPS = 5  # and once more when so many steps are left


class Allowance:
    """Keeps account of one session.

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
    ) -> None:
        self.limits = limits
        self.steps = 0
        self.usage = Usage()
        self.cost = 0.0
        self._clock = clock
        self._started = started
        self._reserve = reserve
        self._said: set[str] = set()

    @property
    def deadline(self) -> float:
        """When the agent's time is up, on the monotonic clock."""
        return self._started + self.limits.minutes * 60 - self._reserve

    def remaining(self) -> float:
        """Seconds of the agent's time left; not below 0."""
        return max(0.0, self.deadline - self._clock())

    def spend(self, usage: Usage, cost: float | None) -> None:
        """Book one model reply."""
        self.steps += 1
        self.usage += usage
        self.cost += cost or 0.0

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
            return (
                Ending.LIMIT_WALL,
                f"The time is up: {limits.minutes:g} minutes, less what the last tests need (limits.timeout).",
            )
        return None

    def notice(self) -> str:
        """A sentence for the model when a limit comes near, each once; else empty."""
        steps_left = self.limits.iterations - self.steps
        total = self.limits.minutes * 60 - self._reserve
        near = {
            "steps": self.steps >= self.limits.iterations * _WARN_SHARE,
            "last steps": steps_left <= _WARN_STEPS,
            "budget": self.cost >= self.limits.cost * _WARN_SHARE,
            "tokens": self.usage.prompt >= self.limits.input_tokens * _WARN_SHARE
            or self.usage.completion >= self.limits.output_tokens * _WARN_SHARE,
            "time": total - self.remaining() >= total * _WARN_SHARE,
        }
        new = [name for name, is_near in near.items() if is_near and name not in self._said]
        self._said.update(new)
        if not new:
            return ""
        return (
            f"[{steps_left} steps and {self.remaining() / 60:.0f} minutes are left, and little of the "
            f"{' and '.join(new)}. Finish what is sound and call `submit`.]"
        )
