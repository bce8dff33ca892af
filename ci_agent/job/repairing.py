"""What earlier jobs left undone is made true: sessions whose job is gone, and last words that did not arrive.

Every job that works does it before it begins, and so does `ci-agent poll`. Whatever can't be repaired now is in the log, and
the next job tries again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from ci_agent.agent import Stop
from ci_agent.errors import CiAgentError
from ci_agent.job.case import Case
from ci_agent.job.checkpoints import Kept, kept_of
from ci_agent.job.progress import marker_of
from ci_agent.job.roster import ENTRIES, Granted, Roster, repair_of
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
    label `ai-running`."""
    try:
        there = {one.entry.issue for one in roster.entries() if not one.gone}
        marked = [issue.number for issue in case.forge.open_issues(RUNNING.name)]
    except CiAgentError as error:
        _log(case, f"Nobody looked after what earlier jobs left: {error}")
        return
    left = [number for number in dict.fromkeys([*besides, *marked]) if number not in there]
    for number in left[:MOST]:
        mine = repair_of(case.host.job, number, case.now())
        try:
            if isinstance(roster.claim(mine, ENTRIES), Granted):
                _repair(case, case.forge.issue(number))
        except (CiAgentError, OSError) as error:
            _log(case, f"What is left of issue {number} could not be repaired: {error}")
        finally:
            _release(case, roster, mine)
    _tidy(case)


def _release(case: Case, roster: Roster, mine: object) -> None:
    try:
        roster.release(mine)  # type: ignore[arg-type]
    except CiAgentError as error:
        _log(case, f"The roster could not be told that something is repaired: {error}")


def _repair(case: Case, issue: Issue) -> None:
    case = replace(case, trigger=replace(case.trigger, thread=Thread(issue.number)))
    kept = kept_of(case, issue.number)
    if kept is None or kept.state is None:
        _say_gone(case, issue)
    elif kept.state.over or kept.state.status is Status.SUSPENDED:
        say_again(case, issue, kept, kept.state)
        _log(case, f"Said the last word on issue {issue.number}: {kept.state.status}.")
    else:
        _lost(case, issue, kept, kept.state)


def _lost(case: Case, issue: Issue, kept: Kept, state: State) -> None:
    settings = case.settings.lost
    times = lost(unpacked(kept.files.get(JOURNAL, b"")))
    goes_on = settings.go_on and times < settings.most
    if issue.open and not goes_on:
        how = (
            f"{count(times, 'job')} of this session were lost"
            if times > 1
            else "the job that worked on this was lost"
        )
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
    if not again:
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
