"""The merge request's title and text: the verdict first, then the proof, then everything else, folded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ci_agent.journal import Event
from ci_agent.journal.events import Result, TestsCompared, TestsRan, Verdict
from ci_agent.reporting import tables
from ci_agent.reporting.commit_message import change_title, tidied
from ci_agent.reporting.diffstat import file_table
from ci_agent.reporting.summary import Round, Summary
from ci_agent.reporting.text import code, one_line, prose, quote, shell_block
from ci_agent.reporting.wording import (
    comparison,
    count,
    counts,
    duration,
    in_words_of,
    others,
    requester,
    result,
    spent,
    tokens,
    verified,
    wrong,
)

LIMIT = 60_000  # characters; GitHub takes 65,536 and the platform adds its marker
_NUMBER = re.compile(r"#\d+")
COMMANDS = 30  # of the agent's own; the journal has all of them
WARNINGS = 5
EARLIER = 10  # commits of earlier runs


def title(events: Sequence[Event]) -> str:
    """The merge request's title, at most 72 characters: the model's words if they are usable.

    A run that made no commit of its own does not rename the work of an earlier one.
    """
    summary = Summary.of(events)
    committed = summary.committed
    return (committed and not committed.made and tidied(committed.title)) or change_title(summary)


def text(events: Sequence[Event], *, fetch_hint: str, feedback_hint: str) -> str:
    """The merge request's text, at most `LIMIT` characters of Markdown.

    `fetch_hint` is the shell command that brings the branch to a reader's machine. `feedback_hint` is a
    sentence in Markdown that says how to ask for something else on this platform.
    """
    summary = Summary.of(events)
    first = [Section("the header", _header(summary)), Section("the verdict", _verdict(summary))]
    return _fit(
        [
            *(first if summary.solved else reversed(first)),
            Section("the table of tests", tables.totals(summary)),
            *_lists(summary),
            Section("the changed files", _changes(summary)),
            Section("the model's words", _why(summary)),
            Section("how to check", _check(summary, fetch_hint)),
            Section("the warnings", _warnings(summary)),
            Section("the commands", _commands(summary)),
            Section("how to go on", feedback_hint),
        ],
        _fine_print(summary),
    )


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the text that stands or falls as a whole, so that a cut never leaves half a table."""

    name: str
    markdown: str


def _fit(sections: Sequence[Section], last: str) -> str:
    """The sections in order; one that would not fit any more is named instead."""
    parts: list[str] = []
    room = LIMIT - len(last) - 2
    for number, section in enumerate(sections):
        reserve = 80 * (len(sections) - number)  # for naming those that come after
        too_long = len(section.markdown) + 2 > room - reserve
        said = f"*Left out, too long for here: {section.name}.*" if too_long else section.markdown
        if said:
            parts.append(said)
            room -= len(said) + 2
    return "\n\n".join([*parts, last]) + "\n"


def _header(summary: Summary) -> str:
    if not summary.started:
        return ""
    named = one_line(summary.started.reference, 80)
    issue = named if _NUMBER.fullmatch(named) else code(named)
    return f"{'Closes' if summary.solved else 'Refs'} {issue}{_people(summary)}"


def _people(summary: Summary) -> str:
    """Whose issue it is and who set the work going, who need not be the same."""
    full = (
        summary.issue.author if summary.issue else "",
        summary.started.requester if summary.started else "",
    )
    author, starter = (one_line(name.split("<")[0], 80) for name in full)
    said = requester(summary) if starter else prose(author)
    if not (author and starter) or author.casefold() == starter.casefold():
        return f" · asked for by {said}" if said else ""
    return f" · reported by {prose(author)} · started by {said}"


def _verdict(summary: Summary) -> str:
    if summary.solved and summary.no_tests:
        return "**Not verified: no tests were found.** Read the change with care."
    said = comparison(summary)
    figures = prose(f"{said[:1].upper()}{said[1:]}.") if said else ""
    if summary.solved:
        return f"**Verified.** {figures}" if verified(summary) else _nothing_broken(summary)
    sentences = " ".join(prose(sentence) for sentence in wrong(summary))
    if summary.no_tests:
        return f"**Needs human.** {sentences} Not verified: no tests were found."
    named = _named(summary.compared) if summary.compared else ""
    proven = "" if named else figures and f" Tests of what is here: {figures[:1].lower()}{figures[1:]}"
    return f"**Needs human.** {sentences}{proven}" + (f"\n\n{named}" if named else "")


def _named(compared: TestsCompared) -> str:
    """What nobody should have to unfold: the newly broken tests, and those that do not run any more."""
    broken, lost = tables.newly_broken(compared), tables.lost(compared)
    if lost and compared.verdict is not Verdict.WEAKENED:  # else the sentence before has said it
        lost = f"No longer run:\n\n{lost}"
    return "\n\n".join(filter(None, [broken, lost]))


