"""How figures and outcomes are said, in plain text without any markup, the same in every report.

Every number comes from the summary of the journal. Sentences may hold words of commands and providers, so
whoever shows them makes them inert first.
"""

from __future__ import annotations

import shlex
from collections import Counter
from datetime import UTC, datetime

from ci_agent.journal.events import (
    Change,
    Grade,
    Hidden,
    HiddenLeftOut,
    Judged,
    Moment,
    Result,
    Retried,
    SecretsSuspected,
    TestsChosen,
    TestsCompared,
    TestsRan,
    Verdict,
)
from ci_agent.reporting import policy
from ci_agent.reporting.summary import Round, Summary
from ci_agent.reporting.text import clean, mention, one_line, prose
from ci_agent.task import Ending, Limits, Status

MINUS = "\u2212"
NOTHING = "\u2013"  # the dash that stands where there is no value

REASON = 700  # characters; three long names of tests and what is the matter with them
FIRST_LINE = 600  # characters of the verdict with its reasons; beyond, they stand beneath it as a list
PLACES = 5  # with hidden passages that are named
REASONS = 6  # of a verdict, the weightiest first; the journal has all of them
GRADES = {
    Grade.VERIFIED: "Verified",
    Grade.REMARKS: "Verified, with remarks",
    Grade.NOT_VERIFIED: "Not verified",
    Grade.BROKEN: "Broken",
}  # as a report begins

_MINUTE, _HOUR = 60, 3600
_CENT = 0.01


def count(number: int, noun: str) -> str:
    """`1 test`, `1,200 tests`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def duration(seconds: float) -> str:
    """`4.2 s`, `42 s`, `4 min 12 s`, `2 h 5 min`."""
    if seconds < 10:  # noqa: PLR2004 - below ten seconds a tenth still says something
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s".removesuffix(" 0 s")
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min".removesuffix(" 0 min")


def clock(moment: datetime) -> str:
    """`12:07 UTC`."""
    return moment.astimezone(UTC).strftime("%H:%M UTC")


def money(dollars: float) -> str:
    """`$0.08`; what would be rounded to nothing is `under $0.01`."""
    return "under $0.01" if 0 < dollars < _CENT else f"${dollars:,.2f}"


def left_out(found: HiddenLeftOut) -> str:
    """`the issue: 2 HTML comments (214 characters), 40 tag characters`."""
    return f"{found.place}: {', '.join(map(_hidden, found.hidden))}"


def hidden(summary: Summary) -> str:
    """What the model was not shown, because people don't see it either. Empty where there was nothing."""
    if not summary.hidden:
        return ""
    told = "; ".join(left_out(found) for found in summary.hidden[:PLACES])
    more = len(summary.hidden) - PLACES
    also = f"; and in {count(more, 'more place')}" if more > 0 else ""
    return f"Left out before the model read it, because it can't be seen on the page: {told}{also}."


def _hidden(one: Hidden) -> str:
    said = count(one.passages, one.kind)
    return said if one.passages == one.characters else f"{said} ({count(one.characters, 'character')})"


def requester(summary: Summary) -> str:
    """Who asked for the work, as Markdown: a mention of them where the platform knows their name."""
    if summary.started is None:
        return ""
    named = prose(one_line(summary.started.requester.split("<")[0], 80))
    return mention(summary.started.mention) or named


def in_words_of(platform: str, text: str) -> str:
    """`text` of ours with the word that people on `platform` have for a merge request."""
    return text.replace("merge request", "pull request") if platform == "github" else text


def unpriced(summary: Summary) -> bool:
    """Whether of all replies no price is known."""
    return 0 < summary.replies == summary.unpriced


def paid(summary: Summary) -> str:
    """`$0.08`, or how much of it is known. Empty before the first reply."""
    if not summary.replies:
        return ""
    if unpriced(summary):
        return "cost unknown"
    return f"at least {money(summary.cost)}" if summary.unpriced else money(summary.cost)


# How the answer to a hand-in begins that was given back before anything was tested; the session words it.
GIVEN_BACK = "Not accepted, nothing was tested or committed."


def spent(summary: Summary) -> str:
    """`$0.08 of $3.00`: what was paid and the limit, which counts only where prices are known."""
    known = paid(summary)
    limited = summary.started is not None and summary.unpriced < summary.replies
    return f"{known} of {money(summary.started.limits.cost)}" if limited and summary.started else known


def tokens(summary: Summary) -> str:
    """`41,200 tokens, 83 % cached`: input and output together; the share is that of the input."""
    usage = summary.usage
    if not usage.prompt:
        return ""
    share = f", {round(100 * usage.cached / usage.prompt)} % cached" if usage.cached else ""
    return count(usage.prompt + usage.completion, "token") + share


