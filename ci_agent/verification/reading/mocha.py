"""mocha's own JSON: `--reporter json --reporter-option output=…`.

Better than its `xunit` reporter, which is JUnit, in that it tells the parts of a failure and a hook that
failed apart, and in that it needs nothing installed as well. Written at the end by the runner itself, so what
tests print is not in it where it goes to a file.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from ci_agent.journal.events import Result
from ci_agent.verification.reading.cases import Cases, ReportError
from ci_agent.verification.reading.files import json


def read(path: Path, file: BinaryIO, cases: Cases) -> None:
    """The cases `file::suites::title`, failing hooks included. Raises `ReportError`."""
    from msgspec import Struct

    class Error(Struct):
        message: str = ""
        stack: str = ""

    class Test(Struct):
        title: str
        fullTitle: str  # noqa: N815 - mocha's name
        file: str | None = None
        duration: float | None = None  # milliseconds
        err: Error | None = None

    class Stats(Struct):
        passes: int
        pending: int
        failures: int

    class Report(Struct):
        stats: Stats
        passes: list[Test]
        pending: list[Test]
        failures: list[Test]

    report = json(path, file, Report)
    for result, tests, count in (
        (Result.PASSED, report.passes, report.stats.passes),
        (Result.SKIPPED, report.pending, report.stats.pending),
        (Result.FAILED, report.failures, report.stats.failures),
    ):
        if len(tests) != count:
            raise ReportError(f"the test report {path.name} says {count} {result} and holds {len(tests)}")
        for test in tests:
            error = test.err or Error()
            group = test.fullTitle.removesuffix(test.title).strip()
            seconds = (test.duration or 0) / 1_000
            cases.add((test.file or "", group, test.title), result, seconds, error.message, error.stack)
