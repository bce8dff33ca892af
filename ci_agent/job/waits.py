"""The time as it is, for whoever waits; tests have another one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Waits:
    """How to wait, and how long that was, in seconds."""

    pause: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
