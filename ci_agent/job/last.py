"""The last word of a job whose process died before it could say it: `ci-agent job --final-word`.

The CI runs this after the job, whatever became of it; `promise` says what is left to be made true.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ci_agent import config
from ci_agent.ci import Host, Output
from ci_agent.config import Config
from ci_agent.errors import CiAgentError, JournalError
from ci_agent.guard import Guard, of_config
from ci_agent.job.assembly import write_report
from ci_agent.job.case import Case
from ci_agent.job.checkpoints import keep_end
from ci_agent.job.decide import settings_of
from ci_agent.job.forges import open_forge
from ci_agent.job.more import decline
from ci_agent.job.more import left as left_over
from ci_agent.job.progress import session_of
from ci_agent.job.promise import Promise, kept
from ci_agent.job.roster import Entry, Roster, entry_of, roster_of
from ci_agent.job.settings import report_folder
from ci_agent.job.telling import tell, tell_why_not
from ci_agent.journal import Fact, Journal
from ci_agent.journal.events import AgentStopped, MergeRequestWritten, SessionEnded, SessionStarted
from ci_agent.platforms import Forge
from ci_agent.reporting.progress import GONE, progress_comment
from ci_agent.reporting.summary import Summary
from ci_agent.sandbox.paths import there
from ci_agent.sandbox.reclaiming import READ, reclaim
from ci_agent.session import ENDINGS, JOURNAL
from ci_agent.session.endings import END_LABELS, other_labels
from ci_agent.session.voice import of_this_job
from ci_agent.task import Ending, Status
from ci_agent.triggers import Command, Kind, Trigger, Verb

_SENTENCE = (
    "The CI job ended before its work was done: it was cancelled, ran out of time, or its process was killed."
)


def final_word(left: Promise, host: Host, environment: Mapping[str, str], flags: Mapping[str, object]) -> int:
    """Make true what a job that is gone has promised; the exit code."""
    forge = open_forge(host, config.load(file=None, environment=environment, flags=flags).config)
    settings = settings_of(forge, environment, flags)
    folder = Path(left.folder)
    host.guard.learn(of_config(settings))
    journal = _journal(folder, host.guard)
    mine = entry_of(host.job, left.issue, session_of(left.marker), datetime.now(UTC))
    roster, others = _others(host, forge, settings, mine)
    status = _keep(left, journal, forge, settings, host.output, others=others)
    kept(host.job.scratch)
    print(f"Said the last word on issue {left.issue}: {status}.", file=host.output.log, flush=True)
    if roster:
        try:
            roster.release(mine)
        except CiAgentError as error:
            print(f"It is on the roster until its CI says that it has ended: {error}", file=host.output.log)
    nobody = Trigger(Kind.POLL, None, None, mine.since, Command(Verb.RUN))
    case = Case(host, forge, settings, nobody)
    decline(case, left_over(case, left.issue, folder), "the job ended before it heard it")
    if journal:
        with journal:
            write_report(journal, folder, report_folder(settings), host.guard)
        try:
            keep_end(host, forge, settings, journal.events, left.issue, left)
        except (CiAgentError, OSError) as error:
            print(f"Its end could not be kept for later jobs: {error}", file=host.output.log, flush=True)
    return 0


def _others(host: Host, forge: Forge, settings: Config, mine: Entry) -> tuple[Roster | None, bool]:
    """The roster, where it can be had, and whether another job has the issue of `mine`."""
    try:
        roster = roster_of(host, forge, settings)
        there = roster.entries(mine.issue)
    except CiAgentError as error:
        print(f"Nobody can say who else is at work: {error}", file=host.output.log, flush=True)
        return None, False
    return roster, any(not (one.gone or one.entry.is_of(mine)) for one in there)


def _keep(
    left: Promise, journal: Journal | None, forge: Forge, settings: Config, output: Output, *, others: bool
) -> Status:
    """Say the last word for a job that is gone. Gives the status that is shown now. `others`: another job has the issue."""
    ended = _ended(journal) if journal else None
    status = ended.status if ended else Status.FAILED
    if journal is None or ended is None:
        text = left.said or GONE
        forge.ensure_comment(left.issue, left.marker, text)
        tell_why_not(output, text)
        if others:
            return status  # the labels are theirs
    else:
        guidance = forge.guidance(left.issue, left.branch)
        text = progress_comment(
            journal.events,
            next_step=guidance.go_on,
            to_answer=guidance.answer,
            when_mended=guidance.mended,
        )
        forge.ensure_comment(left.issue, left.marker, text)
    label = END_LABELS[status]
    forge.change_labels(left.issue, [label], other_labels(label, settings.trigger.label))
    if journal and ended:
        tell(output, journal.events, status)
    return status


def _journal(folder: Path, guard: Guard) -> Journal | None:
    """The journal of the session; None where it never began, or can't be read any more."""
    reclaim(folder, READ)  # the process may have died while a command had shut it
    try:
        return Journal(folder / JOURNAL, hides=guard) if there(folder / JOURNAL) else None
    except JournalError:
        return None


def _ended(journal: Journal) -> SessionEnded | None:
    """How the session ended, written down now where it did not get to it; None: it never began."""
    facts = [event.fact for event in of_this_job(journal.events)]
    for fact in facts:
        if isinstance(fact, SessionEnded):
            return fact
    if not any(isinstance(fact, SessionStarted) for fact in facts):
        return None
    stopped = _delivered(facts)
    if stopped is None:
        stopped = AgentStopped(Ending.CANCELLED, _SENTENCE)
        journal.append(stopped)
    seconds = Summary.of(journal.events).seconds
    status, code = ENDINGS[stopped.ending]
    end = SessionEnded(status, stopped.ending, stopped.detail, code, seconds)
    journal.append(end)
    return end


def _delivered(facts: Sequence[Fact]) -> AgentStopped | None:
    """How the agent had stopped, where the merge request says so already: then only the last word is missing."""
    stopped = None
    for fact in facts:
        if isinstance(fact, AgentStopped):
            stopped = fact
        elif isinstance(fact, MergeRequestWritten) and stopped is not None:
            return (
                None if fact.draft and stopped.ending is Ending.SUBMITTED else stopped
            )  # tests were missing
    return None
