"""The logs of commands: a new file for each, and what of it is shown. It knows nothing of tests but how runners
mark what failed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from itertools import count
from pathlib import Path

from ci_agent.verification.opening import regular
from ci_agent.verification.text import plain

TAIL_LINES = 40
TAIL_CHARACTERS = 4_000


def free(logs: Path, stem: str, *, numbered: bool = False) -> Path:
    """The first of `stem.log`, `stem-2.log`, … that is not there yet; `numbered`: of `stem-1.log`, `stem-2.log`, …

    The folder is made where it is not there, or is none any more."""
    if not logs.is_dir():
        logs.unlink(missing_ok=True)
    logs.mkdir(parents=True, exist_ok=True)
    names = (f"{stem}.log" if n == 1 and not numbered else f"{stem}-{n}.log" for n in count(1))
    return next(path for path in map(logs.joinpath, names) if not os.path.lexists(path))


# How runners mark what failed, where nothing but their output is known: TAP, mocha, jest, go, cargo, compilers.
_FAILURE = re.compile(
    rb"^\s*+(not ok\b|FAIL\b|--- FAIL|\xe2\x9c\x96|\xe2\x9c\x97|\xe2\x97\x8f|.*\b(\w*Error|panicked|error(\[\w+\])?):)"
)
_AFTER = 8  # lines that go with a mark
_SCANNED = 20_000_000  # bytes of a log
_LINE = 65_536  # bytes of a line that are looked at
_SHOWN = 500  # characters of a line
_LAST = 8  # lines of the end


def lost(log: Path) -> str:
    """Why there is nothing of this log to be read, as a clause; empty where it can be read."""
    try:
        regular(log).close()
    except OSError:
        return f"the log of the run, {log.name}, was deleted or replaced while it ran"
    return ""


def telling(log: Path, shown: Callable[[str], str] = str) -> str:
    """The lines that say what failed and a few after each, then the end; the end alone where none does.

    Here as in `tail`: as `shown` gives it, before anything is cut, and nothing where the log can't be read.
    """
    end = tail(log, shown)
    marked = _marked(log)
    if not marked:
        return end
    text = shown(plain(b"\n".join(marked).decode("utf-8", "replace")))
    text = "\n".join(line[:_SHOWN] for line in text.split("\n"))
    last = "\n".join(end.splitlines()[-_LAST:])
    room = TAIL_CHARACTERS - len(last) - 20
    return f"{text[:room]}\n[... and its end:]\n{last}" if room > 0 else end


def _marked(log: Path) -> list[bytes]:
    marked: list[bytes] = []
    wanted, whole = 0, True
    try:
        file = regular(log)
    except OSError:
        return []
    with file:
        while file.tell() < _SCANNED and len(marked) < TAIL_LINES - _LAST:
            line = file.readline(_LINE)
            if not line:
                break
            begins, whole = whole, line.endswith(b"\n")
            if not begins:  # the rest of an endless line
                continue
            wanted = _AFTER + 1 if _FAILURE.match(line) else wanted - 1
            if wanted > 0:
                marked.append(line.rstrip())
            elif wanted == 0:
                marked.append(b"[...]")
    return marked


# More than is kept: what `shown` puts something else for is there as a whole, unless it is as long.
_READ = 16 * TAIL_CHARACTERS


def tail(log: Path, shown: Callable[[str], str] = str) -> str:
    """The last lines that fit; of one that is longer than all the room, its end."""
    try:
        file = regular(log)
    except OSError:
        return ""
    with file:
        start = max(0, file.seek(0, os.SEEK_END) - _READ)
        file.seek(start)
        text = plain(file.read(_READ).decode("utf-8", "replace")).strip("\n")
    if start:  # the first line is not whole
        text = text.partition("\n")[2] or text
    text = shown(text)
    text = "\n".join(text.splitlines()[-TAIL_LINES:])
    if len(text) <= TAIL_CHARACTERS:
        return text
    return text[-TAIL_CHARACTERS:].partition("\n")[2] or text[-TAIL_CHARACTERS:]
