"""Our turn: one job on an issue, so many in the repository. What people see while we wait, and that we let go in the end.

A roster that can't be had stops nobody: the CI keeps the jobs of one issue in a row as well.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from ci_agent.errors import CiAgentError, Interrupted
from ci_agent.interrupts import Interrupts
from ci_agent.job.admission import still_wanted
from ci_agent.job.assembly import limits
from ci_agent.job.case import Case
from ci_agent.job.checkpoints import at_work
from ci_agent.job.deadline import in_time
from ci_agent.job.giving_up import give_up, say_why_not
from ci_agent.job.listening import asked_to_stop
from ci_agent.job.progress import comment_of, session_of
from ci_agent.job.promise import Promise, kept, promise
from ci_agent.job.repairing import repair
from ci_agent.job.roster import Busy, Entry, Granted, Queued, Roster, entry_of, roster_of, unlisted
from ci_agent.job.waits import Waits
from ci_agent.reporting import replies
from ci_agent.session.checkpoint import State
from ci_agent.session.endings import other_labels, task_label
from ci_agent.task import Thread
from ci_agent.triggers import Kind

_LOOKS = (8.0, 12.0)  # seconds between two looks at the roster
_REPAIR = 120.0  # seconds that somebody may need who only looks after what an earlier job left of the issue
_SHARE = 2  # waiting may take one part in so many of the job's time: what is left has to be worth it


@contextmanager
def our_turn(case: Case, made: Promise) -> Iterator[Case | None]:
    """Within, the issue of `made` is ours, and we are one of so many that work. Gives the case; None:
    it is not to be, and whoever waits for it knows."""
    mine = entry_of(case.host.job, made.issue, session_of(made.marker), case.now())
    try:
        roster = roster_of(case.host, case.forge, case.settings)
    except CiAgentError as error:
        _unseen(case, error)
        yield case
        return
    try:
        yield claimed(case, roster, mine, made)
    finally:
        try:
            roster.release(mine)
        except CiAgentError as error:
            _log(case, f"The roster could not be told that this job is done; its CI will say so: {error}")


def claimed(
    case: Case, roster: Roster, mine: Entry, made: Promise, waits: Waits | None = None
) -> Case | None:
    """As `our_turn`, with a roster that somebody else lets go of."""
    most, waits = case.settings.limits.max_concurrent, waits or Waits()
    try:
        standing = _claim(roster, mine, most, waits)
    except CiAgentError as error:
        _unseen(case, error)
        return case
    if not isinstance(standing, Busy):
        repair(case, roster, [one.issue for one in standing.gone if one.issue != made.issue])
    if isinstance(standing, Queued):
        return _waited(case, roster, mine, made, standing, waits)
    return _let_in(case, made, standing)


def _claim(roster: Roster, mine: Entry, most: int, waits: Waits) -> Granted | Busy | Queued:
    """How we stand, once nobody looks after what an earlier job left of our issue."""
    begun = waits.clock()
    while isinstance(standing := roster.claim(mine, most), Busy):
        if not standing.other.repairs or waits.clock() - begun >= _REPAIR:
            break
        waits.pause(random.uniform(*_LOOKS))  # noqa: S311 - no secret
    return standing


def nobody_else(case: Case, made: Promise, state: State) -> Case | None:
    """As `our_turn`, where the roster does not know of it: None while the job of the session with this state is there."""
    if not at_work(case, state):
        return case
    return _let_in(case, made, Busy(unlisted(state)))


def _unseen(case: Case, error: CiAgentError) -> None:
    _log(case, f"Other jobs can't see that this one is at work, and it does not see them: {error}")


def _let_in(case: Case, made: Promise, standing: Granted | Busy) -> Case | None:
    if isinstance(standing, Granted):
        return case
    other, label = standing.other, case.settings.trigger.label
    there = comment_of(case.forge.comments(made.issue), other.session)
    if case.trigger.kind is not Kind.POLL:  # there nobody waits for an answer
        text = replies.busy(there.url if there else other.job_url)
        case.forge.reply(case.trigger.thread or Thread(made.issue), case.answer, text)
    if other.working and not other.repairs:
        case.forge.change_labels(made.issue, [], [label])
    kept(case.host.job.scratch)
    _log(case, f"Another job is at work on issue {made.issue}: {other.job_url}")
    return None


# --- waiting ----------------------------------------------------------------------------------------------


def _waited(
    case: Case, roster: Roster, mine: Entry, made: Promise, standing: Queued, waits: Waits
) -> Case | None:
    """Wait where people see it, as long as what is left is worth it."""
    begun, url = waits.clock(), case.host.job.url
    left = in_time(limits(case.settings), case.deadline, case.now()).minutes
    end = begun + 60 * min(case.settings.limits.queue_timeout, left / _SHARE)
    now: Granted | Busy | Queued = standing
    promise(case.host.job.scratch, replace(made, said=replies.stopped_waiting(url)))
    stops = asked_to_stop(case, made.issue)
    try:
        with Interrupts():
            said = ""
            while isinstance(now, Queued):
                said = _show(case, made, replies.waiting(now.busy, now.most, now.position, url), said)
                if waits.clock() >= end:
                    _left(case, made, now, (waits.clock() - begun) / 60)
                    return None
                waits.pause(min(random.uniform(*_LOOKS), max(0.0, end - waits.clock())))  # noqa: S311 - no secret
                by = stops()
                if by:
                    give_up(case, made, replies.waiting_stopped(by))
                    _log(case, f"Nothing to work on: the waiting was ended by {by}.")
                    return None
                now = _looked(case, roster, mine, now)
    except Interrupted:
        give_up(case, made, replies.stopped_waiting(url))
        raise
    refused = still_wanted(case, case.forge.issue(made.issue))
    if refused or isinstance(now, Busy):
        why = refused.why if refused else f"another job had issue {made.issue}"
        say_why_not(case, made, replies.not_begun(why))
        kept(case.host.job.scratch)
        _log(case, f"Nothing to work on: {why}.")
        return None
    promise(case.host.job.scratch, made)
    _log(case, "It is our turn.")
    return case


def _looked(case: Case, roster: Roster, mine: Entry, before: Queued) -> Granted | Busy | Queued:
    """How we stand now; as before, where the roster can't be had."""
    try:
        now = roster.claim(mine, before.most)
    except CiAgentError as error:
        _log(case, f"The roster could not be looked at; it is tried again. {error}")
        return before
    if now.gone:
        repair(case, roster, [one.issue for one in now.gone if one.issue != mine.issue])
    return now


def _show(case: Case, made: Promise, text: str, before: str) -> str:
    """Keep the comment true, with no more edits than it takes. What the platform does not take is tried again."""
    if text == before:
        return before
    try:
        case.forge.ensure_comment(made.issue, made.marker, text)
    except CiAgentError as error:
        _log(case, f"The comment could not say how long the row is: {error}")
        return before
    _log(case, text.partition("\n")[0].partition(" · ")[0].replace("*", ""))  # without the link to this log
    return text


def _left(case: Case, made: Promise, standing: Queued, minutes: float) -> None:
    """It takes too long: the issue is for the schedule, where it has the label."""
    label = case.settings.trigger.label
    waits = label.casefold() in map(str.casefold, case.forge.issue(made.issue).labels)
    say_why_not(case, made, replies.waited(standing.most, minutes, label if waits else ""))
    if waits:
        case.forge.change_labels(made.issue, [], other_labels(task_label(label), label))
    kept(case.host.job.scratch)


def _log(case: Case, text: str) -> None:
    print(text, file=case.host.output.log, flush=True)
