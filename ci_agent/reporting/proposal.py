"""What waits for a person's approval, and what became of an approved plan, in Markdown."""

from __future__ import annotations

from ci_agent.journal.events import ChangeProposed, PlanProposed
from ci_agent.reporting import policy
from ci_agent.reporting.diffstat import SHOWN, file_table
from ci_agent.reporting.summary import Summary
from ci_agent.reporting.text import code, codes, prose, quote
from ci_agent.reporting.wording import (
    comparison,
    duration,
    in_words_of,
    reasons,
    requester,
    short_verdict,
    spent,
)

_PLAN = 6_000  # characters of the model's words: all of what is decided on
_SUMMARY = 2_500
_NAMED = 20  # files that are not in the plan

_DECIDE_PLAN = "`/agent approve` has me go on with this plan; `/agent reject WHY` has me propose another one."
_DECIDE_CHANGE = "`/agent approve` has me test this once more, push it and open the merge request; `/agent reject WHY` has me change it."


def waiting(summary: Summary, *, decides: bool) -> list[str]:
    """The comment on what waits, in paragraphs. `decides`: it says how to decide."""
    proposal, platform = summary.waits, summary.platform
    if isinstance(proposal, PlanProposed):
        head = "**A plan, before I change anything**"
        said = _plan(proposal)
        how = _DECIDE_PLAN
    elif isinstance(proposal, ChangeProposed):
        head = "**Done, and nothing pushed yet**"
        said = _change(summary, proposal)
        how = in_words_of(platform, _DECIDE_CHANGE)
    else:
        return []
    who = requester(summary)
    line = [
        head,
        f"waiting for {who}" if who else "waiting for an approval",
        duration(summary.seconds),
        spent(summary),
    ]
    return [" · ".join(part for part in line if part), *said, how if decides else ""]


def outside(summary: Summary) -> str:
    """Which files of the change the approved plan does not name, as a paragraph; empty: none, or there is no plan."""
    names = summary.beside.outside if summary.beside else ()
    if not names:
        return ""
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return f"**Not in the approved plan:** {', '.join(map(code, names[:_NAMED]))}{more}"


def section(summary: Summary) -> str:
    """The plan that was approved, folded, for the merge request; empty: there is none."""
    plan = summary.agreed
    if plan is None:
        return ""
    by = prose(summary.agreed_by) or "somebody who may decide here"
    listed = "\n\n".join(_plan(plan))
    return f"<details><summary>The plan, approved by {by}</summary>\n\n{listed}\n\n</details>"


def _plan(plan: PlanProposed) -> list[str]:
    lines = [f"- {code(name)}{' (new)' if name in plan.new else ''}" for name in plan.files[:SHOWN]]
    lines += [f"- … and {len(plan.files) - SHOWN:,} more"] if len(plan.files) > SHOWN else []
    return [
        quote(plan.plan, lead="*The model proposes:*", limit=_PLAN),
        "It means to touch:\n\n" + "\n".join(lines),
    ]


def _change(summary: Summary, proposal: ChangeProposed) -> list[str]:
    figures = [prose(short_verdict(summary)), prose(comparison(summary))]
    judged, submitted = summary.judged, summary.submitted
    words = f"**{prose(submitted.title)}**\n>\n" if submitted else ""
    return [
        f"{prose(proposal.why)} What was measured: {' · '.join(filter(None, figures)) or 'nothing'}.",
        *([prose(reason, 700) for reason in reasons(judged)[:1]] if judged else []),
        "What would be pushed:\n\n" + file_table(proposal.files),
        outside(summary),
        prose(policy.sentence(summary.policy), 1000),
        quote(submitted.summary, lead=f"*In the model's words:* {words}", limit=_SUMMARY)
        if submitted
        else "",
        _where(summary),
    ]


def _where(summary: Summary) -> str:
    number = summary.started.issue if summary.started else ""
    show = codes(f"ci-agent sessions show {number}")
    return f"To see all of it: {show} says how, and the job's report has it as `diff.patch`."
