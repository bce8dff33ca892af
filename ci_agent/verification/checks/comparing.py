"""A check before and after the change: what of its findings is new. A pure function of the runs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from ci_agent.journal.events import CheckCompared, CheckRan, Finding
from ci_agent.verification.text import counted, whole


def compare_checks(
    before: Sequence[CheckRan], after: Sequence[CheckRan], renamed: Mapping[str, str] | None = None
) -> tuple[CheckCompared, ...]:
    """Each check by its command, in the order of `after`, then those that only ran before.

    `renamed` has the earlier path of each file that the change moved. Findings are the same when file, rule and
    message are, whatever line they are on and whatever numbers stand in the message; of equal ones only those
    beyond the number before are new.

    *Worse* is a check that passed before and fails now, that has new findings, or that had a result before and
    has none now: it did not end, not all of its findings are known any more, or it could not run, as its exit code
    and findings tell (see `_could_not_run`). One that had no result before can't be worse. Where not all findings
    of a side are known, none is called new or gone.
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
        said = f"{name} {_now(after)}; not known before: {why}."
        if before and after and after.problem:
            said = f"{name} has no result, before the change or after it: {after.problem}."
        return CheckCompared(command, *codes, (), 0, False, said, unknown=True)
    if after is None or after.problem:
        why = after.problem if after else "it was not run"
        return CheckCompared(command, *codes, (), 0, True, f"{name} has no result after the change: {why}.")
    if why := _could_not_run(before, after):
        return CheckCompared(command, *codes, (), 0, True, f"{name} has no result after the change: {why}.")
    sides = (("before", before), ("after", after))
    unknown = " and ".join(f"{when} the change {run.cut}" for when, run in sides if run.cut)
    added, gone = ((), 0) if unknown else _new(before.findings, after.findings, renamed)
    said = f"{name} {_said(before, after, added, gone)}."
    if unknown:
        said += f" What is new is not known: {unknown}."
    broke = before.exit_code == 0 and after.exit_code != 0
    worse = broke or bool(added) or bool(after.cut and not before.cut)
    return CheckCompared(command, *codes, added, gone, worse, said)


def _could_not_run(before: CheckRan, after: CheckRan) -> str:
    """Why a check that fails on both sides has no result after the change, as a clause; empty where it has one.

    Of linters and type checkers 1 is for findings and a higher code for a run that was not possible (ruff, mypy,
    eslint). Fewer findings with a lower code are an improvement: pylint's code adds up the kinds of what it found.
    """
    was, now = before.exit_code or 0, after.exit_code or 0
    if 0 in (was, now) or after.cut:
        return ""
    if was == now:  # make and npm have one code for both
        gone = before.findings and not after.findings
        return f"it ends with exit code {now} as before, but names no finding any more" if gone else ""
    codes = f"it ends with exit code {now} (before the change {was})"
    if not after.findings:
        return f"{codes} and names no finding"
    if now > was and len(after.findings) < len(before.findings):
        return f"{codes} and names fewer findings ({len(after.findings):,}, before {len(before.findings):,})"
    return ""


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
    codes = (
        ""
        if before.exit_code == after.exit_code
        else f", with exit code {before.exit_code} and {after.exit_code}"
    )
    return f"{passes} before and after the change{codes}{found and ': '}{found}"


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
