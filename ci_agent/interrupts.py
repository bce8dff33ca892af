"""Signals that ask us to stop, as an exception where stopping is safe, and noted where it is not.

A mask would not do: a signal that any thread may take reaches the main thread's handler all the same.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Self

from ci_agent.errors import Interrupted

# Ctrl-C, a CI's cancel, the terminal that goes away.
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# `timeout` and some CI runners signal the process and then its group: the same wish, told twice at once.
_SAME_SIGNAL = 2.0  # seconds
# Longer than the 7.5 s between GitHub's first and second signal; whoever insists after that means it.
_INSISTING = 10.0  # seconds


class Interrupts:
    """Within its `with`, one of these signals raises `Interrupted`, once, unless they are held.

    One more, after a while, ends the process on the spot: the journal is on the disk already.
    """

    def __init__(self) -> None:
        self._first: float | None = None
        self._held = False
        self._noted: int | None = None
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        for number in _STOPPING:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as under `nohup`, which means it
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def hold(self) -> None:
        """From now on a signal is only noted: what is done now must not be torn in the middle."""
        self._held = True

    @contextmanager
    def released(self) -> Iterator[None]:
        """Within, signals count again, one that came while they were held included."""
        noted, self._noted = self._noted, None
        if noted is not None:
            raise Interrupted(noted)
        self._held = False
        try:
            yield
        finally:
            self._held = True

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        first, self._first = self._first, self._first or now
        if first is not None and now - first > (_INSISTING if self._held else _SAME_SIGNAL):
            os._exit(128 + number)
        if self._held:
            self._noted = number
        elif first is None:
            raise Interrupted(number)
