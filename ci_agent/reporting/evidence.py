"""What was measured of a change, as Markdown: the whole report of `ci-agent verify`, and the part of the merge
request's text that tells the same of a session.

Nothing here is a model's word.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from ci_agent.journal import Event
from ci_agent.journal.events import CheckCompared, FileCoverage, Finding, TestsChosen, TestsRan
from ci_agent.reporting import tables
from ci_agent.reporting.sections import Section, fit
from ci_agent.reporting.summary import Round, Summary
from ci_agent.reporting.text import code, prose, shell_block
from ci_agent.reporting.wording import (
    GRADES,
    commit,
    count,
    counts,
    duration,
    failures,
    lines_run,
    partly,
    reasons,
    result,
)

REMARKS = 8  # shown; the journal has all of them
FINDINGS = 10  # new ones of a check that are named
CHECKS = 20
FILES = 10  # whose lines that were not run are named
RANGES = 12  # of them, in a file
PROJECTS = 10
RETRIED = 10  # cases that were run again and are named with the commands


def evidence(events: Sequence[Event], *, version: str = "") -> str:
    """The report of a verification without a session, at most `sections.LIMIT` characters of Markdown.

    `version` is that of ci-agent, which such a journal does not tell.
    """
    summary = Summary.of(events)
    parts = [
        Section("the verdict", verdict(summary)),
        named(summary),
        *counted(summary),
        Section("the lines that were run", coverage(summary.last)),
        Section("the checks", checks(summary.last)),
        Section("how to check", by_hand(summary)),
        Section("the commands", folded_commands(list(commands(summary)), "")),
    ]
    made = f"ci-agent {prose(version)}" if version else "ci-agent"
    return fit(parts, f"<sub>{duration(summary.seconds)} · {made}</sub>")


def verdict(summary: Summary) -> str:
    """The verdict with its reasons, and beneath it what to know beside."""
    judged = summary.judged
    if judged is None:
        return "**Not finished.** This change was not judged to the end."
    head = " ".join([f"**{GRADES[judged.grade]}.**", *map(prose, reasons(judged))])
    remarks = [f"- {prose(remark)}" for remark in judged.remarks[:REMARKS]]
    more = len(judged.remarks) - REMARKS
    remarks += [f"- … and {more:,} more"] if more > 0 else []
    return "\n\n".join([head, "\n".join(remarks)]) if remarks else head


def named(summary: Summary) -> Section:
    """The tests that nobody should have to unfold."""
    last = summary.last
    lists = [tables.newly_broken(last), tables.lost(last), tables.order_dependent(last), tables.flaky(last)]
    return Section("the tests that need a look", "\n\n".join(each for each in lists if each))


def counted(summary: Summary) -> list[Section]:
    """The table of totals, and the other lists of tests."""
    return [
        Section("the table of tests", tables.totals(summary)),
        *(Section("a list of tests", block) for block in tables.folded(summary)),
    ]


# --- lines that were run ----------------------------------------------------------------------------------


def coverage(verification: Round) -> str:
    """Which of the changed lines the tests run, in a line. Empty where that was not measured, or no changed line
    can be run."""
    told, ran = verification.coverage, lines_run(verification)
    if told is None or ran is None:
        return ""
    missed = [file for file in told.files if file.missed]
    said = "Changed lines run by the tests: {:,} of {:,}".format(*ran)
    if not missed:
        return f"{said}."
    named = [f"{code(file.path)} {_lines(file)}" for file in missed[:FILES]]
    named += [f"and in {count(len(missed) - FILES, 'more file')}"] if len(missed) > FILES else []
    return f"{said}; not run: {', '.join(named)}."


def _lines(file: FileCoverage) -> str:
    """The lines that were not run as `10, 14-16`, with a longer dash; a line between them that can't be run does not part them."""
    missed = set(file.missed)
    ranges: list[tuple[int, int]] = []
    going_on = False
    for line in sorted(missed | set(file.executable)):
        if line not in missed:
            going_on = False
        elif going_on:
            ranges[-1] = (ranges[-1][0], line)
        else:
            ranges.append((line, line))
            going_on = True
    said = [str(first) if first == last else f"{first}\N{EN DASH}{last}" for first, last in ranges]
    return ", ".join([*said[:RANGES], *(["…"] if len(said) > RANGES else [])])


# --- other checks -----------------------------------------------------------------------------------------


def checks(verification: Round) -> str:
    """A line per check, and its new findings. Empty where there is none."""
    if verification.checks is None or not verification.checks.checks:
        return ""
    told = verification.checks.checks
    lines = [line for check in told[:CHECKS] for line in _check(check)]
    lines += [f"- … and {len(told) - CHECKS:,} more"] if len(told) > CHECKS else []
    return "\n".join(["### Checks", *lines])


def _check(check: CheckCompared) -> Iterator[str]:
    mark = "**worse**, " if check.worse else ""
    yield f"- {code(check.command, 160)}: {mark}{prose(check.said)}"
    for finding in check.new[:FINDINGS]:
        yield f"  - {_finding(finding)}"
    if len(check.new) > FINDINGS:
        yield f"  - … and {len(check.new) - FINDINGS:,} more"


