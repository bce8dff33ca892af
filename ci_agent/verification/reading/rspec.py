"""The JSON of `rspec --format json --out …`.

Written at the end by the runner itself, so what examples print is not in it where it goes to a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ci_agent.journal.events import Result
from ci_agent.verification.reading.cases import Cases, ReportError
from ci_agent.verification.reading.files import json

_RESULTS = {"passed": Result.PASSED, "failed": Result.FAILED, "pending": Result.SKIPPED}


@dataclass(frozen=True, slots=True)
class _Raised:
    message: str | None = None
    backtrace: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class _Example:
    id: str
    full_description: str
    status: str
    run_time: float | None = None  # seconds
    pending_message: str | None = None
    exception: _Raised | None = None


@dataclass(frozen=True, slots=True)
class _Summary:
    example_count: int
    errors_outside_of_examples_count: int = 0


@dataclass(frozen=True, slots=True)
class _Report:
    examples: tuple[_Example, ...]
    summary: _Summary
    messages: tuple[str, ...] = ()


def read(path: Path, file: BinaryIO, cases: Cases) -> None:
    """The cases `file::full description`; what failed outside of examples, e.g. loading a file, is one too.

    RSpec's own ids (`./a_spec.rb[1:2]`) are places, which move when an example is added; only their file is
    used, which is the one to be run. Raises `ReportError`.
    """
    report = json(path, file, _Report)
    if len(report.examples) != report.summary.example_count:
        raise ReportError(
            f"the test report {path.name} says {report.summary.example_count} examples and holds others"
        )
    for example in report.examples:
        if example.status not in _RESULTS:
            raise ReportError(
                f"the test report {path.name} has the unknown result {cases.shown(example.status)[:50]!r}"
            )
        error = example.exception or _Raised()
        message = (error.message or example.pending_message or "").strip()
        details = "\n".join([message, *(error.backtrace or ())])
        place = example.id.partition("[")[0].removeprefix("./")
        cases.add(
            (place, example.full_description),
            _RESULTS[example.status],
            example.run_time or 0,
            message,
            details,
        )
    if report.summary.errors_outside_of_examples_count:
        cases.add(("errors outside of examples",), Result.ERROR, 0.0, "", "\n".join(report.messages).strip())
