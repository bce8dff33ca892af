"""`edit_file`: one passage of a file replaced by another, forgiving where there is only one thing it can mean.

Line ends and encoding of the file stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from ci_agent.tools import places, textfile
from ci_agent.tools.passages import Found, closest, find_loosely, line_of, lines_of, unnumbered
from ci_agent.tools.syntax import new_error
from ci_agent.tools.tool import Answer, Parameter, ToolError, World

_TELLING = 6  # characters of `new` that stand nowhere by chance
_NAMED = 20  # places that are named where there should be one


class EditFile:
    name = "edit_file"
    description = (
        "Replace a passage of a file. Copy `old` from it exactly, without line numbers, with enough lines "
        "around to be unique."
    )
    parameters: tuple[Parameter, ...] = (
        Parameter("path", "string", "relative to the root", example="src/app.py"),
        Parameter("old", "string", "the text as it stands", example="    return a\n"),
        Parameter("new", "string", "the text instead", example="    return a + b\n"),
        Parameter("all", "boolean", "replace every occurrence", required=False, default=False),
    )

    def run(self, arguments: Mapping[str, Any], world: World) -> Answer:
        old, new = arguments["old"], arguments["new"]
        if not old:
            raise ToolError(
                "`old` is empty. Copy the text to replace into it; for a new file use write_file."
            )
        if old == new:
            raise ToolError("`old` and `new` are the same, so there is nothing to change.")
        place = places.locate(arguments["path"], world)
        file = textfile.load(place)
        found = _find(file.text, file.plain(old), file.plain(new), place.shown, every=arguments["all"])
        result = found.applied(file.text)
        places.write(place, file.data(result))
        first = line_of(file.text, found.at)
        last = first + found.new.removesuffix("\n").count("\n")
        return Answer(
            "\n".join(
                [
                    _said(place.shown, found, first),
                    textfile.around(result, first, last),
                    *new_error(place.shown, file.text, result, world),
                ]
            )
        )


def _find(text: str, old: str, new: str, shown: str, *, every: bool) -> Found:
    """What to replace. Raises `ToolError` that shows what is there instead."""
    count = text.count(old)
    if count == 1 or (count and every):
        return Found(old, new, text.index(old), count)
    if count:
        at = ", ".join(str(line) for line in islice(lines_of(text, old), _NAMED))
        raise ToolError(
            f"`old` is {count} times in {shown}, at lines {at}. Nothing was changed. "
            "Add lines around it until it is there only once, or give all=true."
        )
    if found := _find_loosely(text, old, new, shown):
        return found
    if len(new.strip()) >= _TELLING and new in text:
        raise ToolError(
            f"`old` is not in {shown}, but `new` is, at line {line_of(text, text.index(new))}: already applied?"
        )
    near = closest(text, old)
    hint = f" The nearest lines are:\n{near}" if near else ""
    raise ToolError(f"`old` is not in {shown}. Nothing was changed.{hint}")


def _find_loosely(text: str, old: str, new: str, shown: str) -> Found | None:
    """The one passage that can be meant. Raises `ToolError` where there are several."""
    found = list(islice(find_loosely(text, old, new), _NAMED + 1))
    if len(found) > 1:
        at = ", ".join(str(line_of(text, one.at)) for one in found[:_NAMED]) + (
            " …" if len(found) > _NAMED else ""
        )
        how = f" ({found[0].how})" if found[0].how else ""
        raise ToolError(
            f"`old` is not in {shown} as it was given; what comes near{how} is at lines {at}. Nothing was changed. "
            "Copy it exactly, with lines around it until it is there only once."
        )
    if found:
        return found[0]
    stripped = unnumbered(old, new)
    if stripped is None:
        return None
    old, new = stripped
    if text.count(old) == 1:
        return Found(old, new, text.index(old), how=_UNNUMBERED)
    found = list(islice(find_loosely(text, old, new), 2))
    return replace(found[0], how=f"{_UNNUMBERED}; {found[0].how}") if len(found) == 1 else None


_UNNUMBERED = "line numbers were taken off"


def _said(shown: str, found: Found, first: int) -> str:
    times = f" {found.count} times, first" if found.count > 1 else ""
    how = f" ({found.how})" if found.how else ""
    return f"edited {shown}{times} at line {first}{how}"
