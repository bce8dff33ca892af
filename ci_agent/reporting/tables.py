"""The tests before and after, as Markdown: the table of totals and the lists of what differs.

The figures are those of the harness's own runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ci_agent.journal.events import Change, Result, TestsCompared, TestsRan
from ci_agent.reporting.summary import Summary
from ci_agent.reporting.text import cell, code
from ci_agent.reporting.wording import NOTHING, commit, tally

OPEN = 10  # rows shown without a click: what is newly broken or lost
FOLDED = 50  # rows in a folded list; `junit.xml` has all of them


def totals(summary: Summary) -> str:
    """The table of totals. Empty when no test ran."""
    before, after = summary.before, summary.after
    latest = after or before
    if latest is None or summary.no_tests:
        return ""
    base = f" on {commit(summary.workspace.base_sha)}" if summary.workspace else ""
    head = f"| {cell(latest.command, 80)}{base} → this branch | before | after |\n|---|--:|--:|"
    return "\n".join([head, *_rows(before, after)])


def _rows(before: TestsRan | None, after: TestsRan | None) -> list[str]:
    runs = (before, after)
    if any(run is not None and not run.by_case for run in runs):
        return ["| the command as a whole | " + " | ".join(map(_ended, runs)) + " |"]
    tallies = [None if run is None else tally(run) for run in runs]
    rows = []
    for result, name in _NAMES.items():
        figures = [None if each is None else each[result] for each in tallies]
        if result in {Result.PASSED, Result.FAILED} or any(figures):
            rows.append(
                f"| {name} | " + " | ".join(NOTHING if n is None else f"{n:,}" for n in figures) + " |"
            )
    if any(run is not None and run.problem for run in runs):
        ends = (NOTHING if run is None else "no" if run.problem else "yes" for run in runs)
        rows.append("| ran to the end | " + " | ".join(ends) + " |")
    return rows


def _ended(run: TestsRan | None) -> str:
    if run is None:
        return NOTHING
    if run.problem:
        return "not finished"
    return "passed" if run.exit_code == 0 else f"failed (exit code {run.exit_code})"


_NAMES = {
    Result.PASSED: "passed",
    Result.FAILED: "failed",
    Result.ERROR: "errors",
    Result.SKIPPED: "skipped",
}


def newly_broken(compared: TestsCompared) -> str:
    """The list nobody should have to unfold. Empty when there is nothing in it."""
    return _open_list([f"{code(change.id)}{_because(change)}" for change in compared.newly_broken])


def lost(compared: TestsCompared) -> str:
    """The list of the tests that ran before and do not run now. Empty when there are none."""
    return _open_list(
        [f"{code(change.id)}: {'skipped' if change.after else 'removed'}" for change in compared.lost]
    )


def _open_list(items: Sequence[str]) -> str:
    lines = [f"- {item}" for item in items[:OPEN]]
    lines += [f"- {_more(len(items) - OPEN)}"] if len(items) > OPEN else []
    return "\n".join(lines)


def folded(compared: TestsCompared) -> list[str]:
    """The other lists, each as a block that unfolds."""
    groups = {
        "fixed": compared.fixed,
        "newly broken": compared.newly_broken if len(compared.newly_broken) > OPEN else (),
        "still failing": compared.still_failing,
        "newly skipped": compared.newly_skipped,
        "added": compared.added,
        "removed": compared.removed,
    }
    small = {name: changes for name, changes in groups.items() if changes}
    if sum(map(len, small.values())) <= FOLDED:
        return [_block(small)] if small else []
    return [_block({name: changes}) for name, changes in small.items()]


def _block(groups: Mapping[str, Sequence[Change]]) -> str:
    title = ", ".join(f"{len(changes):,} {name}" for name, changes in groups.items())
    messages = any(change.message for changes in groups.values() for change in changes)
    rows = ["| test | before | after |" + " message |" * messages, "|---|---|---|" + "---|" * messages]
    for changes in groups.values():
        rows += [_row(change, messages) for change in changes[:FOLDED]]
        rows += [f"| {_more(len(changes) - FOLDED)} | | |" + " |" * messages] if len(changes) > FOLDED else []
    return "\n".join([f"<details><summary>{title}</summary>", "", *rows, "</details>"])


def _row(change: Change, messages: bool) -> str:
    cells = [cell(change.id), change.before or NOTHING, change.after or NOTHING]
    cells += [cell(change.message, 120) if change.message else ""] * messages
    return "| " + " | ".join(cells) + " |"


def _because(change: Change) -> str:
    return f": {code(change.message, 160)}" if change.message else ""


def _more(number: int) -> str:
    return f"… and {number:,} more"
