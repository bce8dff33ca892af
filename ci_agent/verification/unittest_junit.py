"""`python -m unittest` that also writes JUnit XML; run by the project's own Python, 3.8 or later.

The standard library only, nothing of ci-agent: it is copied away and started as
`python unittest_junit.py [arguments of python -m unittest]`. Choice of tests, output and exit code are
unittest's. The report goes into the folder that the environment variable `CI_AGENT_UNITTEST_JUNIT` names,
once all tests have run; a run that was ended before leaves none. What the tests themselves start writes none. One `testcase` per test method: its failing sub
tests are told in it. What a test prints goes on to the terminal and, its last part, into its case.
"""

from __future__ import annotations

import atexit
import importlib
import os
import re
import sys
import time
import unittest
from collections import deque
from pathlib import Path
from typing import Any, TextIO
from xml.etree.ElementTree import Element, ElementTree, SubElement

PYTEST_OPTIONS = "PYTEST_ADDOPTS"
REPORTS = "CI_AGENT_UNITTEST_JUNIT"
LINES = "CI_AGENT_LINES"  # see python_lines.py
KEPT = 64_000  # characters of the output of one test

__unittest = True  # leaves this module's frames out of the tracebacks, as unittest's own are

# What XML 1.0 can't hold.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_PLACE_OF_FIXTURE = re.compile(r"(\w+) \((.+)\)")  # `setUpClass (tests.test_a.TestX)`
_FAILED_IMPORT = "unittest.loader._FailedTest."
_RANK = ("passed", "skipped", "failure", "error")


def main() -> None:
    """Run what the command line says and end the process, with the exit code of `python -m unittest`."""
    if Path(sys.path[0]).resolve() == Path(__file__).resolve().parent:
        sys.path[0] = str(Path.cwd())  # as -m has it
    Runner.folder = os.environ.pop(REPORTS)
    if LINES in os.environ:  # before the tests are imported
        lines = importlib.import_module("ci_agent_lines")
        atexit.register(lines.start())
        del os.environ[LINES]
    os.environ.pop(PYTEST_OPTIONS, None)  # or a pytest that a test starts would report to us
    unittest.main(module=None, argv=["python -m unittest", *sys.argv[1:]], testRunner=Runner)


class Runner(unittest.TextTestRunner):
    """unittest's own runner, with a report afterwards."""

    folder = ""  # for the report; unittest wants a class and makes the instance itself

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.resultclass = Collected

    def run(self, test: Any) -> Any:
        result = super().run(test)
        if isinstance(result, Collected):
            # A command can start unittest more than once; the reports are read in the order of their names.
            name = f"unittest-{time.time_ns()}-{os.getpid()}.xml"
            _write(result.cases, Path(self.folder, name))
        return result


class Case:
    """What is known of one test: the worst that happened to it, and all that was said about it."""

    def __init__(self, name: str) -> None:
        self.group, self.name = _split(name)
        self.result = "passed"
        self.message = ""
        self.details: list[str] = []
        self.output = ""
        self.seconds = 0.0

    def note(self, result: str, message: str, details: str = "") -> None:
        if _RANK.index(result) > _RANK.index(self.result):
            self.result = result
            self.message = message
        if details:
            self.details.append(details)


