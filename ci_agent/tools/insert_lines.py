"""`insert_lines`: text put behind a line, as the `insert` command of other agents' editors does.

It is not among the tools the model is offered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ci_agent.tools import places, textfile
from ci_agent.tools.syntax import new_error
from ci_agent.tools.tool import Answer, Parameter, World


class InsertLines:
    name = "insert_lines"
    description = "Insert lines behind a line of a file."
    parameters: tuple[Parameter, ...] = (
        Parameter("path", "string", "relative to the root", example="src/app.py"),
        Parameter("line", "integer", "behind this line, 0: at the beginning", minimum=0, example=3),
        Parameter("text", "string", "the lines", example="import re\n"),
    )

    def run(self, arguments: Mapping[str, Any], world: World) -> Answer:
        place = places.locate(arguments["path"], world)
        file = textfile.load(place)
        lines = file.text.split("\n")
        total = len(lines) - (not lines[-1])
        line = min(arguments["line"], total)
        new = file.plain(arguments["text"]).removesuffix("\n")
        result = "\n".join([*lines[:line], new, *lines[line:]])
        places.write(place, file.data(result))
        said = [f"edited {place.shown} behind line {line}"]
        if line < arguments["line"]:
            said.append(f"[the file has {total:,} lines, not {arguments['line']:,}]")
        passage = textfile.around(result, line + 1, line + 1 + new.count("\n"))
        return Answer("\n".join([*said, passage, *new_error(place.shown, file.text, result, world)]))
