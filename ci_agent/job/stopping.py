"""`/agent stop`: the job that is at work is asked to stop, and cancelled where it does not; a session that waits is ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ci_agent.agent import Stop
from ci_agent.errors import CiAgentError
from ci_agent.job import inbox
from ci_agent.job.case import Case
from ci_agent.job.checkpoints import at_work, kept_of
from ci_agent.job.inbox import Inbox, Wish, Word
from ci_agent.job.listening import EVERY, stopper
from ci_agent.job.progress import abandoned, comment_of, marker_of
from ci_agent.job.repairing import alone
from ci_agent.job.roster import Entry, Roster, roster_of, unlisted
from ci_agent.job.settling import settle
from ci_agent.job.waits import Waits
from ci_agent.platforms import Issue
from ci_agent.reporting import replies
from ci_agent.session.endings import FAILED, other_labels
from ci_agent.task import Ending

GRACE: Final = 20.0  # seconds in which it must have been heard: a job looks every 5, one that waits for its turn every 12
LAST: Final = 60.0  # seconds more in which a job that has heard it saves its work and says its last word
_LOOK = EVERY / 2  # seconds between two looks at what came of it


def stop(case: Case, issue: Issue, waits: Waits | None = None) -> str:
    """Stop whatever is at work on the issue; the answer to whoever wants it."""
    try:
        roster = roster_of(case.host, case.forge, case.settings)
        there = roster.sessions(issue.number, but=case.host.job.run)
        if not there:
            return _ended(case, issue, roster)
        left = _asked(case, roster, there, waits or Waits())
        return _cancelled(case, left) if left else _stopped(case, there[0])
    except CiAgentError as error:
        return replies.not_stopped(str(error), "")


# --- by its inbox -------------------------------------------------------------------------------------------


def _asked(case: Case, roster: Roster, there: Sequence[Entry], waits: Waits) -> Sequence[Entry]:
    """Ask them to stop; those who don't."""
    issue = there[0].issue
    words = [inbox.word(f"{case.answer} {one.job}", Wish.STOP, case.trigger, one.job) for one in there]
    try:
        opens = inbox.opening(case, issue)
        if opens is None:
            return there
        box = opens()
        for word in words:
            if not box.add(word):
                return there
        begun = waits.clock()
        while waits.clock() - begun < (LAST + GRACE if _heard(box, words) else GRACE):
            waits.pause(_LOOK)
            there = roster.sessions(issue, but=case.host.job.run)
            if not there:
                break
        box.take([word.id for word in words])
    except CiAgentError as error:
        _log(case, f"The job can't be asked to stop: {error}")
    return there


def _heard(box: Inbox, words: Sequence[Word]) -> bool:
    still = {one.id for one in box.look()}
    return not any(word.id in still for word in words)


def _stopped(case: Case, entry: Entry) -> str:
    there = comment_of(case.forge.comments(entry.issue), entry.session)
    return replies.stopped(there.text if there else "", there.url if there else entry.job_url)


# --- by the platform ----------------------------------------------------------------------------------------


def _cancelled(case: Case, there: Sequence[Entry]) -> str:
    refused = list[str]()
    for one in there:
        try:
            case.forge.cancel_job(one.job)
        except CiAgentError as error:
            progress = comment_of(case.forge.comments(one.issue), one.session)
            refused.append(replies.not_stopped(str(error), progress.url if progress else ""))
    return "\n\n".join(refused) or replies.stopping()


# --- nobody is at work ----------------------------------------------------------------------------------------


def _ended(case: Case, issue: Issue, roster: Roster) -> str:
    """End a session that waits for an answer, or whose job is gone; or see that nobody begins one."""
    who = stopper(case.trigger.actor.login if case.trigger.actor else "")
    with alone(case, roster, issue.number) as ours:
        if not ours:
            return replies.not_stopped(
                "it begins just now, or looks after what an earlier one left. Ask again", ""
            )
        kept = kept_of(case, issue.number)
        if kept and kept.doubtful and at_work(case, kept.doubtful):
            return replies.not_stopped("it was begun with another key. Cancel it in the CI", "")
        state = kept.state if kept else None
        if kept is None or state is None or state.over:
            return _not_begun(case, issue, who)
        if at_work(case, state):
            return _cancelled(case, [unlisted(state)])
        outcome = settle(case, issue, kept, state, Stop(Ending.CANCELLED, f"Stopped by {who}."))
    _log(case, f"Ended the session on issue {issue.number}, on which nobody was at work: {outcome.status}.")
    there = comment_of(case.forge.comments(issue.number), state.session)
    return replies.stopped(there.text if there else "", there.url if there else "")


def _not_begun(case: Case, issue: Issue, who: str) -> str:
    """Take back what asks for work that has not begun."""
    label = case.settings.trigger.label
    if label.casefold() not in map(str.casefold, issue.labels):
        return replies.nothing_to_stop()
    promised = abandoned(case.forge.comments(issue.number))
    if promised:
        case.forge.ensure_comment(issue.number, marker_of(promised), replies.waiting_stopped(who))
        case.forge.change_labels(issue.number, [FAILED], other_labels(FAILED, label))
    else:
        case.forge.change_labels(issue.number, [], [label])
    _log(case, f"Took the label {label} from issue {issue.number}, on which nobody was at work yet.")
    return replies.asked_back(label)


def _log(case: Case, text: str) -> None:
    print(text, file=case.host.output.log, flush=True)
