"""Looking into a payload that may lack anything: the fields of strangers, by path, with the type they must have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ci_agent.task import Account


def at_path(payload: Mapping[str, Any], path: str) -> Any:
    """What stands at `a.b.c`; None where there is nothing."""
    found: Any = payload
    for word in path.split("."):
        found = found.get(word) if isinstance(found, Mapping) else None
    return found


def text(payload: Mapping[str, Any], path: str) -> str:
    """A text; empty where there is none."""
    found = at_path(payload, path)
    return found if isinstance(found, str) else ""


def number(payload: Mapping[str, Any], path: str) -> str:
    """A positive whole number, as text; empty where there is none. Inputs of people come as text."""
    found = at_path(payload, path)
    if isinstance(found, str) and found.isascii() and found.strip().lstrip("#").isdecimal():
        found = int(found.strip().lstrip("#")[:18] or 0)
    return str(found) if isinstance(found, int) and not isinstance(found, bool) and found > 0 else ""


def items(payload: Mapping[str, Any], path: str) -> Sequence[Mapping[str, Any]]:
    """The objects of a list."""
    found = at_path(payload, path)
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []


def moment(payload: Mapping[str, Any], path: str) -> datetime | None:
    """A time in UTC, as GitHub (`2026-01-02T03:04:05Z`) and GitLab (also `2026-01-02 03:04:05 UTC`) write it."""
    written = text(payload, path).strip()
    try:
        found = datetime.fromisoformat(written.replace(" UTC", "+00:00"))
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def account(payload: Mapping[str, Any], path: str, login: str, bot: bool) -> Account | None:
    """Somebody; None where the payload does not name them. `login` is the field with their name."""
    name = text(payload, f"{path}.{login}")
    return Account(name, number(payload, f"{path}.id"), bot) if name else None
