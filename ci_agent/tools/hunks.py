"""Hunks of a patch put into a text, as forgiving as an edit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from ci_agent.tools.passages import Found, closest, find_loosely, line_of
from ci_agent.tools.patch import Hunk
from ci_agent.tools.tool import ToolError

_NAMED = 20  # places that are named where there should be one


def applied(text: str, hunks: Sequence[Hunk], shown: str) -> tuple[str, list[Found]]:
    """`text` after all hunks, and where each of them was put. Raises `ToolError` with the first that has no place."""
    cursor = 0
    places = []
    for number, hunk in enumerate(hunks, 1):
        place = f"Hunk {number} of {shown}" if len(hunks) > 1 else f"The hunk of {shown}"
        found = _found(text, hunk, cursor, place) if hunk.old else _inserted(text, hunk, cursor, place)
        text = found.applied(text)
        cursor = found.at + len(found.new)
        places.append(found)
    return text, places


def _found(text: str, hunk: Hunk, cursor: int, place: str) -> Found:
    """At the line that is said, if it stands there. Behind the anchors the first place is the one; without them there
    must be only one, behind the hunk before or anywhere, or one that is nearest to the line that is said."""
    if hunk.line and (exact := _at_line(text, hunk)):
        return exact
    anchored = _behind(text, hunk.anchors, cursor)
    if anchored is not None and (found := next(_places(text, hunk, anchored), None)):
        return found
    for start in (cursor, 0):
        every = hunk.line or hunk.at_end
        found_here = list(islice(_places(text, hunk, start), None if every else _NAMED + 1))
        if hunk.at_end:
            found_here = found_here[-1:]
        if len(found_here) == 1:
            return found_here[0]
        if found_here and hunk.line:
            return _nearest(text, found_here, hunk.line)
        if found_here:
            at = ", ".join(str(line_of(text, one.at)) for one in found_here[:_NAMED])
            raise ToolError(
                f"{place} fits at lines {at}. Nothing was changed. Add lines around it until it fits only once, or "
                "name the function it is in: @@ def name"
            )
    near = closest(text, "\n".join(hunk.old))
    hint = f" The nearest lines are:\n{near}" if near else ""
    raise ToolError(f"{place}: its lines are not in the file. Nothing was changed.{hint}")


def _nearest(text: str, found: Sequence[Found], wanted: int) -> Found:
    """The one whose line is nearest to the line `wanted`. `found` is in order."""
    line, counted = 1, 0
    distances = []
    for one in found:
        line += text.count("\n", counted, one.at)
        counted = one.at
        distances.append(abs(line - wanted))
    return found[distances.index(min(distances))]


def _at_line(text: str, hunk: Hunk) -> Found | None:
    at = _offset(text, hunk.line)
    old, new = ("".join(f"{line}\n" for line in lines) for lines in (hunk.old, hunk.new))
    if text.startswith(old, at):
        return Found(old, new, at)
    return Found(text[at:], new.removesuffix("\n"), at) if f"{text[at:]}\n" == old else None


def _places(text: str, hunk: Hunk, start: int) -> Iterator[Found]:
    """Where its lines stand from the offset `start`, the beginning of a line, on."""
    old, new = ("".join(f"{line}\n" for line in lines) for lines in (hunk.old, hunk.new))
    rest = text[start:]
    for found in find_loosely(rest, old, new):
        end = found.at + len(found.old)
        if rest[found.at - 1 : found.at] in {"", "\n"} and (
            end == len(rest) or rest[end] == "\n" or found.old.endswith("\n")
        ):
            yield replace(found, at=start + found.at)


def _inserted(text: str, hunk: Hunk, cursor: int, place: str) -> Found:
    """A hunk that only adds: behind its anchors, at the line that is said, else at the end of the file."""
    at = len(text)
    if hunk.line:
        at = _offset(text, hunk.line)
    elif hunk.anchors:
        anchored = _behind(text, hunk.anchors, cursor)
        if anchored is None:
            near = closest(text, hunk.anchors[-1])
            hint = f" The nearest lines are:\n{near}" if near else ""
            raise ToolError(f"{place}: there is no line {hunk.anchors[-1]!r}. Nothing was changed.{hint}")
        at = anchored
    lines = "".join(f"{line}\n" for line in hunk.new)
    unended = at == len(text) and text and not text.endswith("\n")
    return Found("", f"\n{lines}" if unended else lines, at)


def _behind(text: str, anchors: Sequence[str], cursor: int) -> int | None:
    """The offset behind the lines of all anchors, one after the other. None: there are none, or not all."""
    if not anchors:
        return None
    for start in (cursor, 0):
        at: int | None = start
        for anchor in anchors:
            at = _behind_line(text, anchor, at) if at is not None else None
        if at is not None:
            return at
    return None


def _behind_line(text: str, anchor: str, start: int) -> int | None:
    """The offset behind the first line that is `anchor`, else the first that holds it."""
    wanted = anchor.strip()
    holding = None
    at = text.find(wanted, start)
    while at >= 0:
        begin, end = text.rfind("\n", start, at) + 1, text.find("\n", at)
        end = len(text) if end < 0 else end
        behind = min(len(text), end + 1)
        if text[max(begin, start) : end].strip() == wanted:
            return behind
        holding = behind if holding is None else holding
        at = text.find(wanted, end)
    return holding


def _offset(text: str, line: int) -> int:
    """Where the line of this number begins, at most the end of the text."""
    parts = text.split("\n", line - 1)
    return len(text) - len(parts[-1]) if len(parts) == line else len(text)
