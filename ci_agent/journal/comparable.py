"""Whether two texts of the same step, recorded in one run and seen in another, say the same.

What differs between two honest runs of the same steps is made equal before comparing, by the table `_NOISE`:
dates and clock times, durations, memory addresses, hexadecimal ids of 7 digits and more, and the folders of
absolute paths (a workspace lies elsewhere each time, Python too); of a temporary path also what stands right
below the temporary folder; how much was cut out of a long output, in which all of these stand. Blank lines don't count, nor do pytest's header lines with its versions and the
`~~~^^^` marks in tracebacks, which depend on Python's version.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import zip_longest


def difference(expected: str, got: str) -> tuple[str, str] | None:
    """The first line in which the two differ, as it is in each, or None."""
    for then, now in zip_longest(lines(expected), lines(got), fillvalue=("", "(nothing)")):
        if then[0] != now[0]:
            return then[1], now[1]
    return None


def lines(text: str) -> Iterator[tuple[str, str]]:
    """The lines of `text` that count: made comparable, and as they are."""
    # The journal can't hold half a surrogate pair and writes `?`.
    for line in text.encode("utf-8", "replace").decode().splitlines():
        comparable = line
        for pattern, stand_in in _NOISE:
            comparable = pattern.sub(stand_in, comparable)
        if comparable.strip():
            yield comparable.rstrip(), line


_DAYS = "(Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_MONTHS = "(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_UNITS = "(ns|us|µs|ms|s|secs?|seconds?|min|minutes?)"
_TEMPORARY = r"(/private)?(/tmp|/var/tmp|/dev/shm|/var/folders/\w+/\w+/T)"
_NAME = r"[\w.@+~<>-]+"

_NOISE: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"^(platform .+ -- Python |rootdir: |plugins: |cachedir: |hypothesis profile ).*"), ""),
    (re.compile(r"^\s*[~^]+\s*$"), ""),
    (re.compile(r"^=+|(?<!=)=+$"), "="),  # pytest's rules are as long as the duration in them leaves room
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?( ?(Z\b|[+-]\d\d:?\d\d\b))?"), "<time>"),
    (re.compile(rf"\b({_DAYS},? )?({_MONTHS} +\d+|\d+ {_MONTHS})( \d{{4}})? [\d:]{{5,8}}"), "<time>"),
    (re.compile(r"\b\d{1,3}:\d\d:\d\d(\.\d+)?\b"), "<time>"),
    (re.compile(rf"\b(\d+h ?)?(\d+m ?)?\d+(\.\d+)? ?{_UNITS}\b|\bduration_ms:? \d+(\.\d+)?"), "<duration>"),
    (re.compile(r"\b[\d,]+ bytes left out;"), "<bytes> left out;"),
    (re.compile(r"\b0x[0-9a-fA-F]+\b"), "<address>"),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<id>"),
    (re.compile(r"\b[0-9a-f]{7,64}\b"), "<id>"),
    (re.compile(rf"(?<![\w.:/]){_TEMPORARY}/{_NAME}"), "<folder>"),
    (re.compile(rf"(?<![\w.:/])(<folder>)?(/{_NAME})+(?=/)"), "<folder>"),
)