def commit(sha: str) -> str:
    """A commit's short name."""
    return sha[:7]


def tally(run: TestsRan) -> Counter[Result]:
    """How many cases of `run` ended in which way."""
    return Counter(case.result for case in run.cases)


def counts(run: TestsRan | None) -> str:
    """What a run of the tests came to: `211 passed, 1 failed`."""
    if run is None:
        return "not run"
    if not run.by_case:
        said = "passed" if run.exit_code == 0 else f"failed (exit code {run.exit_code})"
        return f"not finished: {run.problem}" if run.problem else said
    number = tally(run)
    parts = [f"{number[Result.PASSED]:,} passed"]
    parts += [f"{number[Result.FAILED]:,} failed"] * bool(number[Result.FAILED])
    parts += [count(number[Result.ERROR], "error")] * bool(number[Result.ERROR])
    parts += [f"{number[Result.SKIPPED]:,} skipped"] * bool(number[Result.SKIPPED])
    return ", ".join(parts) + (f"; not finished: {run.problem}" if run.problem else "")


def comparison(summary: Summary) -> str:
    """Before and after in one breath: `1 test fixed, none newly broken, 2 added`. Empty without one."""
    compared = summary.compared
    if compared is None or compared.verdict in {Verdict.NO_TESTS, Verdict.INCOMPLETE}:
        return ""
    if summary.before and summary.before.problem:  # then the lists hold what nobody knows the before of
        return compared.reason[:1].lower() + compared.reason[1:].rstrip(".")
    if summary.after and not summary.after.by_case:
        return _whole_command(compared, summary.after)
    fixed, broken = len(compared.fixed), len(compared.newly_broken)
    if fixed:
        said = f"{count(fixed, 'test')} fixed, {f'{broken:,}' if broken else 'none'} newly broken"
    else:
        said = f"{count(broken, 'test') if broken else 'no test'} newly broken"
    return ", ".join([said, *others(compared)])


def others(compared: TestsCompared, noun: str = "") -> list[str]:
    """What differs beside the fixed and the broken: `2 added`, with a noun the first as `2 tests added`."""
    lists = {
        "added": compared.added,
        "removed": [change for change in compared.removed if not change.behind],
        "can't be run": [change for change in compared.removed if change.behind],
        "newly skipped": compared.newly_skipped,
        "flaky": compared.flaky,
        "order-dependent": compared.order_dependent,
        "still failing": compared.still_failing,
    }
    known = [(len(changes), name) for name, changes in lists.items() if changes]
    said = [f"{number:,} {name}" for number, name in known]
    return [f"{count(known[0][0], noun)} {known[0][1]}", *said[1:]] if noun and known else said


def grade(judged: Judged) -> str:
    """The verdict within a sentence: `verified`, `verified, with remarks`, `not verified`, `broken`."""
    return GRADES[judged.grade].lower()


def reasons(judged: Judged) -> list[str]:
    """Why the verdict is what it is, in at most `REASONS` sentences."""
    return [_sentence(reason, REASON) for reason in judged.reasons[:REASONS]]


def result(verification: Round) -> str:
    """What one verification came to, in a few words."""
    judged, compared = verification.judged, verification.compared
    if judged is None:
        return "not finished"
    if compared and judged.grade is Grade.BROKEN and compared.newly_broken:
        return f"{len(compared.newly_broken):,} newly broken"
    if compared and not judged.ready and compared.lost:
        return f"{len(compared.lost):,} no longer run"
    why = judged.reasons[0] if judged.grade in {Grade.BROKEN, Grade.NOT_VERIFIED} and judged.reasons else ""
    return grade(judged) + (f": {_within(one_line(why, 120))}" if why else "")


def short_verdict(summary: Summary) -> str:
    """The verdict in a line of figures; with its first reason, where there is no comparison to stand beside it."""
    judged = summary.judged
    if judged is None:
        return ""
    if judged.grade is Grade.NOT_VERIFIED and judged.reasons:
        return f"{grade(judged)}: {_within(judged.reasons[0])}"
    return grade(judged)


def failures(retried: Retried) -> str:
    """How a case went that was run again: `failed 2 of 4 runs`."""
    failed, runs = retried.failures
    return f"failed {failed:,} of {count(runs, 'run')}"


def lines_run(verification: Round) -> tuple[int, int] | None:
    """How many of the changed lines that can be run the tests run, and how many there are. None where that was not
    measured, or no changed line can be run."""
    told = verification.coverage
    executable = sum(len(file.executable) for file in told.files) if told and told.tool else 0
    if told is None or not executable:
        return None
    return executable - sum(len(file.missed) for file in told.files), executable


