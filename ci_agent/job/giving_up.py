"""What people see where there will be no session, although one was promised."""

from __future__ import annotations

from dataclasses import replace

from ci_agent.job.case import Case
from ci_agent.job.promise import Promise, kept, promise
from ci_agent.job.telling import tell_why_not
from ci_agent.session.endings import FAILED, other_labels


def give_up(case: Case, made: Promise, text: str) -> None:
    """There is no session, and the issue is ours: say why, in its comment and by its label."""
    say_why_not(case, made, text)
    case.forge.change_labels(made.issue, [FAILED], other_labels(FAILED, case.settings.trigger.label))
    kept(case.host.job.scratch)


def say_why_not(case: Case, made: Promise, text: str) -> None:
    """Say in the progress comment why there is no session."""
    promise(case.host.job.scratch, replace(made, said=text))
    tell_why_not(case.host.output, text)
    case.forge.ensure_comment(made.issue, made.marker, text)
