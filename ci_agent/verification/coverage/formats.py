"""The formats of coverage reports: each reader gives file, line and how often it ran, as the report has them.

Reports are written by the code under test, so nothing in them is trusted: XML entities are refused, JSON is
read into the few types that are needed, and numbers have a largest length. What a file name means, and
whether there is such a file, is `reports`' to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import BinaryIO
from xml.etree.ElementTree import ParseError  # only the exception; parsing is defusedxml's

import msgspec

from ci_agent.errors import CiAgentError

LONGEST_LINE = 65_536  # bytes of a line that are looked at in one piece
LONGEST_BLOCK = 20_000  # lines of one block of Go; a longer one is no code that somebody wrote

Ran = tuple[str, int, int]  # the file as the report names it, the line, how often it ran


class CoverageError(CiAgentError):
    """A report can't be read to its end; the message says why, as a clause."""


def _lines(file: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: file.readline(LONGEST_LINE), b"")


# --- lcov -------------------------------------------------------------------------------------------------

_DA = re.compile(rb"DA:(\d{1,9}),(-?\d{1,15})")


def _lcov(file: BinaryIO) -> Iterator[Ran]:
    """`SF:` names the file, `DA:line,count` follow (man geninfo, "FILES"). Counts may be negative, by a
    known fault of gcov."""
    name = ""
    for line in _lines(file):
        if line.startswith(b"SF:"):
            name = line[3:].strip().decode("utf-8", "replace")
        elif line.startswith(b"end_of_record"):
            name = ""
        elif name and (match := _DA.match(line)):
            yield name, int(match[1]), int(match[2])


# --- coverage.py ------------------------------------------------------------------------------------------


class _PythonFile(msgspec.Struct):
    executed_lines: list[int]
    missing_lines: list[int]


class _PythonReport(msgspec.Struct):
    files: dict[str, _PythonFile]


def _coverage_py(file: BinaryIO) -> Iterator[Ran]:
    """What `coverage json` writes (measured with 7.17, format 3). It does not count how often a line ran: once."""
    try:
        report = msgspec.json.decode(file.read(), type=_PythonReport)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise CoverageError(f"the coverage report is not what `coverage json` writes: {error}") from error
    for name, lines in report.files.items():
        yield from ((name, line, 0) for line in lines.missing_lines)
        yield from ((name, line, 1) for line in lines.executed_lines)


# --- Go ---------------------------------------------------------------------------------------------------

_BLOCK = re.compile(rb"(.{1,2000}):(\d{1,9})\.\d{1,9},(\d{1,9})\.\d{1,9} (\d{1,9}) (\d{1,15})\s*")


def _go(file: BinaryIO) -> Iterator[Ran]:
    """`go test -coverprofile`: after `mode: …` a line `file:line.column,line.column statements count` for each
    block (golang.org/x/tools/cover). A block without statements can't run."""
    for number, line in enumerate(_lines(file)):
        if number == 0 and not line.startswith(b"mode: "):
            raise CoverageError("the coverage report is no profile of Go: its first line names no mode")
        match = _BLOCK.fullmatch(line)
        if not match or int(match[4]) == 0:
            continue
        name, first, last = match[1].decode("utf-8", "replace"), int(match[2]), int(match[3])
        yield from ((name, at, int(match[5])) for at in range(first, min(last, first + LONGEST_BLOCK) + 1))


# --- JaCoCo -----------------------------------------------------------------------------------------------


def _jacoco(file: BinaryIO) -> Iterator[Ran]:
    """`<line nr="…" ci="instructions that ran">` below `<sourcefile>` and `<package>` (JaCoCo's report.dtd 1.1).
    The file is named `package/file`."""
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import XMLParser

    target = _Jacoco()
    parser = XMLParser(target=target)
    try:
        for piece in iter(lambda: file.read(LONGEST_LINE), b""):
            parser.feed(piece)
            yield from target.taken()
        parser.close()
    except DefusedXmlException as error:
        raise CoverageError("the coverage report defines XML entities, which is refused") from error
    except (ParseError, ValueError, LookupError) as error:  # the last two: of an encoding that is none
        raise CoverageError(f"the coverage report is cut off or is not XML: {error}") from error
    yield from target.taken()


class _Jacoco:
    """What the parser tells of the elements; all but packages, source files and their lines is passed by."""

    def __init__(self) -> None:
        self._package = ""
        self._file = ""
        self._found: list[Ran] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "package":
            self._package = attributes.get("name", "")
        elif tag == "sourcefile":
            self._file = attributes.get("name", "")
        elif tag == "line" and self._file:
            line, ran = attributes.get("nr", ""), attributes.get("ci", "")
            if re.fullmatch("[0-9]{1,9}", line) and re.fullmatch("[0-9]{1,15}", ran):
                self._found.append((f"{self._package}/{self._file}", int(line), int(ran)))

    def end(self, tag: str) -> None:
        if tag == "sourcefile":
            self._file = ""

    def close(self) -> None:
        """Asked for by the parser."""

    def taken(self) -> Iterable[Ran]:
        found, self._found = self._found, []
        return found


READERS: Mapping[str, Callable[[BinaryIO], Iterator[Ran]]] = {
    "lcov": _lcov,  # of jest, vitest, c8, node:test, cargo llvm-cov
    "coverage.py": _coverage_py,
    "go": _go,
    "jacoco": _jacoco,
}
FORMATS = tuple(READERS)
