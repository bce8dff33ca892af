"""Test results as runners write them, into `Case`s: one module per format. Files are read, nothing is run.

Whatever is read comes from the code under test and is not trusted: its size, its number of cases and the
memory it takes are capped, links and pipes are not followed, and no content makes a reader raise anything
but `ReportError`. What is cut off raises it too, or leaves a case that says so: cases never get fewer unsaid.

A test can write anything into the report of the process it runs in. The module of each format says what it
can't tell apart from the runner's own words.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from importlib import import_module
from pathlib import Path

from ci_agent.journal.events import Case
from ci_agent.verification.reading.cases import Cases, ReportError, unique
from ci_agent.verification.reading.files import MOST_BYTES, opened

__all__ = ["FORMATS", "ReportError", "read"]

# Each is a module of this folder, whose `read(path, file, cases)` adds to the cases. It is imported when the first
# report of its kind is there: a session begins long before.
FORMATS = (
    "exunit",
    "go",
    "jest",
    "junit",
    "libtest",
    "minitest",
    "mocha",
    "nextest",
    "rspec",
    "tap",
    "trx",
)


# Each costs an open file and a parser. Maven and Gradle write one for each class; more than this is written only where
# something writes without end.
MOST_REPORTS = 20_000


def read(
    format: str,  # noqa: A002
    paths: Sequence[Path],
    shown: Callable[[str], str] = str,
    known: Container[str] = (),
) -> tuple[Case, ...]:
    """The cases of all reports in `paths`, which are of a format of `FORMATS`, in the order of the reports.

    Ids, messages and details are as `shown` gives them, before anything is cut. Ids are without what was made up
    in the run (times, addresses, …) unless that alone tells cases of a report apart, or the id with it is
    `known` from another run. Cases of the same id are numbered `#2`, `#3`, in the
    order of `paths` and, within one report, the better results first: their order in it does not matter.
    Raises `ReportError`, whose message says as a clause why a report can't be read to its end.
    """
    if len(paths) > MOST_REPORTS:
        raise ReportError(
            f"there are {len(paths):,} test reports and at most {MOST_REPORTS:,} are read; "
            "name a command for a part of the tests in `verification.test`"
        )
    add_cases = import_module(f"{__name__}.{format}").read
    reports: list[list[Case]] = []
    room, before = MOST_BYTES, 0
    for path in paths:
        cases = Cases(shown, before)
        with opened(path, room) as file:
            add_cases(path, file, cases)
            room -= file.seek(0, 2)
        before += len(cases.found)
        reports.append(cases.told(known))
    return unique(reports)
