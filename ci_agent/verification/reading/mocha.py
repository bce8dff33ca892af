"""mocha's own JSON: `--reporter json --reporter-option output=…`.

Better than its `xunit` reporter, which is JUnit, in that it tells the parts of a failure and a hook that
failed apart, and in that it needs nothing installed as well. Written at the end by the runner itself, so what
tests print is not in it where it goes to a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ci_agent.journal.events import Result
from ci_agent.verification.reading.cases import Cases, ReportError
from ci_agent.verification.reading.files import json


@dataclass(frozen=True, slots=True)
class _Error:
    message: str = ""
    stack: str = ""


@dataclass(frozen=True, slots=True)
class _Test:
    title: str
    fullTitle: str  # noqa: N815 - mocha's name
    file: str | None = None
    duration: float | None = None  # milliseconds
    err: _Error | None = None


@dataclass(frozen=True, slots=True)
class _Stats:
    passes: int
    pending: int
    failures: int


@dataclass(frozen=True, slots=True)
class _Report:
    stats: _Stats
    passes: tuple[_Test, ...]
    pending: tuple[_Test, ...]
    failures: tuple[_Test, ...]


def read(path: Path, file: BinaryIO, cases: Cases) -> None:
    """The cases `file::suites::title`, failing hooks included. Raises `ReportError`."""
    report = json(path, file, _Report)
    for result, tests, count in (
        (Result.PASSED, report.passes, report.stats.passes),
        (Result.SKIPPED, report.pending, report.stats.pending),
        (Result.FAILED, report.failures, report.stats.failures),
    ):
        if len(tests) != count:
            raise ReportError(f"the test report {path.name} says {count} {result} and holds {len(tests)}")
        for test in tests:
            error = test.err or _Error()
            group = test.fullTitle.removesuffix(test.title).strip()
            seconds = (test.duration or 0) / 1_000
            cases.add((test.file or "", group, test.title), result, seconds, error.message, error.stack)
