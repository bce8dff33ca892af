"""How a call of the model's is said on one line, in plain text without any markup.

Its words are the model's, so whoever shows them makes them inert first.
"""

from __future__ import annotations

from typing import Any

from ci_agent.journal.events import ToolCalled
from ci_agent.reporting.summary import arguments
from ci_agent.reporting.text import one_line
from ci_agent.reporting.wording import count


def call(called: ToolCalled, limit: int = 100, note: str = "") -> str:
    """A tool call on one line: the tool, `note` about it, and what says most of its arguments."""
    said = _said(called)
    name = f"{called.name} ({note})" if note else called.name
    return one_line(f"{name}: {said}" if said else name, limit)


def _said(called: ToolCalled) -> str:
    given = arguments(called)
    texts = {name: value for name, value in given.items() if isinstance(value, str)}
    path = texts.get("path", "")
    match called.name:
        case "submit":
            return texts.get("title", "")
        case "ask_user":
            return texts.get("question", "")
        case "propose_plan":
            return texts.get("plan", "")
        case "update_plan":
            steps = given.get("steps")
            return count(len(steps), "step") if isinstance(steps, list) else ""
        case "read_file" if path:
            return f"{path} {_lines(given)}".rstrip()
        case "search" if "pattern" in texts:
            places = [place for place in (path, texts.get("glob", "")) if place not in {"", "."}]
            return " in ".join(filter(None, [texts["pattern"], " ".join(places)]))
    for name in ("command", "path", "pattern", "query", "selector"):
        if name in texts:
            return texts[name]
    return "" if called.arguments.strip() in {"", "{}"} else called.arguments


def _lines(given: dict[str, Any]) -> str:
    """The lines that are wanted: a range, `from 95`, `up to 300`; empty for all."""
    first, last = (given.get(name) if isinstance(given.get(name), int) else None for name in ("start", "end"))
    if first and last:
        return f"{first}\N{EN DASH}{last}"
    if first and first > 1:
        return f"from {first}"
    return f"up to {last}" if last else ""
