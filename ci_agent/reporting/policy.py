"""What the policy found in a change, in words: for people, and for the model that can still mend it."""

from __future__ import annotations

from collections.abc import Sequence

from ci_agent.config import FILE_NAME
from ci_agent.journal.events import PolicyAction, PolicyFinding, PolicyJudged
from ci_agent.reporting.text import code, prose

_NAMED = 3  # files in a sentence


def sentence(judged: PolicyJudged | None) -> str:
    """What became of the change, in plain text. Empty where there is nothing to say."""
    if judged is None:
        return ""
    action = judged.action
    listed = "; ".join(named(finding) for finding in judged.findings if finding.action is action)
    rules = " and ".join(finding.rule for finding in judged.findings if finding.action is action)
    if action is PolicyAction.REFUSE:
        relaxed = f"{rules}: draft, or allow, in the {FILE_NAME} of the base branch would let it through"
        return f"Nothing was pushed, because the change touches what it may not: {listed}. {relaxed}."
    if action is PolicyAction.DRAFT:
        relaxed = f"{rules}: allow, in the {FILE_NAME} of the base branch, takes it as usual"
        return f"Only a draft, because the change touches what a person has to look at: {listed}. {relaxed}."
    return ""


def for_model(finding: PolicyFinding) -> str:
    """What the model is told of one finding when it hands in."""
    if finding.action is PolicyAction.REFUSE:
        return (
            f"This session can't change {named(finding)}. Put that back as it was, and say in the summary what should "
            "be changed there; people will read it."
        )
    return f"With {named(finding)} the change becomes a draft that a person has to decide on."


def section(judged: PolicyJudged | None) -> str:
    """All findings with their files, as Markdown. Empty for none."""
    if judged is None or not judged.findings:
        return ""
    return "\n".join(["### For a person to look at first", *map(_item, judged.findings)])


def named(finding: PolicyFinding) -> str:
    """What it is about, with its files, in plain text."""
    return f"{finding.what} ({_listed(finding.files, finding.more)})"


def _item(finding: PolicyFinding) -> str:
    files = ", ".join(code(name) for name in finding.files)
    return f"- {prose(finding.what)}: {files}{_more(finding.more)} ({code(finding.rule)}: {finding.action})"


def _listed(files: Sequence[str], more: int) -> str:
    return ", ".join(files[:_NAMED]) + _more(more + max(0, len(files) - _NAMED))


def _more(number: int) -> str:
    return f" and {number:,} more" if number else ""
