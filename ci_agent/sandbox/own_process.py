"""This process kept to itself: what it was given as environment, and what it holds in memory, can be read by no other
process of the same user.

Linux shows the environment that a process was started with in `/proc/PID/environ`, whatever the process does to its
variables later, and its memory in `/proc/PID/mem`: both to everyone with the same user id, and so to each command.
This is done once, before anything else, while there is one thread.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Collection
from pathlib import Path

# linux/prctl.h
_PR_GET_DUMPABLE = 3
_PR_SET_DUMPABLE = 4
# proc(5), /proc/PID/stat: fields 50 and 51, counted from the third, the first one behind the name of the program.
_ENV_START, _ENV_END = 47, 48


def enclose(secret: Collection[str]) -> bool:
    """Close this process to others, and take the variables named in `secret` out of its environment.

    All other variables are there as before, for Python, for libraries in C and for children. True: no process without
    the right to trace any other can read the old environment or the memory, and no core is dumped. False: that can't
    be had here, as on any system but Linux, or without `/proc`; the variables are gone all the same.
    """
    for name in secret:
        os.environ.pop(name, None)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform != "linux":
        return False
    wiped = _wipe()  # before the other: that one makes /proc/self somebody else's
    return _make_undumpable() and wiped


def _wipe() -> bool:
    """Move the variables to the heap, and overwrite the block in which the kernel handed them over."""
    import ctypes

    for name, value in os.environ.items():
        os.putenv(name, value)  # setenv(3) makes a copy of its own
    try:
        fields = Path("/proc/self/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        start, end = int(fields[_ENV_START]), int(fields[_ENV_END])
    except (OSError, IndexError, ValueError):
        return False
    if not 0 < start <= end:
        return False
    ctypes.memset(start, 0, end - start)
    return True


def _make_undumpable() -> bool:
    """See PR_SET_DUMPABLE in prctl(2): `/proc/PID` belongs to root from now on, and nobody may attach a debugger."""
    import ctypes

    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    return int(prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0)) == 0
