"""`write_file`: a file with exactly this content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ci_agent.tools import places
from ci_agent.tools.syntax import new_error
from ci_agent.tools.text import count_lines
from ci_agent.tools.tool import Answer, Parameter, ToolError, World

_COMPARED = 1_000_000  # bytes of what was there; of more, the syntax is not looked at


class WriteFile:
    name = "write_file"
    description = "Create a file, or replace all of it. For a change in a file use edit_file."
    parameters: tuple[Parameter, ...] = (
        Parameter("path", "string", "relative to the root", example="src/new.py"),
        Parameter("content", "string", "the whole text", example="print('hello')\n"),
    )

    def run(self, arguments: Mapping[str, Any], world: World) -> Answer:
        place = places.locate(arguments["path"], world)
        if not place.parts:
            raise ToolError("This is the workspace itself. Give the path of a file.")
        content, before = arguments["content"], _text(place)
        try:
            replaced = places.write(place, content.encode())
        except NotADirectoryError:
            raise ToolError(f"A part of {place.shown} is a file, not a folder.") from None
        said = f"{'replaced' if replaced else 'created'} {place.shown}, {count_lines(content)}"
        return Answer("\n".join([said, *new_error(place.shown, before, content, world)]))


def _text(place: places.Place) -> str | None:
    """What is there as text; None for nothing and for no text."""
    try:
        with places.opened(place) as file:
            return file.read(_COMPARED).decode()
    except (OSError, ToolError, UnicodeDecodeError):
        return None
