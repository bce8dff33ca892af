"""The summary on the page of a CI run: the verdict, the tests before and after, and where things are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ci_agent.journal import Event
from ci_agent.reporting import tables
from ci_agent.reporting.progress import progress_comment
from ci_agent.reporting.summary import Summary
from ci_agent.reporting.text import code, prose


def job_summary(events: Sequence[Event], *, links: Mapping[str, str]) -> str:
    """The page in Markdown. `links` are addresses by what they lead to."""
    summary = Summary.of(events)
    named = summary.started
    title = f"## {prose(named.reference)} {prose(named.title)}" if named else "## ci-agent"
    broken = tables.newly_broken(summary.compared) if summary.compared else ""
    places = " · ".join(f"[{prose(name)}]({url})" for name, url in links.items())
    branch = f"Branch {code(summary.handed_over.branch)}" if summary.handed_over else ""
    parts = [title, progress_comment(events).strip(), tables.totals(summary), broken, places, branch]
    return "\n\n".join(part for part in parts if part) + "\n"