class Collected(unittest.TextTestResult):
    """unittest's own result, which also keeps a `Case` for each test."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cases: list[Case] = []
        self._running: dict[int, tuple[Case, float]] = {}  # by the test's identity
        self._streams: tuple[TextIO, TextIO] | None = None
        self._memory = Memory()

    def startTest(self, test: unittest.TestCase) -> None:  # noqa: N802 - unittest's name
        case = Case(test.id())
        self.cases.append(case)
        self._running[id(test)] = (case, time.perf_counter())
        if not self.buffer:  # with -b unittest itself keeps the output and puts it into the details
            self._memory = Memory()
            self._streams = (sys.stdout, sys.stderr)
            sys.stdout = Heard(sys.stdout, self._memory)
            sys.stderr = Heard(sys.stderr, self._memory)
        super().startTest(test)

    def stopTest(self, test: unittest.TestCase) -> None:  # noqa: N802 - unittest's name
        super().stopTest(test)
        if self._streams is not None:
            sys.stdout, sys.stderr = self._streams
            self._streams = None
        if id(test) in self._running:  # Python 3.12.1 never starts a test that it skips
            case, started = self._running.pop(id(test))
            case.seconds = time.perf_counter() - started
            case.output = "".join(self._memory.pieces)

    def addError(self, test: unittest.TestCase, err: Any) -> None:  # noqa: N802 - unittest's name
        super().addError(test, err)
        self._case_of(test).note("error", _said(err), self.errors[-1][1])

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:  # noqa: N802 - unittest's name
        super().addFailure(test, err)
        self._case_of(test).note("failure", _said(err), self.failures[-1][1])

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:  # noqa: N802 - unittest's name
        super().addSubTest(test, subtest, err)
        if err is not None:
            failed = issubclass(err[0], test.failureException)
            details = (self.failures if failed else self.errors)[-1][1]
            about = f"{subtest._subDescription()}: {_said(err)}"  # type: ignore[attr-defined]  # noqa: SLF001 - there is no public name for a sub test's parameters
            self._case_of(test).note("failure" if failed else "error", about, f"{about}\n{details}")

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:  # noqa: N802 - unittest's name
        super().addSkip(test, reason)
        if not hasattr(test, "test_case"):  # a skipped sub test skips nothing of its method
            self._case_of(test).note("skipped", reason)

    def addExpectedFailure(self, test: unittest.TestCase, err: Any) -> None:  # noqa: N802 - unittest's name
        super().addExpectedFailure(test, err)
        self._case_of(test).note("skipped", f"expected failure: {_said(err)}")

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802 - unittest's name
        super().addUnexpectedSuccess(test)
        self._case_of(test).note("failure", "unexpected success")

    def _case_of(self, test: unittest.TestCase) -> Case:
        """The running test's case; a new one for what never started, e.g. a class whose setUpClass failed."""
        if id(test) in self._running:
            return self._running[id(test)][0]
        self.cases.append(Case(test.id()))
        return self.cases[-1]


class Memory:
    """The last part of what one test printed."""

    def __init__(self) -> None:
        self.pieces: deque[str] = deque()
        self._size = 0

    def keep(self, text: str) -> None:
        self.pieces.append(text[-KEPT:])
        self._size += len(self.pieces[-1])
        while self._size > KEPT:
            self._size -= len(self.pieces.popleft())


class Heard:
    """A stream that passes everything on and remembers it."""

    def __init__(self, stream: TextIO, memory: Memory) -> None:
        self._stream = stream
        self._memory = memory

    def write(self, text: str) -> int:
        written = self._stream.write(text)
        self._memory.keep(text)
        return written

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _split(name: str) -> tuple[str, str]:
    if name.startswith(_FAILED_IMPORT):
        return "", name[len(_FAILED_IMPORT) :]
    fixture = _PLACE_OF_FIXTURE.fullmatch(name)
    if fixture:
        return fixture[2], fixture[1]
    group, _, last = name.rpartition(".")
    return group, last


def _said(err: Any) -> str:
    kind, value, _ = err
    return f"{kind.__name__}: {value}"


def _write(cases: list[Case], path: Path) -> None:
    suite = Element("testsuite", tests=str(len(cases)))  # without a name, which would become part of ids
    for case in cases:
        where = {"classname": _legal(case.group), "name": _legal(case.name), "time": f"{case.seconds:.4f}"}
        element = SubElement(suite, "testcase", where)
        if case.result != "passed":
            reason = SubElement(element, case.result, message=_legal(case.message))
            reason.text = _legal("\n".join(case.details))
        if case.output and case.result in ("failure", "error"):
            SubElement(element, "system-out").text = _legal(case.output)
    ElementTree(suite).write(str(path), encoding="utf-8", xml_declaration=True)


def _legal(text: str) -> str:
    return _ILLEGAL.sub("\ufffd", text)


if __name__ == "__main__":
    main()
