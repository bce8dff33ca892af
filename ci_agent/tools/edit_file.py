"""`edit_file`: one passage of a file replaced by another, forgiving where there is only one thing it can mean.

Line ends and encoding of the file stay as they are.
"""

from __future__ import annotations

import ast
import platform
import warnings
from collections.abc import Mapping
from typing import Any

from ci_agent.tools import places
from ci_agent.tools.passages import Found, closest, find_loosely, line_of, lines_of
from ci_agent.tools.text import numbered
from ci_agent.tools.tool import Answer, Parameter, ToolError, World

_LARGEST = 20_000_000  # bytes of a file that is edited
_TELLING = 6  # characters of `new` that stand nowhere by chance
_AROUND = 4  # lines shown before and after a change
_CHANGED = 12  # lines of the change itself that are all shown
_ENDS = 3  # of a longer one, lines shown of its beginning and of its end


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
        text, encoding = _decoded(places.read(place, _LARGEST), place)
        windows = "\r\n" in text and text.count("\r\n") == text.count("\n")
        if windows:
            text, old, new = (part.replace("\r\n", "\n") for part in (text, old, new))
        found = _find(text, old, new, place.shown, every=arguments["all"])
        result = found.applied(text)
        try:
            places.write(place, (result.replace("\n", "\r\n") if windows else result).encode(encoding))
        except UnicodeEncodeError:
            raise ToolError(
                f"{place.shown} is not UTF-8 and can't hold all characters of `new`. Use bash to convert it."
            ) from None
        return Answer("\n".join([*_said(place.shown, found, text, result), *_syntax(place, text, result)]))


def _decoded(data: bytes, place: places.Place) -> tuple[str, str]:
    """The text and its encoding; Latin-1, which keeps every byte, for what is not UTF-8."""
    if b"\0" in data:
        raise ToolError(f"{place.shown} is a binary file of {len(data):,} bytes. Use bash for it.")
    try:
        return data.decode(), "utf-8"
    except UnicodeDecodeError:
        return data.decode("latin-1"), "latin-1"


def _find(text: str, old: str, new: str, shown: str, *, every: bool) -> Found:
    """What to replace. Raises `ToolError` that shows what is there instead."""
    count = text.count(old)
    if count == 1 or (count and every):
        return Found(old, new, text.index(old), count)
    if count:
        at = ", ".join(str(line) for line in lines_of(text, old)[:20])
        raise ToolError(
            f"`old` is {count} times in {shown}, at lines {at}. Nothing was changed. "
            "Add lines around it until it is there only once, or give all=true."
        )
    if found := find_loosely(text, old, new):
        return found
    if len(new.strip()) >= _TELLING and new in text:
        raise ToolError(
            f"`old` is not in {shown}, but `new` is, at line {line_of(text, text.index(new))}: already applied?"
        )
    near = closest(text, old)
    hint = f" The nearest lines are:\n{near}" if near else ""
    raise ToolError(f"`old` is not in {shown}. Nothing was changed.{hint}")


def _said(shown: str, found: Found, text: str, result: str) -> list[str]:
    """What was done, and the lines around the (first) change as they are now."""
    first = line_of(text, found.at)
    times = f" {found.count} times, first" if found.count > 1 else ""
    how = f" ({found.how})" if found.how else ""
    lines = result.removesuffix("\n").split("\n")
    start = max(0, first - 1 - _AROUND)
    after = first + found.new.removesuffix("\n").count("\n")
    end = min(len(lines), after + _AROUND)
    said = [f"edited {shown}{times} at line {first}{how}"]
    if after - first >= _CHANGED:
        said += [numbered(lines[start : first - 1 + _ENDS], start + 1), "…"]
        start = after - _ENDS
    return [*said, numbered(lines[start:end], start + 1)]


def _syntax(place: places.Place, before: str, after: str) -> list[str]:
    if not place.shown.endswith((".py", ".pyi")) or _syntax_error(before):
        return []
    if error := _syntax_error(after):
        return [f"[it no longer parses (Python {platform.python_version()}): {error}]"]
    return []


def _syntax_error(text: str) -> str:
    """What Python says against the text, "" for nothing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except SyntaxError as error:
        return f"{error.msg}, line {error.lineno}"
    except (ValueError, RecursionError, MemoryError) as error:  # what its parser makes of odd and deep texts
        return str(error) or type(error).__name__
    return ""
