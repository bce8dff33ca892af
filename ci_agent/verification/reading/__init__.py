"""Reports of test runs, read by the name of their format. It reads files and does nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from ci_agent.journal.events import Case
from ci_agent.verification import junit
from ci_agent.verification.junit import ReportError

__all__ = ["FORMATS", "ReportError", "read"]

FORMATS = ("junit",)


def read(format: str, paths: Iterable[Path], shown: Callable[[str], str] = str) -> tuple[Case, ...]:  # noqa: A002 - the noun
    """The cases in the reports at `paths`. Raises `ReportError`."""
    if format != "junit":
        raise ReportError(f"reports of the format {format} can't be read")
    return junit.read(paths, shown)
