"""The log on a terminal, for work without a session: its lines stay, and beneath them stands what runs now."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ci_agent.journal import Event
from ci_agent.journal.events import CommandStarted
from ci_agent.reporting.terminal import PlainLog
from ci_agent.reporting.text import one_line
from ci_agent.reporting.wording import duration, purpose, semicolons

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

REDRAWS = 4  # a second: the clock ticks evenly, and a slow terminal keeps up


class LiveLog:
    """An observer and a context manager: the log is written on `console` inside the `with` block.

    `now` is a clock in seconds that never goes back.
    """

    name = "live log"

    def __init__(self, console: Console, *, now: Callable[[], float] = time.monotonic) -> None:
        from rich.live import Live

        self._console = console
        self._now = now
        self._running = ""
        self._since = now()
        self._log = PlainLog(self)
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

    def observe(self, event: Event) -> None:
        match event.fact:
            case CommandStarted():
                said = f"{purpose(event.fact.purpose)}: {semicolons(event.fact.command)}"
                self._running, self._since = said, self._now()
            case _:
                self._running = ""
        self._log.observe(event)

    def render(self) -> RenderableType:
        """The line beneath the log: what runs now, and for how long."""
        from rich.text import Text

        if not self._running:
            return Text("")
        seconds = duration(float(int(self._now() - self._since)))
        room = max(10, self._console.width - len(seconds) - 6)
        line = one_line(self._running, room).encode(self.encoding, "replace").decode(self.encoding)
        return Text(f"  … {line} {seconds}", style="dim", no_wrap=True, overflow="ellipsis")

    # --- what a log is written to -------------------------------------------------------------------------

    @property
    def encoding(self) -> str:
        """Of the terminal."""
        return self._console.encoding

    def write(self, text: str) -> None:
        """Put a line of the log above what runs now."""
        self._console.print(text.rstrip("\n"), highlight=False, markup=False, soft_wrap=True)

    def flush(self) -> None:
        """The console does that by itself."""
