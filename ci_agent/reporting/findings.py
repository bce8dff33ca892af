"""What people should see beside the pipeline: the tests that the change broke or that do not run any more."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ci_agent.journal import Event
from ci_agent.journal.events import Change
from ci_agent.reporting.summary import Summary
from ci_agent.reporting.text import one_line

_FILE = re.compile(r"[\w./-]+\.\w+")


@dataclass(frozen=True, slots=True)
class Finding:
    """One test, with the place where it failed as far as its output names it. Plain text of strangers."""

    title: str
    message: str
    file: str = ""
    line: int = 0


def findings(events: Sequence[Event]) -> list[Finding]:
    """The newly broken tests and those no longer run, of the last comparison."""
    summary = Summary.of(events)
    compared = summary.compared
    if compared is None:
        return []
    details = {case.id: case.details for case in summary.after.cases} if summary.after else {}
    broken = [
        _finding(change, "newly broken", details.get(change.id, "")) for change in compared.newly_broken
    ]
    return broken + [_finding(change, "no longer run", "") for change in compared.lost]


def _finding(change: Change, what: str, details: str) -> Finding:
    named = change.id.partition("::")[0]
    file = named if _FILE.fullmatch(named) and not named.startswith("/") else ""
    places = re.findall(rf"{re.escape(file)}:(\d{{1,6}})", details) if file else []
    line = int(places[-1]) if places else 0
    title = f"Test {what}: {one_line(change.id, 150)}"
    return Finding(title, one_line(change.message, 500) or what, file, line)
