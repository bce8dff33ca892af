"""Cases as every reader makes them: bounded, their ids the same in each run of the same tests. No file is read here."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import replace
from operator import itemgetter

from ci_agent.errors import CiAgentError
from ci_agent.journal.events import Case, Result
from ci_agent.verification.excerpt import excerpt, gap
from ci_agent.verification.text import one_line, plain, short

MOST_CASES = 300_000  # of all reports of a run
LONGEST_ID = 1_000  # characters
LONGEST_MESSAGE = 300
LONGEST_DETAILS = 4_000
KEPT = 16_000  # characters of each end of a text, out of which the details are made
WORST_LAST = (Result.PASSED, Result.SKIPPED, Result.FAILED, Result.ERROR)


class ReportError(CiAgentError):
    """A report can't be read to its end; the message says why."""


class Cases:
    """The cases of one report, as its reader finds them. `before`: how many cases earlier reports had."""

    def __init__(self, shown: Callable[[str], str] = str, before: int = 0) -> None:
        self.found: list[Case] = []
        self.shown = shown
        self._written: dict[int, str] = {}  # ids as the runner has them, where those of `found` are others
        self._room = MOST_CASES - before

    def add(
        self,
        parts: Sequence[str],
        result: Result,
        seconds: float = 0.0,
        message: str = "",
        details: str = "",
    ) -> None:
        """One more case. `parts` are the parts of its id, from the outside in; empty ones are left out.

        Without a message the first lines of the details are it; details are kept of bad results only.
        Raises `ReportError` where there are too many.
        """
        self.make_room(len(self.found) + 1)
        if result is Result.PASSED:
            message = details = ""
        # As a whole: a key that is cut first would not be known for one.
        message = message or (details.lstrip() if result.bad else "")
        message = self.shown(plain(message)).strip() if message else ""
        name, written = self._names(parts)
        if written != name:
            self._written[len(self.found)] = written
        self.found.append(
            Case(
                id=name,
                result=result,
                seconds=seconds if math.isfinite(seconds) and seconds > 0 else 0.0,
                message=short("\n".join(message[:KEPT].splitlines()[:3]), LONGEST_MESSAGE),
                details=self.fit(details) if result.bad else "",
            )
        )

    def make_room(self, cases: int) -> None:
        """For readers that have to hold so many before they can add them. Raises `ReportError`."""
        if cases > self._room:
            raise ReportError(
                f"the test reports have more than the {MOST_CASES:,} test cases that are read at most; "
                "split the run, or name a command for a part of it in `verification.test`"
            )

    def fit(self, details: str) -> str:
        """Details as they are kept."""
        return excerpt(self.shown(plain(details)).strip("\n"), LONGEST_DETAILS)

    def clear(self) -> None:
        """Forget them all: the report is read anew."""
        self.found.clear()
        self._written.clear()

    def is_last(self, parts: Sequence[str]) -> bool:
        """Whether the last case has the name of these parts."""
        last = len(self.found) - 1
        return last >= 0 and self._names(parts)[1] == self._written.get(last, self.found[last].id)

    def told(self, known: Container[str]) -> list[Case]:
        """The cases, in their order. Those that differ in nothing but what looks as if it were made up in the run
        have it in their ids, since the runner tells them apart; so have those whose id is `known` to have it."""
        alike: dict[str, set[str]] = {self.found[index].id: set() for index in self._written}
        for index, case in enumerate(self.found) if alike else ():
            if case.id in alike:
                alike[case.id].add(self._written.get(index, case.id))
        return [
            replace(case, id=written)
            if (written := self._written.get(index)) and (len(alike[case.id]) > 1 or written in known)
            else case
            for index, case in enumerate(self.found)
        ]

    def _names(self, parts: Sequence[str]) -> tuple[str, str]:
        """The id that is made of these parts, without what is another in each run, and with it."""
        told: list[str] = []
        room = 4 * LONGEST_ID  # strangers choose how long names are, and how many are around each other
        for part in parts:
            if room > 0 and (cut := part[:room].strip(" \t\r\n")):
                told.append(cut)
                room -= len(cut)
        written = one_line(self.shown("::".join(told))) or "(no name)"
        return short(steady(written), LONGEST_ID), short(written, LONGEST_ID)


