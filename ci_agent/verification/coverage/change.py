"""The lines a change adds, and which of them ran. Pure functions."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from ci_agent.journal.events import FileCoverage
from ci_agent.verification.coverage.formats import CoverageError

MOST_ADDED = 2_000_000  # lines; more are no change that somebody reads, and would fill the memory


def of_change(
    lines: Mapping[str, Mapping[int, int]], changed: Mapping[str, AbstractSet[int]]
) -> tuple[FileCoverage, ...]:
    """Of the `changed` lines those that can be run, and of these the ones that no test ran, in the order of the
    paths. Files without any, and files the reports do not tell of, are left out."""
    found = []
    for path in sorted(changed.keys() & lines.keys()):
        ran = lines[path]
        executable = tuple(sorted(changed[path] & ran.keys()))
        if executable:
            found.append(FileCoverage(path, executable, tuple(n for n in executable if not ran[n])))
    return tuple(found)


# Group 1: the first line in the new file. Where a length is left out it is 1 (git-diff, "Generating patches").
_HUNK = re.compile(rb"@@ -\d{1,9}(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@")


def added_lines(diff: bytes) -> dict[str, set[int]]:
    """The lines that a patch adds or edits, by the file's path afterwards and their numbers there.

    `diff` is what `git diff` writes with its usual prefixes `a/` and `b/`, with any number of context lines
    (`-U0` is the quickest), renames or not. Deleted, binary and merely renamed files have no entry. Paths that
    are no UTF-8 get replacement characters, as everywhere. Raises `CoverageError` for more lines than anybody
    would read. A library for patches would keep their lines; only the numbers are needed here, of a patch
    that may be large and is a stranger's.
    """
    found: dict[str, set[int]] = {}
    path, number, old, new, most = "", 0, 0, 0, MOST_ADDED
    for line in io.BytesIO(diff):
        if old > 0 or new > 0:  # inside a hunk, which says how long it is: nothing here is a header
            sign = line[:1]
            if sign == b"+":
                found.setdefault(path, set()).add(number)
                most -= 1
            old -= sign in (b"-", b" ", b"\n")
            in_new = sign in (b"+", b" ", b"\n")
            new -= in_new
            number += in_new
            if most < 0:
                raise CoverageError(f"the change adds more than {MOST_ADDED:,} lines")
        elif line.startswith(b"+++ "):
            path = _path(line[4:])
        elif match := _HUNK.match(line):
            number = int(match[2])
            old, new = int(match[1] or 1), int(match[3] or 1)
    return found


_ESCAPE = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_ESCAPED = {b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f", b"r": b"\r"}


def _path(said: bytes) -> str:
    """`b/path`, in quotation marks and with C's escapes where it holds odd characters, and with a tab behind it
    where it holds blanks."""
    name = said.rstrip(b"\n").removesuffix(b"\t")
    if name[:1] == b'"':
        name = _ESCAPE.sub(_unescaped, name[1:-1])
    return name.removeprefix(b"b/").decode("utf-8", "replace")


def _unescaped(match: re.Match[bytes]) -> bytes:
    if len(match[1]) == 3:  # noqa: PLR2004 - the octal number of a byte
        return bytes([int(match[1], 8) & 0xFF])
    return _ESCAPED.get(match[1], match[1])
