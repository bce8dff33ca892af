"""The tests before and after, as Markdown: the table of totals and the lists of what differs.

The figures are those of the harness's own runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ci_agent.journal.events import Change, Result, Retried, Shown, Stability, TestsRan, Without
from ci_agent.reporting.summary import Round, Summary
from ci_agent.reporting.text import LINES, cell, code, prose
from ci_agent.reporting.wording import NOTHING, command_of, commit, counts, failures, in_folder, partly, tally
from ci_agent.reporting.wording import flaky as flaky_in_words

OPEN = 10  # rows shown without a click: what is newly broken or lost
FOLDED = 50  # rows in a folded list; `junit.xml` has all of them


def totals(summary: Summary) -> str:
    """The table of totals, and what one has to know of its figures. Empty when no test ran."""
    before, after = summary.before, summary.after
    latest = after or before
    if latest is None or summary.no_tests:
        return ""
    base = f" on {commit(summary.workspace.base_sha)}" if summary.workspace else ""
    result = commit(summary.workspace.head_sha) if summary.workspace and summary.alone else "this branch"
    narrowed = latest.some and summary.commands_of_tests  # by words that nobody needs to read here
    command = "\n".join(map(in_folder, narrowed)) if narrowed else command_of(summary, latest)
    lines = [line for line in command.split("\n") if line.strip()] or [""]
    told = ", ".join(cell(line, 80) for line in lines[:LINES]) + (" …" if len(lines) > LINES else "")
    told = f"some tests of {told}" if narrowed else told
    head = f"| {told}{base} → {result} | before | after |\n|---|--:|--:|"
    notes = [
        f"*{moment}: {prose(note)}.*"
        for moment, run in (("Before", before), ("After", after))
        for note in partly(run)
    ]
    return "\n".join([head, *_rows(before, after), *(["", "  \n".join(notes)] if notes else [])])


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
    if run.by_case:
        return counts(replace(run, problem=""))
    if run.problem:
        return "not finished"
    return "passed" if run.exit_code == 0 else f"failed (exit code {run.exit_code})"


_NAMES = {
    Result.PASSED: "passed",
    Result.FAILED: "failed",
    Result.ERROR: "errors",
    Result.SKIPPED: "skipped",
}


# --- the lists nobody should have to unfold ---------------------------------------------------------------


def newly_broken(verification: Round) -> str:
    """The newly broken tests. Empty when there are none."""
    compared, retried = verification.compared, verification.retried
    if compared is None:
        return ""
    items = [f"{code(change.id)}{_because(change.message)}" for change in compared.newly_broken]
    left = retried.left if retried else 0
    if not (left and items):
        return _titled("Newly broken", items)
    who = f"{left:,} of them {'was' if left == 1 else 'were'}"
    if left >= len(items):
        who = "It was" if len(items) == 1 else "They were"
    whether = "it is" if len(items) == 1 else "they are"
    return f"{_titled('Newly broken', items)}\n\n{who} not run again to see whether {whether} flaky."


def lost(verification: Round) -> str:
    """The tests that ran before and do not run now. Empty when there are none."""
    changes = verification.compared.lost if verification.compared else ()
    return _titled("No longer run", [f"{code(change.id)}: {_why_lost(change)}" for change in changes])


def _why_lost(change: Change) -> str:
    if change.behind:
        return f"{code(change.behind)} ends in an error"
    return "skipped" if change.after else "removed"


def flaky(verification: Round) -> str:
    """The tests that pass one time and fail another on the same source. Empty when there are none."""
    changes = verification.compared.flaky if verification.compared else ()
    known = _retried(verification)
    return _titled("Flaky", [_again(change, known.get(change.id)) for change in changes])


def order_dependent(verification: Round) -> str:
    """The tests that depend on which others run with them. Empty when there are none."""
    changes = verification.compared.order_dependent if verification.compared else ()
    known = _retried(verification)
    return _titled("Order-dependent", [_again(change, known.get(change.id)) for change in changes])


def _retried(verification: Round) -> Mapping[str, Retried]:
    return {case.id: case for case in verification.retried.cases} if verification.retried else {}


def _again(change: Change, retried: Retried | None) -> str:
    if retried is None:
        said = flaky_in_words(change, None)
        how = f": {said}" if said else ""
    elif retried.stability is Stability.ORDER and not any(result.bad for result in retried.result_alone):
        how = ": fails together with the others, passes alone"
    else:
        how = f": {failures(retried)}{_on_base(retried)}"
    return f"{code(change.id)}{how}{_because(change.message)}"


def _on_base(retried: Retried) -> str:
    bad = sum(result.bad for result in retried.base_alone)
    return f", on the base {bad:,} of {len(retried.base_alone):,} alone" if bad else ""


def _titled(title: str, items: Sequence[str]) -> str:
    if not items:
        return ""
    lines = [f"- {item}" for item in items[:OPEN]]
    lines += [f"- {_more(len(items) - OPEN)}"] if len(items) > OPEN else []
    return "\n".join([f"{title}:", "", *lines])


def _because(message: str) -> str:
    return f": {code(message, 160)}" if message else ""


# --- the folded lists -------------------------------------------------------------------------------------


def folded(summary: Summary) -> list[str]:
    """The other lists, each as a block that unfolds, with what the tests do without the change."""
    compared, proof = summary.compared, summary.last.proof
    shown = {case.id: case for case in proof.cases} if proof else {}
    if compared is None:
        return []
    groups = {
        "fixed": compared.fixed,
        "newly broken": compared.newly_broken if len(compared.newly_broken) > OPEN else (),
        "still failing": compared.still_failing,
        "newly skipped": compared.newly_skipped,
        "added": compared.added,
        "removed": [change for change in compared.removed if not change.behind],
        "can't be run": [change for change in compared.removed if change.behind],
    }
    listed = {change.id for changes in groups.values() for change in changes}
    edited = _edited(summary, [case.id for case in shown.values() if case.id not in listed])
    small = {name: changes for name, changes in (groups | {"edited": edited}).items() if changes}
    if sum(map(len, small.values())) <= FOLDED:
        return [_block(small, shown)] if small else []
    return [_block({name: changes}, shown) for name, changes in small.items()]


def _edited(summary: Summary, ids: Sequence[str]) -> Sequence[Change]:
    """Tests that the change edits and whose result it does not change."""
    if not ids:
        return ()
    results: list[Mapping[str, Result]] = [
        {case.id: case.result for case in run.cases} if run else {} for run in (summary.before, summary.after)
    ]
    return [Change(name, results[0].get(name), results[1].get(name)) for name in ids]


def _block(groups: Mapping[str, Sequence[Change]], shown: Mapping[str, Shown]) -> str:
    title = ", ".join(f"{len(changes):,} {name}" for name, changes in groups.items())
    all_changes = [change for changes in groups.values() for change in changes]
    used = []
    if any(change.message for change in all_changes if not (shown and _was_fixed(change))):
        used.append("message")
    if any(change.id in shown for change in all_changes):
        used.append("without the change")
    rows = ["| " + " | ".join(["test", "before", "after", *used]) + " |", "|" + "---|" * (3 + len(used))]
    for changes in groups.values():
        rows += [_row(change, shown, used) for change in changes[:FOLDED]]
        if len(changes) > FOLDED:
            rows.append(f"| {_more(len(changes) - FOLDED)} | | |" + " |" * len(used))
    return "\n".join([f"<details><summary>{title}</summary>", "", *rows, "", "</details>"])


def _row(change: Change, shown: Mapping[str, Shown], used: Sequence[str]) -> str:
    message = cell(change.message, 120) if change.message else ""
    lacking = _without(shown[change.id]) if change.id in shown else ""
    if _was_fixed(change) and "without the change" in used and not lacking:
        message, lacking = "", f"fails: {message}" if message else "fails"  # the base is just that
    more = {"message": message, "without the change": lacking}
    cells = [
        cell(change.id),
        change.before or NOTHING,
        change.after or NOTHING,
        *(more[name] for name in used),
    ]
    return "| " + " | ".join(cells) + " |"


def _was_fixed(change: Change) -> bool:
    return change.before is not None and change.before.bad and change.after is Result.PASSED


def _without(shown: Shown) -> str:
    said = _WITHOUT[shown.without]
    return f"{said}: {cell(shown.message, 120)}" if shown.message else said


_WITHOUT = {
    Without.FAILS: "fails",
    Without.MISSING: "can't be run",
    Without.PASSES: "passes",
    Without.UNSTEADY: "now and then",
    Without.UNKNOWN: "not known",
}


def _more(number: int) -> str:
    return f"… and {number:,} more"