def semicolons(command: str) -> str:
    """A command of several lines on one, as a shell understands it."""
    return "; ".join(line for line in clean(command).split("\n") if line.strip())


def partly(run: TestsRan | None) -> list[str]:
    """What one has to know of a run whose figures are not what they seem: clauses."""
    if run is None:
        return []
    said = [f"not all tests were run: {run.some.rstrip('.')}"] if run.some else []
    if run.reused:
        said.append("taken over from an earlier session on the same commit")
    return said


def flaky(change: Change, retried: Retried | None) -> str:
    """How a flaky case went, on which side: `failed 2 of 4 runs`. Empty where nothing is known."""
    if retried is not None:
        return failures(retried)
    return "failed and passed on the base" if flaky_on_base(change) else ""


def flaky_on_base(change: Change) -> bool:
    """Whether a flaky case is one that failed on the base, and passed there when it was run again."""
    return change.before is not None and change.before.bad and change.after is Result.PASSED


def command_of(summary: Summary, run: TestsRan) -> str:
    """The command of a run of the tests; of several projects one in a line, each with its folder."""
    chosen = summary.commands_of_tests
    if run.command != "\n".join(each.command for each in chosen):
        return run.command  # of some tests, or of other projects than those known now
    return "\n".join(map(in_folder, chosen))


def in_folder(chosen: TestsChosen) -> str:
    """A command of the tests as it is called from the top of the repository."""
    return f"(cd {shlex.quote(chosen.folder)} && {chosen.command})" if chosen.folder else chosen.command


def unjudged(summary: Summary) -> str:
    """Why a verification without a session came to no verdict, in sentences."""
    ran = summary.set_ups[-1].runs[-1] if summary.set_ups else None
    chosen = summary.set_ups[-1].chosen if summary.set_ups else None
    if ran is None or ran.exit_code == 0 or not (chosen and chosen.configured):
        return "The change was not judged to the end."
    how = "did not end in time" if ran.timed_out else f"failed with exit code {ran.exit_code}"
    last = next((line.strip() for line in reversed(ran.tail.splitlines()) if line.strip()), "")
    where = f" All it printed is in the report's logs/{ran.log}." if ran.log else ""
    said = f"`{one_line(semicolons(ran.command), 120)}` {how}{': ' + one_line(last, 200).rstrip('.') if last else ''}"
    return f"Set-up fails before the change, so nothing was compared: {said}.{where}"


def purpose(said: str) -> str:
    """What the harness runs a command for (`CommandStarted.purpose`), in words for people."""
    return _PURPOSES.get(said, said)


_PURPOSES = {
    "set-up (work)": "set-up",
    "set-up (base)": "set-up of the base",
    "set-up (result)": "set-up of the result",
    f"tests {Moment.BEFORE}": "tests before",
    f"tests {Moment.AFTER}": "tests after",
    f"tests {Moment.ASKED}": "tests run for the model",
    f"tests {Moment.AGAIN}": "tests again",
    f"tests {Moment.PROOF}": "the change's tests on the old source",
    f"tests {Moment.REVERSE}": "the old tests on the new source",
    "coverage": "tests again, for their coverage",
    "checks": "a check",
}


def _whole_command(compared: TestsCompared, after: TestsRan) -> str:
    if compared.newly_broken:
        return "the test command passed before and fails now"
    if compared.still_failing:
        return "the test command fails before and after"
    said = "failed before and passes now" if compared.fixed else "passes before and after"
    command = one_line(semicolons(after.command), 80)
    return f"the test command {said} (only the exit code of `{command}` is known)"


def wrong(summary: Summary) -> list[str]:
    """What keeps the work from being done, worst first, in sentences. Empty when it is solved."""
    if summary.solved:
        return []
    judged = summary.judged
    sentences = [*around(summary), *(reasons(judged) if judged and not judged.ready else [])]
    if not sentences and summary.ending is not None:
        sentences.append("It was handed in, but what the harness could check does not hold.")
    return sentences


def suspicion(suspected: SecretsSuspected) -> str:
    """What people have to look at first, in a sentence."""
    named = ", ".join(suspected.places[:_SUSPECTED])
    more = f" and {len(suspected.places) - _SUSPECTED} more" if len(suspected.places) > _SUSPECTED else ""
    return f"The change adds what looks like a secret: {named}{more}. Please look at it before it is merged."


_SUSPECTED = 5  # places that are told


