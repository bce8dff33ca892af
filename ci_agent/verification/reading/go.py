"""The lines of `go test -json`: https://pkg.go.dev/cmd/test2json.

What a test prints is inside of `output` events, with one exception: `go test` finds the results in the output
of the test binary by a control character (^V, since Go 1.20) before `--- PASS`. A test that prints that can
end another's run; only tests that were begun count, and of two endings the worse one. A log that was cut off between two packages can't be told apart from a whole one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ci_agent.journal.events import Result
from ci_agent.verification.reading.cases import WORST_LAST, Cases, ReportError, Text
from ci_agent.verification.reading.files import LONGEST_LINE, lines

_RESULTS = {"pass": Result.PASSED, "fail": Result.FAILED, "skip": Result.SKIPPED}


@dataclass(frozen=True, slots=True)
class _Event:
    """The fields as `go` names them."""

    Action: str
    Package: str = ""
    Test: str = ""
    Elapsed: float = 0.0  # seconds
    Output: str = ""
    ImportPath: str = ""
    FailedBuild: str = ""


@dataclass(slots=True)
class _Run:
    """A test, or a package, that was begun."""

    result: Result | None = None  # None: it has not ended
    seconds: float = 0.0
    output: Text = field(default_factory=Text)


@dataclass(slots=True)
class _Package:
    run: _Run = field(default_factory=_Run)
    tests: dict[str, list[_Run]] = field(default_factory=dict)  # more than one run: `-count`
    build: str = ""  # what failed to build


def read(path: Path, file: BinaryIO, cases: Cases) -> None:
    """The cases `package::Test/subtest`; a package that failed without a failing test is a case as well.

    So is a test that was begun and did not end. Raises `ReportError` where a package has no end, or where
    there is none.
    """
    packages, builds = _packages(path, file, cases)
    if not packages:
        raise ReportError(f"the test report {path.name} holds no results of `go test -json`")
    unended = [name for name, package in packages.items() if package.run.result is None]
    if unended:
        raise ReportError(
            f"the test report {path.name} is cut off: package {cases.shown(unended[0])[:200]} has no end"
        )
    for name, package in packages.items():
        _add(cases, name, package, builds)


def _packages(path: Path, file: BinaryIO, cases: Cases) -> tuple[dict[str, _Package], dict[str, Text]]:
    from msgspec import DecodeError
    from msgspec.json import Decoder

    decoder = Decoder(_Event)
    count = 0
    packages: dict[str, _Package] = {}
    builds: dict[str, Text] = {}
    for line in lines(file):
        if not line.startswith('{"'):
            continue  # the words of `go` itself
        try:
            event = decoder.decode(line)
        except (DecodeError, UnicodeError, RecursionError) as error:
            if len(line) >= LONGEST_LINE - 2 or line.startswith(('{"Time":', '{"Action":')):
                raise ReportError(
                    f"the test report {path.name} has a line that can't be read: {error}"
                ) from error
            continue
        if event.Action == "build-output":
            builds.setdefault(event.ImportPath, Text()).add(event.Output)
        elif event.Package:
            package = packages.setdefault(event.Package, _Package())
            package.build = event.FailedBuild or package.build
            count += event.Action == "run"
            cases.make_room(count)
            _tell(package, event.Test, event.Action, event.Elapsed, event.Output)
    return packages, builds


def _tell(package: _Package, test: str, action: str, elapsed: float, output: str) -> None:
    if test and action == "run":
        package.tests.setdefault(test, []).append(_Run())
        return
    if test and test not in package.tests:
        return  # it was never begun
    run = package.tests[test][-1] if test else package.run
    if action == "output":
        if not output.startswith(("=== RUN", "=== PAUSE", "=== CONT", "=== NAME")):
            run.output.add(output)
    elif action in _RESULTS:
        run.result = max(run.result or Result.PASSED, _RESULTS[action], key=WORST_LAST.index)
        run.seconds = elapsed


def _add(cases: Cases, name: str, package: _Package, builds: dict[str, Text]) -> None:
    bad = False
    for test, runs in package.tests.items():
        for run in runs:
            output = run.output.get()
            if run.result is None:
                told = f"it did not end\n{output}".strip()
                cases.add((name, test), Result.ERROR, 0.0, told, output + package.run.output.get())
            else:
                cases.add((name, test), run.result, run.seconds, _message(output), output)
            bad = bad or cases.found[-1].result.bad
    if package.run.result is Result.FAILED and not bad:
        built = builds.get(package.build)
        output = built.get() if built else package.run.output.get()
        cases.add((name,), Result.ERROR, package.run.seconds, _message(output), output)


def _message(output: str) -> str:
    """The output without go's own lines, which say less than the test's."""
    told = [line.strip() for line in output.splitlines() if not line.lstrip().startswith(("--- ", "# "))]
    return "\n".join(filter(None, told)) or "failed"
