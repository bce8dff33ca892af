"""The text of `mix test --trace`, which runs one module after the other. ExUnit has no report of its own.

Each test is told when it begins and, written over that, with its time at its end, failing ones a second time with the reason. Only that second list says that
they fail, so its entries are counted, and all numbers must be those of the summary: what a test printed that
looks like a line of ExUnit makes them differ, which is refused. A test that prints its own line and hides
another one's can't be told apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ci_agent.journal.events import Result
from ci_agent.verification.reading.cases import Cases, ReportError, Text
from ci_agent.verification.reading.files import lines

_MODULE = re.compile(r"(?P<module>[A-Z]\S*) \[(?P<file>[^\]]+\.exs?)\]")
_TEST = re.compile(
    r"  \* (?P<name>.+) \((?:(?P<ms>[\d.]{1,12})ms|(?P<word>skipped|excluded|invalid))\) \[L#\d{1,9}\]"
)
_FAILURE = re.compile(r" {1,6}\d{1,6}\) (?P<name>.+) \((?P<module>[^()]+)\)")
_INVALID = re.compile(r" {1,6}\d{1,6}\) (?P<module>\S+): failure on setup_all callback, .*")
_SUMMARY = re.compile(r"(?:\d{1,9} [a-z ]{1,40}, )*\d{1,9} failures?(?:, \d{1,9} [a-z]{1,20})*")
_COUNT = re.compile(r"(\d{1,9}) ([a-z]+)")

Name = tuple[str, str]  # module and test


@dataclass(slots=True)
class _Suite:
    """What is read up to a summary. An umbrella project has one for each application."""

    files: dict[str, str] = field(default_factory=dict)  # by module
    tests: list[tuple[Name, float, str]] = field(default_factory=list)
    failures: dict[Name, Text] = field(default_factory=dict)
    invalid: dict[str, Text] = field(default_factory=dict)  # modules whose set-up failed


def read(path: Path, file: BinaryIO, cases: Cases) -> None:
    """The cases `file::Module::test name`. Raises `ReportError` where lines and summary differ or there is none."""
    suite, module = _Suite(), ""
    reason: Text | None = None
    summaries = 0
    for written in lines(file):
        _, over, line = written.rpartition("\r")
        if match := _MODULE.fullmatch(line):
            module, reason = match["module"], None
            suite.files[module] = match["file"]
        elif over and (match := _TEST.fullmatch(line)):
            cases.make_room(len(suite.tests) + 1)
            suite.tests.append(((module, match["name"]), _number(match["ms"]) / 1_000, match["word"] or ""))
            reason = None
        elif match := _FAILURE.fullmatch(line):
            reason = suite.failures.setdefault((match["module"], match["name"]), Text())
        elif match := _INVALID.fullmatch(line):
            reason = suite.invalid.setdefault(match["module"], Text())
        elif _SUMMARY.fullmatch(line):
            _add(path, suite, line, cases)
            suite, module, reason, summaries = _Suite(), "", None, summaries + 1
        elif reason is not None:
            reason.add(f"{line.removeprefix('     ')}\n")
    if suite.tests or not summaries:
        raise ReportError(
            f"the test report {path.name} is cut off or is not of `mix test --trace`: it has no summary"
        )


def _add(path: Path, suite: _Suite, summary: str, cases: Cases) -> None:
    said = {"failure": 0, "invalid": 0, "skipped": 0}
    total = 0
    for number, noun in _COUNT.findall(summary):
        word = noun.removesuffix("s")
        if word in said:
            said[word] = int(number)
        elif word != "excluded":
            total += int(number)
    counted = {"failure": 0, "invalid": 0, "skipped": 0}
    for (module, name), seconds, word in suite.tests:
        result, told, text = Result.PASSED, "", suite.failures.get((module, name))
        if text:
            result, told = Result.FAILED, text.get()
            counted["failure"] += 1
        elif word in ("skipped", "excluded"):
            result = Result.SKIPPED
            counted["skipped"] += word == "skipped"
        elif module in suite.invalid or word == "invalid":
            result, told = Result.ERROR, suite.invalid.get(module, Text()).get()
            counted["invalid"] += 1
        cases.add((suite.files.get(module, ""), module, name), result, seconds, _message(told), told)
    if counted != said or total != len(suite.tests) or said["failure"] != len(suite.failures):
        raise ReportError(
            f"the results in {path.name} are not those of its summary, `{summary[:200]}`; a test may have printed into them"
        )


def _message(told: str) -> str:
    """What went wrong, without the place that goes before it."""
    first, _, rest = told.partition("\n")
    return (rest if re.fullmatch(r"\S+:\d+", first.strip()) else told).strip()


def _number(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0
