"""When GitHub's runner began this job, by the process that it starts for each one.

A step's files say less: the runner writes the event's file anew for every step.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

_WORKER: Final = "Runner.Worker"  # the name of that process (actions/runner)
_MOST: Final = 100  # processes between it and us
_PARENT, _STARTED = 1, 19  # fields of proc_pid_stat(5), counted from the state, which is behind the name


def worker_began(now: datetime) -> datetime | None:
    """When the worker that we run under was started; None: there is none that we see, as in a container."""
    process = os.getppid()
    try:
        for _ in range(_MOST):
            if process <= 1:
                return None
            name, _, fields = Path(f"/proc/{process}/stat").read_text(errors="replace").rpartition(") ")
            words = fields.split()
            if name.partition(" (")[2] == _WORKER:
                up = float(Path("/proc/uptime").read_text().split()[0])
                return now - timedelta(seconds=max(0.0, up - int(words[_STARTED]) / os.sysconf("SC_CLK_TCK")))
            process = int(words[_PARENT])
    except (OSError, ValueError, IndexError):
        return None
    return None
