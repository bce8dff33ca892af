"""Calls and texts of a session laid out over lines, as a person reads them. All of it is the model's or a command's,
so it is made harmless here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from ci_agent.journal.events import ToolCalled
from ci_agent.reporting.summary import arguments
from ci_agent.reporting.text import clean, cut, one_line

HEAD, TAIL = 20, 8  # lines of a long text that are shown
WIDTH = 500  # characters of a line
_MATCHED = 1_000  # lines of an edit; in longer ones matching them could take for ever
MARGIN = "  │ "  # before what is quoted
_SHORT = 60  # characters of an argument that stands beside the tool's name
_NAMELESS = {"path", "command", "pattern", "selector"}  # arguments that speak for themselves

# What the tools, and those that models know from elsewhere, call the two sides of an edit.
_EDITS = (("old", "new"), ("old_str", "new_str"), ("old_string", "new_string"))


@dataclass(frozen=True, slots=True)
class Line:
    """One line to show. `style` is one of rich's; `margin` stands before it, and the bar of `MARGIN` before each line
    that it is wrapped into."""

    text: str = ""
    style: str = ""
    margin: str = ""


def called(call: ToolCalled, *, full: bool) -> Iterator[Line]:
    """A call: the tool with its short arguments, beneath it the long ones, an edit as a difference. `full` cuts
    nothing."""
    given = arguments(call)
    edit = next((pair for pair in _EDITS if all(isinstance(given.get(name), str) for name in pair)), None)
    long = {
        name: value for name, value in given.items() if _is_long(name, value) and name not in (edit or ())
    }
    short = {name: value for name, value in given.items() if name not in long and name not in (edit or ())}
    said = [
        _brief(value) if name in _NAMELESS else f"{name}: {_brief(value)}" for name, value in short.items()
    ]
    yield Line(one_line("  ".join([call.name, *said]), WIDTH), "bold cyan", "▸ ")
    if not given and call.arguments.strip() not in {"", "{}"}:
        yield from block(call.arguments, full=full)
    if edit:
        yield from _difference(given[edit[0]], given[edit[1]], full=full)
    if call.name == "update_plan" and not full:  # the plan itself follows
        return
    for name, value in long.items():
        if name not in _NAMELESS:
            yield Line(f"{one_line(name, _SHORT)}:", "dim", MARGIN)
        yield from block(_text(value), full=full, style="cyan" if name == "command" else "")


def block(text: str, *, full: bool, style: str = "") -> Iterator[Line]:
    """The lines of a text behind a margin; without `full` the beginning and the end of a long one."""
    yield from _shortened([Line(line, style, MARGIN) for line in _lines(text)], full=full)


def _shortened(found: Sequence[Line], *, full: bool) -> Iterator[Line]:
    gap = len(found) - HEAD - TAIL
    if full or gap <= 1:
        yield from found if full else map(_narrowed, found)
        return
    yield from map(_narrowed, found[:HEAD])
    yield Line(f"… {gap:,} lines left out, --full shows them", "dim italic", MARGIN)
    yield from map(_narrowed, found[-TAIL:])


def _narrowed(line: Line) -> Line:
    return Line(cut(line.text, WIDTH), line.style, line.margin)


def _difference(old: str, new: str, *, full: bool) -> Iterator[Line]:
    before, after = _lines(old), _lines(new)
    found: list[Line] = []
    matched = (
        SequenceMatcher(None, before, after).get_opcodes() if len(before) + len(after) <= _MATCHED else ()
    )
    for tag, first, last, other_first, other_last in matched or [("replace", 0, len(before), 0, len(after))]:
        if tag == "equal":
            found += [Line(f"  {line}", "", MARGIN) for line in before[first:last]]
        else:
            found += [Line(f"- {line}", "red", MARGIN) for line in before[first:last]]
            found += [Line(f"+ {line}", "green", MARGIN) for line in after[other_first:other_last]]
    yield from _shortened(found, full=full)


def _lines(text: str) -> list[str]:
    return clean(text).expandtabs().rstrip("\n").split("\n") if text else []


def _is_long(name: str, value: Any) -> bool:
    if isinstance(value, str):
        return name == "command" or "\n" in value or len(value) > _SHORT
    return isinstance(value, (list, dict)) and bool(value)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "\n".join(f"- {_brief(member)}" for member in value)
    return _brief(value)


def _brief(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
