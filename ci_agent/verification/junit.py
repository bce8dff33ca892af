"""JUnit XML, as some test runner wrote it, into `Case`s. It reads files and does nothing else.

The files come from the code under test, so they are not trusted: entities are refused (defusedxml), size and
number of cases are capped, and only regular files are opened. The parser hands its events straight to a
target that keeps four things per case; no tree is built. That is why junitparser is not used here: it wants
the whole tree, which for 50 MB of empty elements is over a gigabyte, and it raises on times that are not
numbers.
"""

from __future__ import annotations

import math
import os
import re
import stat
import sys
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO
from xml.etree.ElementTree import ParseError  # only the exception; parsing is defusedxml's

from ci_agent.errors import CiAgentError
from ci_agent.journal.events import Case, Result
from ci_agent.verification.excerpt import excerpt, gap
from ci_agent.verification.text import one_line, plain, short

MOST_BYTES = 50_000_000  # of all reports of a run; GitLab refuses single ones over 30 MB
MOST_CASES = 300_000  # of all reports of a run
LONGEST_ID = 1_000  # characters
LONGEST_MESSAGE = 300
LONGEST_DETAILS = 4_000
KEPT = 16_000  # characters of each end of a text, out of which the details are made


class ReportError(CiAgentError):
    """A report can't be read to its end; the message says why."""


def read(paths: Iterable[Path], shown: Callable[[str], str] = str) -> tuple[Case, ...]:
    """The cases of all reports in `paths`, in their order, with ids made unique, messages and details as `shown`.

    Ids are `file::Class::name` where the report names the file as pytest does, else `classname::name`, else
    `name`. Cases of the same id are numbered `#2`, `#3`, in the order of the reports, and the better results
    of one report first, so that their order in it does not matter. Raises `ReportError`.
    """
    reports: list[list[Case]] = []
    room, most = MOST_BYTES, MOST_CASES
    for path in paths:
        with _open(path, room) as file:
            reports.append(_read_one(path, file, partial(_Target, most, shown)))
            room -= file.tell()
            most -= len(reports[-1])
    return _unique(reports)


def _read_one(path: Path, file: BinaryIO, target: Callable[[], _Target]) -> list[Case]:
    try:
        return _parse(path, iter(lambda: file.read(1 << 16), b""), target())
    except ParseError as error:
        if error.code not in _CHARACTER_ERRORS:
            raise ReportError(f"the test report {path.name} is cut off or is not XML: {error}") from error
    file.seek(0)
    text = _legal(file.read(MOST_BYTES).decode("utf-8", "replace"))
    try:
        return _parse(path, [text], target())
    except ParseError as error:
        raise ReportError(f"the test report {path.name} is not valid XML: {error}") from error


# Codes of expat for what runners get wrong that print raw output or names into their XML: invalid token,
# partial character, reference to an invalid character, unknown and incorrect encoding.
_CHARACTER_ERRORS = frozenset({4, 6, 14, 18, 19})
# What XML 1.0 does not allow, as a character and as a reference to one.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_REFERENCE = re.compile(r"&#(?:x([0-9a-fA-F]{1,8})|([0-9]{1,9}));")


def _legal(text: str) -> str:
    def checked(match: re.Match[str]) -> str:
        number = int(match[1], 16) if match[1] else int(match[2])
        return "\ufffd" if number > sys.maxunicode or _ILLEGAL.match(chr(number)) else match[0]

    return _REFERENCE.sub(checked, _ILLEGAL.sub("\ufffd", text))


def _open(path: Path, room: int) -> BinaryIO:
    try:
        # A test can leave a pipe or a link in the report's place; neither may block or lead us elsewhere.
        file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
    except OSError as error:
        raise ReportError(f"the test report {path.name} can't be read: {error.strerror}") from error
    status = os.fstat(file.fileno())
    if stat.S_ISREG(status.st_mode) and status.st_size <= room:
        return file
    file.close()
    if not stat.S_ISREG(status.st_mode):
        raise ReportError(f"the test report {path.name} is not a regular file")
    raise ReportError(
        f"the test reports have more than the {MOST_BYTES / 1e6:,.0f} MB that are read at most; "
        "leave the output of passing tests out of them"
    )


def _parse(path: Path, pieces: Iterable[bytes | str], target: _Target) -> list[Case]:
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import XMLParser

    parser = XMLParser(target=target)
    try:
        for piece in pieces:
            parser.feed(piece)
        parser.close()
    except DefusedXmlException as error:
        raise ReportError(f"the test report {path.name} defines XML entities, which is refused") from error
    except (ValueError, LookupError) as error:  # an encoding that is no encoding of text, e.g. `hex`
        raise ReportError(f"the test report {path.name} can't be decoded: {error}") from error
    return target.cases


class _Text:
    """The head and the tail of a text that comes in pieces."""

    def __init__(self) -> None:
        self._head: list[str] = []
        self._tail: deque[str] = deque()
        self._sizes = [0, 0]
        self._lost_lines: int | None = None  # line ends between head and tail; None: nothing is lost

    def add(self, piece: str) -> None:
        if self._sizes[0] < KEPT:
            self._head.append(piece)
            self._sizes[0] += len(piece)
            return
        self._tail.append(piece)
        self._sizes[1] += len(piece)
        while self._sizes[1] - len(self._tail[0]) > KEPT:
            lost = self._tail.popleft()
            self._sizes[1] -= len(lost)
            self._lost_lines = (self._lost_lines or 0) + lost.count("\n")

    def get(self) -> str:
        """The text; where something is lost, whole lines of both ends and a mark between them."""
        head, tail = "".join(self._head), "".join(self._tail)
        if self._lost_lines is None:
            return head + tail
        head, tail = head.rpartition("\n")[0] or head, tail.partition("\n")[2] or tail
        return f"{head}\n{gap(self._lost_lines + 1)}\n{tail}"


