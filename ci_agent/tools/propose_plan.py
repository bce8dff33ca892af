"""`propose_plan`: what the model means to do, for a person to approve; it ends the turn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ci_agent.journal.events import PlanProposed
from ci_agent.tools import places
from ci_agent.tools.text import cut
from ci_agent.tools.tool import Answer, Parameter, ToolError, World
from ci_agent.unseen import plainly_seen

_CHARACTERS = 6_000  # of a plan: two pages
_FILES = 100
_LONGEST = 200  # characters of a path: people see all of what they approve


class ProposePlan:
    name = "propose_plan"
    description = (
        "Propose how you will solve the issue and stop until a person approves or rejects it. Propose anew when it turns "
        "out that other files are needed."
    )
    parameters: tuple[Parameter, ...] = (
        Parameter(
            "plan",
            "string",
            "for a person who decides by it: the cause, the change and why this way, its tests, what you are unsure of",
            example="slug() splits at each blank. Split at runs of white space, with a test for tabs.",
        ),
        Parameter(
            "files",
            "array",
            "every file you will edit, create or delete, tests and docs included; `folder/` for all in it",
            example=["src/slug.py", "tests/test_slug.py"],
        ),
    )

    def run(self, arguments: Mapping[str, Any], world: World) -> Answer:
        plan = arguments["plan"].strip()
        if not plan:
            raise ToolError("`plan` is empty. Say what you will change, and why that solves the issue.")
        if len(plan) > _CHARACTERS:
            raise ToolError(
                f"`plan` has {len(plan):,} characters, at most {_CHARACTERS:,} are wanted: what a person has to decide on, "
                "not the code."
            )
        written = [path.strip() for path in arguments["files"] if path.strip()]
        files = dict(_file(path, world) for path in written)
        if not 0 < len(files) <= _FILES:
            raise ToolError(
                f"`files` names {len(files)}, 1 to {_FILES} are wanted: every file that you will touch. For many in one "
                "folder name the folder, with a slash at its end."
            )
        new = tuple(name for name, is_there in files.items() if not is_there)
        return Answer("The plan was proposed.", ends=PlanProposed(plan, tuple(files), new))


def _file(path: str, world: World) -> tuple[str, bool]:
    """The file or folder that is meant, from the top of the repository, and whether it is there."""
    place = places.locate(path, world)
    shown = cut(path, _LONGEST)
    if not place.parts:
        raise ToolError(f"{shown} is all of the repository. Name the files that you will touch.")
    mode = places.mode(place)
    if mode is None and any(sign in path for sign in "*?"):
        raise ToolError(f"{shown} is a pattern. Name the files, or their folder with a slash at its end.")
    is_folder = path.endswith("/") if mode is None else places.is_folder(mode)
    name = "/".join(place.parts) + "/" * is_folder
    if len(name) > _LONGEST or not name.isprintable() or plainly_seen(name) != name:
        raise ToolError(f"A path has at most {_LONGEST} characters, all of which can be seen; not so {shown}")
    return name, mode is not None
