"""The one comment on the issue that is kept true from the first minute to the final word."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from ci_agent.journal import Event
from ci_agent.reporting import policy, proposal
from ci_agent.reporting.calls import call
from ci_agent.reporting.confinement import warning
from ci_agent.reporting.summary import LOCAL, Summary
from ci_agent.reporting.text import code, codes, link, one_line, prose, quote
from ci_agent.reporting.wording import (
    answered,
    clock,
    comparison,
    count,
    counts,
    duration,
    headline,
    hidden,
    in_words_of,
    paid,
    purpose,
    requester,
    result,
    sentence,
    short_verdict,
    spent,
)
from ci_agent.task import Ending, Status

WORKING = "**Working on it**"  # begins every comment of a session that goes on
GONE = "**Stopped.** This run ended without a last word (its process was gone).\n"

QUOTED = 2500  # characters of the model's words; a comment is read on a telephone
FAILURES = 3  # failing tests named in the final word
PLAN = 12  # items of the model's plan
PRINTED = 5  # lines of tests that can't be run
HIDDEN = 700  # characters of what was left out of people's texts
INPUTS = 3  # of what people said while it worked, the last ones
HINT = 200  # characters of what was asked for beside the issue
_REFERENCE = re.compile(r"[#!][1-9]\d*")

# Ends for which the task can't help: something around it has to be mended.
_AROUND: Final = frozenset(
    {
        Ending.LLM_AUTH,
        Ending.LLM_QUOTA,
        Ending.LLM_UNAVAILABLE,
        Ending.LLM_REPLAY,
        Ending.ENVIRONMENT,
        Ending.INTERNAL,
    }
)

# How a trigger reads as the answer to "who asked", by the word a request begins with.
_ASKED: Final = {
    "label": "{}'s label",
    "assignment": "{}'s assignment",
    "command": "{}'s comment",
    "mention": "{}'s comment",
    "reply": "{}'s reply",
    "dispatch": "{}, who started the job",
    "poll": "{}'s label, found by the schedule",
}


_ASKS: Final = "*The model asks:*"


def question_in(text: str) -> str:
    """The question in a progress comment that waits for an answer, with its choices; empty: there is none."""
    quoted = "\n".join(line[1:].strip() for line in text.splitlines() if line.startswith(">"))
    return quoted.removeprefix(_ASKS).strip() if quoted.startswith(_ASKS) else ""


def progress_comment(
    events: Sequence[Event],
    *,
    next_step: str = "",
    to_answer: str = "",
    when_mended: str = "",
    while_working: str = "",
) -> str:
    """The comment's text in Markdown, for whatever state the session is in.

    `next_step` is a sentence in Markdown that says how a person goes on from an unsolved end on this platform; it
    is left out while the work goes on and when it is done. `to_answer` takes its place where it ended with a
    question, `when_mended` where the end had nothing to do with the task. `while_working` says what one can do as
    long as it goes on.
    """
    summary = Summary.of(events)
    if summary.status in {Status.COMPLETED, Status.FAILED, Status.SUSPENDED, Status.CANCELLED}:
        said = _end(summary, when_mended if summary.ending in _AROUND else next_step, to_answer)
    else:
        said = [*_working(summary), while_working]
    said += [answered(summary), warning(summary), prose(hidden(summary), HIDDEN), _fine_print(summary)]
    return "\n\n".join(part for part in said if part) + "\n"


def _fine_print(summary: Summary) -> str:
    """What this run answers: an issue may have the comments of several."""
    if summary.started is None:
        return ""
    request = summary.started.request
    kind, _, who = request.partition(" by ")
    if who and kind in _ASKED:
        asked = f" by {prose(_ASKED[kind].format(who))}"
    else:
        asked = f": {prose(request)}" if request else ""
    # Where a name was cut out of a mention (`@bot, could you …`) its comma is left.
    words = prose(summary.started.hint.lstrip(" \t\n,;:.!?\N{EN DASH}\N{EM DASH}"), HINT)
    told = summary.resumed and summary.resumed.answer  # then the answer stands beside its question
    hint = f": {words}" if words and not told else ""
    parts = [f"Asked for{asked}{hint}"] if asked or hint else []
    parts += [
        f"{prose(one.by)} said meanwhile: {prose(one_line(one.text), HINT)}"
        for one in summary.inputs[-INPUTS:]
    ]
    if summary.sandbox:
        parts.append(f"sandbox: {code(summary.sandbox.level)}")
    return f"<sub>{' · '.join(parts)}</sub>" if parts else ""


# --- while it works ---------------------------------------------------------------------------------------


def _working(summary: Summary) -> list[str]:
    head = [WORKING, str(summary.status), _elapsed(summary), spent(summary), _log(summary)]
    lines = [_box(summary.issue is not None, _reading(summary))]
    if not summary.no_tests:
        lines.append(_box(summary.before is not None, _tests_before(summary)))
    lines += _change(summary)
    if not summary.no_tests:
        lines.append(_box(False, _tests_after(summary)))
    else:
        lines.append(_box(False, "There are no tests to run, so the result can't be verified"))
    return [_line(head), "\n".join(lines), _waiting(summary)]


def _elapsed(summary: Summary) -> str:
    """How long it has worked, and when that was true: nothing is written while one command runs for long."""
    if summary.last_at is None:
        return ""
    return f"{duration(summary.seconds)}, as of {clock(summary.last_at)}"


def _log(summary: Summary) -> str:
    return link("log", summary.started.job_url) if summary.started else ""


def _reading(summary: Summary) -> str:
    read = summary.files_read
    return f"Read the issue and {count(len(read), 'file')}" if read else "Read the issue"


def _tests_before(summary: Summary) -> str:
    if summary.before:
        return f"Tests before: {prose(counts(summary.before))}"
    ready = summary.prepared or summary.chosen or summary.nothing_to_set_up
    return "Tests before" if ready else "Tests before, once the project is set up"


def _change(summary: Summary) -> list[str]:
    done = summary.submitted is not None and summary.status in {Status.TESTING, Status.COMMITTING}
    if not summary.plan:
        return [_box(done, "The change")]
    items = [f"  {_box(item.done, prose(item.text, 160))}" for item in summary.plan[:PLAN]]
    more = len(summary.plan) - PLAN
    items += [f"  - … and {more:,} more"] if more > 0 else []
    return [_box(done, "The change, by the model's own plan:"), *items]


def _tests_after(summary: Summary) -> str:
    judged = [each for each in summary.rounds if each.judged]
    if not judged:
        return "Tests after, compared with before"
    return f"Tests after, once more; round {judged[-1].number} said: {prose(result(judged[-1]))}"


def _waiting(summary: Summary) -> str:
    """The current step, in words that stay true when they are read later."""
    if summary.waiting:
        return (
            f"Waiting for the model: {prose(summary.waiting.reason)} "
            f"(attempt {summary.waiting.attempt}, next in {duration(summary.waiting.wait_seconds)})."
        )
    if summary.running:
        return f"Running: {prose(purpose(summary.running.purpose))}, {codes(summary.running.command)}"
    return f"Step {summary.tool.step:,}: {code(call(summary.tool))}" if summary.tool else ""


def _box(done: bool, said: str) -> str:
    return f"- [{'x' if done else ' '}] {said}"


# --- the final word ---------------------------------------------------------------------------------------


def _end(summary: Summary, next_step: str, to_answer: str) -> list[str]:
    if summary.waits:
        return proposal.waiting(summary, decides=bool(next_step))
    if summary.question and summary.status is Status.SUSPENDED:
        return _question(summary, to_answer)
    if summary.status is Status.COMPLETED:
        return _done(summary)
    head = f"**{headline(summary)}** {prose(sentence(summary), 1000)}".rstrip()
    return [
        head,
        _policy(summary),
        proposal.beside(summary),
        _failing(summary),
        _printed(summary),
        _last_words(summary),
        _words_without_change(summary),
        _kept(summary),
        next_step,
        _figures(summary),
    ]


def _question(summary: Summary, to_answer: str) -> list[str]:
    who = requester(summary.started)
    head = [
        "**A question before I go on**",
        f"waiting for {who}" if who else "",
        spent(summary),
    ]
    asked = summary.question
    choices = [f"{number}. {choice}" for number, choice in enumerate(asked.choices, 1)] if asked else []
    words = "\n".join([asked.question if asked else "", *map(one_line, choices)])
    return [_line(head), quote(words, lead=_ASKS), _policy(summary), to_answer]


def _done(summary: Summary) -> list[str]:
    what = _where(summary)
    if summary.unchanged:
        stays = _line([_unchanged(summary), duration(summary.seconds), paid(summary)])
        return [stays, _words_without_change(summary)]
    head = f"**Done{': ' + what if what else ''}**{_on_branch(summary)}"
    proof = prose(short_verdict(summary))
    said = _line([head, proof, prose(comparison(summary)), duration(summary.seconds), paid(summary)])
    return [said, proposal.beside(summary), _words_without_change(summary)]


def _policy(summary: Summary) -> str:
    """What the policy makes of the work, where the session's last sentence does not say it."""
    said = policy.sentence(summary.policy)
    return "" if said in sentence(summary) else prose(said, 1000)


