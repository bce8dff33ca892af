"""The text of `cargo nextest run`: https://nexte.st/docs/reporting/. Its JUnit file is better and needs a profile.

Results are read between `Starting` and `Summary`, and must be as many as the summary says. nextest captures
what tests print and shows that of failing ones, indented by its own marks or not, so a failing test that
prints a line like `PASS [ 0.1s] crate x` makes the numbers differ, which is refused. Skipped tests are in the
text only with `--status-level skip`.
"""

from __future__ import annotations

import re
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
_OUTPUT = re.compile(r" *(?:---|───+|──+) ?(?:TRY \d+ )?STD(?:OUT|ERR)|  ?std(?:out|err) ───.*")


def read(path: Path, file: BinaryIO, cases: Cases) -> None:
    """The cases `binary::test`, a binary's name as nextest has it: `crate`, `crate::tests_file`, `crate::bin/name`.

    Of one that was tried again the last result counts. Raises `ReportError` where the results are not as many
    as the summary says, or where there is none.
    """
    results: dict[tuple[str, str], tuple[Result, float, Text]] = {}
    skipped: set[tuple[str, str]] = set()
    output: Text | None = None
    started, over, count = False, False, -1
    for line in lines(file):
        if not started or over:
            started = started or bool(_STARTING.fullmatch(line))
            continue
        if match := _SUMMARY.fullmatch(line):
            count, over = int(match["begun"] or match["count"]), True
        elif match := _LINE.fullmatch(line):
            name, word = (match["binary"], match["name"]), match["word"]
            output = None
            if word == "SKIP":
                skipped.add(name)
            else:
                text = results[name][2] if name in results else Text()
                result = (
                    Result.PASSED if word.split()[0] in _PASSED or word.endswith(" PASS") else Result.FAILED
                )
                results[name] = (result, _seconds(match["seconds"]), text)
                output = text if result.bad else None
        elif output is not None:
            output.add(f"{line}\n")
    if count < 0:
        raise ReportError(
            f"the test report {path.name} is cut off or is not of `cargo nextest run`: it has no summary"
        )
    if count != len(results):
        raise ReportError(
            f"{path.name} says {count} tests ran and holds {len(results)}; a test may have printed into it"
        )
    for name, (result, seconds, text) in results.items():
        details = text.get()
        cases.add(name, result, seconds, _message(details), details)
    for name in skipped - results.keys():
        cases.add(name, Result.SKIPPED)


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
