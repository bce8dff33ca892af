"""What GitHub sends to a workflow: its published examples of events, with what happened on the stand-in in them."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from typing import Any

from tests.support.webhook_examples import webhook_examples

Raw = dict[str, Any]
_LIKE = {("issues", "closed"): "reopened"}  # none is published; it has the same parts


def event(name: str, action: str = "", **parts: Any) -> Raw:
    """The payload of an event: the first example of it, each of `parts` in the place of the example's. Of a part
    that is an object, what is not given stays the example's."""
    made: Raw = deepcopy(_examples()[name, _LIKE.get((name, action), action)])
    if action:
        made["action"] = action
    for part, value in parts.items():
        there = made.get(part)
        made[part] = there | value if isinstance(there, dict) and isinstance(value, dict) else value
    return made


@cache
def _examples() -> dict[tuple[str, str], Raw]:
    found: dict[tuple[str, str], Raw] = {}
    for name, example in webhook_examples():
        found.setdefault((name, example.get("action", "")), example)
    return found
