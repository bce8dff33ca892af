"""The text of `cargo test`, several test binaries and doc tests one after the other.

JSON of it needs a nightly compiler. The names of the binaries are cargo's, on the error output, so the log
has to hold both outputs.

With `--nocapture` tests print between the results. Then a line like `test x ... ok` that a test printed is
read as a result, and one that a test printed into a result hides it; both make the numbers differ from those
that libtest says before and after, which is refused. A test that prints a result and keeps another one from
being printed can't be told apart, nor can a log that was cut off between two binaries.
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

# `Running unittests src/lib.rs (target/debug/deps/one-83d69e65c7120d7f)`; before Rust 1.59 without the source.
_RUNNING = re.compile(r" +Running (?P<unit>unittests ?)?(?P<source>[^()]*?) ?\((?:[^()]*[/\\])?(?P<binary>[^()/\\]+?)(?:-[0-9a-f]{16})?(?:\.exe)?\)")  # fmt: skip
_DOC_TESTS = re.compile(r" +Doc-tests (?P<crate>\S+)")
_BEGIN = re.compile(r"running (\d{1,9}) tests?")
_LINE = re.compile(
    r"test (?P<name>.+) \.\.\. (?:(?P<ok>ok)|(?P<failed>FAILED)|(?P<ignored>ignored)(?:, (?P<reason>.*))?|bench: .*)(?: <(?P<seconds>[\d.]{1,12})s>)?"
)
_END = re.compile(
    r"test result: \w+\. (\d{1,9}) passed; (\d{1,9}) failed; (\d{1,9}) ignored; (\d{1,9}) measured; .*"
)
_BLOCK = re.compile(r"---- (?P<name>.+) stdout ----")
_CRASH = re.compile(r"  process didn't exit successfully: .*|error: test failed, to rerun pass .*")
# What libtest and rustdoc add to a name, and the line where a doc test is, which moves with the code above.
_ADDED = re.compile(r" - should panic$| - compile(?: fail)?$| \(line \d{1,9}\)")


@dataclass(slots=True)
class _Binary:
    """One test binary as it runs."""

    name: tuple[str, ...]
    planned: int
    results: list[tuple[str, Result, float, str]] = field(default_factory=list)
    output: dict[str, Text] = field(default_factory=dict)
    listing: bool = False  # the failures are told, and results are no more
    inside: Text | None = None  # what the failing test printed that is being told


def read(path: Path, file: BinaryIO, cases: Cases) -> None:
    """The cases `crate::path::test`, `crate::tests/file.rs::test` and `crate (doc)::src/lib.rs - item`.

    A binary that crashed is a case as well. Raises `ReportError` where one's results are not as many as it
    says, where the log ends before a binary did, and where there is none.
    """
    reader = _Reader(path, cases)
    for line in lines(file):
        reader.line(line)
    reader.end()


class _Reader:
    def __init__(self, path: Path, cases: Cases) -> None:
        self._path = path
        self._cases = cases
        self._crate = ""
        self._next: tuple[str, ...] = ()  # the name of the binary that cargo is about to run
        self._binary: _Binary | None = None
        self._any = False

    def line(self, line: str) -> None:
        binary = self._binary
        if binary is None:
            self._between(line)
        elif match := _END.fullmatch(line):
            self._finish(binary, [int(number) for number in match.groups()])
        elif binary.inside is not None or binary.listing:
            self._told(binary, line)
        elif line in ("failures:", "successes:"):
            binary.listing = True
        elif match := _LINE.fullmatch(line):
            name = _ADDED.sub("", match["name"])
            result = (
                Result.FAILED if match["failed"] else Result.SKIPPED if match["ignored"] else Result.PASSED
            )
            self._cases.make_room(len(binary.results) + 1)
            binary.results.append((name, result, _number(match["seconds"]), match["reason"] or ""))
        elif _CRASH.fullmatch(line):
            self._crashed(binary, line)

    def _between(self, line: str) -> None:
        if match := _RUNNING.fullmatch(line):
            source = match["source"].replace("\\", "/")
            if match["unit"] is not None:
                self._crate = match["binary"]
            self._next = (self._crate, "" if source in ("", "src/lib.rs") else source)
            if match["unit"] is None and not source:
                self._next = (self._crate, match["binary"])
        elif match := _DOC_TESTS.fullmatch(line):
            self._next = (f"{match['crate']} (doc)",)
        elif match := _BEGIN.fullmatch(line):
            self._any = True
            self._binary, self._next = _Binary(self._next, int(match[1])), ()

    def _told(self, binary: _Binary, line: str) -> None:
        if match := _BLOCK.fullmatch(line):
            binary.inside = binary.output.setdefault(_ADDED.sub("", match["name"]), Text())
        elif binary.inside is not None:
            binary.inside.add(f"{line}\n")
        elif _CRASH.fullmatch(line):
            self._crashed(binary, line)

    def _finish(self, binary: _Binary, said: list[int]) -> None:
        count = Counter(result for _, result, _, _ in binary.results)
        passed, failed, ignored, measured = said
        told = (passed + measured, failed, ignored)
        if (
            told != (count[Result.PASSED], count[Result.FAILED], count[Result.SKIPPED])
            or sum(told) != binary.planned
        ):
            raise ReportError(
                f"the results of {self._name(binary.name)} in {self._path.name} are not the {binary.planned} that it ran; "
                "tests must not print between them (`--nocapture`)"
            )
        self._keep(binary)

    def _crashed(self, binary: _Binary, line: str) -> None:
        self._keep(binary)
        message = f"it ended before its last test; {line.strip()}"
        self._cases.add((self._name(binary.name),), Result.ERROR, 0.0, message, message)

    def _keep(self, binary: _Binary) -> None:
        for name, result, seconds, reason in binary.results:
            output = binary.output.get(name)
            details = output.get() if output else ""
            self._cases.add((*binary.name, name), result, seconds, reason or _message(details), details)
        self._binary = None

    def _name(self, parts: tuple[str, ...]) -> str:
        return "::".join(filter(None, parts)) or "a test binary"

    def end(self) -> None:
        unended = self._name(self._binary.name if self._binary else self._next)
        if self._binary or self._next:
            raise ReportError(
                f"the test report {self._path.name} is cut off: {self._cases.shown(unended)[:200]} has no end"
            )
        if not self._any:
            raise ReportError(f"the test report {self._path.name} holds no results of `cargo test`")


_PANIC = re.compile(r"^thread '.{0,500}' (?:\(\d{1,9}\) )?panicked at .*$\n?", re.MULTILINE)


def _message(output: str) -> str:
    """What the panic said, up to its stack."""
    panic = _PANIC.search(output)
    said = output[panic.end() :] if panic else output
    return said.partition("stack backtrace:")[0].partition("\nnote: ")[0].strip()


def _number(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0
