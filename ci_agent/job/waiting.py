"""Questions that nobody answers: a reminder, and after a while an end. Called by `ci-agent poll`."""

from __future__ import annotations

from datetime import timedelta

from ci_agent.agent import Stop
from ci_agent.errors import CiAgentError
from ci_agent.job.case import Case
from ci_agent.job.checkpoints import kept_of, requester_of
from ci_agent.job.repairing import alone
from ci_agent.job.roster import Roster
from ci_agent.job.settling import settle
from ci_agent.platforms import Issue
from ci_agent.reporting import replies
from ci_agent.reporting.wording import count
from ci_agent.session.endings import WAITING
from ci_agent.task import Ending, Status


def look_after(case: Case, roster: Roster) -> None:
    """Remind of the questions that wait for too long, and end the sessions of those that wait for much too long. What goes
    wrong with one is in the log, and is tried again next time."""
    for issue in case.forge.open_issues(WAITING.name):
        try:
            with alone(case, roster, issue.number) as ours:
                if ours:  # else somebody has answered just now
                    _look_after(case, issue)
        except (CiAgentError, OSError) as error:
            print(f"The question on issue {issue.number}: {error}", file=case.host.output.log, flush=True)


def _look_after(case: Case, issue: Issue) -> None:
    kept = kept_of(case, issue.number)
    if kept is None or kept.state is None or kept.state.status is not Status.SUSPENDED:
        return
    state, settings = kept.state, case.settings.ask
    waited = case.now() - state.saved
    if waited >= timedelta(days=settings.give_up_after):
        days = count(round(settings.give_up_after), "day")
        stop = Stop(Ending.UNANSWERED, f"Nobody answered within {days} (ask.give_up_after).")
        settle(case, issue, kept, state, stop)
        print(f"Nobody answered on issue {issue.number}: its session is ended.", file=case.host.output.log)
        return
    if waited < timedelta(days=settings.remind_after):
        return
    asked = requester_of(kept)
    left = timedelta(days=settings.give_up_after) - waited
    who, days_left = asked.login if asked else "", left / timedelta(days=1)
    text = replies.reminder(who, days_left, issue.url, proposed=state.ending == Ending.NEEDS_APPROVAL)
    # One for each question: a job that asked is a job of its own.
    written = case.forge.ensure_comment(issue.number, f"reminder {state.session} {state.jobs}", text)
    if written.created:
        print(f"Reminded of the question on issue {issue.number}.", file=case.host.output.log, flush=True)
