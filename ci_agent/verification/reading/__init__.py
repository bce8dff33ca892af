"""Test results as runners write them, into `Case`s: one module per format. Files are read, nothing is run.

Whatever is read comes from the code under test and is not trusted: its size, its number of cases and the
memory it takes are capped, links and pipes are not followed, and no content makes a reader raise anything
but `ReportError`. What is cut off raises it too, or leaves a case that says so: cases never get fewer unsaid.

A test can write anything into the report of the process it runs in. The module of each format says what it
can't tell apart from the runner's own words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

from ci_agent.journal.events import Case
from ci_agent.verification.reading import (
    exunit,
    go,
    jest,
    junit,
    libtest,
    minitest,
    mocha,
    nextest,
    rspec,
    tap,
    trx,
)
from ci_agent.verification.reading.cases import Cases, ReportError, unique
from ci_agent.verification.reading.files import MOST_BYTES, opened

__all__ = ["FORMATS", "ReportError", "read"]

_READERS: Mapping[str, Callable[[Path, BinaryIO, Cases], None]] = {
    "exunit": exunit.read,
    "go": go.read,
    "jest": jest.read,
    "junit": junit.read,
    "libtest": libtest.read,
    "minitest": minitest.read,
    "mocha": mocha.read,
    "nextest": nextest.read,
    "rspec": rspec.read,
    "tap": tap.read,
    "trx": trx.read,
}
FORMATS: tuple[str, ...] = tuple(_READERS)


def read(format: str, paths: Iterable[Path], shown: Callable[[str], str] = str) -> tuple[Case, ...]:  # noqa: A002
    """The cases of all reports in `paths`, which are of a format of `FORMATS`, in the order of the reports.

    Ids, messages and details are as `shown` gives them. Cases of the same id are numbered `#2`, `#3`, in the
    order of `paths` and, within one report, the better results first: their order in it does not matter.
    Raises `ReportError`, whose message says as a clause why a report can't be read to its end.
    """
    add_cases = _READERS[format]
    reports: list[Cases] = []
    room = MOST_BYTES
    for path in paths:
        cases = Cases(shown, before=sum(len(report.found) for report in reports))
        with opened(path, room) as file:
            add_cases(path, file, cases)
            room -= file.seek(0, 2)
        reports.append(cases)
    return unique(report.found for report in reports)