def around(summary: Summary) -> list[str]:
    """What is wrong beside the verdict, in sentences: why the work ended early, and what was not tested."""
    looks = suspicion(summary.suspected) if summary.suspected else ""
    sentences = [*filter(None, [looks, policy.sentence(summary.policy)]), *_stopped(summary)]
    if summary.judged is None and summary.committed:
        began = summary.after is not None or summary.verifying
        said = "was not judged to the end" if began else "was not tested"
        sentences.append(f"This change {said}.")
    if not summary.together:
        sentences.append("The tests ran on this work alone, not on the branch as it is now.")
    return sentences


def headline(summary: Summary) -> str:
    """How an unsolved session stands, in a few words."""
    if summary.undelivered:
        done = summary.judged is not None and summary.judged.grade is Grade.NOT_VERIFIED
        return "Done, but not delivered." if done else "Solved, but not delivered."
    if summary.ending is Ending.NO_CHANGE:
        return "Nothing changed."
    limits = {Ending.LIMIT_STEPS, Ending.LIMIT_COST, Ending.LIMIT_TOKENS, Ending.LIMIT_WALL}
    if summary.status is Status.FAILED and summary.ending in limits:
        return "Stopped at a limit."
    said = {Status.FAILED: "Not solved.", Status.SUSPENDED: "Paused.", Status.CANCELLED: "Cancelled."}
    return said.get(summary.status, "Not finished.")


def sentence(summary: Summary) -> str:
    """The session's own last sentence; before it is written, what the facts say."""
    said = summary.ended.sentence if summary.ended and summary.ended.sentence else " ".join(wrong(summary))
    return in_words_of(summary.platform, said)


def _stopped(summary: Summary) -> list[str]:
    if summary.ending in {None, Ending.SUBMITTED, Ending.UNVERIFIED}:
        return []
    said = _ENDINGS[summary.ending] if summary.ending else ""
    if summary.started:
        limits = summary.started.limits
        if summary.ending is Ending.LIMIT_WALL and limits.job_minutes is not None:
            said = _JOB_OVER
        said = said.format(**_limits(limits))
    detail = summary.stopped.detail if summary.stopped else ""
    return [said, _sentence(detail)] if detail else [said]


def _limits(limits: Limits) -> dict[str, str]:
    return {
        "iterations": f"{limits.iterations:,}",
        "cost": money(limits.cost),
        "tokens": f"{limits.input_tokens:,} in, {limits.output_tokens:,} out",
        "minutes": duration((limits.minutes if limits.job_minutes is None else limits.job_minutes) * _MINUTE),
    }


def _within(sentence: str) -> str:
    """A sentence as it reads behind a colon."""
    line = one_line(sentence).rstrip(".")
    return line[:1].lower() + line[1:] if line[1:2].islower() or line[1:2] == " " else line


def _sentence(text: str, limit: int = 200) -> str:
    line = one_line(text, limit)
    line = line[:1].upper() + line[1:]
    return line if line.endswith((".", "!", "?", "…")) else line + "."


_JOB_OVER = "This job may take {minutes}, and its end came near before the work was handed in."

_ENDINGS = {
    Ending.NO_CHANGE: "The model handed in without changing anything.",
    Ending.NEEDS_INPUT: "The model waits for an answer.",
    Ending.NEEDS_APPROVAL: "It waits for an approval.",
    Ending.LIMIT_STEPS: "The limit of {iterations} model replies was reached before the work was handed in.",
    Ending.LIMIT_COST: "The cost limit of {cost} was reached before the work was handed in.",
    Ending.LIMIT_TOKENS: "The token limit ({tokens}) was reached before the work was handed in.",
    Ending.LIMIT_WALL: "The time limit of {minutes} was reached before the work was handed in.",
    Ending.STUCK: "The model went round in circles and was stopped.",
    Ending.FORMAT: "The model's answers could not be used.",
    Ending.CONTEXT: "The work no longer fits into what the model can read at once.",
    Ending.LLM_AUTH: "The model's provider refused the key.",
    Ending.LLM_QUOTA: "The model's provider says the quota is used up.",
    Ending.LLM_UNAVAILABLE: "The model could not be reached.",
    Ending.LLM_POLICY: "The model's provider declined to answer.",
    Ending.LLM_REPLAY: "The recording that plays the model does not fit this run.",
    Ending.WITHHELD: "The work held the value of a secret and was not handed over.",
    Ending.UNANSWERED: "Nobody answered the question in time.",
    Ending.LOST: "The job that worked on it was lost.",
    Ending.ENVIRONMENT: "Something around the work failed.",
    Ending.CANCELLED: "It was cancelled.",
    Ending.INTERNAL: "ci-agent itself failed.",
}
