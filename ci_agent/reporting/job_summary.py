"""The summary on the page of a CI run: the verdict, the tests before and after, and where things are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ci_agent.journal import Event
from ci_agent.reporting import evidence, tables
from ci_agent.reporting.progress import FAILURES, progress_comment
from ci_agent.reporting.summary import Summary
from ci_agent.reporting.text import link, prose
from ci_agent.reporting.wording import in_words_of

_REFERENCE = re.compile(r"#[1-9]\d*")


def job_summary(events: Sequence[Event], *, links: Mapping[str, str]) -> str:
    """The page in Markdown. `links` are addresses by what they lead to."""
    summary = Summary.of(events)
    places = [link(prose(in_words_of(summary.platform, name)), url) for name, url in links.items()]
    parts = [
        _title(summary),
        progress_comment(events).strip(),
        _remarks(summary),
        tables.totals(summary),
        *_lists(summary),
        evidence.coverage(summary.last),
        evidence.checks(summary.last),
        " · ".join(place for place in places if place),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _title(summary: Summary) -> str:
    named = summary.started
    if named is None:
        return "## ci-agent"
    # No platform makes a link of a reference here.
    issue = named.reference if _REFERENCE.fullmatch(named.reference) else prose(named.reference)
    return f"## {link(issue, summary.issue.url if summary.issue else '') or issue} {prose(named.title)}"


def _remarks(summary: Summary) -> str:
    """The verdict with its reasons; a good one only where the work is done as well."""
    judged = summary.judged
    return evidence.verdict(summary) if judged and (summary.solved or not judged.ready) else ""


def _lists(summary: Summary) -> list[str]:
    """The tests that differ, as far as the verdict has not named them."""
    last = summary.last
    broken = len(last.compared.newly_broken) if last.compared else 0
    return [
        tables.newly_broken(last) if broken > FAILURES else "",
        tables.lost(last),
        tables.order_dependent(last),
        tables.flaky(last),
        *tables.folded(summary),
    ]
