"""Whether what a trigger asks for may be done: who acted, whether they may, whether it still stands.

Every answer comes from the platform; what can't be found out counts as no. It says nothing to people: a
`Refused` holds what is to be said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ci_agent.errors import JournalError
from ci_agent.job.case import Case, Refused
from ci_agent.job.checkpoints import Kept, kept_of, requester_of
from ci_agent.job.progress import sessions
from ci_agent.journal.archive import unpacked
from ci_agent.journal.events import SessionStarted
from ci_agent.platforms import Comment, Issue, Permission
from ci_agent.reporting import replies
from ci_agent.session.checkpoint import JOURNAL
from ci_agent.task import Account
from ci_agent.triggers import Kind, Trigger, Verb, commands

_DAY = timedelta(hours=24)
_NEEDED = {"write": Permission.WRITE, "maintain": Permission.MAINTAIN, "admin": Permission.ADMIN}


@dataclass(frozen=True, slots=True)
class Admitted:
    """The trigger with what only the platform knew filled in."""

    trigger: Trigger
    actor: Account


def admit(case: Case) -> Admitted | Refused:
    """Whether the person who acted may ask for anything here, and what exactly they asked for."""
    trigger = case.trigger
    if trigger.actor is None:
        found = _labelled(case, trigger)
        if isinstance(found, Refused):
            return found
        trigger = found
    actor = trigger.actor
    if actor is None or not actor.login:
        return Refused("nobody knows who asked for it")
    if actor.bot and actor.id not in case.settings.trigger.bots:
        return Refused(
            f"{actor.login} is a bot, and not one of trigger.bots (its id is {actor.id or 'unknown'})"
        )
    if same(actor, case.forge.me()):
        return Refused("it was our own doing")
    needed = case.settings.trigger.permission
    if not may_ask(case, actor):
        why = f"{actor.login} may not {needed} here, or the platform does not say so"
        if trigger.kind is Kind.REPLY:  # they may have spoken to somebody else
            return Refused(why)
        return Refused(why, f"refused {actor.login}", replies.refused(actor.login, needed))
    return _as_written(case, trigger, actor)


def may_ask(case: Case, person: Account) -> bool:
    """Whether the platform says that somebody may ask for work here."""
    return case.forge.permission(person) >= _NEEDED[case.settings.trigger.permission]


def _labelled(case: Case, trigger: Trigger) -> Trigger | Refused:
    """A schedule found the issue: who asked for it is whoever put the label there."""
    if trigger.thread is None:
        return Refused("nobody knows who asked for it")
    label = case.settings.trigger.label
    labelled = case.forge.labelled(trigger.thread.number, label)
    if labelled is None:
        why = f"nobody knows who put the label {label} on it"
        return Refused(why, f"refused {label}", replies.label_of_nobody(label))
    if not same(labelled.by, case.forge.me()):
        return replace(trigger, actor=labelled.by, at=labelled.at)
    # We put it back, because a job was lost. Who asked for that one is in what is kept of it, which is signed.
    kept = kept_of(case, trigger.thread.number)
    asked = requester_of(kept) if kept else None
    if kept is None or kept.state is None or kept.state.over or asked is None:
        return Refused("it was our own doing")
    return replace(trigger, actor=asked, at=kept.state.started)


def same(one: Account, other: Account) -> bool:
    """Whether both are the same person."""
    if one.id and other.id:
        return one.id == other.id
    return one.login.casefold() == other.login.casefold()


def _as_written(case: Case, trigger: Trigger, actor: Account) -> Admitted | Refused:
    """The command as it stands in the comment, where the event brought only the comment's id.

    One that was edited since counts as it is now: only its author and people with more rights can have changed it.
    (When is not known either: on GitLab a reaction changes the comment's date as well.)
    """
    if trigger.comment and trigger.thread and trigger.issue is None:
        comment = case.forge.comment(trigger.thread, trigger.comment)
        if comment is None:
            return Refused("the comment is gone, or internal")
        if comment.ours or not same(comment.author, actor):
            return Refused("the comment is not by the one the event names")
        waiting = trigger.command.verb is Verb.ANSWER
        asked = commands.asked(comment.text, case.settings.trigger.account, waiting=waiting)
        if asked is None:
            return Refused("the comment holds no command")
        trigger = replace(trigger, kind=asked[0], command=asked[1], at=comment.created)
    if trigger.thread and not case.forge.acknowledge(trigger.thread, trigger.comment):
        return Refused("what was asked for is gone: the comment or the issue was deleted")
    return Admitted(trigger, actor)


def still_wanted(case: Case, issue: Issue) -> Refused | None:
    """Why the issue is not to be worked on any more; None: it is."""
    label, trigger = case.settings.trigger.label, case.trigger
    if not issue.open:
        said = "" if trigger.kind is Kind.REPLY else replies.closed()
        return Refused(f"issue {issue.number} is closed", case.answer, said)
    if issue.confidential and not case.forge.repository().private:
        why = f"issue {issue.number} is confidential, and a merge request would tell everybody"
        return Refused(why, case.answer, replies.confidential())
    if trigger.kind in (Kind.LABEL, Kind.POLL) and label.casefold() not in map(str.casefold, issue.labels):
        return Refused(f"the label {label} is gone again from issue {issue.number}")
    return None


def too_many(case: Case, comments: Sequence[Comment], last: Kept | None = None) -> Refused | None:
    """Whether the issue was worked on too often within a day: by the progress comments it has, one for each session, and by
    the jobs that went on with the `last` one."""
    begun = [comment.created for comment in sessions(comments)]
    most = case.settings.trigger.runs_per_day
    today = sum(case.now() - at < _DAY for at in [*begun, *_went_on(last)])
    if today < most:
        return None
    return Refused(
        f"{today} runs within a day, {most} are allowed",
        f"too many runs {case.now():%Y-%m-%d}",
        replies.too_many(most),
    )


def _went_on(last: Kept | None) -> list[datetime]:
    """When each job but the first one of a session began; nothing where that can't be told."""
    try:
        events = unpacked(last.files.get(JOURNAL, b"")) if last and last.state else ()
    except JournalError:
        return []
    return [event.at for event in events if isinstance(event.fact, SessionStarted)][1:]


def edited_by_strangers(case: Case, number: str) -> Refused | None:
    """Whether somebody who may not ask for work changed the issue after it was asked for.

    Where the event brought the text as it stood, what was changed later does not count anyway.
    """
    trigger = case.trigger
    if trigger.issue is not None:
        return None
    for editor in case.forge.edited_since(number, trigger.at):
        if not may_ask(case, editor):
            who = editor.login or "somebody"
            return Refused(f"{who} changed the issue meanwhile", case.answer, replies.issue_edited(who))
    return None
