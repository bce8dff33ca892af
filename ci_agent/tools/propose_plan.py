"""`propose_plan`: what the model means to do, for a person to approve; it ends the turn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ci_agent.journal.events import PlanProposed
from ci_agent.tools import places
from ci_agent.tools.text import cut
from ci_agent.tools.tool import Answer, Parameter, ToolError, World

_CHARACTERS = 6_000  # of a plan: two pages
_FILES = 100
_NAMED = 200  # characters of a path in an answer


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
    if not place.parts:
        raise ToolError(f"{cut(path, _NAMED)} is all of the repository. Name the files that you will touch.")
    mode = places.mode(place)
    if mode is None and any(sign in path for sign in "*?"):
        raise ToolError(
            f"{cut(path, _NAMED)} is a pattern. Name the files, or their folder with a slash at its end."
        )
    is_folder = path.endswith("/") if mode is None else places.is_folder(mode)
    return "/".join(place.parts) + "/" * is_folder, mode is not None
