"""Signals that ask us to stop, as an exception where stopping is safe, and noted where it is not.

A mask would not do: a signal that any thread may take reaches the main thread's handler all the same.
"""

from __future__ import annotations

import os
import signal
import threading
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
        self._stoppable = False  # within, and not held yet
        self._asked = ""  # by whom, while the signal that `stop` sends is on its way
        self._raised = False  # what was asked for, and nobody has held signals since
        self._lock = (
            threading.Lock()
        )  # of `stop` against the end of what can be stopped; never taken by a handler

    def __enter__(self) -> Self:
        for number in _STOPPING:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as under `nohup`, which means it
                self._before[number] = signal.signal(number, self._handle)
        self._stoppable = signal.SIGTERM in self._before
        return self

    def __exit__(self, *_: object) -> None:
        self._no_longer_stoppable()
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def hold(self) -> None:
        """From now on a signal is only noted: what is done now must not be torn in the middle."""
        self._held = True
        self._no_longer_stoppable()
        self._raised = False

    def stop(self, by: str) -> None:
        """Stop as a signal would, from another thread, for somebody who asked for it: `by`, for people. Nothing happens where
        signals are held already, or not heard at all.

        It is nobody's insisting: a signal that comes later is the first one.
        """
        with self._lock:
            if self._stoppable and not self._asked:
                self._asked = by
                # To the main thread, whose call to the model or to a command has to end.
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)

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

    def _no_longer_stoppable(self) -> None:
        with self._lock:
            self._stoppable = False

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        by, self._asked = self._asked, ""
        if by:
            if not (self._held or self._raised or self._first is not None):
                self._raised = True
                raise Interrupted(number, by)
            return
        now = time.monotonic()
        first, self._first = self._first, self._first or now
        if first is not None and now - first > (_INSISTING if self._held else _SAME_SIGNAL):
            os._exit(128 + number)
        if self._held:
            self._noted = number
        elif first is None and not self._raised:
            raise Interrupted(number)
