"""What was measured of a change, as Markdown: the whole report of `ci-agent verify`, and the part of the merge
request's text that tells the same of a session.

Nothing here is a model's word.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence

from ci_agent.journal import Event
from ci_agent.journal.events import CheckCompared, FileCoverage, Finding, Judged, SetupRan, TestsRan
from ci_agent.reporting import tables
from ci_agent.reporting.policy import section
from ci_agent.reporting.sections import Section, fit
from ci_agent.reporting.summary import Round, SetUp, Summary
from ci_agent.reporting.text import code, codes, one_line, plain, prose, shell_block
from ci_agent.reporting.wording import (
    FIRST_LINE,
    GRADES,
    REASON,
    command_of,
    commit,
    count,
    counts,
    duration,
    failures,
    hidden,
    in_folder,
    in_words_of,
    lines_run,
    partly,
    purpose,
    reasons,
    result,
    unjudged,
)

REMARKS = 8  # shown; the journal has all of them
FINDINGS = 10  # new ones of a check that are named
CHECKS = 20
FILES = 10  # whose lines that were not run are named
RANGES = 12  # of them, in a file
PROJECTS = 10
RETRIED = 10  # cases that were run again and are named with the commands
AGAIN = 10  # commands of runs again
SET_UPS = 10  # commands, by what they prepared
UNJUDGED = 700  # characters of why there is no verdict
WARNINGS = 5
WARNING = 700  # characters
NOTE = 160  # characters of a comment behind a command


def evidence(events: Sequence[Event], *, version: str = "") -> str:
    """The report of a verification without a session, at most `sections.LIMIT` characters of Markdown.

    `version` is that of ci-agent, which such a journal does not tell.
    """
    summary = Summary.of(events)
    parts = [
        Section("the verdict", verdict(summary)),
        Section("what the policy found", section(summary.policy)),
        named(summary),
        *counted(summary),
        Section("the lines that were run", coverage(summary.last)),
        Section("the checks", checks(summary.last)),
        Section("how to check", by_hand(summary)),
        Section("the warnings", warnings(summary)),
        Section("the commands", folded_commands(list(commands(summary)), "")),
    ]
    made = f"ci-agent {prose(version)}" if version else "ci-agent"
    return fit(parts, f"<sub>{duration(summary.seconds)} · {made}</sub>")


def verdict(summary: Summary) -> str:
    """The verdict with its reasons, and beneath it what to know beside."""
    judged = summary.judged
    if judged is None:
        return f"**Not finished.** {prose(unjudged(summary), UNJUDGED)}"
    head = headed(f"**{GRADES[judged.grade]}.**", judged)
    remarks = [f"- {prose(remark, REASON)}" for remark in judged.remarks[:REMARKS]]
    more = len(judged.remarks) - REMARKS
    remarks += [f"- … and {more:,} more"] if more > 0 else []
    if remarks and "\n" in head:  # or the two lists would read as one
        remarks = ["Beside that:", "", *remarks]
    return "\n\n".join([head, "\n".join(remarks)]) if remarks else head


def headed(first: str, judged: Judged) -> str:
    """The reasons behind `first`; as a list beneath it where they would make a line that nobody reads."""
    told = [prose(reason, REASON) for reason in reasons(judged)]
    line = " ".join([first, *told])
    if len(line) <= FIRST_LINE:
        return line
    return "\n".join([first, "", *(f"- {reason}" for reason in told)])


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
    if told.problem:
        said += f" (not measured {prose(told.problem)})"
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
    yield f"- {'**Worse**: ' if check.worse else ''}{prose(check.said)}"
    for finding in check.new[:FINDINGS]:
        yield f"  - {_finding(finding)}"
    if len(check.new) > FINDINGS:
        yield f"  - … and {len(check.new) - FINDINGS:,} more"


def _finding(finding: Finding) -> str:
    place = f"{finding.path}:{finding.line}" if finding.line else finding.path
    rule = f" ({code(finding.rule, 60)})" if finding.rule else ""
    said = prose(finding.message, 300)
    return f"{code(place)}{': ' + said if said else ''}{rule}" if place else f"{said}{rule}"


def warnings(summary: Summary) -> str:
    """What went wrong on the way, or nobody may expect. Empty for nothing."""
    told = [hidden(summary)] if summary.hidden else []
    told += [in_words_of(summary.platform, warning) for warning in summary.warnings[:WARNINGS]]
    if not told:
        return ""
    lines = [f"- {prose(warning, WARNING)}" for warning in told]
    more = len(summary.warnings) - WARNINGS
    lines += [f"- … and {more:,} more"] if more > 0 else []
    return "### Worth knowing\n" + "\n".join(lines)


# --- what was run -----------------------------------------------------------------------------------------


def by_hand(summary: Summary, fetch_hint: str = "") -> str:
    """The commands with which anybody can do it again. Empty where there is none.

    `fetch_hint` brings the result; without it, it is in the repository already.
    """
    lines = [fetch_hint] if fetch_hint else []
    if summary.alone and summary.workspace:
        lines = [f"git switch --detach {shlex.quote(commit(summary.workspace.head_sha))}"]
    activated = ""
    for each in summary.prepared:
        last = each.runs[-1]
        lines.append(_noted(last.command, each.chosen.why if each.chosen else ""))
        if last.environment and last.environment != activated:
            activated = last.environment
            lines.append(f". {shlex.quote(f'{activated}/bin/activate')}")
    chosen = summary.commands_of_tests
    for suite in chosen[:PROJECTS]:
        after = summary.after
        expected = counts(after) if after and len(chosen) == 1 and not after.problem else ""
        lines.append(_noted(in_folder(suite), expected))
    lines += [f"# … and {len(chosen) - PROJECTS:,} more"] if len(chosen) > PROJECTS else []
    if summary.workspace and chosen:
        base = shlex.quote(commit(summary.workspace.base_sha))
        head = shlex.quote(commit(summary.workspace.head_sha) if summary.alone else summary.workspace.branch)
        told = shlex.join(_configured(summary))
        lines.append(f"ci-agent verify --base {base} --head {head} {told}".rstrip())
    return "### Check it yourself\n" + shell_block(lines) if chosen or summary.prepared else ""


def _configured(summary: Summary) -> list[str]:
    """What a person named, wherever it was, as the flags of `ci-agent verify`."""
    named = {
        "--setup": [each.command or "none" for each in summary.setups_chosen if each.configured],
        "--test": [each.command for each in summary.commands_of_tests if each.configured],
    }
    return [word for flag, commands in named.items() for command in commands for word in (flag, command)]


def _noted(command: str, note: str) -> str:
    """A command with a comment: behind it, or before it where it has several lines."""
    said = plain(one_line(note, NOTE))
    if not said:
        return command
    return f"# {said}\n{command}" if "\n" in command.strip("\n") else f"{command}   # {said}"


def commands(summary: Summary) -> Iterator[str]:
    """What the harness ran and why, as the items of a list."""
    yield from _set_up(summary)
    for chosen in summary.chosen[:PROJECTS]:
        what = codes(chosen.command) if chosen.command else "none"
        folder = f" in {code(chosen.folder)}" if chosen.folder else ""
        yield f"- the tests{folder}: {what}{_why(chosen.why)}"
    if len(summary.chosen) > PROJECTS:
        yield f"- … and {len(summary.chosen) - PROJECTS:,} more"
    known = ""
    if summary.before:
        known = summary.before.command
        yield f"- tests before: {codes(command_of(summary, summary.before))}: {_outcome(summary.before)}"
    for check in summary.checks_before[:CHECKS]:
        yield f"- check before: {code(check.command, 160)}: {_ended(check.exit_code, check.problem)}, {duration(check.seconds)}"
    for verification in summary.rounds:
        yield f"- tests after, {_round(verification, known, alone=summary.alone)}"
    yield from _last_round(summary.last)


def _set_up(summary: Summary) -> Iterator[str]:
    ran = [*summary.set_ups, *(each for verification in summary.rounds for each in verification.set_ups)]
    joined: dict[tuple[str, str], list[SetUp]] = {}
    for each in ran:
        joined.setdefault((each.runs[0].place, each.runs[0].command), []).append(each)
    for (place, command), same in list(joined.items())[:SET_UPS]:
        why = next((_why(each.chosen.why) for each in same if each.chosen), "")
        outcome = _set_ups_ended([run for each in same for run in each.runs])
        yield f"- {prose(purpose(f'set-up ({place})'))}: {codes(command)}: {outcome}{why}"
    if len(joined) > SET_UPS:
        yield f"- … and {len(joined) - SET_UPS:,} more set-ups"
    if not joined and summary.nothing_to_set_up:
        yield f"- set-up: none{_why(summary.nothing_to_set_up.why)}"


def _set_ups_ended(runs: Sequence[SetupRan]) -> str:
    """How they ended, which may differ though the command is the same."""
    said = Counter("timed out" if run.timed_out else f"exit code {run.exit_code}" for run in runs)
    told = [how if len(said) == 1 else f"{number:,} times {how}" for how, number in said.items()]
    times = f"{len(runs):,} times, " if len(runs) > 1 else ""
    return f"{times}{', '.join(told)}, {duration(sum(run.seconds for run in runs))}"


def _round(verification: Round, known: str, *, alone: bool) -> str:
    """What one verification came to; the command, where it is not the `known` one."""
    if alone:
        what = "on the result"
    else:
        what = f"hand-in {verification.number}" if verification.handed_in else "of what was there at the end"
    after, said = verification.after, prose(result(verification))
    if after is None:
        return f"{what}: {said}"
    command = f"{codes(after.command)}: " if after.command != known else ""
    return f"{what}: {said} ({command}{_outcome(after)})"


def _last_round(verification: Round) -> Iterator[str]:
    """What else was measured at last, as far as no other part of the report tells it."""
    for case in verification.retried.cases[:RETRIED] if verification.retried else ():
        yield f"- again: {code(case.id)}: {failures(case)}, so it is {case.stability}"
    yield from _again(verification)
    for run in verification.proof_runs:
        yield f"- {purpose(f'tests {run.moment}')}: {codes(run.command)}: {_outcome(run)}"
    proof = verification.proof
    if proof and proof.problem:
        yield f"- the tests of the change without it: {prose(proof.problem)}"
    told = verification.coverage
    if told and (told.tool or told.problem):
        command = f"{codes(told.command)}: " if told.command else ""
        said = f"measured with {prose(told.tool)}" if told.tool else ""
        said = "; not ".join(filter(None, [said, prose(told.problem)]))
        yield f"- coverage: {command}{said}"
    for check in verification.checks_ran[:CHECKS]:
        yield f"- check after: {code(check.command, 160)}: {_ended(check.exit_code, check.problem)}, {duration(check.seconds)}"


def _again(verification: Round) -> Iterator[str]:
    """The runs of cases that were run again, the same commands together."""
    runs = verification.again
    if not runs:
        return
    commands = Counter(run.command for run in runs)
    took = duration(sum(run.seconds for run in runs))
    yield f"- {count(len(runs), 'run')} of tests again, {took}:"
    for command, number in list(commands.items())[:AGAIN]:
        yield f"  - {codes(command)}{f', {number:,} times' if number > 1 else ''}"
    if len(commands) > AGAIN:
        yield f"  - … and {count(len(commands) - AGAIN, 'other command')}"


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
