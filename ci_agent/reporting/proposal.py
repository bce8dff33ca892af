"""What waits for a person's approval, and what became of an approved plan, in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from ci_agent.journal.events import ChangeProposed, PlanProposed
from ci_agent.reporting import policy
from ci_agent.reporting.diffstat import file_table
from ci_agent.reporting.summary import Summary
from ci_agent.reporting.text import code, codes, one_line, prose, quote
from ci_agent.reporting.wording import (
    comparison,
    duration,
    in_words_of,
    requester,
    short_verdict,
    spent,
)

_PLAN = 6_000  # characters of the model's words: all that `propose_plan` takes, since a person decides by it
_SUMMARY = 2_500  # the same of a change
_NAMED = 20  # files that are not in the plan

_DECIDE_PLAN = (
    "`/agent approve` has me go on with this plan; `/agent reject WHY` has me propose another one; "
    "a comment without a command approves nothing, and I read it and propose again."
)
_DECIDE_CHANGE = "`/agent approve` has me test this once more, push it and open the merge request; `/agent reject WHY` has me change it."


def waiting(summary: Summary, *, decides: bool) -> list[str]:
    """The comment on what waits, in paragraphs. `decides`: it says how to decide."""
    proposal = summary.waits
    if isinstance(proposal, PlanProposed):
        head, figures = "**A plan, before I change anything**", ["", ""]
        said, how = _plan(proposal, lead="*The model proposes:*"), _DECIDE_PLAN
    elif isinstance(proposal, ChangeProposed):
        head = "**Done, and nothing pushed yet**"
        figures = [prose(short_verdict(summary)), prose(comparison(summary))]
        said, how = _change(summary, proposal), in_words_of(summary.platform, _DECIDE_CHANGE)
    else:
        return []
    who = requester(summary.started)
    for_whom = f"waiting for {who}" if who else ""
    line = [head, for_whom, *figures, duration(summary.seconds), spent(summary)]
    return [" · ".join(part for part in line if part), *said, how if decides else ""]


def beside(summary: Summary) -> str:
    """Where the change goes another way than the approved plan, as a paragraph; empty: nowhere, or there is no plan."""
    compared = summary.beside
    if compared is None:
        return ""
    parts = [
        f"**Not in the approved plan:** {_listed(compared.outside)}" if compared.outside else "",
        f"Planned and not touched: {_listed(compared.untouched)}" if compared.untouched else "",
    ]
    return " · ".join(part for part in parts if part)


def section(summary: Summary) -> str:
    """What was approved, for the merge request, the plan folded; empty: nothing was."""
    plan, parts = summary.agreed, []
    if summary.approved_change:
        parts.append(f"The change was approved before it was pushed, by {_who(summary.approved_by)}.")
    if plan:
        listed = "\n\n".join(_plan(plan, lead="*In the model's words:*"))
        head = f"The plan, approved by {_who(summary.agreed_by)}"
        parts.append(f"<details><summary>{head}</summary>\n\n{listed}\n\n</details>")
    return "\n\n".join(parts)


def _who(by: str) -> str:
    return prose(one_line(by, 80)) or "somebody who may decide here"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(map(code, names[:_NAMED])) + more


def _plan(plan: PlanProposed, *, lead: str) -> list[str]:
    lines = [f"- {code(name)}{' (new)' if name in plan.new else ''}" for name in plan.files]
    return [quote(plan.plan, lead=lead, limit=_PLAN), "It means to touch:\n\n" + "\n".join(lines)]


def _change(summary: Summary, proposal: ChangeProposed) -> list[str]:
    submitted = summary.submitted
    words = f"{submitted.title}\n\n{submitted.summary}" if submitted else ""
    return [
        prose(proposal.why, 1000),
        "What would be pushed:\n\n" + file_table(proposal.files),
        beside(summary),
        prose(policy.sentence(summary.policy), 1000),
        quote(words, lead="*In the model's words:*", limit=_SUMMARY) if words else "",
        _where(summary),
    ]


def _where(summary: Summary) -> str:
    number = summary.started.issue if summary.started else ""
    show = codes(f"ci-agent sessions show {number}")
    return f"To see all of it: {show} says how, and the job's report has it as `diff.patch`."
