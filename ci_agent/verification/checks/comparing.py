"""A check before and after the change: what of its findings is new. A pure function of the runs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from ci_agent.journal.events import CheckCompared, CheckRan, Finding
from ci_agent.verification.checks.findings import MOST_FINDINGS
from ci_agent.verification.text import counted, whole


def compare_checks(
    before: Sequence[CheckRan], after: Sequence[CheckRan], renamed: Mapping[str, str] | None = None
) -> tuple[CheckCompared, ...]:
    """Each check by its command, in the order of `after`, then those that only ran before.

    `renamed` has the earlier path of each file that the change moved. Findings are the same when file, rule and
    message are, whatever line they are on and whatever numbers stand in the message; of equal ones only those
    beyond the number before are new.

    *Worse* is a check that passed before and fails now, that has new findings, or that had a result before and
    has none now. One that had no result before can't be worse.
    """
    old = {check.command: check for check in before}
    new = {check.command: check for check in after}
    return tuple(_compared(name, old.get(name), new.get(name), renamed or {}) for name in {**new, **old})


def _compared(
    command: str, before: CheckRan | None, after: CheckRan | None, renamed: Mapping[str, str]
) -> CheckCompared:
    codes = before.exit_code if before else None, after.exit_code if after else None
    name = f"`{whole(command)}`"
    if before is None or before.problem:
        why = before.problem if before else "it was not run"
        now = _now(after)
        return CheckCompared(command, *codes, (), 0, False, f"{name} {now}; not known before: {why}.")
    if after is None or after.problem:
        why = after.problem if after else "it was not run"
        return CheckCompared(command, *codes, (), 0, True, f"{name} has no result after the change: {why}.")
    cut = max(len(before.findings), len(after.findings)) >= MOST_FINDINGS
    added, gone = ((), 0) if cut else _new(before.findings, after.findings, renamed)
    broke = before.exit_code == 0 and after.exit_code != 0
    said = f"{name} {_said(before, after, added, gone)}."
    if cut:
        said += f" It has more than {MOST_FINDINGS:,} findings, so they are not compared."
    return CheckCompared(command, *codes, added, gone, broke or bool(added), said)


def _now(after: CheckRan | None) -> str:
    if after is None or after.problem:
        return "has no result after the change"
    return "passes" if after.exit_code == 0 else f"fails (exit code {after.exit_code})"


def _said(before: CheckRan, after: CheckRan, added: Sequence[Finding], gone: int) -> str:
    found = ", ".join(
        filter(None, [counted(len(added), "new finding") if added else "", f"{gone:,} gone" if gone else ""])
    )
    if before.exit_code == 0 and after.exit_code != 0:
        return f"passes before the change and fails after it (exit code {after.exit_code}{found and ': '}{found})"
    if before.exit_code != 0 and after.exit_code == 0:
        return f"fails before the change and passes after it{found and ', '}{found}"
    passes = "passes" if after.exit_code == 0 else "fails"
    if found:
        return f"{passes} before and after the change: {found}"
    if before.exit_code != after.exit_code:
        return f"fails before and after the change, with exit code {before.exit_code} and {after.exit_code}"
    return f"{passes} before and after the change"


Key = tuple[str, str, str]


def _new(
    before: Sequence[Finding], after: Sequence[Finding], renamed: Mapping[str, str]
) -> tuple[tuple[Finding, ...], int]:
    """The new findings, and how many are gone."""
    left = Counter(_key(finding, {}) for finding in before)
    new = []
    for finding in after:
        key = _key(finding, renamed)
        if left[key] > 0:
            left[key] -= 1
        else:
            new.append(finding)
    return tuple(new), left.total()


_NUMBER = re.compile(r"\b(?:0x[0-9a-fA-F]+|\d+)\b")


def _key(finding: Finding, renamed: Mapping[str, str]) -> Key:
    path = renamed.get(finding.path, finding.path)
    message = finding.message.replace(finding.path, path) if path != finding.path else finding.message
    return path, finding.rule, _NUMBER.sub("#", message)
