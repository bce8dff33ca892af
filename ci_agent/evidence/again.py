"""Cases that broke are run again before they are called broken: on the result and on the base, alone where the
runner can do that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from ci_agent.journal.events import CasesRetried, Change, Result, Retried
from ci_agent.verification.stability import stability

MOST = 10  # cases that are run again one by one
_SHARE = 0.5  # of the time that is left, at most

Results = Mapping[str, Result]


class Runs(Protocol):
    """How cases are run again. A case that can't be run so is not in the results."""

    alone: bool  # whether single cases can be run at all; else every run is one of all tests

    def on_result(self, ids: Sequence[str], number: int) -> Results:
        """The `number`-th time, from 1: each case by itself, in a checkout that no test has changed."""
        ...

    def on_base(self, ids: Sequence[str], number: int) -> Results: ...

    def at_once(self, ids: Sequence[str]) -> Results:
        """All these cases in one run on the result."""
        ...

    def with_all(self, ids: Sequence[str]) -> Results:
        """What the cases come to on the result when all tests are run as they were."""
        ...


def again(
    runs: Runs,
    suspects: Sequence[Change],
    *,
    times: int,
    left: Callable[[], float],
    round: int,  # noqa: A002 - the event's own word
) -> CasesRetried:
    """Run `suspects` again, `times` at most on each side, as long as half of what is `left` now (seconds) lasts.

    With more than `MOST` of them those that fail once more in one run are broken, without more ado: so many do not
    become flaky at once.
    """
    floor = left() * (1 - _SHARE)
    ids = [change.id for change in suspects]
    once: Results = runs.at_once(ids) if len(ids) > MOST else {}
    failed_again = [name for name in ids if name in once and once[name].bad]
    candidates = [name for name in ids if name not in failed_again][:MOST]
    result, base = _both_sides(runs, candidates, times, lambda: left() >= floor)
    known = [name for name in candidates if result[name]]
    alone = [name for name in known if not any(each.bad for each in result[name])]
    together: Results = {name: result[name][-1] for name in alone}
    if runs.alone:
        together = runs.with_all(alone) if alone and left() >= floor else {}
    found = [
        Retried(
            name,
            tuple(result[name]),
            tuple(base[name]),
            together.get(name),
            stability(result[name], base[name], together.get(name)),
        )
        for name in known
    ]
    return CasesRetried(round, tuple(found), len(ids) - len(found) - len(failed_again), len(failed_again))


def _both_sides(
    runs: Runs, ids: Sequence[str], times: int, time_left: Callable[[], bool]
) -> tuple[dict[str, list[Result]], dict[str, list[Result]]]:
    result: dict[str, list[Result]] = {name: [] for name in ids}
    base: dict[str, list[Result]] = {name: [] for name in ids}
    for number in range(1, times + 1):
        if number > 1 and not (time_left() and any(result.values())):
            break
        _note(result, runs.on_result(ids, number) if ids else {})
    for number in range(1, times + 1):
        asked = [name for name in ids if _asks_base(result[name], base[name])]
        if not asked or not time_left():
            break
        _note(base, runs.on_base(asked, number))
        if not any(base[name] for name in asked):
            break  # they are not there
    return result, base


def _asks_base(result: Sequence[Result], base: Sequence[Result]) -> bool:
    """Whether another run on the base says more: not of a case that passes alone on the result; and one pass is
    enough to know that the result is to blame for a failure that is steady there."""
    steady = bool(result) and all(each.bad for each in result)
    return any(each.bad for each in result) and not (steady and any(not each.bad for each in base))


def _note(known: dict[str, list[Result]], found: Results) -> None:
    for name, results in known.items():
        if name in found:
            results.append(found[name])
