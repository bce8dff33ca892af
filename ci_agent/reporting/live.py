"""The live view on a terminal: where the session is, redrawn in place a few times a second.

What must be seen comes first; the plan and the last actions get the rows that are free.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ci_agent.journal import Event
from ci_agent.journal.events import ModelReplied, Moment, TestsRan, ToolAnswered
from ci_agent.reporting.calls import call
from ci_agent.reporting.summary import Summary
from ci_agent.reporting.text import one_line
from ci_agent.reporting.wording import count, counts, duration, purpose, result, semicolons, spent, tokens
from ci_agent.task import Status

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

REDRAWS = 4  # a second: the clock ticks evenly, and a slow terminal keeps up
PLAN = 8  # items; a view that scrolls is none
ACTIONS = 5
LABEL = 14  # columns, whatever the labels of the moment: values that move sideways can't be read
NARROW = 50  # columns; below, labels and values don't stand in columns

_EXIT = re.compile(r"^\[exit (\d+), ", re.MULTILINE)  # how `bash` says that a command came to its end

_Row = tuple[str, str]


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
        self._tests = ""  # before
        self._asked: TestsRan | None = None  # the tests that the model's call has run
        self._words = ""  # the last that the model said
        self._actions: deque[str] = deque(maxlen=ACTIONS)
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
        match event.fact:
            case TestsRan(moment=Moment.BEFORE):
                self._tests = counts(event.fact)
            case TestsRan(moment=Moment.ASKED):
                self._asked = event.fact
            case ModelReplied():
                self._words = _words(event.fact) or self._words
            case ToolAnswered():
                self._take_answer(event.fact)
        self._summary.apply(event)
        self._heard = self._now()

    def _take_answer(self, answer: ToolAnswered) -> None:
        called = self._summary.tool
        if called is None or answer.name in {"update_plan", "submit"}:
            return  # these have rows of their own
        good, note = answer.ok, ""
        if self._asked:
            good, note = self._asked.exit_code == 0, counts(self._asked)
        elif (ended := _EXIT.findall(answer.text)) and ended[-1] != "0":
            good, note = False, f"exit {ended[-1]}"
        self._actions.append(f"{'✓' if good else '✗'} {call(called, note=note)}")
        self._asked = None

    def render(self) -> RenderableType:
        """The view as it is now."""
        from rich.console import Group
        from rich.text import Text

        narrow = self._console.width < NARROW
        lines = []
        for number, (label, value) in enumerate(self._rows()):
            head = (f"{label}: " if label else "  ") if narrow else label.ljust(LABEL)
            line = Text(no_wrap=True, overflow="ellipsis")
            line.append(head, style="dim").append(self._shown(value), style="bold" if number == 0 else "")
            lines.append(line)
        return Group(*lines)

    def _rows(self) -> list[_Row]:
        rows = [row for row in self._first() if row[1]]
        free = self._console.height - 1 - len(rows)  # the last row stays empty, or the terminal scrolls
        plan = list(self._plan(min(PLAN, free - 1)))
        actions = list(self._lately(min(ACTIONS, free - len(plan))))
        return [*rows, *plan, *actions]

    def _first(self) -> Iterator[_Row]:
        summary = self._summary
        started = summary.started
        seconds = summary.seconds + (0.0 if summary.ended else self._now() - self._heard)
        steps = f"step {summary.step} of {started.limits.iterations}" if started and summary.step else ""
        yield "ci-agent", f"issue {started.issue}: {started.title}" if started else "starting"
        yield "phase", _dots([str(summary.status), steps, duration(float(int(seconds)))])
        yield "now", self._doing()
        yield "tests before", self._tests
        yield from self._hand_in()
        yield "model", _dots([started.model if started else "", tokens(summary), spent(summary)])
        yield "its words", self._words

    def _hand_in(self) -> Iterator[_Row]:
        """What the last hand-in came to. How many tries are left matters after a bad one only."""
        summary = self._summary
        last = next((each for each in reversed(summary.rounds) if each.judged), None)
        if last is None or not last.handed_in:
            return
        said = result(last)
        if summary.started and last.judged and not last.judged.ready:
            left = summary.started.limits.verifications - last.number
            said += ", " + {0: "no try left", 1: "1 try left"}.get(left, f"{left} tries left")
        yield f"hand-in {last.number}", said

    def _plan(self, room: int) -> Iterator[_Row]:
        items = self._summary.plan
        if not items or room < 1:
            return
        done = sum(item.done for item in items)
        yield "its plan", f"{done} of {count(len(items), 'step')} done"
        # The next things to do matter more than the first that were done.
        first = max(0, min(done - room // 2, len(items) - room))
        for item in items[first : first + room]:
            yield "", f"{'✓' if item.done else '·'} {item.text}"

    def _lately(self, room: int) -> Iterator[_Row]:
        if room > 0:
            shown = list(self._actions)[-room:]
            yield from zip(chain(["last actions"], [""] * len(shown)), shown, strict=False)

    def _doing(self) -> str:
        summary = self._summary
        if summary.waiting:
            return f"waiting for the model: {summary.waiting.reason}"
        if summary.running:
            return f"{purpose(summary.running.purpose)}: {semicolons(summary.running.command)}"
        if summary.tool:
            return call(summary.tool)
        return "the model thinks" if summary.status is Status.CODING else ""

    def _rest(self) -> str:
        summary = self._summary
        started = summary.started
        first = f"issue {started.issue}: {started.title}" if started else "ci-agent"
        second = [str(summary.status), duration(summary.seconds), count(summary.step, "step")]
        return f"{self._shown(first)}\n{self._shown(_dots(second))}"

    def _shown(self, text: str) -> str:
        encoding = self._console.encoding
        return one_line(text).encode(encoding, "replace").decode(encoding)


def _words(reply: ModelReplied) -> str:
    """The last line of what the model said beside its calls."""
    content = reply.message.get("content")
    return content.strip().rpartition("\n")[2] if isinstance(content, str) else ""


def _dots(parts: list[str]) -> str:
    return " · ".join(part for part in parts if part)
