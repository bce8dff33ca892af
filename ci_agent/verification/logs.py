"""The logs of commands: a new file for each, and what of it is shown. It knows nothing of tests but how runners
mark what failed."""

from __future__ import annotations

import os
import re
from itertools import count
from pathlib import Path

from ci_agent.verification.text import plain

TAIL_LINES = 40
TAIL_CHARACTERS = 4_000


def free(logs: Path, stem: str, *, numbered: bool = False) -> Path:
    """The first of `stem.log`, `stem-2.log`, … that is not there yet; `numbered`: of `stem-1.log`, `stem-2.log`, …"""
    logs.mkdir(parents=True, exist_ok=True)
    names = (f"{stem}.log" if n == 1 and not numbered else f"{stem}-{n}.log" for n in count(1))
    return next(path for path in map(logs.joinpath, names) if not path.exists())


# How runners mark what failed, where nothing but their output is known: TAP, mocha, jest, go, cargo, compilers.
_FAILURE = re.compile(
    rb"^\s*(not ok\b|FAIL\b|--- FAIL|\xe2\x9c\x96|\xe2\x9c\x97|\xe2\x97\x8f|.*\b(\w*Error|panicked|error(\[\w+\])?):)"
)
_AFTER = 8  # lines that go with a mark
_SCANNED = 20_000_000  # bytes of a log
_LINE = 65_536  # bytes of a line that are looked at in one piece
_LAST = 8  # lines of the end


def telling(log: Path) -> str:
    """The lines that say what failed and a few after each, then the end; the end alone where none does."""
    marked: list[bytes] = []
    wanted = 0
    with log.open("rb") as file:
        while file.tell() < _SCANNED and len(marked) < TAIL_LINES - _LAST:
            line = file.readline(_LINE)  # of an endless one piece by piece
            if not line:
                break
            wanted = _AFTER + 1 if _FAILURE.match(line) else wanted - 1
            if wanted > 0:
                marked.append(line.rstrip()[:500])
            elif wanted == 0:
                marked.append(b"[...]")
    end = tail(log)
    if not marked:
        return end
    text = plain(b"\n".join(marked).decode("utf-8", "replace"))
    last = "\n".join(end.splitlines()[-_LAST:])
    room = TAIL_CHARACTERS - len(last) - 20
    return f"{text[:room]}\n[... and its end:]\n{last}" if room > 0 else end


def tail(log: Path) -> str:
    """The last lines that fit; of one that is longer than all the room, its end."""
    with log.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - 4 * TAIL_CHARACTERS))
        text = plain(file.read().decode("utf-8", "replace")).strip("\n")
    text = "\n".join(text.splitlines()[-TAIL_LINES:])
    if len(text) <= TAIL_CHARACTERS:
        return text
    return text[-TAIL_CHARACTERS:].partition("\n")[2] or text[-TAIL_CHARACTERS:]
