"""The text of a failure cut to the lines that matter, at line ends only. Pure functions.

It knows the tracebacks of pytest and of Python; of any other text both ends matter, the end more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ci_agent.verification.text import counted, short

LONGEST_LINE = 400  # characters of one of many lines, where a text has to be cut
MARK = 40  # characters that the mark of a gap takes at most, its line end included
NEAR = 8  # lines of source, of differences and of output that tell most


def excerpt(text: str, characters: int, lines: int | None = None) -> str:
    """`text` in at most so many characters and lines. What fits stays as it is.

    Else the lines that say what failed and where in the project are kept first: of pytest the `>` and `E`
    lines and the places, of Python's tracebacks the project's frames and the exception. Source of installed
    packages and long runs of differences are never kept then, nor are rules between frames and the marks
    below a statement. Each gap is one line that says how many lines it stands for, those of earlier cuts
    included.
    """
    if _fits(text, characters, lines):
        return text
    rows = [row for row in text.split("\n") if not _RULE.fullmatch(row)]
    text = "\n".join(rows)
    if _fits(text, characters, lines):
        return text
    if characters < MARK:
        return ""
    longest = min(characters // 2, max(LONGEST_LINE, characters // len(rows)))
    rows = [short(row, longest) for row in rows]
    kept = _chosen(rows, characters, len(rows) if lines is None else lines)
    return "\n".join(_with_gaps(rows, kept))


def gap(lines: int) -> str:
    """The line that stands for so many lines that are not there."""
    return f"… {counted(lines, 'line')} left out …"


_GAP = re.compile(r"… ([0-9]{1,3}(?:,[0-9]{3}){0,2}) lines? left out …")
_RULE = re.compile(r"(_ )+_? *|\s*[~^]+\s*")


def _fits(text: str, characters: int, lines: int | None) -> bool:
    return len(text) <= characters and (lines is None or text.count("\n") < lines)


def _chosen(rows: Sequence[str], characters: int, lines: int) -> list[bool]:
    """Which rows stay: by rank, as long as there is room for them and for the marks of the gaps."""
    kept = [True, *(False for _ in rows), True]  # with a row that is always there before and after
    gaps, used, count = 1, 0, 0
    ranks = _ranks(rows)
    for index in sorted(
        (index for index, rank in enumerate(ranks) if rank[0] < _NEVER), key=ranks.__getitem__
    ):
        new_gaps = gaps + 1 - kept[index] - kept[index + 2]
        used, count = used + len(rows[index]) + 1, count + 1
        if used + new_gaps * MARK > characters or count + new_gaps > lines:
            break
        gaps, kept[index + 1] = new_gaps, True
    return kept[1:-1]


def _with_gaps(rows: Sequence[str], kept: Sequence[bool]) -> Iterator[str]:
    missing: list[str] = []
    for row, keep in zip(rows, kept, strict=True):
        if not keep:
            missing.append(row)
            continue
        yield from _gap_for(missing)
        missing = []
        yield row
    yield from _gap_for(missing)


def _gap_for(missing: Sequence[str]) -> Iterator[str]:
    if len(missing) == 1 and len(missing[0]) < MARK:
        yield missing[0]  # no longer than the mark would be; or it is one
    elif missing:
        yield gap(sum(_stands_for(row) for row in missing))


def _stands_for(row: str) -> int:
    earlier = _GAP.fullmatch(row)
    return int(earlier[1].replace(",", "")) if earlier else 1


# --- what matters -----------------------------------------------------------------------------------------

# Ranks of lines, the most important first.
_KEY = 0  # the error, and the last place in the project on the way to it
_TEST = 1  # the first place in the project, which mostly is the test
_AROUND = 2  # source before these places, the first differences, the last output
_PLACES = 3  # the other places
_REST = 4
_NEVER = 5

Rank = tuple[int, int]  # of two of the same first number, the smaller second one goes first

_CAPTURED = re.compile(r"-+ Captured .*-+")
_ERROR = re.compile(r"E(\s|$)")
_OF_ASSERTION = re.compile(r"E\s+\+\s+(where|and) ")
_DIFFERENCE = re.compile(r"E\s+[-+?]( |$)")
# `  File "a.py", line 3, in f` of Python, `a.py:3: in f` of pytest: before the source; `a.py:3: ValueError` of
# pytest: after it.
_BEFORE_SOURCE = re.compile(
    r'(?P<indent>\s*)File "(?P<python>.+)", line \d+|(?P<pytest>[^\s:][^:]*):\d+: in '
)
_AFTER_SOURCE = re.compile(r"(?!E\s|>)(?P<pytest>[^\s:][^:]*):\d+: ?[\w.]*$")
_INSTALLED = re.compile(r"^(/|\.\./|<)|(^|/)(site|dist)-packages/")


@dataclass(frozen=True, slots=True)
class _Frame:
    """One step of a traceback. `ours`: in a file of the project."""

    rows: range
    place: int  # the row that names file and line
    points: tuple[int, ...]  # this row and the statement itself
    ours: bool


def _ranks(rows: Sequence[str]) -> list[Rank]:
    count = len(rows)
    ranks = [(_REST, min(2 * index, count - 1 - index)) for index in range(count)]
    output = next((index for index, row in enumerate(rows) if _CAPTURED.fullmatch(row)), count)
    frames = list(_frames(rows[:output]))
    ours = [frame for frame in frames if frame.ours]
    for frame in frames:
        last, first = frame in ours[-1:], frame in ours[:1]
        _rank_frame(ranks, frame, _KEY if last else _TEST if first else _PLACES)
    if frames:
        for index in range(output, count):
            ranks[index] = (_AROUND if count - index <= NEAR else _REST, count - index)
    _rank_errors(ranks, rows[:output], frames)
    for index, row in enumerate(rows):
        if _GAP.fullmatch(row):
            ranks[index] = (_NEVER, 0)
    return ranks


def _rank_frame(ranks: list[Rank], frame: _Frame, rank: int) -> None:
    for index in frame.rows:
        distance = min(abs(index - point) for point in frame.points)
        ranks[index] = (_AROUND if distance <= NEAR else _REST, distance) if frame.ours else (_NEVER, 0)
    for index in frame.points if frame.ours else (frame.place,):
        ranks[index] = (rank, -index)  # the nearest to the error first


def _rank_errors(ranks: list[Rank], rows: Sequence[str], frames: Sequence[_Frame]) -> None:
    """The `E` rows of pytest, of each block the first and a few differences; the row below a traceback of Python."""
    told = differing = 0
    for index, row in enumerate(rows):
        if not _ERROR.match(row):
            told = differing = 0
        elif not row[1:].strip():
            ranks[index] = (_NEVER, 0)
        elif told < 3 or _OF_ASSERTION.match(row):  # noqa: PLR2004 - message and assertion; the rest are differences
            told += 1
            ranks[index] = (_KEY, -len(rows))
        elif _DIFFERENCE.match(row):
            differing += 1
            ranks[index] = (_AROUND if differing <= NEAR else _NEVER, differing)
        else:
            told += 1
            ranks[index] = (_AROUND if told <= NEAR else _NEVER, told)
    for frame in frames:
        below = frame.rows.stop
        if below < len(rows) and ranks[below][0] == _REST and rows[below].strip():
            ranks[below] = (_KEY, -len(rows))


def _frames(rows: Sequence[str]) -> Iterator[_Frame]:
    start = index = 0
    while index < len(rows):
        if head := _BEFORE_SOURCE.match(rows[index]):
            end = index + 1
            while end < len(rows) and _is_source(rows[end], head["indent"] or ""):
                end += 1
            path = head["python"] or head["pytest"]
            yield _Frame(range(index, end), index, tuple(range(index, end)), not _INSTALLED.search(path))
            start = index = end
            continue
        if foot := _AFTER_SOURCE.match(rows[index]):
            marked = [number for number in range(start, index) if rows[number].startswith(">")]
            ours = not _INSTALLED.search(foot["pytest"])
            yield _Frame(range(start, index + 1), index, (*marked, index), ours)
        index += 1
        if foot:
            start = index


def _is_source(row: str, indent: str) -> bool:
    """Whether the row is the source below the head of a frame, which is indented more than the head."""
    return row.startswith(f"{indent}  ") and not _BEFORE_SOURCE.match(row)
