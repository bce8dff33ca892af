"""Signals as an exception, so that whatever runs can end properly."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from types import FrameType

from ci_agent.errors import STOPPING, Interrupted

# `timeout` and some CI runners signal the process and then its group: the same wish, told twice at once.
_SAME_SIGNAL = 2.0  # seconds


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP raise `Interrupted`, once; one more, after a while, ends the process on the spot."""
    since: list[float] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        since.append(time.monotonic())
        if len(since) == 1:
            raise Interrupted(number)
        if since[-1] - since[0] > _SAME_SIGNAL:
            os._exit(128 + number)  # the journal is on the disk already

    before = {number: signal.signal(number, handle) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
