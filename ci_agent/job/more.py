"""More that people say while a job works on their issue: told to it, and, where it ended before it heard it, taken up then.

Who adds a word looks once more whether the job is still there; a job that ends lets go of the issue first and takes what is left
then. So one of both has it, and never both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ci_agent import session
from ci_agent.errors import CiAgentError
from ci_agent.job import inbox
from ci_agent.job.case import Case, Refused
from ci_agent.job.inbox import Wish, Word
from ci_agent.job.listening import Listening, place_of
from ci_agent.job.progress import comment_of
from ci_agent.job.roster import Entry, Roster, roster_of
from ci_agent.journal import read
from ci_agent.journal.events import InputTaken, SessionEnded
from ci_agent.platforms import Issue
from ci_agent.reporting import replies
from ci_agent.sandbox.paths import there
from ci_agent.task import Status
from ci_agent.triggers import Command, Kind, Verb

WORTH: Final = 10.0  # minutes that must be left of a job for taking up something more
_WORK = (Verb.RUN, Verb.RETRY, Verb.ANSWER)
_BY_WORDS = (Kind.COMMAND, Kind.MENTION, Kind.REPLY)


# --- told to the job that is at work ------------------------------------------------------------------------


def told(case: Case, issue: Issue) -> Refused | None:
    """What a trigger asks for is said to the session that is at work on the issue; None: there is none, or it can't be told."""
    trigger, command = case.trigger, case.trigger.command
    if case.silent or command.verb not in _WORK or trigger.kind not in _BY_WORDS or trigger.thread is None:
        return None
    try:
        roster = roster_of(case.host, case.forge, case.settings)
        at_work = roster.sessions(issue.number, but=case.host.job.run)
        if not at_work:
            return None
        if command.fresh or any(one is not None for one in (command.model, command.budget, command.base)):
            return Refused(
                "another job is at work", case.answer, replies.stop_first(_progress(case, at_work[0]))
            )
        return _told(case, roster, at_work[0]) if command.text.strip() else None
    except CiAgentError as error:
        _log(case, f"The session that is at work, if there is one, could not be told: {error}")
        return None


def _told(case: Case, roster: Roster, entry: Entry) -> Refused | None:
    opens = inbox.opening(case, entry.issue)
    if opens is None:
        return None
    box, word = opens(), inbox.word(case.answer, Wish.SAID, case.trigger, entry.job)
    progress = _progress(case, entry)
    if not box.add(word):
        return Refused("the session at work is told too much already", case.answer, replies.busy(progress))
    try:
        stays = any(one.is_of(entry) for one in roster.sessions(entry.issue, but=case.host.job.run))
        if not stays and box.take([word.id]):
            return None  # it ended before it could hear it
    except CiAgentError as error:  # the word is there all the same, for whoever works next
        _log(case, f"Whether the session still is at work is not known: {error}")
    return Refused("told to the session that is at work", case.answer, replies.told(progress))


def _progress(case: Case, entry: Entry) -> str:
    there = comment_of(case.forge.comments(entry.issue), entry.session)
    return there.url if there else entry.job_url


# --- heard by it ----------------------------------------------------------------------------------------------


def listening(case: Case, parts: session.Parts) -> Listening | None:
    """Whoever listens while the session of `parts` works; None: there is no key, or the platform can't be asked."""
    try:
        opens = inbox.opening(case, parts.task.issue)
    except CiAgentError as error:
        _log(case, f"Nobody is heard while this session works: {error}")
        return None
    if opens is None:
        return None
    known = [event.fact.id for event in parts.journal.events if isinstance(event.fact, InputTaken)]
    log = case.host.output.log

    def took(word: Word) -> None:
        _answer(case, word, replies.taken(parts.task.url))

    return Listening(opens, case.host.job.run, known, parts.interrupts, took, log)


# --- left by it -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Left:
    """What was said to a job that ended before it took it up."""

    words: Sequence[Word] = ()
    stopped: bool = False  # the session was

    def __bool__(self) -> bool:
        return bool(self.words)


def left(case: Case, issue: str, folder: Path) -> Left:
    """Take what is left of the inbox for this job, whose session is in `folder`; the issue must have been let go of. Where it
    can't be had, the next job on the issue hears it."""
    try:
        opens = inbox.opening(case, issue)
        if opens is None:
            return Left()
        facts = (
            [event.fact for event in read(folder / session.JOURNAL)]
            if there(folder / session.JOURNAL)
            else []
        )
        heard = {fact.id for fact in facts if isinstance(fact, InputTaken)}
        box = opens()
        ours = [one.id for one in box.look() if one.job == case.host.job.run or one.id in heard]
        taken = box.take(ours) if ours else ()
    except CiAgentError as error:
        _log(case, f"What was said meanwhile, if anything, is left to the next job: {error}")
        return Left()
    ended = [fact.status for fact in facts if isinstance(fact, SessionEnded)]
    words = [one for one in taken if one.wish is Wish.SAID and one.id not in heard]
    return Left(words, stopped=ended[-1:] == [Status.CANCELLED])


def asked_by(case: Case, found: Left) -> Case | None:
    """The case of a session that takes up what was left, which whoever said it is told; None: nothing can be made of it."""
    triggers = [(word, trigger) for word in found.words if (trigger := place_of(word))]
    if not triggers:
        return None
    for word, _ in triggers:
        _answer(case, word, replies.taken_up())
    text = "\n\n".join(word.text for word, _ in triggers)
    _, last = triggers[-1]
    return replace(case, trigger=replace(last, command=Command(Verb.RETRY, text)))


def decline(case: Case, found: Left, why: str) -> None:
    """Tell whoever said it that nobody takes it up. `why` is a clause."""
    for word in found.words:
        _answer(case, word, replies.not_taken_up(why))


def _answer(case: Case, word: Word, text: str) -> None:
    """Replace the answer that was given when it was told. It is a courtesy: nothing depends on it."""
    trigger = place_of(word)
    if trigger is None or trigger.thread is None:
        return
    try:
        case.forge.reply(trigger.thread, word.id, text)
    except CiAgentError as error:
        _log(case, f"{word.login} could not be told what became of it: {error}")


def _log(case: Case, text: str) -> None:
    print(text, file=case.host.output.log, flush=True)
