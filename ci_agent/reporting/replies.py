"""The short comments that are no progress comment: answers, refusals, and why nothing is done.

Pure text. What strangers wrote goes through `ci_agent.reporting.text`.
"""

from __future__ import annotations

from collections.abc import Sequence

from ci_agent.reporting.progress import WORKING
from ci_agent.reporting.text import code, link, mention, prose
from ci_agent.reporting.wording import count, in_words_of

# How comments begin that stand in the place of a session's.
LOST = "**Interrupted.**"
COULD_NOT_BEGIN = "**Could not begin.**"
WAITING = "**Waiting**"
NOT_BEGUN = "**Not begun.**"
NO_SESSION = (COULD_NOT_BEGIN, WAITING, NOT_BEGUN)

_ROLES = {
    "write": "may write to this repository",
    "maintain": "maintain this repository",
    "admin": "administer this repository",
}
_OUTCOME = 1000  # characters of the first line of a progress comment; one of ours is shorter


def help_text(
    commands: Sequence[tuple[str, str]], options: Sequence[tuple[str, str]], *, platform: str = ""
) -> str:
    """The list of commands and options, each with what it does, in the words of `platform`."""
    rows = [f"| {code(usage)} | {in_words_of(platform, does)} |" for usage, does in [*commands, *options]]
    return "\n".join(
        [
            "Write a command at the start of a line in a comment; options stand behind `run` and `retry`, before the hint.",
            "",
            "| command | what it does |",
            "|---|---|",
            *rows,
        ]
    )


def unknown(
    problem: str,
    commands: Sequence[tuple[str, str]],
    options: Sequence[tuple[str, str]],
    *,
    platform: str = "",
) -> str:
    """What could not be understood, and, folded, what could be."""
    said = prose(problem)
    end = "" if said.endswith((".", "!", "?")) else "."
    known = help_text(commands, options, platform=platform)
    return (
        f"I did not understand that: {said}{end} `/agent help` lists what I do.\n\n"
        f"<details><summary>Commands and options</summary>\n\n{known}\n\n</details>"
    )


def refused(login: str, needed: str) -> str:
    """They may not ask for work here. `needed` is a word of `trigger.permission`."""
    return (
        f"Only people who {_ROLES[needed]} can start me; {_who(login)} may not, or the platform does not let me see it. "
        "Somebody who may can comment `/agent run`."
    )


def label_of_nobody(label: str) -> str:
    """Nobody knows who put the label there."""
    return (
        f"I can't find out who put the label {code(label)} on this issue, so I don't know whether they may ask me. "
        "Somebody who may can comment `/agent run`."
    )


def issue_edited(login: str) -> str:
    """Somebody who may not ask for work changed the issue after it was asked for."""
    return (
        f"{_who(login)} changed this issue after I was asked to work on it, and may not ask me for work. Please read it "
        "again as it is now; `/agent run` starts me with it."
    )


def closed() -> str:
    """The issue is closed."""
    return "This issue is closed, so I do nothing. Reopen it and comment `/agent run` to start me."


def confidential() -> str:
    """The issue is confidential, and others can see the repository."""
    return (
        "This issue is confidential, but more people can see this project than this issue. A merge request would tell "
        "them what it says, so I do nothing."
    )


def too_many(most: int) -> str:
    """The issue was worked on too often today."""
    return (
        f"I have worked on this issue {count(most, 'time')} within a day, which is the limit (`trigger.runs_per_day`). "
        "Comment `/agent retry` tomorrow, or raise the limit."
    )


def busy(url: str) -> str:
    """Another job came first."""
    there = link("progress", url)
    return (
        f"Another job is at work on this issue already{': ' + there if there else ''}. Nothing was started. When it is "
        "done, `/agent retry` with a hint goes on from there."
    )


def waiting(busy: int, most: int, position: int, job_url: str) -> str:
    """As many work as may; we are the `position`th of those who wait."""
    log = link("log", job_url)
    return (
        f"{WAITING}: {busy} of {count(most, 'agent')} busy; position {position}{' · ' + log if log else ''}\n\n"
        "The work begins when it is my turn. `/agent stop` ends the waiting.\n"
    )


def waited(most: int, minutes: float, label: str) -> str:
    """It was not our turn for so long. `label` stays on the issue; empty: it has none that a schedule finds."""
    within = f" within {count(round(minutes), 'minute')}" if minutes >= 1 else ""
    on = (
        f"The label {code(label)} stays, so that a schedule (`ci-agent poll`) picks it up; `/agent run` asks at once."
        if label
        else "No schedule picks it up, because the issue does not have the label; `/agent run` asks again."
    )
    return f"{NOT_BEGUN} It was not my turn{within}: {count(most, 'agent')} may work at a time. {on}\n"


