"""The policy on a session's work: asked for each hand-in, and for everything that is about to leave."""

from __future__ import annotations

from ci_agent.agent import Stop
from ci_agent.journal.events import PolicyAction, PolicyJudged
from ci_agent.reporting import policy
from ci_agent.session.endings import ENDINGS
from ci_agent.session.parts import Delivery
from ci_agent.task import Ending, Status
from ci_agent.workspace import judge


def judged(parts: Delivery, tree: str) -> PolicyJudged:
    """What the policy says of `tree`. What the work branch has at the remote already does not count: people put it
    there. Raises `GitError`."""
    control, source = parts.workspace.control, parts.workspace.source
    published = source.known_at_remote(parts.task.branch)
    findings = judge(
        control.snapshot(source.base_sha),
        control.snapshot(tree),
        parts.config.policy,
        control.snapshot(published) if published else None,
    )
    return PolicyJudged(tree, findings)


def stopped_by(judgement: PolicyJudged, stop: Stop) -> Stop:
    """How the session ends with this judgement. An ending that has nothing to do with the change stays what it is."""
    done = ENDINGS[stop.ending][0] is Status.COMPLETED or stop.ending is Ending.UNVERIFIED
    if judgement.action is PolicyAction.ALLOW or not done:
        return stop
    said = policy.sentence(judgement)
    return Stop(Ending.UNVERIFIED, f"{said} {stop.detail}" if stop.ending is Ending.UNVERIFIED else said)
