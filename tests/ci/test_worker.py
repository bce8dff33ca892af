"""How old the runner's process for this job is, with real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

TICK = timedelta(seconds=0.1)  # the kernel counts in hundredths of a second
ASK = "from datetime import *; from ci_agent.ci.worker import *; print(worker_began(datetime.now(UTC)))"
BETWEEN = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', sys.argv[1]]))"


def _asked_below(folder: Path, name: str) -> str:
    """What a step hears whose grandparent is a process with this name."""
    program = folder / name
    program.symlink_to(Path(sys.executable).resolve())
    start = f"import subprocess; subprocess.check_call([{sys.executable!r}, '-c', {BETWEEN!r}, {ASK!r}])"
    done = subprocess.run(
        [program, "-c", start],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()


def test_a_job_is_as_old_as_the_worker_it_runs_under(tmp_path: Path) -> None:
    before = datetime.now(UTC)
    began = datetime.fromisoformat(_asked_below(tmp_path, "Runner.Worker"))
    assert before - TICK <= began <= datetime.now(UTC)


def test_a_process_with_a_name_like_it_is_no_worker(tmp_path: Path) -> None:
    before = datetime.now(UTC)
    found = _asked_below(tmp_path, "Not-Runner.Work")
    assert (
        found == "None" or datetime.fromisoformat(found) < before - TICK
    )  # that of the CI these tests run in
