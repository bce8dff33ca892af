"""Finds known secrets in texts and files of any size, in any of their forms, in time linear to the size.

How: each form is a run of letters and digits (see `forms.py`). The text is stripped to its letters and digits, and
looked at in groups of eight bytes. A run of fifteen or more holds a whole group wherever it lies, so one look-up per
group in a set of all groups of all forms finds the candidates, and only these are searched for; for short runs the
same is done with groups of four. All of it happens in C, in calls that take a megabyte at once, and all of it again
for what the text means without its escapes.

What it does not find: what is compressed, encrypted or drawn (gzip, zip, PNG), other encodings (base32, ROT13), and
parts of a secret that are stored apart from each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from ci_agent.guard.escapes import LONGEST, ROUNDS, Traced, partly_unescaped, unescaped
from ci_agent.guard.forms import DROPPED, Needle, Secret, bare, needles

_PIECE: Final = 1 << 20  # bytes that are looked at at once
_WINDOW: Final = 1 << 16  # bytes of a text in which places are looked for at once
_DROPPED: Final = frozenset(DROPPED)


@dataclass(frozen=True, slots=True, order=True)
class Found:
    """That a secret was found: its name, and the form it had; never its value."""

    secret: str
    form: str

    def __str__(self) -> str:
        return f"{self.secret} ({self.form})"


class Scanner:
    """Looks for `secrets`."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        every = {needle.looked_for: needle for secret in secrets for needle in needles(secret)}
        self._tables = [_Table("Q", 8), _Table("I", 4)]
        self._others: list[Needle] = []  # few
        for needle in every.values():
            if not (needle.bare and any(table.takes(needle) for table in self._tables)):
                self._others.append(needle)
        self.longest = max(map(len, every), default=0)

    def found(self, content: bytes) -> frozenset[Found]:
        """The secrets in `content`."""
        scan = Scan(self)
        scan.feed(content)
        return scan.finish()

    def spans(self, content: bytes) -> list[tuple[int, int]]:
        """Where the secrets are in `content`, from its start on; none overlaps another. One that is strewn over more
        than `_WINDOW` bytes is not among them."""
        found, step = list[tuple[int, int]](), _WINDOW // 2
        for start in range(0, max(len(content) - step, 1), step) if self.found(content) else ():
            window = content[start : start + _WINDOW]
            if self.found(window):
                found += [(start + first, start + end) for first, end in self._within(Traced.of(window))]
        return _joined(found)

    def _within(self, traced: Traced) -> Iterator[tuple[int, int]]:
        for _ in range(ROUNDS + 1):
            yield from self._places(traced)
            without = traced.unescaped()
            if without.content == traced.content:
                break
            traced = without

    def _places(self, traced: Traced) -> Iterator[tuple[int, int]]:
        content = traced.content
        stripped = bare(content)
        kept = [at for at, byte in enumerate(content) if byte not in _DROPPED]
        for needle in self.hits(content, stripped):
            within = content if not needle.bare else stripped.lower() if needle.any_case else stripped
            for start in _occurrences(within, needle.looked_for):
                last = start + len(needle.looked_for) - 1
                first, end = (kept[start], kept[last]) if needle.bare else (start, last)
                yield traced.begins[first], traced.ends[end]

    def hits(self, content: bytes, stripped: bytes) -> Iterator[Needle]:
        """What is in `content`, of which `stripped` are the letters and digits."""
        small = stripped.lower()
        candidates = [needle for table in self._tables for needle in table.candidates(small)]
        for needle in (*candidates, *self._others):
            within = content if not needle.bare else small if needle.any_case else stripped
            if needle.looked_for in within:
                yield needle


class _Table:
    """Needles by the groups of `size` bytes in them; `kind` is that of such a group for `memoryview.cast`."""

    def __init__(self, kind: Literal["Q", "I"], size: int) -> None:
        self._kind: Literal["Q", "I"] = kind
        self._size = size
        self._needles: dict[int, list[Needle]] = {}

    def takes(self, needle: Needle) -> bool:
        """Note `needle`, if it is so long that it holds a whole group wherever it lies."""
        small = needle.looked_for.lower()
        if len(small) < 2 * self._size - 1:
            return False
        for start in range(len(small) - self._size + 1):
            (group,) = memoryview(small[start : start + self._size]).cast(self._kind)
            self._needles.setdefault(group, []).append(needle)
        return True

    def candidates(self, small: bytes) -> Iterable[Needle]:
        """The needles of which there is a group in `small`."""
        if not self._needles:
            return ()
        groups = memoryview(small + bytes(-len(small) % self._size)).cast(self._kind)
        found = self._needles.keys() & groups
        return {one.looked_for: one for group in found for one in self._needles[group]}.values()


class Scan:
    """One look at something that comes in pieces. What is split over pieces is found as well."""

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner
        self._found: set[Found] = set()
        self._level = _Level(scanner, b"", b"", ROUNDS)

    def feed(self, content: bytes) -> frozenset[Found]:
        """Look at the next piece; what was found so far."""
        if self._scanner.longest:
            for start in range(0, len(content), _PIECE):
                self._found.update(self._level.feed(content[start : start + _PIECE], last=False))
        return frozenset(self._found)

    def finish(self) -> frozenset[Found]:
        """What was found in all of it."""
        if self._scanner.longest:
            self._found.update(self._level.feed(b"", last=True))
        return frozenset(self._found)


class _Level:
    """A text with its escapes, and from the first of them on the same text with one level of escapes less below it.

    `end` and `stripped_end` are of what came before: as much as the longest form can have begun in.
    """

    def __init__(self, scanner: Scanner, end: bytes, stripped_end: bytes, rounds: int) -> None:
        self._scanner = scanner
        self._end, self._stripped_end = end, stripped_end
        self._rounds = rounds
        self._waiting = b""  # perhaps the beginning of an escape
        self._below: _Level | None = None

    def feed(self, content: bytes, *, last: bool) -> Iterator[Found]:
        if self._rounds:
            yield from self._look_below(self._waiting + content, last=last)
        content, stripped = self._end + content, self._stripped_end + bare(content)
        for needle in self._scanner.hits(content, stripped):
            yield Found(needle.secret, needle.form)
        kept = self._scanner.longest + LONGEST
        self._end, self._stripped_end = content[-kept:], stripped[-kept:]

    def _look_below(self, content: bytes, *, last: bool) -> Iterator[Found]:
        meant, waiting = (unescaped(content), b"") if last else partly_unescaped(content)
        if self._below is None and meant + waiting != content:
            came_before = len(self._end) - len(self._waiting)  # without what only goes below now
            stripped_before = len(self._stripped_end) - len(bare(self._waiting))
            end, stripped = self._end[:came_before], self._stripped_end[:stripped_before]
            self._below = _Level(self._scanner, end, stripped, self._rounds - 1)
        self._waiting = waiting
        if self._below is not None:
            yield from self._below.feed(meant, last=last)


def _occurrences(content: bytes, looked_for: bytes) -> Iterator[int]:
    start = content.find(looked_for)
    while start >= 0:
        yield start
        start = content.find(looked_for, start + 1)


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    joined = list[tuple[int, int]]()
    for start, end in sorted(spans):
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
