"""Says which lines a run of tests reaches, by the coverage.py that the project has; run by its own Python, 3.8 or later.

The standard library only, nothing of ci-agent: it is copied beside the plugin for pytest and the script for
unittest, which start it where the variable `CI_AGENT_LINES` names a folder. The report in that folder is
coverage.py's JSON; where nothing is measured, a file `problem.txt` there says why. It never stops a run.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = "CI_AGENT_LINES"


def start() -> Callable[[], None]:
    """Measure from now on; what it gives back ends that and writes the report."""
    folder = Path(os.environ[FOLDER])
    try:
        coverage: Any = importlib.import_module("coverage")
    except ImportError:
        return _not_measured(folder, "the project's Python has no coverage.py")
    current = getattr(coverage.Coverage, "current", lambda: None)
    if current() is not None:
        return _not_measured(folder, "the project measures its coverage itself")
    name = f"{time.time_ns()}-{os.getpid()}"
    measured = coverage.Coverage(data_file=str(folder / f"data-{name}"), source=["."])
    measured.start()

    def stop() -> None:
        measured.stop()
        try:
            measured.save()  # or there is nothing yet where `[coverage:paths]` has the data put together first
            measured.json_report(outfile=str(folder / f"{name}.json"))
        except coverage.CoverageException as error:
            _not_measured(folder, f"coverage.py says: {error}")

    return stop


def _not_measured(folder: Path, why: str) -> Callable[[], None]:
    (folder / "problem.txt").write_text(why, encoding="utf-8")
    return lambda: None
