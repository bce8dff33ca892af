"""What earlier jobs left undone is made true: sessions whose job is gone, and last words that did not arrive.

Every job that works does it before it begins, and so does `ci-agent poll`. Whatever can't be repaired now is in the log, and
the next job tries again.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from ci_agent.agent import Stop
from ci_agent.errors import CiAgentError
from ci_agent.job.admission import may_ask
from ci_agent.job.case import Case
from ci_agent.job.checkpoints import Kept, at_work, kept_of, requester_of
from ci_agent.job.progress import abandoned, marker_of
from ci_agent.job.roster import ENTRIES, Entry, Granted, Roster, repair_of
from ci_agent.job.settling import say_again, settle
from ci_agent.journal import Event
from ci_agent.journal.archive import unpacked
from ci_agent.journal.events import SessionEnded, SessionStarted
from ci_agent.platforms import Issue
from ci_agent.reporting import replies
from ci_agent.reporting.progress import GONE, WORKING
from ci_agent.reporting.wording import count
from ci_agent.session.checkpoint import JOURNAL, State
from ci_agent.session.endings import FAILED, RUNNING, other_labels, task_label
from ci_agent.task import Ending, Status, Thread
from ci_agent.workspace import discard

MOST: Final = 10  # issues at a time: this job has work of its own
_SCRATCH: Final = "ci-agent-"  # what folders of GitLab's jobs begin with, see `ci.detect`


def repair(case: Case, roster: Roster, besides: Iterable[str] = ()) -> None:
    """Repair the sessions that say they are at work and are not: those of the issues `besides`, and of all that have the
    label `ai-running` or a job on the roster that is gone."""
    try:
        found = roster.entries()
        marked = [issue.number for issue in case.forge.open_issues(RUNNING.name)]
    except CiAgentError as error:
        _log(case, f"Nobody looked after what earlier jobs left: {error}")
        return
    there = {one.entry.issue for one in found if not one.gone}
    gone = [one.entry.issue for one in found if one.gone]
    left = [number for number in dict.fromkeys([*besides, *gone, *marked]) if number not in there]
    if len(left) > MOST:  # those that fail again and again must not keep out the rest
        left = random.sample(left, MOST)
    for number in left:
        try:
            with alone(case, roster, number) as ours:
                if ours:
                    _repair(case, case.forge.issue(number))
        except (CiAgentError, OSError) as error:
            _log(case, f"What is left of issue {number} could not be repaired: {error}")
    _tidy(case)


@contextmanager
def alone(case: Case, roster: Roster, issue: str) -> Iterator[bool]:
    """Within, no job works on the issue that we look after; False: one does. Raises `CiAgentError` where nobody knows."""
    mine = repair_of(case.host.job, issue, case.now())
    try:
        yield isinstance(roster.claim(mine, ENTRIES), Granted)
    finally:
        _release(case, roster, mine)


def _release(case: Case, roster: Roster, mine: Entry) -> None:
    try:
        roster.release(mine)
    except CiAgentError as error:
        _log(case, f"The roster could not be told that something is repaired: {error}")


def _repair(case: Case, issue: Issue) -> None:
    case = replace(case, trigger=replace(case.trigger, thread=Thread(issue.number)))
    kept = kept_of(case, issue.number)
    if kept and kept.doubtful and at_work(case, kept.doubtful):
        _log(case, f"Issue {issue.number} is left alone while job {kept.doubtful.job} is there.")
    elif kept is None or kept.state is None:
        _say_gone(case, issue)
    elif kept.state.over or kept.state.status is Status.SUSPENDED:
        _ended(case, issue, kept, kept.state)
    elif at_work(case, kept.state):
        _log(
            case,
            f"The job that works on issue {issue.number} is there, and not on the roster: {kept.state.job_url}",
        )
    else:
        _lost(case, issue, kept, kept.state)


def _ended(case: Case, issue: Issue, kept: Kept, state: State) -> None:
    """Its session has ended; whether the issue says so, and nothing of a job that died before it began another one."""
    promised = abandoned(case.forge.comments(issue.number))
    if promised not in ("", state.session):
        _say_gone(case, issue)
    elif promised or not state.said or RUNNING.name.casefold() in map(str.casefold, issue.labels):
        say_again(case, issue, kept, state)
        _log(case, f"Said the last word on issue {issue.number}: {state.status}.")


def _lost(case: Case, issue: Issue, kept: Kept, state: State) -> None:
    settings = case.settings.lost
    times = lost(unpacked(kept.files.get(JOURNAL, b"")))
    asked = requester_of(kept)
    may = asked is not None and may_ask(case, asked)
    goes_on = settings.go_on and times < settings.most and may
    if issue.open and not goes_on:
        how = (
            f"{count(times, 'job')} of this session were lost"
            if times > 1
            else "the job that worked on this was lost"
        )
        if not may:
            how += ", and whoever asked for it may not ask for work any more"
        settle(case, issue, kept, state, Stop(Ending.LOST, f"{how[0].upper()}{how[1:]}."))
        _log(case, f"Ended the session on issue {issue.number}, whose job was lost.")
        return
    label = case.settings.trigger.label
    case.forge.ensure_comment(
        issue.number, marker_of(state.session), replies.lost(state.job_url, again=issue.open)
    )
    if issue.open:
        case.forge.change_labels(issue.number, [task_label(label)], other_labels(task_label(label), label))
    else:
        case.forge.change_labels(issue.number, [FAILED], other_labels(FAILED, label))
    _log(case, f"The job that worked on issue {issue.number} is gone; the schedule goes on with it.")


def lost(events: Iterable[Event]) -> int:
    """How many jobs of a session ended without a word, the last one included."""
    times, works = 0, False
    for fact in (event.fact for event in events):
        if isinstance(fact, SessionStarted):
            times, works = times + works, True
        elif isinstance(fact, SessionEnded):
            works = False
    return times + works


def _say_gone(case: Case, issue: Issue) -> None:
    """Nothing is kept of what was at work here. Where the issue still has the label, the schedule begins anew."""
    label = case.settings.trigger.label
    again = issue.open and label.casefold() in map(str.casefold, issue.labels)
    for comment in case.forge.comments(issue.number):
        if comment.marker.startswith(marker_of("")) and comment.text.startswith((WORKING, replies.WAITING)):
            text = replies.lost("", again=True) if again else GONE
            case.forge.ensure_comment(issue.number, comment.marker, text)
    if again:  # it stays; a schedule passes over an issue that has another one of ours beside it
        case.forge.change_labels(issue.number, [], other_labels(task_label(label), label))
    else:
        case.forge.change_labels(issue.number, [FAILED], other_labels(FAILED, label))
    _log(case, f"The job that worked on issue {issue.number} is gone, and nothing is kept of it.")


def _tidy(case: Case) -> None:
    """Delete what jobs that are over left on this machine, beside our own folder."""
    own = case.host.job.scratch
    if not own.name.startswith(_SCRATCH):
        return
    others = (place for place in own.parent.glob(f"{_SCRATCH}*") if place != own and not place.is_symlink())
    for place in sorted(others)[:MOST]:
        job = place.name.removeprefix(_SCRATCH)
        try:
            if job.isdecimal() and case.forge.job_ended(job):
                discard(place)
        except (CiAgentError, OSError) as error:
            _log(case, f"{place} could not be deleted: {error}")


def _log(case: Case, text: str) -> None:
    print(text, file=case.host.output.log, flush=True)