def _nothing_broken(summary: Summary) -> str:
    """The verdict where the tests that were there show no fix; what they do show must not sound like one."""
    before, after, compared = summary.before, summary.after, summary.compared
    if compared is None or (before and before.problem):
        return f"**Not compared.** {prose(compared.reason if compared else '')}"
    if after and not after.by_case:
        return (
            "**Nothing newly broken.** The test command passes before and after, "
            "so it does not show what this change does. Only the exit code of "
            f"{code(one_line(after.command, 160))} is known: not which tests ran, nor that any did."
        )
    differs = ", ".join(others(compared, "test"))
    head = f"**Nothing newly broken**; {differs}." if differs else "**Nothing newly broken.**"
    failed = before is not None and any(case.result.bad for case in before.cases)
    fixed = "No test that failed before passes now" if failed else "No test failed before"
    passing = sum(change.after is Result.PASSED for change in compared.added)
    if not passing:
        return f"{head} {fixed}, and none was added that passes: the tests do not show what this change does."
    return (
        f"{head} {fixed}, so only the added {'one speaks' if passing == 1 else 'ones speak'} for this change."
    )


def _lists(summary: Summary) -> list[Section]:
    if summary.compared is None:
        return []
    return [Section("a list of tests", block) for block in tables.folded(summary.compared)]


def _changes(summary: Summary) -> str:
    if not (summary.committed and summary.committed.files):
        return ""
    return "### What changed\n" + file_table(summary.committed.files)


def _why(summary: Summary) -> str:
    if not (summary.submitted and summary.submitted.summary.strip()):
        return ""
    nothing = ", from a run that changed nothing" if summary.unchanged else ""
    lead = f"*In the model's words{nothing}:*"
    return "### Why\n" + quote(summary.submitted.summary, lead=lead) + _earlier(summary)


def _earlier(summary: Summary) -> str:
    """The commits of earlier runs, whose words are in the commits."""
    titles = summary.workspace.earlier if summary.workspace else ()
    if not titles:
        return ""
    lines = [f"- {code(title)}" for title in titles[-EARLIER:]]
    return "\n\nThis run went on from earlier work on the branch:\n\n" + "\n".join(lines)


def _check(summary: Summary, fetch_hint: str) -> str:
    commands = [fetch_hint] if fetch_hint else []
    if summary.setup:
        commands.append(summary.setup.command)
        if summary.setup.environment:
            commands.append(f". {summary.setup.environment}/bin/activate")
    if summary.chosen and summary.chosen.command:
        command = summary.chosen.command
        expected = f"   # {counts(summary.after)}" if summary.after and "\n" not in command else ""
        commands.append(command + expected)
    return "### Check it yourself\n" + shell_block(commands) if commands else ""


def _warnings(summary: Summary) -> str:
    if not summary.warnings:
        return ""
    told = [in_words_of(summary.platform, warning) for warning in summary.warnings[:WARNINGS]]
    lines = [f"- {prose(warning)}" for warning in told]
    more = len(summary.warnings) - WARNINGS
    lines += [f"- … and {more:,} more"] if more > 0 else []
    return "### Worth knowing\n" + "\n".join(lines)


def _commands(summary: Summary) -> str:
    """What was run: by the harness, every hand-in of its own, then by the agent."""
    lines = []
    if summary.setup:
        how = "timed out" if summary.setup.timed_out else f"exit code {summary.setup.exit_code}"
        lines.append(f"- set-up: {code(summary.setup.command)}: {how}, {duration(summary.setup.seconds)}")
    known = ""
    if summary.before:
        known = summary.before.command
        lines.append(f"- tests before: {code(known)}: {_outcome(summary.before)}")
    lines += [f"- tests after, {_round(each, known)}" for each in summary.rounds]
    own = summary.commands
    if own:
        lines.append(f"- by the model, {count(len(own), 'command')}:")
        lines += [f"  - {code(command, 160)}" for command in own[:COMMANDS]]
        lines += [f"  - … and {len(own) - COMMANDS:,} more"] if len(own) > COMMANDS else []
    if not lines:
        return ""
    handed_in = sum(each.handed_in for each in summary.rounds)
    title = "Commands that were run" + (f", {handed_in} hand-ins" if handed_in > 1 else "")
    return "\n".join([f"<details><summary>{title}</summary>", "", *lines, "</details>"])


def _round(each: Round, known: str) -> str:
    """What one verification came to; its command, where it is not the `known` one."""
    what = f"hand-in {each.compared.round}" if each.handed_in else "of what was there at the end"
    if each.after is None:
        return f"{what}: {result(each.compared)}"
    command = f"{code(each.after.command)}: " if each.after.command != known else ""
    return f"{what}: {result(each.compared)} ({command}{_outcome(each.after)})"


def _outcome(run: TestsRan) -> str:
    return f"{prose(counts(run))}, {duration(run.seconds)}"


def _fine_print(summary: Summary) -> str:
    parts = [duration(summary.seconds), spent(summary), tokens(summary)]
    if summary.started:
        parts.append(code(summary.started.model, 80))
        parts.append(f"sandbox: {prose(summary.started.sandbox)}")
        parts.append(f"ci-agent {prose(summary.started.version)}")
    return f"<sub>{' · '.join(part for part in parts if part)}</sub>"