def _failing(summary: Summary) -> str:
    compared = summary.compared
    if compared is None:
        return ""
    bad = [(change, "broken by this change") for change in compared.newly_broken]
    bad += [(change, "since this change, together with the others") for change in compared.order_dependent]
    bad += [(change, "failed before, too") for change in compared.still_failing]
    lines = [f"- {code(change.id)} ({how})" + _because(change.message) for change, how in bad[:FAILURES]]
    more = len(bad) - FAILURES
    return "\n".join(lines + ([f"- … and {more:,} more"] if more > 0 else []))


def _printed(summary: Summary) -> str:
    """What tests said that can't be run: mostly it names what is missing."""
    ran = summary.before
    if summary.compared or ran is None or not ran.problem:
        return ""
    lines = [line for line in ran.tail.splitlines() if line.strip()][-PRINTED:]
    return "The last it printed:\n\n" + "  \n".join(f"> {code(line)}" for line in lines) if lines else ""


def _because(message: str) -> str:
    return f": {code(message, 160)}" if message else ""


def _words_without_change(summary: Summary) -> str:
    """Where nothing was changed, the model's reasons are what people want to read here."""
    if (summary.committed and summary.committed.made) or not (
        summary.submitted and summary.submitted.summary.strip()
    ):
        return ""
    return quote(summary.submitted.summary, lead="*In the model's words:*", limit=QUOTED)


