"""The live view on a terminal: where the session is, redrawn in place a few times a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ci_agent.journal import Event
from ci_agent.journal.events import TestsRan
from ci_agent.reporting.summary import Summary
from ci_agent.reporting.text import one_line
from ci_agent.reporting.wording import call, count, counts, duration, spent, tokens
from ci_agent.task import Status

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

REDRAWS = 4  # a second: the clock ticks evenly, and a slow terminal keeps up
PLAN = 8  # items; a view that scrolls is none
NARROW = 50  # columns; below, one column has to do


class LiveView:
    """An observer and a context manager: the view stands on `console` inside the `with` block.

    When it ends, a short summary of two lines stays. `now` is a clock in seconds that never goes back.
    """

    name = "live view"

    def __init__(self, console: Console, *, now: Callable[[], float] = time.monotonic) -> None:
        from rich.live import Live

        self._console = console
        self._now = now
        self._summary = Summary()
        self._tests = ""
        self._heard = now()  # when the last event came, to let the clock tick between events
        self._live = Live(
            get_renderable=self.render, console=console, refresh_per_second=REDRAWS, transient=True
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()
        self._console.print(self._rest(), highlight=False, markup=False, soft_wrap=True)

    def observe(self, event: Event) -> None:
        self._summary.apply(event)
        self._heard = self._now()
        if isinstance(event.fact, TestsRan):
            self._tests = counts(self._summary.before)

    def render(self) -> RenderableType:
        """The view as it is now."""
        from rich.table import Table
        from rich.text import Text

        rows = [(label, self._shown(value)) for label, value in self._rows() if value]
        grid = Table.grid(padding=(0, 2), expand=False)
        if self._console.width < NARROW:
            grid.add_column(no_wrap=True, overflow="ellipsis")
            for label, value in rows:
                grid.add_row(Text(f"{label}: {value}" if label else value))
            return grid
        grid.add_column(no_wrap=True)
        grid.add_column(no_wrap=True, overflow="ellipsis")
        for number, (label, value) in enumerate(rows):
            grid.add_row(Text(label, style="dim"), Text(value, style="bold" if number == 0 else ""))
        return grid

    def _rows(self) -> list[tuple[str, str]]:
        summary = self._summary
        started = summary.started
        seconds = summary.seconds + (0.0 if summary.ended else self._now() - self._heard)
        steps = f"step {summary.step} of {started.limits.iterations}" if started and summary.step else ""
        rows = [
            ("ci-agent", f"issue {started.issue}: {started.title}" if started else "starting"),
            ("phase", _dots([str(summary.status), steps, duration(float(int(seconds)))])),
            ("now", self._doing()),
            ("tests before", self._tests),
            ("model", _dots([started.model if started else "", tokens(summary), spent(summary)])),
        ]
        done = sum(item.done for item in summary.plan)
        if summary.plan:
            rows.append(("its plan", f"{done} of {count(len(summary.plan), 'step')} done"))
        # The next things to do matter more than the first that were done.
        first = max(0, min(done - PLAN // 2, len(summary.plan) - PLAN))
        shown = summary.plan[first : first + PLAN]
        return rows + [("", f"{'✓' if item.done else '·'} {item.text}") for item in shown]

    def _doing(self) -> str:
        summary = self._summary
        if summary.waiting:
            return f"waiting for the model: {summary.waiting.reason}"
        if summary.tool:
            return call(summary.tool)
        return "the model thinks" if summary.status is Status.CODING else ""

    def _rest(self) -> str:
        summary = self._summary
        started = summary.started
        first = f"issue {started.issue}: {started.title}" if started else "ci-agent"
        second = [str(summary.status), duration(summary.seconds), count(summary.replies, "step")]
        return f"{self._shown(first)}\n{self._shown(_dots(second))}"

    def _shown(self, text: str) -> str:
        encoding = self._console.encoding
        return one_line(text).encode(encoding, "replace").decode(encoding)


def _dots(parts: list[str]) -> str:
    return " · ".join(part for part in parts if part)
