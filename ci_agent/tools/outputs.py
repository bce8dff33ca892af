"""Where commands write, and what the model sees of it: everything, or head and tail and where the rest is."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ci_agent.tools.text import clean, head, tail

VARIABLE = "AGENT_OUTPUTS"  # commands find the folder of outputs under this name
_WHOLE = 1_000_000  # bytes; of longer files only so much of each end is read


def fresh(folder: Path) -> Path:
    """The next free place of the folder, which is created where it is missing: `1.txt`, `2.txt`, …"""
    folder.mkdir(parents=True, exist_ok=True)
    names = (re.fullmatch(r"([1-9]\d{0,8})\.txt", path.name) for path in folder.iterdir())
    numbers = [int(name[1]) for name in names if name]
    return folder / f"{max(numbers, default=0) + 1}.txt"


def excerpt(path: Path, limit: int) -> tuple[str, bool]:
    """The text of an output file as the model reads it, and whether something was left out of it.

    Longer than `limit` characters: head and tail, half each, and between them how many bytes are not there
    and where to find them. The file is never loaded whole if it is big.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= _WHOLE:
            text = clean(file.read().decode(errors="replace"))
            if len(text) <= limit:
                return text, False
            first = last = text
            size = len(text.encode())
        else:
            first = clean(file.read(_WHOLE // 2).decode(errors="replace"))
            file.seek(-_WHOLE // 2, os.SEEK_END)
            last = clean(file.read().decode(errors="replace"))
    first, last = head(first, limit // 2), tail(last, limit // 2)
    missing = max(0, size - len(first.encode()) - len(last.encode()))
    where = f"whole output: ${VARIABLE}/{path.name} (look at parts with read_file)"
    gap = f"[… {missing:,} bytes left out; {where} …]"
    return f"{first.rstrip(chr(10))}\n{gap}\n{last}", True