def stopped_waiting(job_url: str) -> str:
    """The job was cancelled, or died, before it was its turn."""
    log = link("log", job_url)
    return (
        f"{NOT_BEGUN} The job ended while it waited for its turn: it was cancelled, ran out of time, or its process was "
        f"killed.{' · ' + log if log else ''}\n\n`/agent run` asks again.\n"
    )


def not_begun(why: str) -> str:
    """When it was our turn there was nothing to do any more. `why` is a clause."""
    return f"{NOT_BEGUN} When it was my turn, {prose(why, 1500)}.\n"


def waiting_stopped(by: str) -> str:
    """Somebody ended the waiting; `by` is who, and how."""
    return f"{NOT_BEGUN} The waiting was ended by {prose(by)}. `/agent run` asks again.\n"


def going_on(url: str) -> str:
    """Said on the merge request where the work was asked for; the progress is told on the issue."""
    there = link("progress", url)
    return f"I am going on with this; the {there or 'progress'} is on the issue."


def not_stopped(error: str, url: str) -> str:
    """The platform does not let us cancel the job that is at work."""
    there = link("The job that is at work", url) or "The job that is at work"
    return f"{there} could not be stopped: {prose(error, 1500)}"


def could_not_begin(error: str, job_url: str) -> str:
    """The job failed before the work began."""
    log = link("log", job_url)
    return f"{COULD_NOT_BEGIN} {prose(error, 1500)}{' · ' + log if log else ''}\n\nWhen that is mended, comment `/agent retry`."


def not_published(why: str, job_url: str) -> str:
    """The bundle of another job was refused. `why` is a clause: it …"""
    log = link("log", job_url)
    return (
        f"**Not published.** What the job that worked left behind was refused: it {prose(why, 1500)}."
        f"{' · ' + log if log else ''}\n\nNothing of it was pushed. When that is cleared up, comment `/agent retry`."
    )


def nothing_to_publish(job_url: str) -> str:
    """The job that works left no bundle."""
    log = link("log", job_url)
    return (
        "**Nothing to publish.** The job that works left nothing behind: it could not begin, was cancelled, or ran out of "
        f"time. Its log says more{': ' + log if log else ''}.\n\nWhen that is mended, comment `/agent retry`."
    )


def from_fork(platform: str = "") -> str:
    """The merge request's branch is in somebody else's repository."""
    return in_words_of(
        platform,
        "This merge request comes from a fork, whose branch I can't write to. Comment on the issue instead.",
    )


def not_ours(platform: str = "") -> str:
    """The merge request is not one that we opened."""
    return in_words_of(
        platform,
        "This merge request is not one that I opened, so I don't know which issue it is about. Comment on the issue, or "
        "on a merge request of mine.",
    )


def status(
    *,
    working: bool,
    progress: str,
    runs: int,
    merge_request: str,
    waiting: bool = False,
    said: str = "",
    platform: str = "",
) -> str:
    """How it stands: the first line of the last progress comment, and where to read on.

    The two addresses are empty where there is nothing. `said` is the text of our last progress comment, without
    its marker.
    """
    if not runs and not waiting:
        return "I have not worked on this issue yet. `/agent run` starts me."
    line = said.partition("\n")[0].strip()
    if len(line) > _OUTCOME:  # none of ours; a part of it could say anything
        line = ""
    if working:
        head = "I am at work on it" + line.removeprefix(WORKING)
    elif waiting:
        head = "I wait for my turn" + line.removeprefix(WAITING)
    else:
        head = f"{line}\n\nI am not at work on it now" if line else "I am not at work on it now"
    parts = [
        head,
        link("progress" if working or waiting else "how it ended", progress),
        link(in_words_of(platform, "merge request"), merge_request),
        f"{count(runs, 'run')} so far",
    ]
    return " · ".join(part for part in parts if part)


def stopping() -> str:
    """The running job was asked to stop."""
    return "I have asked the platform to cancel the job. What there is of the work is kept; `/agent retry` goes on."


def stopped(said: str, url: str) -> str:
    """What was at work has ended. `said` is the text of its comment, without the marker; empty: there is none."""
    line = said.partition("\n")[0].strip()
    if len(line) > _OUTCOME or line.startswith((WORKING, WAITING)):  # none of ours, or not its last word
        line = ""
    there = link("how it ended", url)
    head = "It has ended" if not line else f"It has ended: {line}"
    kept = (
        "" if line.startswith(NOT_BEGUN) else "\n\nWhat there is of the work is kept; `/agent retry` goes on."
    )
    return f"{head}{' · ' + there if there else ''}{kept}"


def told(progress: str) -> str:
    """A session is at work, and what was said goes there."""
    there = link("The session that is at work", progress) or "The session that is at work"
    return f"{there} is told this. Nothing else was started."


