"""What people are told of the sandbox: how strong it was, what commands could reach, and what they asked for in vain."""

from __future__ import annotations

from collections.abc import Sequence

from ci_agent.journal.events import PlaceRefused, SandboxProved
from ci_agent.reporting.summary import Summary
from ci_agent.reporting.text import code, prose
from ci_agent.reporting.wording import count

_PLACES = 20  # that are named
_FULL = "full"


def level(proved: SandboxProved) -> str:
    """On one line, not cleaned: the level and what is open."""
    reach = f"; open to commands: {'; '.join(proved.open)}" if proved.open else ""
    lacking = f"; missing: {'; '.join(proved.lacking)}" if proved.lacking else ""
    return f"sandbox: {proved.level}, network: {proved.network}{reach}{lacking}"


def refused(places: Sequence[PlaceRefused]) -> str:
    """On one line, not cleaned: where the work wanted to connect to."""
    named = [f"{one.place} {one.why} ({count(one.count, 'time')})" for one in places[:_PLACES]]
    more = f"; and {len(places) - _PLACES:,} more" if len(places) > _PLACES else ""
    return f"commands asked for this in vain: {'; '.join(named)}{more}"


def warning(summary: Summary) -> str:
    """In Markdown, while the work goes on and after it: what commands can reach; empty for nothing."""
    proved = summary.sandbox
    if proved is None or not proved.open:
        return ""
    only = "" if proved.level == _FULL else "only "
    reach = prose("; ".join(proved.open), 1_000)
    return f"Commands are confined {only}at level {code(proved.level)}. Open to them: {reach}."


def about_sandbox(summary: Summary) -> str:
    """In Markdown, for the merge request; empty where there is nothing to say."""
    lines = [f"- {warning(summary)}"] if warning(summary) else []
    lines += [
        f"- Commands asked for {code(one.place, 120)} {count(one.count, 'time')}: it {prose(one.why)}."
        for one in summary.refused[:_PLACES]
    ]
    if len(summary.refused) > _PLACES:
        lines.append(f"- … and for {len(summary.refused) - _PLACES:,} more places")
    return "\n".join(["### The sandbox", *lines]) if lines else ""