_RESULTS = {"error": Result.ERROR, "failure": Result.FAILED, "skipped": Result.SKIPPED}
_OUTPUTS = ("system-out", "system-err")
_NOT_RUN = ("notrun", "disabled")  # `status` as GoogleTest writes it
_WORST_LAST = (Result.PASSED, Result.SKIPPED, Result.FAILED, Result.ERROR)


class _Target:
    """What the parser tells of the elements; anything that is not a `testcase` or one of its parts is passed by."""

    def __init__(self, most: int, shown: Callable[[str], str]) -> None:
        self.cases: list[Case] = []
        self._most = most
        self._shown = shown
        self._attributes: dict[str, str] | None = None  # of the case we are in
        self._result = Result.PASSED
        self._message = ""
        self._parts: list[tuple[str, _Text]] = []
        self._inside = ""  # the part whose text is being read

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = _local(tag)
        if name == "testcase":
            self._attributes = attributes
            self._result = Result.SKIPPED if attributes.get("status") in _NOT_RUN else Result.PASSED
            self._message, self._parts, self._inside = "", [], ""
        elif self._attributes is None or self._inside:
            return
        elif name in _RESULTS:
            self._result = max(self._result, _RESULTS[name], key=_WORST_LAST.index)
            self._message = self._message or attributes.get("message", "")
            self._open_part(name)
        elif name in _OUTPUTS:
            self._open_part(name)

    def _open_part(self, name: str) -> None:
        self._inside = name
        self._parts.append((name, _Text()))

    def data(self, text: str) -> None:
        if self._inside:
            self._parts[-1][1].add(text)

    def end(self, tag: str) -> None:
        name = _local(tag)
        if name == self._inside:
            self._inside = ""
        elif name == "testcase" and self._attributes is not None:
            self._keep(self._case(self._attributes))
            self._attributes = None

    def close(self) -> None:
        """Nothing to return: the cases are read from the target itself."""

    def _case(self, attributes: dict[str, str]) -> Case:
        reasons = [text for name, text in self._parts if name in _RESULTS]
        message = self._shown(plain(self._message or (reasons[0].get() if reasons else ""))).strip()
        texts = [
            _EMPTY_HEADING.sub("", self._shown(plain(text.get()))).strip("\n") for _, text in self._parts
        ]
        details = "\n".join(filter(None, texts)) if self._result.bad else ""
        if message == "collection failure" and (error := _PYTEST_ERROR.search(details)):
            message = error[1]
        return Case(
            id=_id(attributes),
            result=self._result,
            seconds=_seconds(attributes.get("time", "")),
            message=short("\n".join(message.splitlines()[:3]), LONGEST_MESSAGE),
            details=excerpt(details, LONGEST_DETAILS),
        )

    def _keep(self, case: Case) -> None:
        last = self.cases[-1] if self.cases else None
        if last and last.id == case.id and last.result.bad and case.message.startswith("failed on teardown"):
            # pytest reports a test that fails, and then its fixture too, as two cases; it is one.
            details = excerpt(f"{last.details}\n{case.details}", LONGEST_DETAILS)
            self.cases[-1] = Case(last.id, last.result, last.seconds + case.seconds, last.message, details)
            return
        if len(self.cases) == self._most:
            raise ReportError(
                f"the test reports have more than the {MOST_CASES:,} test cases that are read at most; "
                "split the run, or name a command for a part of it in `verification.test`"
            )
        self.cases.append(case)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


# pytest's heading for what it captured, where that is nothing.
_EMPTY_HEADING = re.compile(r"^-+ Captured \w+ -+\n?\s*(?=^-+ Captured \w+ -+$|\Z)", re.MULTILINE)
_PYTEST_ERROR = re.compile(r"^E +(\S.*)$", re.MULTILINE)


def _id(attributes: dict[str, str]) -> str:
    """pytest (xunit1) gives `file="tests/test_a.py" classname="tests.test_a.TestX" name="test_b"`."""
    file, group, name = (one_line(attributes.get(key, "")) for key in ("file", "classname", "name"))
    module = re.sub(r"\.py$", "", file).replace("/", ".")
    if file and (group == module or group.startswith(module + ".")):
        parts = [file, *group[len(module) + 1 :].split("."), name]
    elif file and not group and name == module:  # a file that pytest could not collect
        parts = [file]
    else:
        parts = [group, name]
    return short("::".join(part for part in parts if part) or "(no name)", LONGEST_ID)


def _seconds(text: str) -> float:
    try:
        seconds = float(text.replace(",", ""))
    except ValueError:
        return 0.0
    return seconds if math.isfinite(seconds) and seconds > 0 else 0.0


def _unique(reports: list[list[Case]]) -> tuple[Case, ...]:
    by_id: dict[str, list[tuple[int, int, Case]]] = {}
    for number, cases in enumerate(reports):
        for case in cases:
            by_id.setdefault(case.id, []).append((number, _WORST_LAST.index(case.result), case))
    unique: dict[str, Case] = {}
    for name, same in by_id.items():
        in_order = [case for _, _, case in sorted(same, key=itemgetter(0, 1))]
        for number, case in enumerate(in_order, start=1):
            label = name if number == 1 else f"{name}#{number}"
            while label in unique or (number > 1 and label in by_id):  # a test may be called `x#2` itself
                label += "'"
            unique[label] = Case(label, case.result, case.seconds, case.message, case.details)
    return tuple(unique.values())
