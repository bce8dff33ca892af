"""`update_plan`: the steps people see in the progress comment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ci_agent.journal.events import PlanItem
from ci_agent.tools.tool import Answer, Parameter, ToolError, World

_STEPS = 20
_CHARACTERS = 200  # of a step
_STEP = {
    "type": "object",
    "properties": {"step": {"type": "string"}, "done": {"type": "boolean"}},
}
_OTHERWISE = ("content", "title", "text", "task", "description")  # what others call `step`


class UpdatePlan:
    name = "update_plan"
    description = "Show people your plan, all of its steps: before the first change, and when it changes."
    parameters: tuple[Parameter, ...] = (
        Parameter(
            "steps", "array", "3 to 7 short steps", items=_STEP, example=[{"step": "Reproduce", "done": True}]
        ),
    )

    def run(self, arguments: Mapping[str, Any], world: World) -> Answer:  # noqa: ARG002 - what every tool gets
        plan = tuple(_item(step) for step in arguments["steps"])
        if not plan or len(plan) > _STEPS:
            raise ToolError(f"A plan has 1 to {_STEPS} steps, this one has {len(plan)}.")
        return Answer("Plan shown.", plan=plan)


def _item(step: Any) -> PlanItem:
    """A step as the schema has it, a bare text, or with the names that other agents use."""
    members = step if isinstance(step, Mapping) else {"step": step}
    text = next((members[name] for name in ("step", *_OTHERWISE) if name in members), None)
    if not isinstance(text, str) or not text.strip():
        raise ToolError('Each step must look like {"step": "Reproduce the failure", "done": false}.')
    done = members.get("done", members.get("status"))
    text = " ".join(text.split())
    return PlanItem(text[:_CHARACTERS], str(done).lower() in {"true", "done", "completed"})