def _finding(finding: Finding) -> str:
    place = f"{finding.path}:{finding.line}" if finding.line else finding.path
    rule = f" ({code(finding.rule, 60)})" if finding.rule else ""
    said = prose(finding.message, 300)
    return f"{code(place)}{': ' + said if said else ''}{rule}" if place else f"{said}{rule}"


# --- what was run -----------------------------------------------------------------------------------------


def by_hand(summary: Summary, fetch_hint: str = "") -> str:
    """The commands with which anybody can do it again. Empty where there is none."""
    lines = [fetch_hint] if fetch_hint else []
    if summary.setup:
        lines.append(summary.setup.command)
        if summary.setup.environment:
            lines.append(f". {shlex.quote(f'{summary.setup.environment}/bin/activate')}")
    chosen = summary.commands_of_tests[:PROJECTS]
    for each in chosen:
        expected = f"   # {counts(summary.after)}" if summary.after and len(chosen) == 1 else ""
        lines.append(_in_folder(each) + ("" if "\n" in each.command else expected))
    if summary.workspace and chosen:
        base = shlex.quote(commit(summary.workspace.base_sha))
        head = shlex.quote(commit(summary.workspace.head_sha) if summary.alone else summary.workspace.branch)
        lines.append(f"ci-agent verify --base {base} --head {head}")
    return "### Check it yourself\n" + shell_block(lines) if lines else ""


def _in_folder(chosen: TestsChosen) -> str:
    return f"(cd {shlex.quote(chosen.folder)} && {chosen.command})" if chosen.folder else chosen.command


def commands(summary: Summary) -> Iterator[str]:
    """What the harness ran and why, as the items of a list."""
    yield from _set_up(summary)
    for chosen in summary.chosen[:PROJECTS]:
        what = code(chosen.command) if chosen.command else "none"
        folder = f" in {code(chosen.folder)}" if chosen.folder else ""
        yield f"- the tests{folder}: {what}{_why(chosen.why)}"
    known = ""
    if summary.before:
        known = summary.before.command
        yield f"- tests before: {code(known)}: {_outcome(summary.before)}"
    for check in summary.checks_before[:CHECKS]:
        yield f"- check before: {code(check.command, 160)}: {_ended(check.exit_code, check.problem)}, {duration(check.seconds)}"
    for verification in summary.rounds:
        yield f"- tests after, {_round(verification, known, alone=summary.alone)}"
    yield from _last_round(summary.last)


def _set_up(summary: Summary) -> Iterator[str]:
    why = _why(summary.setup_chosen.why) if summary.setup_chosen else ""
    if summary.setup:
        how = "timed out" if summary.setup.timed_out else f"exit code {summary.setup.exit_code}"
        yield f"- set-up: {code(summary.setup.command)}: {how}, {duration(summary.setup.seconds)}{why}"
    elif summary.setup_chosen and not summary.setup_chosen.command:
        yield f"- set-up: none{why}"


def _round(verification: Round, known: str, *, alone: bool) -> str:
    """What one verification came to; the command, where it is not the `known` one."""
    if alone:
        what = "on the result"
    else:
        what = f"hand-in {verification.number}" if verification.handed_in else "of what was there at the end"
    after, said = verification.after, prose(result(verification))
    if after is None:
        return f"{what}: {said}"
    command = f"{code(after.command)}: " if after.command != known else ""
    return f"{what}: {said} ({command}{_outcome(after)})"


def _last_round(verification: Round) -> Iterator[str]:
    """What else was measured at last, as far as no other part of the report tells it."""
    for case in verification.retried.cases[:RETRIED] if verification.retried else ():
        yield f"- again, alone: {code(case.id)}: {failures(case)}, so it is {case.stability}"
    proof, run = verification.proof, verification.proof_run
    if proof and run:
        yield f"- the new tests against the base: {code(run.command)}: {_outcome(run)}"
    if proof and proof.problem:
        yield f"- the new tests against the base: {prose(proof.problem)}"
    told = verification.coverage
    if told and (told.tool or told.problem):
        yield f"- coverage: {prose(told.problem) if told.problem else f'measured with {prose(told.tool)}'}"
    for check in verification.checks_ran[:CHECKS]:
        yield f"- check after: {code(check.command, 160)}: {_ended(check.exit_code, check.problem)}, {duration(check.seconds)}"


def folded_commands(lines: Sequence[str], note: str) -> str:
    """The list of commands as a block that unfolds; `note` goes on with its title. Empty for none."""
    if not lines:
        return ""
    title = f"Commands that were run{note}"
    return "\n".join([f"<details><summary>{title}</summary>", "", *lines, "", "</details>"])


def _outcome(run: TestsRan) -> str:
    return "; ".join([f"{prose(counts(run))}, {duration(run.seconds)}", *map(prose, partly(run))])


def _ended(exit_code: int | None, problem: str) -> str:
    return prose(problem) if problem else f"exit code {exit_code}"


def _why(why: str) -> str:
    return f" ({prose(why)})" if why else ""
