"""Whether a plan or a change can wait for a person's word, and whether a word fits what waits."""

from __future__ import annotations

from collections.abc import Iterable

from ci_agent.config import Config
from ci_agent.errors import UsageError
from ci_agent.job.answers import asked_since
from ci_agent.job.case import Case, Refused
from ci_agent.job.checkpoints import Kept
from ci_agent.job.resuming import Earlier
from ci_agent.journal.events import ChangeProposed
from ci_agent.platforms import Issue
from ci_agent.reporting import replies
from ci_agent.reporting.summary import Summary
from ci_agent.session.approval import needs
from ci_agent.session.endings import PLAN_FIRST
from ci_agent.task import Status
from ci_agent.triggers import Verb


def cannot_wait(case: Case, issue: Issue, kept: Kept | None) -> Refused | None:
    """Why the work can't begin, where a person has to approve it on its way; None: it can. `kept` is how its session is
    kept for the job that goes on then."""
    if kept is not None or not needs(case.settings, issue.labels):
        return None
    return Refused(
        "an approval is needed, and sessions are not kept", case.answer, replies.not_kept(PLAN_FIRST.name)
    )


def not_apart(case: Case, issue: Issue) -> Refused | None:
    """The same where one job works and another one publishes."""
    if not needs(case.settings, issue.labels):
        return None
    return Refused(
        "an approval is needed, which two jobs can't wait for",
        case.answer,
        replies.not_apart(PLAN_FIRST.name),
    )


def check_alone(settings: Config, labels: Iterable[str]) -> None:
    """The same for work on a person's own machine. Raises `UsageError`."""
    needed = needs(settings, labels)
    if needed.plan:
        raise UsageError(
            f"a plan has to be approved here (approval.needed: plan, or the label {PLAN_FIRST.name}), and only jobs of a platform "
            "can wait for that; for this call, CI_AGENT_APPROVAL_NEEDED=none and no such label do without"
        )
    if needed.push and settings.git.push:
        raise UsageError(
            "a person has to approve what is pushed (approval.needed: push); leave --push away, look at the branch, and push "
            "it yourself"
        )


def not_to_decide(case: Case, issue: Issue, earlier: Earlier | None) -> Refused | None:
    """Why `/agent approve` or `/agent reject` decides nothing; None: it does, or asks for something else. `earlier` is the
    session that the job would go on with."""
    trigger = case.trigger
    verb = trigger.command.verb
    if verb not in (Verb.APPROVE, Verb.REJECT):
        return None
    if earlier is None or earlier.state.status is not Status.SUSPENDED:
        return _answered(case, replies.nothing_waits(str(verb)))
    summary = Summary.of(earlier.events)
    if summary.waits is None:
        return _answered(case, replies.question_waits())
    if asked_since(case, issue):
        return _answered(case, replies.decided_before())
    if verb is Verb.APPROVE and isinstance(summary.waits, ChangeProposed) and trigger.command.text:
        return _answered(case, replies.approved_with_words())
    return None


def _answered(case: Case, text: str) -> Refused:
    return Refused(f"answered: {case.trigger.command.verb}", case.answer, text)