# What names hold that was made up in the run: addresses of objects in memory (Python's ` at 0x…`, others by
# their length, Java's `Object@1b2c3d`), times of the clock (constants in tests rarely have fractions of
# seconds), random UUIDs, ports that the system gives away, folders for temporary files by their random part.
# Each alternative begins with fixed characters and ends before the next can begin: linear time.
_MADE_UP = re.compile(
    r"(?P<address>(?<=at )0x[0-9a-fA-F]{4,16}|0x[0-9a-fA-F]{9,16}|(?<=[\w$;])@(?=[a-f]{0,7}[0-9])[0-9a-f]{6,8}\b)"
    r"|(?P<clock>\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,]\d{1,9}(?:Z|[+-]\d\d:?\d\d)?)"
    r"|(?P<uuid>\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-4[0-9a-fA-F]{3}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b)"
    r"|(?P<host>\blocalhost:|\b127\.0\.0\.1:|\[::1\]:)(?:3[3-9]\d{3}|[45]\d{4}|6[0-5]\d{3})\b"
    r"|(?P<folder>/tmp/|/var/folders/)"
    r"(?:pytest-of-[\w.-]{1,64}/pytest-\d{1,9}|tmp\w{8}\b|tmp\.\w{6,12}\b|\w\w/\w{20,40}/T/[\w.-]{1,64}|[A-Za-z._-]{0,64}\d{6,20}\b)"
)  # fmt: skip


# One of these is in all of it; most names have none, and looking for that is far quicker.
_SIGNS = ("0x", "@", "-", "localhost:", "127.0.0.1:", "[::1]:", "tmp/", "/var/folders/")


def steady(name: str) -> str:
    """`name` with `…` for what is another in each run, where that can be recognised."""
    if not any(sign in name for sign in _SIGNS):
        return name
    return _MADE_UP.sub(lambda match: f"{match['host'] or match['folder'] or ''}…", name)


class Text:
    """The head and the tail of a text that comes in pieces."""

    __slots__ = ("_head", "_lost_lines", "_sizes", "_tail")

    def __init__(self) -> None:
        self._head: list[str] = []
        self._tail: deque[str] | None = None  # most texts are short, and there are many
        self._sizes = (0, 0)
        self._lost_lines: int | None = None  # line ends between head and tail; None: nothing is lost

    def add(self, piece: str) -> None:
        if self._sizes[0] < KEPT:
            self._head.append(piece)
            self._sizes = (self._sizes[0] + len(piece), 0)
            return
        if self._tail is None:
            self._tail = deque()
        self._tail.append(piece)
        size = self._sizes[1] + len(piece)
        while size - len(self._tail[0]) > KEPT:
            lost = self._tail.popleft()
            size -= len(lost)
            self._lost_lines = (self._lost_lines or 0) + lost.count("\n")
        self._sizes = (self._sizes[0], size)

    def get(self) -> str:
        """The text; where something is lost, whole lines of both ends and a mark between them."""
        head, tail = "".join(self._head), "".join(self._tail or ())
        if self._lost_lines is None:
            return head + tail
        head, tail = head.rpartition("\n")[0] or head, tail.partition("\n")[2] or tail
        return f"{head}\n{gap(self._lost_lines + 1)}\n{tail}"


def unique(reports: Iterable[Sequence[Case]]) -> tuple[Case, ...]:
    """All cases, their ids made unique: see `reading.read`."""
    by_id: dict[str, list[tuple[int, int, Case]]] = {}
    for number, cases in enumerate(reports):
        for case in cases:
            by_id.setdefault(case.id, []).append((number, WORST_LAST.index(case.result), case))
    unique: dict[str, Case] = {}
    for name, same in by_id.items():
        in_order = [case for _, _, case in sorted(same, key=itemgetter(0, 1))]
        for number, case in enumerate(in_order, start=1):
            label = name if number == 1 else f"{name}#{number}"
            while label in unique or (number > 1 and label in by_id):  # a test may be called `x#2` itself
                label += "'"
            unique[label] = Case(label, case.result, case.seconds, case.message, case.details)
    return tuple(unique.values())
