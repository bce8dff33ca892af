"""`read_file`: a window of a text file with line numbers, or what is in a folder."""

from __future__ import annotations

import codecs
import os
from collections.abc import Mapping
from typing import Any, BinaryIO

from ci_agent.tools import places
from ci_agent.tools.text import clean, cut
from ci_agent.tools.tool import Answer, Parameter, ToolError, World

_LINES = 400  # of one answer
_LINE = 2_000  # characters that are shown of one line
_CHARACTERS = 16_000  # of one answer
_ENTRIES = 300  # of a folder
_CHUNK = 65_536  # bytes
_LOOKED_AT = 8_192  # bytes, to tell text from binary as git does


class ReadFile:
    name = "read_file"
    description = (
        "Show lines of a text file with their numbers, at most 400 lines or 16,000 characters at once, or list "
        "a folder."
    )
    parameters: tuple[Parameter, ...] = (
        Parameter("path", "string", "relative to the root, or $AGENT_OUTPUTS/N.txt", example="src/app.py"),
        Parameter("start", "integer", "first line", required=False, default=1, minimum=1),
        Parameter("end", "integer", "last line", required=False),
    )

    def run(self, arguments: Mapping[str, Any], world: World) -> Answer:
        place = places.locate(arguments["path"], world, outputs=True)
        end = arguments["end"] if (arguments["end"] or 0) > 0 else None
        try:
            with places.opened(place) as file:
                return Answer(_window(file, place, arguments["start"], end))
        except IsADirectoryError:
            return Answer(_listing(place))
        except (FileNotFoundError, NotADirectoryError):
            raise ToolError(places.missing(place)) from None


def _listing(place: places.Place) -> str:
    names = places.names(place)
    more = [f"[{len(names) - _ENTRIES:,} more]"] if len(names) > _ENTRIES else []
    return "\n".join([f"{place.shown} is a folder:", *(clean(name) for name in names[:_ENTRIES]), *more])


def _window(file: BinaryIO, place: places.Place, start: int, end: int | None) -> str:
    size = os.fstat(file.fileno()).st_size
    if not size:
        return f"[{place.shown} is empty]"
    if not place.is_output and b"\0" in file.read(_LOOKED_AT):
        return f"[{place.shown} is a binary file of {size:,} bytes]"
    file.seek(0)
    total = _count_lines(file)
    start = min(start, total)
    wanted = total if end is None else min(max(end, start), total)
    last = min(wanted, start + _LINES - 1)
    file.seek(0)
    _skip_lines(file, start - 1)
    raw = [_line(file) for _ in range(start, last + 1)]
    lines, notes = _decoded(raw)
    if place.is_output:
        lines = [clean(line) for line in lines]
    shown: list[str] = []
    room = _CHARACTERS
    for number, line in enumerate(lines, start):
        text = f"{number}\t{cut(line, _LINE)}"
        room -= len(text) + 1
        if room < 0 and shown:
            break
        shown.append(text)
    reached = start + len(shown) - 1
    if reached < total or start > 1:
        why = f"cut at {_CHARACTERS:,} characters: " if reached < last else ""
        rest = f"; go on with start={reached + 1}" if reached < wanted else ""
        notes.append(f"[{why}lines {start:,} to {reached:,} of {total:,}{rest}]")
    return "\n".join([*shown, *notes])


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
