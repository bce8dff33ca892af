"""What a person has to approve before a session goes on, and what the journal says was approved.

A plan is approved before anything is changed, a change before anything of it is pushed. Both are approved as they were
posted: another plan, or another change, needs another word.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ci_agent.agent import Approved, Stop
from ci_agent.config import Config
from ci_agent.journal.events import ChangeProposed, FileChanged, PlanCompared, PlanProposed
from ci_agent.reporting.summary import Summary
from ci_agent.session.endings import ENDINGS, PLAN_FIRST
from ci_agent.session.parts import Delivery
from ci_agent.task import Ending, Status

_NAMED = 5  # files in a sentence
_HUNK = re.compile(rb"@@ -\S+ \+\S+ @@.*")
_NOT_PUSHED = (
    "Nothing was pushed, because {}, and a person is asked only about what holds. The work so far is kept with the session: "
    "`ci-agent sessions show {}` says how to get it."
)


@dataclass(frozen=True, slots=True)
class Needs:
    """What has to be approved."""

    plan: bool
    push: bool

    def __bool__(self) -> bool:
        return self.plan or self.push


def needs(config: Config, labels: Iterable[str]) -> Needs:
    """What has to be approved of the work on an issue with these labels."""
    needed = config.approval.needed
    labelled = PLAN_FIRST.name in map(str.casefold, labels)
    return Needs(plan=needed == "plan" or labelled, push=needed == "push")


def agreed(summary: Summary) -> Approved | None:
    """The plan that is in force; None: there is none."""
    plan = summary.agreed
    return Approved(plan.plan, plan.files, summary.agreed_by) if plan else None


def is_approved(parts: Delivery, tree: str) -> bool:
    """Whether what `tree` would push is the change that a person approved."""
    approved = Summary.of(parts.journal.events).approved_change
    return bool(approved) and approved == _digest(parts, tree)


def held(parts: Delivery, stop: Stop, tree: str, *, holds: bool) -> Stop | None:
    """How the session ends if nothing of `tree` may be pushed yet; None: it may. The journal says then what a person is
    asked, if the work `holds`, and what of it is outside of the plan that was approved."""
    summary, workspace = Summary.of(parts.journal.events), parts.workspace
    pushed = workspace.control.changes(tree, workspace.start)
    outside: Sequence[str] = ()
    if summary.agreed:
        # Nothing is left to push where an earlier job of the session did, and did not live to tell.
        outside = _outside(summary.agreed, pushed or workspace.control.changes(tree, workspace.began))
        parts.journal.append(PlanCompared(summary.agreed_by, tuple(outside)))
    why = _why(parts, summary, outside)
    if not (why and pushed and parts.config.git.push) or is_approved(parts, tree):
        return None
    if ENDINGS[stop.ending][0] is Status.SUSPENDED:
        return stop
    if not holds:
        return Stop(stop.ending, f"{stop.detail} {_NOT_PUSHED.format(why, parts.task.issue)}")
    said = f"{why[:1].upper()}{why[1:]}."
    parts.journal.append(ChangeProposed(_digest(parts, tree), pushed, said))
    return Stop(Ending.NEEDS_APPROVAL, said)


def _why(parts: Delivery, summary: Summary, outside: Sequence[str]) -> str:
    """Why a person has to be asked before the push, as a clause; empty: nobody has to be."""
    needed = needs(parts.config, parts.task.labels)
    if needed.plan and summary.agreed is None:
        return "no plan is approved"
    if needed.push:
        return "a person has to approve the change first (`approval.needed: push`)"
    if outside and parts.config.approval.strict:
        more = f" and {len(outside) - _NAMED:,} more" if len(outside) > _NAMED else ""
        named = ", ".join(outside[:_NAMED]) + more
        return f"the change touches what is not in the approved plan (`approval.strict`): {named}"
    return ""


def _outside(plan: PlanProposed, changed: Sequence[FileChanged]) -> tuple[str, ...]:
    """The files of the change that the plan does not name."""
    folders = tuple(name for name in plan.files if name.endswith("/"))
    names = dict.fromkeys(name for file in changed for name in (file.previous, file.path) if name)
    return tuple(name for name in names if name not in plan.files and not name.startswith(folders))


def _digest(parts: Delivery, tree: str) -> str:
    """What tells the change that would be pushed from all others: its patch without the numbers of lines and objects, which
    are others once the same change is put on a base that moved elsewhere."""
    patch = parts.workspace.control.diff(tree, parts.workspace.start)
    binary = b"\nGIT binary patch\n" in patch
    kept = (
        b"@@" if _HUNK.fullmatch(line) else line
        for line in patch.split(b"\n")
        if binary or not line.startswith(b"index ")
    )
    return hashlib.sha256(b"\n".join(kept)).hexdigest()
