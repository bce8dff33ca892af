"""Text of strangers brought into the shape a model reads: plain, bounded, with line numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PASSAGE_LINE = 300  # characters of a line that are shown around a change


def clean(text: str) -> str:
    """`text` as a person would have seen it in the end: no escape sequences, of lines that were written over
    with carriage returns only the last state, other control characters as their pictures (U+2400 …)."""
    text = _ESCAPES.sub("", text)
    if "\r" in text:
        text = "\n".join(_last_state(line) for line in text.split("\n"))
    if "\b" in text:
        text = _OVERSTRUCK.sub("", text)
    return text.translate(_VISIBLE)


def _last_state(line: str) -> str:
    return line.rstrip("\r").rpartition("\r")[2]


# ECMA-48: control sequences, strings (title, hyperlink, device control) and two-character escapes.
_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"
    r"|\x1b[PX^_][^\x1b]*\x1b\\"
    r"|\x1b[ -/]*[0-~]"
    r"|\x9b[0-?]*[ -/]*[@-~]"
)
_OVERSTRUCK = re.compile(r"[^\n\b]\x08")
_BELL, _DELETE = 0x07, 0x7F
_VISIBLE: dict[int, int | None] = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\n\t"}
_VISIBLE |= {_DELETE: 0x2421, _BELL: None}
_VISIBLE |= dict.fromkeys(range(0x80, 0xA0))


def head(text: str, limit: int) -> str:
    """At most the first `limit` characters, cut at a line end where one is near."""
    if len(text) <= limit:
        return text
    at = text.rfind("\n", limit // 2, limit)
    return text[: at + 1] if at >= 0 else text[:limit]


def tail(text: str, limit: int) -> str:
    """At most the last `limit` characters, cut at a line end where one is near."""
    if len(text) <= limit:
        return text
    start = len(text) - limit
    at = text.find("\n", start, start + limit // 2)
    return text[at + 1 :] if at >= 0 else text[start:]


def cut(line: str, limit: int) -> str:
    """At most `limit` characters of a line, saying how much is not there."""
    return line if len(line) <= limit else f"{line[:limit]}… [{len(line) - limit:,} characters more]"


def count_lines(text: str) -> str:
    """How many lines a text has, in words."""
    lines = text.count("\n") + (not text.endswith("\n") and bool(text))
    return f"{lines:,} line" if lines == 1 else f"{lines:,} lines"


def numbered(lines: Iterable[str], first: int) -> str:
    """The lines of a passage, each with its number and a tab before it; `first` is the first one's number."""
    return "\n".join(f"{number}\t{cut(line, _PASSAGE_LINE)}" for number, line in enumerate(lines, first))
