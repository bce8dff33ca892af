"""TAP, versions 12 to 14, as bats, node:test, ava, mocha, vitest and tape write it.

tap.py reads it too, and is unfit here: it knows no subtests, takes `okay` for `ok`, keeps YAML blocks of any
size, and raises on a block that is cut off and on `TAP version 12`. YAML is only searched for a few lines: it
is the strangers', and what a parser would make of its aliases has no bound.

What runners print as comments or indented (bats, node) can't be mistaken for a result. With runners that
leave the output of tests in between (ava, mocha, vitest), a line like `ok 5 - x` is foreign unless its number
is the next one, where the runner numbers its results; forged with the next number, it makes the runner's own line a repetition, which is refused.
A test that forges all the lines to the end and the plan, and then ends the process, can't be told apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ci_agent.journal.events import Result
from ci_agent.verification.reading.cases import Cases, ReportError, Text
from ci_agent.verification.reading.files import lines

MOST_LEVELS = 50  # of subtests

# https://testanything.org/tap-version-14-specification.html
_POINT = re.compile(r"(?P<indent> *)(?P<not>not )?ok\b(?: (?P<number>\d{1,9})\b)?(?: - | |$)(?P<rest>.*)")
_PLAN = re.compile(r"(?P<indent> *)1\.\.(?P<count>\d{1,9})(?:\s*#.*)?\s*")
_BAIL = re.compile(r" *Bail out!(.*)")
_DIRECTIVE = re.compile(r"(?:^|\s)#\s{0,9}(?P<word>skip\w*|todo)\b[ :-]*(?P<reason>.*)", re.IGNORECASE)
_TIME = re.compile(r"(?: # time=(?P<time>[\d.]{1,20})ms| in (?P<bats>\d{1,9})ms)$")  # vitest; bats --timing
# node writes the name before each result, and counts anew for each file: these results need no number.
_ANNOUNCED = re.compile(r" *# Subtest: (.*)")
_OPENS = " {"  # vitest: subtests follow, up to `}`
_STEP = 4  # blanks by which subtests are indented


@dataclass(slots=True)
class _Point:
    """A test point: a case, unless there are subtests in it."""

    name: str
    result: Result
    seconds: float
    reason: str
    diagnosis: Text = field(default_factory=Text)
    inside: list[_Point] = field(default_factory=list)


@dataclass(slots=True)
class _Level:
    """The points of one depth since the last that they belong to."""

    points: list[_Point] = field(default_factory=list)
    plan: int | None = None
    opened: bool = False  # below a point that announced it
    numbered: bool = False
    announced: str | None = None  # the name that the next point has, as it is written

    @property
    def complete(self) -> bool:
        return self.plan == len(self.points)


def read(path: Path, file: BinaryIO, cases: Cases) -> None:
    """The cases of one or more streams, the names of what a subtest is in before its own.

    TODO is what people expect to fail or have not written: skipped. Raises `ReportError` where a stream has no
    plan, or more or fewer results than it planned, or was given up (`Bail out!`).
    """
    reader = _Reader(path, cases)
    for line in lines(file):
        reader.line(line)
    for point in reader.end():
        _add(cases, (), point)


def _add(cases: Cases, above: tuple[str, ...], point: _Point) -> None:
    todo = [(above, point)]
    while todo:
        names, here = todo.pop()
        names = (*names, here.name)
        bad_inside = any(one.result.bad for one in here.inside)
        todo += [(names, one) for one in here.inside]
        if here.inside and (bad_inside or not here.result.bad):
            continue  # its result is that of its parts
        diagnosis = here.diagnosis.get()
        message = here.reason if here.result is Result.SKIPPED else _message(diagnosis)
        cases.add(names, here.result, here.seconds or _seconds(diagnosis), message, diagnosis)


class _Reader:
    """The lines in their order: levels of points that are not yet part of one above them."""

    def __init__(self, path: Path, cases: Cases) -> None:
        self._path = path
        self._cases = cases
        self._count = 0
        self._done: list[_Point] = []  # of streams that are complete
        self._levels = [_Level()]
        self._last: _Point | None = None  # that diagnoses belong to
        self._block = -1  # the indentation of the YAML block we are in

    def line(self, line: str) -> None:
        stripped = line.lstrip(" ")
        indent = len(line) - len(stripped)
        if self._block >= 0 and (indent >= self._block or not stripped):
            self._diagnosis(line)
            if stripped == "..." and indent == self._block:
                self._block = -1
            return
        self._block = -1
        if stripped == "---" and indent and self._last:
            self._block = indent
        elif match := _BAIL.fullmatch(line):
            raise self._error(f"was given up: {self._cases.shown(match[1].strip())[:200] or 'Bail out!'}")
        elif indent % _STEP or not self._structure(line, stripped, indent // _STEP):
            self._diagnosis(line)

    def _structure(self, line: str, stripped: str, depth: int) -> bool:
        """Whether the line was one that says what there is to be read."""
        if match := _POINT.fullmatch(line):
            self._point(match, depth)
        elif match := _PLAN.fullmatch(line):
            self._plan(int(match["count"]), depth)
        elif match := _ANNOUNCED.fullmatch(line):
            self._announce(match[1], depth)
        elif stripped == "}" and self._opened(depth + 1):
            self._close(self._levels.pop())
        else:
            return bool(_SUMMARY.match(stripped))
        return True

    def _announce(self, name: str, depth: int) -> None:
        level = self._at(depth) if depth <= MOST_LEVELS else None
        if level is not None:
            level.announced = name

    def _opened(self, depth: int) -> bool:
        return len(self._levels) == depth + 1 and self._levels[depth].opened

    def _close(self, level: _Level) -> None:
        """The end of what vitest has between braces."""
        if not level.complete:
            raise self._error("does not hold as many subtests as it planned")
        self._levels[-1].points[-1].inside = level.points
        self._last = None

    def _diagnosis(self, line: str) -> None:
        if self._last:
            self._last.diagnosis.add(f"{line}\n")

    def _point(self, match: re.Match[str], depth: int) -> None:
        self._count += 1
        self._cases.make_room(self._count)
        if depth > MOST_LEVELS:
            raise self._error(f"has subtests more than {MOST_LEVELS} deep")
        level = self._at(depth)
        if level is None:
            return self._diagnosis(match[0])
        if depth == 0 and level.complete and match["number"] == "1":
            level = self._next_stream()
        number = int(match["number"]) if match["number"] else len(level.points) + 1
        announced = level.announced is not None and match["rest"].startswith(level.announced)
        level.announced = None if announced else level.announced
        foreign = number > len(level.points) + 1 or (level.numbered and not match["number"])
        if foreign and not announced:
            return self._diagnosis(match[0])
        if number <= len(level.points) and not announced:
            raise self._error(f"has two results of number {number}; one of them was printed by a test")
        point, opens = _read_point(match)
        if len(self._levels) > depth + 1:
            below = self._levels.pop()
            if below.complete:
                point.inside = below.points
        level.points.append(point)
        level.numbered = level.numbered or bool(match["number"])
        self._last = point
        if opens:
            self._levels.append(_Level(opened=True))
        return None

    def _at(self, depth: int) -> _Level | None:
        """The level of that depth, where there can be a line of it now."""
        if depth >= len(self._levels):
            self._levels += [_Level() for _ in range(depth + 1 - len(self._levels))]
        while len(self._levels) > depth + 2:
            self._levels.pop()  # deeper ones that nothing claimed were printed by a test
        inner = self._levels[-1]
        return None if len(self._levels) == depth + 2 and inner.opened else self._levels[depth]

    def _plan(self, count: int, depth: int) -> None:
        if depth > MOST_LEVELS:
            return
        level = self._at(depth)
        if level is None:
            return
        if depth == 0 and level.complete:
            level = self._next_stream()
        if level.plan is not None and level.plan != count:
            raise self._error("has two plans")
        level.plan = count

    def _next_stream(self) -> _Level:
        self._done += self._levels[0].points
        self._levels = [_Level()]
        return self._levels[0]

    def end(self) -> list[_Point]:
        level = self._levels[0]
        if level.plan is None:
            raise self._error("is cut off or is no TAP: it ends without a plan (`1..n`)")
        if not level.complete or any(below.opened for below in self._levels[1:]):
            raise self._error(
                f"is cut off: {level.plan} results were planned and {len(level.points)} are there"
            )
        return [*self._done, *level.points]

    def _error(self, why: str) -> ReportError:
        return ReportError(f"the test report {self._path.name} {why}")


def _read_point(match: re.Match[str]) -> tuple[_Point, bool]:
    rest = match["rest"]
    opens = rest.endswith(_OPENS)
    rest = rest.removesuffix(_OPENS).rstrip()
    result = Result.FAILED if match["not"] else Result.PASSED
    reason = ""
    if directive := _DIRECTIVE.search(rest):
        result, reason, rest = Result.SKIPPED, directive["reason"], rest[: directive.start()]
    milliseconds = 0.0
    if time := _TIME.search(rest):
        milliseconds, rest = _number(time["time"] or time["bats"]), rest[: time.start()]
    name = rest.strip().replace("\\#", "#").replace("\\\\", "\\")
    return _Point(name, result, milliseconds / 1_000, reason.strip()), opens


# What node and ava print after the last result.
_SUMMARY = re.compile(r"# (?:tests|suites|pass|fail|cancelled|skipped|skip|todo|duration_ms) [\d.]+$")
_ERROR = re.compile(
    r"^ *(?:error|message): +(?:(?P<block>[|>][-+]?)\n *)?(?P<quote>['\"]?)(?P<text>\S.*?)(?P=quote)$",
    re.MULTILINE,
)
_DURATION = re.compile(r"^ *duration_ms: ([\d.]{1,20})$", re.MULTILINE)


def _message(diagnosis: str) -> str:
    """What the YAML says went wrong, else the first lines of what follows the result."""
    found = (match["text"] for match in _ERROR.finditer(diagnosis))
    told = next((text for text in found if text not in ("''", '""')), "")
    return told or re.sub(r"^[# ]+", "", diagnosis, flags=re.MULTILINE).strip()


def _seconds(diagnosis: str) -> float:
    match = _DURATION.search(diagnosis)
    return _number(match[1]) / 1_000 if match else 0.0


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
