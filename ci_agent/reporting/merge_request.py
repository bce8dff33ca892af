"""The merge request's title and text: the verdict first, then the proof, then everything else, folded."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ci_agent.journal import Event
from ci_agent.journal.events import ModelChosen
from ci_agent.reporting import proposal
from ci_agent.reporting.commit_message import change_title, tidied
from ci_agent.reporting.confinement import about_sandbox
from ci_agent.reporting.diffstat import file_table
from ci_agent.reporting.evidence import (
    by_hand,
    checks,
    commands,
    counted,
    coverage,
    folded_commands,
    headed,
    named,
    verdict,
    warnings,
)
from ci_agent.reporting.policy import section
from ci_agent.reporting.sections import Section, fit
from ci_agent.reporting.summary import Summary
from ci_agent.reporting.text import code, link, one_line, prose, quote
from ci_agent.reporting.wording import (
    answered,
    around,
    count,
    duration,
    grade,
    requester,
    spent,
    tokens,
)

_NUMBER = re.compile(r"#\d+")
COMMANDS = 30  # of the agent's own; the journal has all of them
EARLIER = 10  # commits of earlier runs
NO_TEST = 1000  # characters of why there is no test


def title(events: Sequence[Event]) -> str:
    """The merge request's title, at most 72 characters: the model's words if they are usable.

    A run that made no commit of its own does not rename the work of an earlier one.
    """
    summary = Summary.of(events)
    committed = summary.committed
    return (committed and not committed.made and tidied(committed.title)) or change_title(summary)


def text(events: Sequence[Event], *, fetch_hint: str, feedback_hint: str) -> str:
    """The merge request's text, at most `sections.LIMIT` characters of Markdown.

    `fetch_hint` is the shell command that brings the branch to a reader's machine. `feedback_hint` is a
    sentence in Markdown that says how to ask for something else on this platform.
    """
    summary = Summary.of(events)
    header, said = Section("the header", _header(summary)), Section("the verdict", _verdict(summary))
    first = [header, said, named(summary)] if summary.solved else [said, named(summary), header]
    return fit(
        [
            *first,
            Section("what the policy found", section(summary.policy)),
            Section("what differs from the plan", proposal.beside(summary)),
            *counted(summary),
            Section("the changed files", _changes(summary)),
            Section("the checks", checks(summary.last)),
            Section("the model's words", _why(summary)),
            Section("what people answered", answered(summary)),
            Section("the plan", proposal.section(summary)),
            Section("the models", _models(summary)),
            Section("how to check", by_hand(summary, fetch_hint)),
            Section("the warnings", warnings(summary)),
            Section("the sandbox", about_sandbox(summary)),
            Section("the commands", _commands(summary)),
            Section("how to go on", feedback_hint),
            Section("the two jobs", _two_jobs(summary)),
        ],
        _fine_print(summary),
    )


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
        summary.began.requester if summary.began else "",
    )
    author, starter = (one_line(name.split("<")[0], 80) for name in full)
    said = (requester(summary.began) + _then(summary)) if starter else prose(author)
    if not (author and starter) or author.casefold() == starter.casefold():
        return f" · asked for by {said}" if said else ""
    return f" · reported by {prose(author)} · started by {said}"


def _then(summary: Summary) -> str:
    """Who had the session go on, where that is somebody else."""
    began, last = summary.began, summary.started
    if began is None or last is None or began.requester.casefold() == last.requester.casefold():
        return ""
    return f", gone on with for {requester(last)}" if last.requester else ""


def _verdict(summary: Summary) -> str:
    """The verdict; where something else keeps the work from being done, that comes first."""
    beside = around(summary)
    judged = summary.judged
    if summary.solved or (judged and not beside):
        return verdict(summary)
    needs = " ".join(["**Needs human.**", *map(prose, beside)])
    if judged is None:
        return needs
    return f"{needs}\n\n{headed(f'What was tested: {grade(judged)}.', judged)}"


def _changes(summary: Summary) -> str:
    files = file_table(summary.committed.files) if summary.committed and summary.committed.files else ""
    parts = [f"### What changed\n{files}" if files else "", coverage(summary.last)]
    return "\n\n".join(part for part in parts if part)


def _why(summary: Summary) -> str:
    submitted = summary.submitted
    if submitted is None:
        return ""
    nothing = ", from a run that changed nothing" if summary.unchanged else ""
    parts = []
    if submitted.summary.strip():
        parts.append(quote(submitted.summary, lead=f"*In the model's words{nothing}:*"))
    if submitted.no_test.strip():
        parts.append(
            quote(submitted.no_test, lead="*Why it adds no test, in the model's words:*", limit=NO_TEST)
        )
    return "### Why\n" + "\n\n".join(parts) + _earlier(summary) if parts else ""


def _earlier(summary: Summary) -> str:
    """The commits of earlier runs, whose words are in the commits."""
    titles = summary.workspace.earlier if summary.workspace else ()
    if not titles:
        return ""
    lines = [f"- {code(title)}" for title in titles[-EARLIER:]]
    return "\n\nThis run went on from earlier work on the branch:\n\n" + "\n".join(lines)


def _models(summary: Summary) -> str:
    """Which model did it and why that one, where there was a choice; what fresh eyes said."""
    lines = [_chosen(choice) for choice in summary.choices if choice.reason]
    reviewed = summary.reviewed
    if reviewed:
        found = (
            "no defect found" if reviewed.understood else "its answer could not be read and does not count"
        )
        if reviewed.defects:
            then = (
                "after which the model handed in something else"
                if summary.mended
                else "the change is as it was"
            )
            found = f"{count(len(reviewed.defects), 'defect')} named, {then}"
        lines.append(
            f"Read again by {code(reviewed.model, 80)}, which saw the issue, the change and the tests' results: {found}."
        )
    listed = "\n".join(f"- {line}" for line in lines)
    told = "".join(f"\n  - {prose(defect)}" for defect in reviewed.defects) if reviewed else ""
    return f"### Who did it\n{listed}{told}" if lines else ""


def _chosen(choice: ModelChosen) -> str:
    did = (
        f"took over from {code(choice.instead_of, 80)}"
        if choice.instead_of
        else f"({choice.role}) did the work"
    )
    return f"{code(choice.model, 80)} {did}: {prose(choice.reason.rstrip('.'))}."


def _commands(summary: Summary) -> str:
    """What was run: by the harness, every hand-in of its own, then by the agent."""
    lines = list(commands(summary))
    own = summary.commands
    if own:
        lines.append(f"- by the model, {count(len(own), 'command')}:")
        lines += [f"  - {code(command, 160)}" for command in own[:COMMANDS]]
        lines += [f"  - … and {len(own) - COMMANDS:,} more"] if len(own) > COMMANDS else []
    handed_in = sum(verification.handed_in for verification in summary.rounds)
    return folded_commands(lines, f", {handed_in} hand-ins" if handed_in > 1 else "")


def _two_jobs(summary: Summary) -> str:
    """That one job tested and another published, which can't know more than it was told."""
    taken = summary.taken_over
    if taken is None:
        return ""
    run = link("this run", taken.publishes)
    if run and taken.worked == taken.publishes:
        return f"Tested in one job of {run}, published by another, which ran no tests of its own."
    tested, published = (
        link("one job", taken.worked) or "one job",
        link("another", taken.publishes) or "another",
    )
    return f"Tested in {tested}, published by {published}, which ran no tests of its own."


def _fine_print(summary: Summary) -> str:
    parts = [duration(summary.seconds), spent(summary), tokens(summary)]
    if summary.started:
        parts.append(", ".join(code(name, 80) for name in summary.models or [summary.started.model]))
        parts.append(f"sandbox: {prose(summary.started.sandbox)}")
        parts.append(f"ci-agent {prose(summary.started.version)}")
    return f"<sub>{' · '.join(part for part in parts if part)}</sub>"
