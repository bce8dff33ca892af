"""The text of `cargo nextest run`: https://nexte.st/docs/reporting/. Its JUnit file is better and needs a profile.

Results are read between `Starting` and `Summary`, and must be as many as the summary says. nextest captures
what tests print and shows that of failing ones, indented by its own marks or not, so a failing test that
prints a line like `PASS [ 0.1s] crate x` makes the numbers differ, which is refused. Skipped tests are in the
text only with `--status-level skip`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ci_agent.journal.events import Result
from ci_agent.verification.reading.cases import Cases, ReportError, Text
from ci_agent.verification.reading.files import lines

_STARTING = re.compile(r" {2,}Starting \d{1,9} tests? across .*")
_LINE = re.compile(
    r" *(?P<word>PASS|FAIL|LEAK|LEAK-FAIL|FLAKY \d+/\d+|TRY \d+ [A-Z]{1,10}|TIMEOUT|ABORT|SIG[A-Z]{2,6}|XFAIL|SKIP) "
    r"\[ *>?(?P<seconds>[\d.]{0,12})s?\] (?:\( *\d{1,9}/\d{1,9}\) )?(?P<binary>\S+) (?P<name>\S.*)"
)
_SUMMARY = re.compile(
    r" *Summary \[ *[\d.]{1,12}s\] (?:(?P<begun>\d{1,9})/)?(?P<count>\d{1,9}) tests? run: .*"
)
_PASSED = ("PASS", "LEAK", "FLAKY")


@dataclass(slots=True)
class _Test:
    result: Result
    seconds: float
    output: Text = field(default_factory=Text)


def read(path: Path, file: BinaryIO, cases: Cases) -> None:
    """The cases `binary::test`, a binary's name as nextest has it: `crate`, `crate::tests_file`, `crate::bin/name`.

    Of one that was tried again the last result counts. Raises `ReportError` where the results are not as many
    as the summary says, or where there is none.
    """
    tests: dict[tuple[str, str], _Test] = {}
    last: _Test | None = None
    summary: re.Match[str] | None = None
    logged = lines(file)
    if not any(_STARTING.fullmatch(line) for line in logged):
        raise ReportError(f"the test report {path.name} is not of `cargo nextest run`")
    for line in logged:
        if summary := _SUMMARY.fullmatch(line):
            break
        if match := _LINE.fullmatch(line):
            last = _result(tests.get((match["binary"], match["name"])), match)
            tests[match["binary"], match["name"]] = last
            cases.make_room(len(tests))
        elif last and last.result.bad:
            last.output.add(f"{line}\n")
    if not summary:
        raise ReportError(f"the test report {path.name} is cut off: it has no summary")
    ran = sum(test.result is not Result.SKIPPED for test in tests.values())
    if ran != int(summary["begun"] or summary["count"]):
        raise ReportError(f"{path.name} holds {ran} results, not those of `{summary[0].strip()[:200]}`")
    for name, test in tests.items():
        details = test.output.get()
        cases.add(name, test.result, test.seconds, _message(details), details)


def _result(earlier: _Test | None, match: re.Match[str]) -> _Test:
    word = match["word"]
    result = Result.PASSED if word.split()[0] in _PASSED or word.endswith(" PASS") else Result.FAILED
    if word == "SKIP":
        result = Result.SKIPPED
    return _Test(result, _seconds(match["seconds"]), earlier.output if earlier else Text())


_PANIC = re.compile(r"^ *thread '.{0,500}' (?:\(\d{1,9}\) )?panicked at .*$\n?", re.MULTILINE)


def _message(output: str) -> str:
    panic = _PANIC.search(output)
    said = output[panic.end() :] if panic else output
    return said.partition("note: ")[0].strip()


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
