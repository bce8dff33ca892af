"""`read_file`: a window of a text file as it stands, or what is in a folder.

Lines have no numbers in front of them: what is copied into an edit is then exact, and numbers would be a tenth of all
that is read. Where the window lies is told behind it.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from ci_agent.tools import places
from ci_agent.tools.memory import Shown
from ci_agent.tools.outline import outline
from ci_agent.tools.symbols import alike, find, symbols
from ci_agent.tools.text import clean, cut
from ci_agent.tools.tool import Answer, Parameter, ToolError, World

_LINES = 400  # of one answer
_SPARE = 80  # more lines that are shown where they are the rest
_LINE = 2_000  # characters that are shown of one line
_CHARACTERS = 16_000  # of one answer
_ENTRIES = 300  # of a folder
_HEAD_LINES = 200  # of a longer file whose definitions are listed
_LAST = 20  # lines that are shown where all that are asked for lie behind the end
_OTHERS = 10  # definitions of the same name that are named
_PARSED = 2_000_000  # bytes of a file whose definitions are listed
_CHUNK = 65_536  # bytes
_LOOKED_AT = 8_192  # bytes, to tell text from binary as git does


class ReadFile:
    name = "read_file"
    description = (
        "Show lines of a text file, at most 400 or 16,000 characters at once: all, a range, or one definition. Of a "
        "longer one without these its head and what it defines where. Or list a folder."
    )
    parameters: tuple[Parameter, ...] = (
        Parameter("path", "string", "relative to the root, or $AGENT_OUTPUTS/N.txt", example="src/app.py"),
        Parameter("start", "integer", "first line", required=False, minimum=1),
        Parameter("end", "integer", "last line, -1: to the end", required=False),
        Parameter("symbol", "string", "the definition to show: slug, Shop.add", required=False, default=""),
    )

    def run(self, arguments: Mapping[str, Any], world: World) -> Answer:
        place = places.locate(arguments["path"], world, outputs=True)
        try:
            with places.opened(place) as file:
                if arguments["symbol"].strip():
                    return _defined(file, place, arguments["symbol"].strip())
                return _shown(file, place, arguments["start"], arguments["end"])
        except IsADirectoryError:
            listing = _listing(place)
            return Answer(listing, shown=Shown(listing))
        except (FileNotFoundError, NotADirectoryError):
            raise ToolError(places.missing(place)) from None


def _listing(place: places.Place) -> str:
    names = places.names(place)
    more = [f"[{len(names) - _ENTRIES:,} more]"] if len(names) > _ENTRIES else []
    return "\n".join([f"{place.shown} is a folder:", *(clean(name) for name in names[:_ENTRIES]), *more])


def _shown(file: BinaryIO, place: places.Place, start: int | None, end: int | None) -> Answer:
    size = os.fstat(file.fileno()).st_size
    if not size:
        return Answer(f"[{place.shown} is empty]")
    if not place.is_output and b"\0" in file.read(_LOOKED_AT):
        return Answer(f"[{place.shown} is a binary file of {size:,} bytes]")
    file.seek(0)
    total = _count_lines(file)
    window = _window(file, place, total, start or 1, end if end and end > 0 else total)
    contents = ""
    if start is None and end is None and window.reached < total and size <= _PARSED:
        file.seek(0)
        contents = outline(place.shown, file.read().decode(errors="replace"))
        if contents:
            window = _window(file, place, total, 1, _HEAD_LINES, _CHARACTERS - len(contents))
    lines = [cut(line, _LINE) for line in window.lines]
    partial = [window.place(total)] if window.first > 1 or window.reached < total else []
    text = "\n".join([*lines, *window.notes, *partial, *([contents] if contents else [])])
    return Answer(text, shown=Shown(place.shown, window.first, tuple(window.lines), contents))


def _defined(file: BinaryIO, place: places.Place, wanted: str) -> Answer:
    """The lines of one definition; of several with the name the first, and where the others are."""
    text = file.read(_PARSED).decode(errors="replace")
    known = symbols(place.shown, text)
    found = find(known, wanted)
    if not found:
        meant = alike(known, wanted)
        hint = (
            f" It defines, for instance, {', '.join(meant)}." if meant else " Use search, or start and end."
        )
        raise ToolError(f"{place.shown} has no definition of {cut(wanted, 100)}.{hint}")
    first, *others = found
    file.seek(0)
    answer = _shown(file, place, first.first, first.last)
    listed = ", ".join(f"{one.name} at lines {one.first} to {one.last}" for one in others[:_OTHERS])
    return replace(answer, text=f"{answer.text}\n[also: {listed}]") if others else answer


@dataclass(frozen=True, slots=True)
class _Window:
    """Lines of a file, from the one with number `first` on."""

    first: int
    lines: list[str]
    wanted: int  # the last one that was asked for
    cut: bool
    notes: list[str]

    @property
    def reached(self) -> int:
        return self.first + len(self.lines) - 1

    def place(self, total: int) -> str:
        why = f"cut at {_CHARACTERS:,} characters: " if self.cut else ""
        rest = f"; go on with start={self.reached + 1}" if self.reached < self.wanted else ""
        return f"[{why}lines {self.first:,} to {self.reached:,} of {total:,}{rest}]"


def _window(
    file: BinaryIO, place: places.Place, total: int, start: int, end: int, characters: int = _CHARACTERS
) -> _Window:
    """From `start` to `end`, as far as there are so many and an answer goes. Behind the end of the file: its last."""
    past = f"[there is no line {start:,}]" if start > total else ""
    start = max(1, total - _LAST + 1) if past else start
    wanted = total if past else min(max(end, start), total)
    last = min(wanted, start + _LINES - 1)
    if wanted - last <= _SPARE:
        last = wanted
    file.seek(0)
    _skip_lines(file, start - 1)
    raw = [_line(file) for _ in range(start, last + 1)]
    lines, notes = _decoded(raw)
    if place.is_output:
        lines = [clean(line) for line in lines]
    room = characters
    for count, line in enumerate(lines):
        room -= len(cut(line, _LINE)) + 1
        if room < 0 and count:
            return _Window(start, lines[:count], wanted, True, notes)
    return _Window(start, lines, wanted, False, [*notes, *([past] if past else [])])


def _count_lines(file: BinaryIO) -> int:
    count, last = 0, b"\n"
    while chunk := file.read(_CHUNK):
        count += chunk.count(b"\n")
        last = chunk[-1:]
    return count + (last != b"\n")


def _skip_lines(file: BinaryIO, count: int) -> None:
    """Move on behind the next `count` line ends, as far as there are so many."""
    while count:
        chunk = file.read(_CHUNK)
        if not chunk:  # it became shorter meanwhile
            return
        here = chunk.count(b"\n")
        if here < count:
            count -= here
            continue
        end = -1
        for _ in range(count):
            end = chunk.index(b"\n", end + 1)
        file.seek(end + 1 - len(chunk), os.SEEK_CUR)
        return


def _line(file: BinaryIO) -> bytes:
    """The next line without its end, of a very long one only the beginning."""
    kept = piece = file.readline(_CHUNK)
    while piece and not piece.endswith(b"\n"):
        piece = file.readline(_CHUNK)
    return kept.removesuffix(b"\n")


def _decoded(raw: list[bytes]) -> tuple[list[str], list[str]]:
    """The lines as text, and what to know about them."""
    notes = []
    try:
        # A character that the cut of a very long line went through is no fault.
        lines = [codecs.utf_8_decode(line, "strict", len(line) < _CHUNK)[0] for line in raw]
    except UnicodeDecodeError:
        lines = [line.decode("latin-1") for line in raw]
        notes.append("[not UTF-8; shown as Latin-1]")
    if lines and all(line.endswith("\r") for line in lines):
        lines = [line.removesuffix("\r") for line in lines]
        notes.append("[lines end with CR LF]")
    return lines, notes
