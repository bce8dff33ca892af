"""JUnit XML, in the dialects that test runners write.

The parser hands its events straight to a target that keeps a few things per case; no tree is built. That is
why junitparser is not used here: it wants the whole tree, which for 50 MB of empty elements is over a
gigabyte, and it raises on times that are not numbers.

Runners write it themselves, so what a test prints stays output. What can't be told apart: a report that
was made out of a log (go-junit-report) holds what tests forged in that log.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from ci_agent.journal.events import Result
from ci_agent.verification.excerpt import excerpt
from ci_agent.verification.reading.cases import LONGEST_DETAILS, WORST_LAST, Cases, ReportError, Text
from ci_agent.verification.reading.files import local, xml

MOST_SUITES = 100  # that a case may be nested in


def read(path: Path, file: BinaryIO, cases: Cases) -> None:
    """The cases of a report. Ids are

    - `file::Class::name` where the report names the file as pytest does;
    - `file::suite::name` where node wrote it, which calls the class of everything `test`;
    - `file::classname::name` where the file is one of JavaScript, whose classes are what people write;
    - `suite::name` where there is no class; else `classname::name`, or `name` where both are the same.

    Raises `ReportError`.
    """
    xml(path, file, lambda: _Target(cases))


_RESULTS = {"error": Result.ERROR, "failure": Result.FAILED, "skipped": Result.SKIPPED}
_OUTPUTS = ("system-out", "system-err")
# A run that surefire did again, whose output lies inside of it. A flaky one passed in the end, so its case
# has no failure; one that was run again in vain has the first failure beside these.
_AGAIN = ("flakyFailure", "flakyError", "rerunFailure", "rerunError")
_NOT_RUN = ("notrun", "disabled")  # `status` as GoogleTest and CTest write it


class _Target:
    """What the parser tells of the elements; anything that is not a `testcase` or one of its parts is passed by."""

    def __init__(self, cases: Cases) -> None:
        cases.clear()
        self._cases = cases
        self._suites: list[tuple[str, str]] = []  # name and file of those we are in
        self._attributes: dict[str, str] | None = None  # of the case we are in
        self._result = Result.PASSED
        self._message = ""
        self._todo = False
        self._parts: list[tuple[str, Text]] = []
        self._inside = ""  # the part whose text is being read

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = local(tag)
        if name == "testsuite":
            self._enter(attributes)
        elif name == "testcase":
            self._attributes = attributes
            self._result = Result.SKIPPED if attributes.get("status") in _NOT_RUN else Result.PASSED
            self._message, self._todo, self._parts, self._inside = "", False, [], ""
        elif self._attributes is None or self._inside:
            return
        elif name in _RESULTS:
            self._result = max(self._result, _RESULTS[name], key=WORST_LAST.index)
            self._message = self._message or attributes.get("message", "")
            self._todo = self._todo or attributes.get("type") == "todo"
            self._open_part(name)
        elif name in _OUTPUTS or name in _AGAIN:
            self._open_part(name)

    def _enter(self, attributes: dict[str, str]) -> None:
        if len(self._suites) == MOST_SUITES:
            raise ReportError(f"the test report has suites in suites, more than {MOST_SUITES} deep")
        above = self._suites[-1][1] if self._suites else ""
        self._suites.append((attributes.get("name", ""), attributes.get("file", above)))

    def _open_part(self, name: str) -> None:
        self._inside = name
        self._parts.append((name, Text()))

    def data(self, text: str) -> None:
        if self._inside:
            self._parts[-1][1].add(text)

    def end(self, tag: str) -> None:
        name = local(tag)
        if name == "testsuite" and self._suites:
            self._suites.pop()
        elif name == self._inside:
            self._inside = ""
        elif name == "testcase" and self._attributes is not None:
            self._keep(self._attributes)
            self._attributes = None

    def close(self) -> None:
        """Nothing to return: the cases are where they were wanted."""

    def _keep(self, attributes: dict[str, str]) -> None:
        # node: a test that people expect to fail, and that does not make the run fail.
        result = Result.SKIPPED if self._todo else self._result
        texts = [(name, _EMPTY_HEADING.sub("", text.get()).strip("\n")) for name, text in self._parts]
        details = "\n".join(text for name, text in texts if text and name not in _AGAIN)
        message = _SAYS_NOTHING.sub("", self._message) or next(
            (text for name, text in texts if name in _RESULTS), ""
        )
        if message == "collection failure" and (
            error := _PYTEST_RAISED.search(details) or _PYTEST_ERROR.search(details)
        ):
            message = error[1]
        seconds = _seconds(attributes.get("time", ""))
        found = self._cases.found
        if found and found[-1].result.bad and message.startswith("failed on teardown"):
            last = found[-1]
            if self._cases.is_last(_parts(attributes, self._suites)):
                # pytest reports a test that fails, and then its fixture too, as two cases; it is one.
                both = excerpt(f"{last.details}\n{self._cases.fit(details)}", LONGEST_DETAILS)
                found[-1] = replace(last, seconds=last.seconds + seconds, details=both)
                return
        self._cases.add(_parts(attributes, self._suites), result, seconds, message, details)


# pytest's heading for what it captured, where that is nothing.
_EMPTY_HEADING = re.compile(r"^-+ Captured \w+ -+\n?\s*(?=^-+ Captured \w+ -+$|\Z)", re.MULTILINE)
_PYTEST_RAISED = re.compile(
    r"^E {1,8}((?:\w{1,40}\.){0,5}\w{0,60}(?:Error|Exception|Exit|Warning)\b.*)$", re.MULTILINE
)
_PYTEST_ERROR = re.compile(r"^E +(\S.*)$", re.MULTILINE)
_SAYS_NOTHING = re.compile(r"\Atrue\Z")  # node's reason for a skipped test without one
_JAVASCRIPT = re.compile(r"\.[cm]?[jt]sx?$")
_NODES_CLASSES = ("test", "suite")
_OWN_NAMES = ("pytest", "unittest")  # what these call the suite of all tests


def _parts(attributes: dict[str, str], suites: Sequence[tuple[str, str]]) -> list[str]:
    """pytest (xunit1) gives `file="tests/test_a.py" classname="tests.test_a.TestX" name="test_b"`."""
    file, group, name = (attributes.get(key, "") for key in ("file", "classname", "name"))
    module = re.sub(r"\.py$", "", file).replace("/", ".")
    if file and (group == module or group.startswith(module + ".")):
        return [file, *group[len(module) + 1 :].split("."), name]
    if file and not group and name == module:  # a file that pytest could not collect
        return [file]
    file = file or (suites[-1][1] if suites else "")
    file = file if _JAVASCRIPT.search(file) else ""
    if group in _NODES_CLASSES or not (group or file):
        return [file, *(suite for suite, _ in suites if suite not in _OWN_NAMES), name]
    return [file, group if group not in (name, file) else "", name]


def _seconds(text: str) -> float:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return 0.0
