"""Text from strangers (test names, output) made fit to be shown, kept and compared. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

# Terminal sequences as ECMA-48 has them: CSI, OSC, the two-character ones; and the colours that pytest
# writes into JUnit with the escape character spelled out.
_TERMINAL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-_]|#x1B\[[0-9;]*m")
# C0 and C1 controls apart from tab and line feed, and the marks that turn the reading direction around,
# which can make one text look like another.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def plain(text: str) -> str:
    """`text` without terminal sequences; control characters are spelled out (`\\x00`), line ends are `\\n`."""
    text = _TERMINAL.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return _SURROGATE.sub("\ufffd", _UNSEEN.sub(_spelled, text))


def one_line(text: str) -> str:
    """`text` as `plain` gives it, on one line: line ends and tabs are spelled out."""
    return plain(text).replace("\n", "\\n").replace("\t", "\\t")


def relative_to(root: Path) -> Callable[[str], str]:
    """What makes the paths below `root` in a text relative to it, whether links on the way to it are followed or not."""
    names = sorted({str(root.absolute()), str(root.resolve())}, key=len, reverse=True)
    return partial(re.compile(rf"(?<![\w./~-])(?:{'|'.join(map(re.escape, names))})/+").sub, "")


def short(text: str, limit: int) -> str:
    """The first `limit` characters of `text`, ending in `…` where there was more."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def whole(command: str) -> str:
    """The id of the case that stands for a whole command."""
    return short(one_line(command), 200)


def by_exit_code(command: str) -> str:
    """The id of the case that stands for an exit code which no test explains."""
    return f"{whole(command)} (exit code)"


def only_exit_code(command: str) -> str:
    """How little a result for a whole command says."""
    return f"Only the exit code of `{whole(command)}` is known."


def counted(number: int, noun: str) -> str:
    """`1 test`, `2,000 tests`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def named(names: Sequence[str], most: int, longest: int) -> str:
    """The first `most` of these names as code, each cut to `longest` characters: `` `a`, `b` and 2 more``."""
    return enumerated([f"`{short(one_line(name), longest)}`" for name in names[:most]], len(names))


def enumerated(told: Sequence[str], number: int) -> str:
    """What is `told` of `number` things: `a, b and 2 more`."""
    return ", ".join(told) + (f" and {number - len(told):,} more" if number > len(told) else "")


def _spelled(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()