def taken(progress: str) -> str:
    """The session that is at work has it now."""
    there = link("The session that is at work", progress) or "The session that is at work"
    return f"{there} has read this, and takes it into account from here on."


def taken_up() -> str:
    """The session ended before it could hear it, and its job goes on."""
    return "The session had just ended when you said this. I take it up now."


def not_taken_up(why: str) -> str:
    """The session ended before it could hear it, and nobody goes on. `why` is a clause."""
    return f"I did not get to this: {prose(why, 1500)}. `/agent retry` with it goes on from where the work ended."


def stop_first(progress: str) -> str:
    """A run with other options can't begin while another one is at work."""
    there = link("Another session", progress) or "Another session"
    return (
        f"{there} is at work on this issue, and the options of a run count from its beginning. Nothing was started: end it "
        "with `/agent stop` first, or say what you want without options, and it is told that."
    )


def nothing_to_stop() -> str:
    """Nobody works on the issue."""
    return "No job of mine is at work on this issue, so there is nothing to stop."


def asked_back(label: str) -> str:
    """As far as is known nobody works on the issue yet, and nobody is going to. `label` asked for it."""
    return (
        f"I know of no job that works on this issue. Its label {code(label)} is gone now, so none begins because of it, or "
        "publishes anything; `/agent run` asks again."
    )


def reminder(who: str, days: float, progress: str, *, proposed: bool = False) -> str:
    """Nobody has answered the question yet, or decided on what is `proposed`."""
    name, asked = ("what I proposed", "your word") if proposed else ("my question", "an answer")
    left = "push nothing" if proposed else "leave what there is as a draft"
    decide = " `/agent approve`, or `/agent reject WHY`?" if proposed else ""
    return (
        f"{_who(who)}: {link(name, progress) or name} still waits for {asked}.{decide} Without one, I stop waiting "
        f"{count(round(days), 'day')} from now and {left}."
    )


def begun_anew() -> str:
    """The session was left in the middle, or waited for a person, and another one takes its place."""
    return "This session is not gone on with, and needs no answer: another one has begun anew, which is told below; `/agent status` says how far it is."


def lost(job_url: str, *, again: bool) -> str:
    """The job is gone, and did not say a last word. `again`: the schedule goes on."""
    log = link("log", job_url)
    goes_on = "The next schedule goes on from there, where there is one; `/agent retry` does so at once."
    return (
        f"{LOST} The job that worked on this is gone: its runner was lost, or its process killed. What it had saved is "
        f"kept.{' · ' + log if log else ''}\n\n{goes_on if again else ''}".rstrip()
    )


def nothing_waits(verb: str) -> str:
    """An answer or a decision that nobody waits for."""
    waits = "I have asked no question here" if verb == "answer" else "Nothing waits for a decision here"
    return f"{waits}. `/agent retry` with a hint starts another attempt."


def too_late() -> str:
    """A plain reply to a question that was answered before."""
    return (
        "My question was answered before this comment was read, so I leave it out of the work. `/agent retry` with a hint "
        "goes on from there."
    )


def question_waits() -> str:
    """A decision, where a question waits."""
    return "Here I have asked a question, and neither a plan nor a change waits for a decision. `/agent answer TEXT` answers it."


def decided_before() -> str:
    """A decision that was written before what waits now was posted."""
    return (
        "What waits here was posted after you wrote that, so I did not take it for your word on it. Look at my last progress "
        "comment, and write `/agent approve` or `/agent reject` again if it still stands."
    )


def approved_with_words() -> str:
    """An approval of a change, with words that nobody would act on."""
    return (
        "An approval pushes exactly the change that waits, so it goes without words, and I have done nothing. Write "
        "`/agent approve` alone, or `/agent reject` with what is to be done differently."
    )


def not_kept(label: str) -> str:
    """An approval is needed, and nothing could go on after it."""
    return (
        f"A person has to approve the work here (`approval.needed`, or the label {code(label)}), and a job can only go on after "
        "that where sessions are kept. They are not, so I have not begun: set the secret `CI_AGENT_CHECKPOINT_KEY` (from "
        "`openssl rand -hex 32`) and leave `checkpoint.keep` on; the job's log says more. Then comment `/agent retry`."
    )


def not_apart(label: str) -> str:
    """An approval is needed, and one job works while another one publishes."""
    return (
        f"A person has to approve the work here (`approval.needed`, or the label {code(label)}). Where one job works and another "
        "one publishes, nothing goes on after that, so I have not begun. There the platform's own approval of the job that "
        "publishes does the same, see `docs/split.md`; once nothing else is asked for, `/agent retry` starts me."
    )


def _who(login: str) -> str:
    return mention(login) or prose(login) or "somebody"
