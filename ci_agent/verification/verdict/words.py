"""Tests and cases in the sentences of a verdict. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ci_agent.journal.events import CasesRetried, Change, Retried
from ci_agent.verification.text import one_line, short
from ci_agent.verification.verdict.measured import Evidence

NAMED = 3  # tests in a sentence
LONGEST_NAME = 120


def named(changes: Sequence[Change]) -> str:
    return listed([change.id for change in changes])


def listed(ids: Sequence[str]) -> str:
    """The first ones by name, and how many more there are."""
    return enumerated([quoted(name) for name in ids[:NAMED]], len(ids))


def quoted(name: str) -> str:
    return f"`{short(one_line(name), LONGEST_NAME)}`"


def fail(names: Sequence[object]) -> str:
    return "fails" if len(names) == 1 else "fail"


def enumerated(told: Sequence[str], number: int) -> str:
    return ", ".join(told) + (f" and {number - len(told):,} more" if number > len(told) else "")


def part(number: int, whole: int) -> str:
    if number >= whole:
        return "It was" if whole == 1 else "They were"
    return f"{number:,} of them {'was' if number == 1 else 'were'}"


def how_flaky(flaky: Sequence[Change], retried: CasesRetried | None) -> str:
    """The flaky cases, each with how often it failed."""
    again = {case.id: case for case in retried.cases} if retried else {}
    return enumerated([_counted(change, again.get(change.id)) for change in flaky[:NAMED]], len(flaky))


def _counted(change: Change, retried: Retried | None) -> str:
    if retried is None:
        on_base = change.before is not None and change.before.bad
        return f"{quoted(change.id)}{' (failed and passed on the base)' if on_base else ''}"
    failed, runs = retried.failures
    base = f", none of {len(retried.base_alone) + 1} on the base" if len(retried.base_alone) > 1 else ""
    if any(each.bad for each in retried.base_alone):
        bad = sum(each.bad for each in retried.base_alone)
        base = f", {bad} of {len(retried.base_alone) + 1} on the base"
    return f"{quoted(change.id)} (failed {failed} of {runs} runs{base})"


def when(evidence: Evidence) -> str:
    """When set-up fails: nobody shall blame the change for what its base has."""
    return "before the change and after it" if evidence.setup_failed_before else "after the change"
