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
_NOT_PUSHED = "Nothing was pushed, because {}. The work so far is kept with the session: `ci-agent sessions show {}` says how to get it."


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
    return bool(approved) and approved == _digest_of(parts, tree)


def held(parts: Delivery, stop: Stop, tree: str, *, holds: bool) -> Stop | None:
    """How the session ends if nothing of `tree` may be pushed yet; None: it may. The journal says then what a person is
    asked, if the work `holds`, and what of it is outside of the plan that was approved."""
    summary, workspace = Summary.of(parts.journal.events), parts.workspace
    pushed = workspace.control.changes(tree, workspace.start)
    beside = None
    if summary.agreed:
        # Nothing is left to push where an earlier job of the session did, and did not live to tell.
        changed = pushed or workspace.control.changes(tree, workspace.began)
        beside = compared(summary.agreed, summary.agreed_by, changed)
        parts.journal.append(beside)
    why = _why(parts, beside)
    if not (why and pushed and parts.config.git.push) or is_approved(parts, tree):
        return None
    if ENDINGS[stop.ending][0] is Status.SUSPENDED:
        return stop
    if not holds:
        return Stop(stop.ending, f"{stop.detail} {_NOT_PUSHED.format(why, parts.task.issue)}")
    said = f"{why[:1].upper()}{why[1:]}."
    parts.journal.append(ChangeProposed(_digest_of(parts, tree), pushed, said))
    return Stop(Ending.NEEDS_APPROVAL, said)


def _why(parts: Delivery, beside: PlanCompared | None) -> str:
    """Why a person has to be asked before the push, as a clause; empty: nobody has to be."""
    needed = needs(parts.config, parts.task.labels)
    if needed.plan and beside is None:
        return "no plan is approved"
    if needed.push:
        return "a person has to approve the change first (`approval.needed: push`)"
    if beside and beside.outside and parts.config.approval.strict:
        return "the change touches files that are not in the approved plan (`approval.strict`)"
    return ""


def compared(plan: PlanProposed, by: str, changed: Sequence[FileChanged]) -> PlanCompared:
    """The change of these files beside the plan that `by` approved."""
    folders = tuple(name for name in plan.files if name.endswith("/"))
    names = dict.fromkeys(name for file in changed for name in (file.previous, file.path) if name)
    outside = tuple(name for name in names if name not in plan.files and not name.startswith(folders))
    untouched = tuple(
        planned
        for planned in plan.files
        if not any(name == planned or (planned.endswith("/") and name.startswith(planned)) for name in names)
    )
    return PlanCompared(by, outside, untouched)


def strays(parts: Delivery, tree: str) -> str:
    """For the model: where what it hands in goes another way than its plan; empty: nowhere, or there is none."""
    summary, workspace = Summary.of(parts.journal.events), parts.workspace
    if summary.agreed is None:
        return ""
    beside = compared(summary.agreed, summary.agreed_by, workspace.control.changes(tree, workspace.start))
    said = []
    if beside.outside:
        follows = "a person has to approve that first" if parts.config.approval.strict else "people are told"
        said.append(
            f"Changed and not in the approved plan: {_named(beside.outside)}. Put back what is not needed; of the rest, "
            f"{follows}."
        )
    if beside.untouched:
        said.append(
            f"Planned and not changed: {_named(beside.untouched)}. Do it, or say in the summary why not."
        )
    return " ".join(said)


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else "")


def digest(patch: bytes) -> str:
    """What tells a change from all others: its patch without the numbers of lines and objects, which are others once the
    same change is put on a base that moved elsewhere."""
    binary = b"\nGIT binary patch\n" in patch
    kept = (
        b"@@" if _HUNK.fullmatch(line) else line
        for line in patch.split(b"\n")
        if binary or not line.startswith(b"index ")
    )
    return hashlib.sha256(b"\n".join(kept)).hexdigest()


def _digest_of(parts: Delivery, tree: str) -> str:
    """That of what a push of `tree` would add."""
    return digest(parts.workspace.control.diff(tree, parts.workspace.start))
