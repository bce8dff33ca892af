"""The text of minitest with `-v`, Rails' tests included, where no reporter for JUnit is installed.

Each test is told as `Class#test = 0.00 s = .`, but what the test prints stands in the middle of that. So the
name is what begins such a line, the result what ends the last line before the next name, and all numbers and
the names of failing tests must be those that are told at the end; what differs is refused. Tests that run in
parallel and print, and a test whose name has ` = ` in it and that prints, may be refused as well. A test that
ends the process after it printed results and a summary can't be told apart.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ci_agent.journal.events import Result
from ci_agent.verification.reading.cases import Cases, ReportError, Text
from ci_agent.verification.reading.files import lines

_END = re.compile(r" = (?P<seconds>\d{1,9}\.\d\d) s = (?P<letter>[.FES])\Z")
_LONGEST_END = 40  # characters
_BEGIN = re.compile(r"(?P<name>\S[^#]*#test_.+?) = .*")
_CLOSE = re.compile(r".*?(?P<seconds>\d{1,9}\.\d\d) s = (?P<letter>[.FES])")
_REASON = re.compile(r" {1,6}\d{1,6}\) (?P<kind>Failure|Error|Skipped):")
_SUMMARY = re.compile(
    r"(\d{1,9}) (?:runs|tests), \d{1,9} assertions, (\d{1,9}) failures, (\d{1,9}) errors, (\d{1,9}) skips"
)
_LETTERS = {".": Result.PASSED, "F": Result.FAILED, "E": Result.ERROR, "S": Result.SKIPPED}


@dataclass(slots=True)
class _Run:
    results: list[tuple[str, Result, float]] = field(default_factory=list)
    last: str = ""  # the line that the last result was read from
    begun: str = ""  # a test whose result is not yet there
    reasons: dict[str, Text] = field(default_factory=dict)


def read(path: Path, file: BinaryIO, cases: Cases) -> None:
    """The cases `Class::test`. Raises `ReportError` where the results are not those of the summary, or there is none."""
    run, summaries = _Run(), 0
    telling = unnamed = False
    reason: Text | None = None
    for line in lines(file):
        if match := _SUMMARY.fullmatch(line):
            _add(path, run, [int(number) for number in match.groups()], cases)
            run, telling, reason, summaries = _Run(), False, None, summaries + 1
        elif line.startswith("Finished in "):
            telling = True
        elif not telling:
            _result(run, line)
            cases.make_room(len(run.results))
        elif _REASON.fullmatch(line):
            reason, unnamed = None, True
        elif unnamed and "#" in line:
            reason, unnamed = run.reasons.setdefault(_named(line), Text()), False
        elif reason is not None:
            reason.add(f"{line}\n")
    if run.results or run.begun or not summaries:
        raise ReportError(
            f"the test report {path.name} is cut off or is not of `minitest -v`: it has no summary"
        )


def _named(line: str) -> str:
    """The test in `Class#test [file:1]:`."""
    name = line.removesuffix(":")
    return name.rpartition(" [")[0] if name.endswith("]") else name


def _result(run: _Run, line: str) -> None:
    match = _END.search(line, max(0, len(line) - _LONGEST_END))
    if match and not run.begun and "#" in line[: match.start()]:
        name = line[: match.start()]
        run.results.append((name, _LETTERS[match["letter"]], float(match["seconds"])))
        run.last = line
    elif match := _CLOSE.fullmatch(line):
        begun = _BEGIN.fullmatch(line) if not run.begun else None
        if run.begun or begun:
            name = begun["name"] if begun else run.begun
        elif run.results and (begun := _BEGIN.fullmatch(run.last)):
            run.results.pop()  # what looked like the end of the last one was printed by it
            name = begun["name"]
        else:
            return
        run.results.append((name, _LETTERS[match["letter"]], float(match["seconds"])))
        run.begun = ""
    elif not run.begun and (match := _BEGIN.fullmatch(line)):
        run.begun = match["name"]


def _add(path: Path, run: _Run, said: list[int], cases: Cases) -> None:
    count = Counter(result for _, result, _ in run.results)
    bad = {name for name, result, _ in run.results if result.bad}
    told = [len(run.results), count[Result.FAILED], count[Result.ERROR], count[Result.SKIPPED]]
    if told != said or run.begun or not bad <= run.reasons.keys():
        raise ReportError(
            f"the results in {path.name} are not the {said[0]} that its summary tells of; a test may have printed into them"
        )
    for name, result, seconds in run.results:
        reason = run.reasons[name].get() if name in run.reasons else ""
        group, _, test = name.rpartition("#")
        cases.add((group, test), result, seconds, reason, reason)
