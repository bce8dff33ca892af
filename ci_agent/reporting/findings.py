"""What people should see beside the pipeline: the tests that the change broke or that do not run any more, and
what other checks newly find.

Flaky tests are not among it: all of this is shown as errors, and they are none of the change's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ci_agent.journal import Event
from ci_agent.journal.events import Change, CheckCompared
from ci_agent.reporting.summary import Summary
from ci_agent.reporting.text import one_line

# Where a failure says it happened: `File "a.py", line 3` of Python, `a.py:3` of pytest and most others.
_PLACE = re.compile(
    r'File "(?P<python>[^"\n]{1,500})", line (?P<line>\d{1,6})\b'
    r"|(?<![\w./\\-])(?P<file>(?:/|\.\./)?(?:[\w.-]+/)*[\w-]+(?:\.[\w-]+)*\.[A-Za-z]\w{0,9}):(?P<number>\d{1,6})\b"
)
_ELSEWHERE = re.compile(
    r"^(?:/|\.\./|<)|(?:^|/)(?:(?:site|dist)-packages|node_modules|\.venv)/"
)  # as installed packages


@dataclass(frozen=True, slots=True)
class Finding:
    """One test or one finding of a check, with its place as far as the output names it. Plain text of strangers."""

    title: str
    message: str
    file: str = ""  # relative to the repository's root
    line: int = 0


def findings(events: Sequence[Event]) -> list[Finding]:
    """The newly broken tests and those no longer run, then what is new in the checks, of the last verification."""
    summary = Summary.of(events)
    told = summary.last.checks.checks if summary.last.checks else ()
    return _of_tests(summary) + [finding for check in told for finding in _of_check(check)]


def _of_tests(summary: Summary) -> list[Finding]:
    compared = summary.compared
    if compared is None:
        return []
    details = {case.id: case.details for case in summary.after.cases} if summary.after else {}
    root = summary.workspace.path if summary.workspace else ""
    broken = [
        _finding(change, "newly broken", list(_places(details.get(change.id, ""), root)))
        for change in compared.newly_broken
    ]
    return broken + [_finding(change, "no longer run", []) for change in compared.lost]


def _of_check(check: CheckCompared) -> list[Finding]:
    command = one_line(check.command, 60)
    if check.worse and not check.new:
        return [Finding(f"Check fails: {command}", one_line(check.said, 500) or "fails")]
    return [
        Finding(
            f"New finding: {one_line(new.rule, 80) or command}",
            one_line(new.message, 500) or "new finding",
            *_own_place(one_line(new.path, 500), new.line),
        )
        for new in check.new
    ]


def _own_place(path: str, line: int) -> tuple[str, int]:
    """A place as it is, where it is one in the repository."""
    return ("", 0) if _ELSEWHERE.search(path) or ".." in path.split("/") else (path, max(line, 0))


def _finding(change: Change, what: str, places: Sequence[tuple[str, int]]) -> Finding:
    """At the last line of the test's own file that the failure went through; else at the last of the project."""
    named = _file_of(change.id)
    own = [place for place in places if place[0] == named]
    file, line = (own or ([] if named else places) or [(named, 0)])[-1]
    title = f"Test {what}: {one_line(change.id, 150)}"
    return Finding(title, one_line(change.message, 500) or what, file, line)


def _file_of(test: str) -> str:
    """The file in a test's id; only Python's ids begin with one."""
    file = test.partition("::")[0]
    return file if re.fullmatch(r"(?!/)[\w./-]+\.py", file) and not _ELSEWHERE.search(file) else ""


def _places(details: str, root: str) -> Iterator[tuple[str, int]]:
    """The places in the project that a failure names, in its order."""
    for match in _PLACE.finditer(details):
        file = match["python"] or match["file"]
        if root and file.startswith(f"{root}/"):
            file = file[len(root) + 1 :]
        if not _ELSEWHERE.search(file):
            yield file.removeprefix("./"), int(match["line"] or match["number"])