def _last_words(summary: Summary) -> str:
    """What a model says that calls no tool: it may be a question."""
    if summary.ending is not Ending.FORMAT or not summary.words:
        return ""
    return quote(summary.words, lead="*The model's last words:*", limit=QUOTED)


def _unchanged(summary: Summary) -> str:
    branch = _on_branch(summary)
    what = (_where(summary) or "the work") + (f"{branch}," if branch else "")
    return f"**Nothing changed** in this run; {what} stays as it was"


def _kept(summary: Summary) -> str:
    # The checkout of a job goes with its runner, so it is no place to name.
    if summary.committed and not summary.branch and summary.platform != LOCAL:
        return "The work so far is on no branch; the job's report has it as `diff.patch`."
    where = _where(summary) + _on_branch(summary)
    if where and summary.unchanged:
        return f"{_unchanged(summary)}."
    tests = "" if summary.ending is Ending.UNVERIFIED else comparison(summary)  # else the first line says it
    return f"The work so far is kept: {where}{'; ' + prose(tests) if tests else ''}." if where else ""


def _where(summary: Summary) -> str:
    """Where the result lies: the merge request with a link if it has one, else the branch, else the checkout."""
    if summary.merge_request:
        written = summary.merge_request
        number = one_line(written.number, 20)
        name = written.reference or in_words_of(summary.platform, f"merge request {number}")
        draft = " (a draft)" if summary.merge_request.draft else ""
        url = summary.merge_request.url
        if _REFERENCE.fullmatch(written.reference):  # the platform makes a link of it
            return written.reference + draft
        return (link(prose(name), url) or prose(name)) + draft
    if not summary.branch and summary.checkout:
        return f"the checkout {code(summary.checkout, 1000)}"
    return _branch(summary)


def _on_branch(summary: Summary) -> str:
    """The branch, where `_where` names something else."""
    branch = _branch(summary)
    return f", {branch}" if branch and summary.merge_request else ""


def _branch(summary: Summary) -> str:
    return f"branch {code(summary.branch)}" if summary.branch else ""


def _figures(summary: Summary) -> str:
    return _line([duration(summary.seconds), spent(summary), _log(summary)])


def _line(parts: list[str]) -> str:
    return " · ".join(part for part in parts if part)
