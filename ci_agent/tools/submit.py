"""`submit`: the work is handed in; it ends the turn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ci_agent.journal.events import Submitted
from ci_agent.tools.tool import Answer, Parameter, ToolError, World

_TITLE = 72  # characters: the first line of the commit


class Submit:
    name = "submit"
    description = (
        "Hand in the finished work: all changed files. Handing in again, title and summary may be left out: the "
        "last ones count."
    )
    parameters: tuple[Parameter, ...] = (
        Parameter(
            "title",
            "string",
            "imperative, at most 72 characters",
            required=False,
            default="",
            example="Fix slug()",
        ),
        Parameter(
            "summary",
            "string",
            "what was wrong, what changed and why",
            required=False,
            default="",
            example="Words were split at each blank. Now at runs of white space, as the docs say.",
        ),
        Parameter("no_test", "string", "why no test can show it", required=False, default=""),
    )

    def run(self, arguments: Mapping[str, Any], world: World) -> Answer:
        last = world.memory.handed_in or Submitted("", "")
        title = " ".join(arguments["title"].split()) or last.title
        summary = arguments["summary"].strip() or last.summary
        if not title or not summary:
            empty = "summary" if title else "title"
            raise ToolError(f"`{empty}` is empty. Hand in again with one; nothing is lost.")
        if len(title) > _TITLE:
            raise ToolError(
                f"`title` has {len(title)} characters, at most {_TITLE} are wanted: one imperative sentence such "
                'as "Split slugs at runs of white space". Hand in again with a shorter one.'
            )
        world.memory.handed_in = Submitted(title, summary, arguments["no_test"].strip())
        return Answer("Handed in.", ends=world.memory.handed_in)
