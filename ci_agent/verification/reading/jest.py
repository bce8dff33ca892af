"""The JSON of `jest --json --outputFile=…`, which `vitest --reporter=json` writes too.

Written at the end by the runner itself, so what tests print is not in it. Where the runner prints it instead,
the log has to be that JSON alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ci_agent.journal.events import Result
from ci_agent.verification.reading.cases import Cases, ReportError
from ci_agent.verification.reading.files import json

# https://jestjs.io/docs/configuration#testresultsprocessor-string
_RESULTS = {
    "passed": Result.PASSED,
    "failed": Result.FAILED,
    "pending": Result.SKIPPED,
    "skipped": Result.SKIPPED,
    "disabled": Result.SKIPPED,
    "todo": Result.SKIPPED,
}


@dataclass(frozen=True, slots=True)
class _Test:
    title: str
    status: str
    ancestorTitles: tuple[str, ...] = ()  # noqa: N815
    duration: float | None = None  # milliseconds
    failureMessages: tuple[str, ...] | None = None  # noqa: N815


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    assertionResults: tuple[_Test, ...]  # noqa: N815
    status: str = ""
    message: str | None = None


@dataclass(frozen=True, slots=True)
class _Report:
    testResults: tuple[_File, ...]  # noqa: N815
    numTotalTests: int  # noqa: N815


def read(path: Path, file: BinaryIO, cases: Cases) -> None:
    """The cases `file::describe::…::title`; a file that failed without a failing test is a case as well.

    Raises `ReportError`, also for a result that is none of the runner's words, and where tests are missing.
    """
    report = json(path, file, _Report)
    if report.numTotalTests != sum(len(one.assertionResults) for one in report.testResults):
        raise ReportError(f"the test report {path.name} says {report.numTotalTests} tests and holds others")
    for one in report.testResults:
        bad = False
        for test in one.assertionResults:
            if test.status not in _RESULTS:
                raise ReportError(
                    f"the test report {path.name} has the unknown result {cases.shown(test.status)[:50]!r}"
                )
            result = _RESULTS[test.status]
            bad = bad or result.bad
            details = "\n".join(test.failureMessages or ())
            cases.add(
                (one.name, *test.ancestorTitles, test.title),
                result,
                (test.duration or 0) / 1_000,
                "",
                details,
            )
        if one.status == "failed" and not bad:
            cases.add((one.name,), Result.ERROR, 0.0, _said(one.message or ""), one.message or "")


def _said(message: str) -> str:
    """The message of a file without jest's heading for it."""
    return message.partition("Test suite failed to run\n")[2].lstrip() or message
