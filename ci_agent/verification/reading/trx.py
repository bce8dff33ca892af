"""TRX, the XML of .NET: `dotnet test --logger trx`. The schema comes with Visual Studio (`vstst.xsd`).

Written by the test host's parent at the end, so what tests print is output in it. A host that crashed is a
case of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ci_agent.journal.events import Result
from ci_agent.verification.reading.cases import Cases, ReportError, Text
from ci_agent.verification.reading.files import local, xml

MOST_INNER = 100  # results that a result may be nested in

_PASSED = frozenset({"Passed", "PassedButRunAborted", "Completed", "Warning"})
_SKIPPED = frozenset({"NotExecuted", "Inconclusive", "NotRunnable", "Pending"})
_RAN_BADLY = frozenset({"Error", "Timeout", "Aborted", "Disconnected", "InProgress"})
_RESULTS = frozenset({"UnitTestResult", "TestResultAggregation", "GenericTestResult"})
_TEXTS = frozenset({"StdOut", "StdErr", "Message", "StackTrace", "Text"})


def read(path: Path, file: BinaryIO, cases: Cases) -> None:
    """The cases `Namespace.Class::Method`, the rows of a test of data each for itself.

    Raises `ReportError`.
    """
    target = xml(path, file, lambda: _Target(cases))
    if not target.complete:
        raise ReportError(f"the test report {path.name} is no TRX: it has no summary of the results")
    for one in target.found:
        group = target.classes.get(one.test, "")
        name = one.name.removeprefix(f"{group}.") if group else one.name
        cases.add((group, name), one.result, one.seconds, one.text("Message"), one.details())
    for number, text in enumerate(target.crashes):
        cases.add((f"test run{number or ''}",), Result.ERROR, 0.0, "", text)


@dataclass(slots=True)
class _One:
    """A result as it is read."""

    test: str
    name: str
    result: Result
    seconds: float
    texts: dict[str, Text] = field(default_factory=dict)
    inner: bool = False  # it holds results that are not bad, or are bad themselves

    def text(self, name: str) -> str:
        return self.texts[name].get().strip("\n") if name in self.texts else ""

    def details(self) -> str:
        parts = (self.text(name) for name in ("Message", "StackTrace", "StdOut", "StdErr"))
        return "\n".join(filter(None, parts))


class _Target:
    """What the parser tells of the elements."""

    def __init__(self, cases: Cases) -> None:
        self._cases = cases
        self.found: list[_One] = []
        self.classes: dict[str, str] = {}  # by the id of the test
        self.crashes: list[str] = []
        self.complete = False
        self._open: list[_One] = []
        self._definition = ""  # the id of the test that is being defined
        self._crash: Text | None = None
        self._inside = ""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = local(tag)
        if name in _RESULTS:
            if len(self._open) == MOST_INNER:
                raise ReportError(f"the test report has results in results, more than {MOST_INNER} deep")
            self._cases.make_room(len(self.found) + 1)
            self._open.append(_one(attributes))
        elif name == "UnitTest":
            self._definition = attributes.get("id", "")
        elif name == "TestMethod" and self._definition:
            # `Namespace.Class, Assembly, Version=…` as older versions of MSTest write it
            self.classes[self._definition] = attributes.get("className", "").partition(",")[0]
        elif name == "ResultSummary":
            self.complete = True
        elif name == "RunInfo" and attributes.get("outcome") == "Error":
            self._crash = Text()
        elif name in _TEXTS and (self._open or self._crash):
            self._inside = name

    def data(self, text: str) -> None:
        if self._inside and self._open:
            self._open[-1].texts.setdefault(self._inside, Text()).add(text)
        elif self._inside and self._crash:
            self._crash.add(text)

    def end(self, tag: str) -> None:
        name = local(tag)
        if name == self._inside:
            self._inside = ""
        elif name in _RESULTS and self._open:
            self._keep(self._open.pop())
        elif name == "RunInfo" and self._crash:
            self.crashes.append(self._crash.get())
            self._crash = None

    def _keep(self, one: _One) -> None:
        if not one.inner:
            self.found.append(one)
        if self._open:
            above = self._open[-1]
            above.inner = above.inner or one.result.bad or not above.result.bad

    def close(self) -> None:
        """Nothing to return: what was found is the target's."""


def _one(attributes: dict[str, str]) -> _One:
    outcome = attributes.get("outcome", "Error")  # nothing is left out where there was a result
    result = Result.FAILED
    if outcome in _PASSED:
        result = Result.PASSED
    elif outcome in _SKIPPED:
        result = Result.SKIPPED
    elif outcome in _RAN_BADLY:
        result = Result.ERROR
    return _One(
        attributes.get("testId", ""),
        attributes.get("testName", ""),
        result,
        _seconds(attributes.get("duration", "")),
    )


_DURATION = re.compile(r"(\d{1,6}):(\d\d):(\d\d(?:\.\d{1,9})?)")


def _seconds(text: str) -> float:
    match = _DURATION.fullmatch(text)
    return int(match[1]) * 3_600 + int(match[2]) * 60 + float(match[3]) if match else 0.0
