"""The merge request's title and text: the verdict first, then the proof, then everything else, folded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ci_agent.journal import Event
from ci_agent.reporting import tables
from ci_agent.reporting.commit_message import change_title
from ci_agent.reporting.diffstat import file_table
from ci_agent.reporting.summary import Summary
from ci_agent.reporting.text import code, one_line, prose, quote, shell_block
from ci_agent.reporting.wording import comparison, count, counts, duration, spent, tokens, wrong

LIMIT = 60_000  # characters; GitHub takes 65,536 and the platform adds its marker
_NUMBER = re.compile(r"#\d+")
COMMANDS = 30  # of the agent's own; the journal has all of them
WARNINGS = 5


def title(events: Sequence[Event]) -> str:
    """The merge request's title, at most 72 characters: the model's words if they are usable."""
    return change_title(Summary.of(events))


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
    person = one_line(summary.started.requester.split("<")[0], 80)
    asked = f" · asked for by {prose(person)}" if person else ""
    return f"{'Closes' if summary.solved else 'Refs'} {issue}{asked}"


def _verdict(summary: Summary) -> str:
    said = comparison(summary)
    figures = f"{said[:1].upper()}{said[1:]}." if said else ""
    if summary.solved and summary.no_tests:
        return "**Not verified: no tests were found.** Read the change with care."
    if summary.solved:
        return f"**Verified.** {figures}"
    sentences = " ".join(prose(sentence) for sentence in wrong(summary))
    if summary.no_tests:
        return f"**Needs human.** {sentences} Not verified: no tests were found."
    broken = tables.newly_broken(summary.compared) if summary.compared else ""
    proven = "" if broken else figures and f" Tests of what is here: {figures[:1].lower()}{figures[1:]}"
    return f"**Needs human.** {sentences}{proven}" + (f"\n\n{broken}" if broken else "")


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
    return "### Why\n" + quote(summary.submitted.summary, lead="*In the model's words:*")


def _check(summary: Summary, fetch_hint: str) -> str:
    commands = [fetch_hint] if fetch_hint else []
    if summary.setup:
        commands.append(summary.setup.command)
    if summary.chosen and summary.chosen.command:
        commands.append(summary.chosen.command)
    return "### Check it yourself\n" + shell_block(commands) if commands else ""


def _warnings(summary: Summary) -> str:
    if not summary.warnings:
        return ""
    lines = [f"- {prose(warning)}" for warning in summary.warnings[:WARNINGS]]
    more = len(summary.warnings) - WARNINGS
    lines += [f"- … and {more:,} more"] if more > 0 else []
    return "### Worth knowing\n" + "\n".join(lines)


def _commands(summary: Summary) -> str:
    """What was run: by the harness, then by the agent."""
    lines = []
    if summary.setup:
        how = "timed out" if summary.setup.timed_out else f"exit code {summary.setup.exit_code}"
        lines.append(f"- setup: {code(summary.setup.command)}: {how}, {duration(summary.setup.seconds)}")
    for name, run in (("tests before", summary.before), ("tests after", summary.after)):
        if run:
            lines.append(f"- {name}: {code(run.command)}: {prose(counts(run))}, {duration(run.seconds)}")
    own = summary.commands
    if own:
        lines.append(f"- by the model, {count(len(own), 'command')}:")
        lines += [f"  - {code(command, 160)}" for command in own[:COMMANDS]]
        lines += [f"  - … and {len(own) - COMMANDS:,} more"] if len(own) > COMMANDS else []
    if not lines:
        return ""
    return "\n".join(["<details><summary>Commands that were run</summary>", "", *lines, "</details>"])


def _fine_print(summary: Summary) -> str:
    parts = [duration(summary.seconds), spent(summary), tokens(summary)]
    if summary.started:
        parts.append(code(summary.started.model, 80))
        parts.append(f"sandbox: {prose(summary.started.sandbox)}")
        parts.append(f"ci-agent {prose(summary.started.version)}")
    return f"<sub>{' · '.join(part for part in parts if part)}</sub>"
