"""Cases that broke are run again before they are called broken: alone, on the result and on the base."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ci_agent.journal.events import CasesRetried, Change, Result, Retried, TestsRan
from ci_agent.verification import stability

MOST = 10  # cases that are run again one by one
_SHARE = 0.5  # of the time that is left, at most

Run = Callable[[bool, Sequence[str], int], TestsRan | None]
"""Runs cases (none: all tests) on the base (True) or on the result, with a seed; None: that can't be done."""


def again(
    run: Run,
    suspects: Sequence[Change],
    *,
    times: int,
    left: Callable[[], float],
    round: int,  # noqa: A002 - the event's own word
) -> CasesRetried:
    """Run `suspects` again, `times` at most on each side, as long as half of what is `left` now (seconds) lasts.

    With more than `MOST` of them those that fail together once more are broken, without more ado: so many do not
    become flaky at once.
    """
    floor = left() * (1 - _SHARE)
    ids = [change.id for change in suspects]
    steady: set[str] = set()
    if len(ids) > MOST:
        once = _results(run(False, ids, 2), ids)
        steady = {name for name in ids if once.get(name, Result.ERROR).bad}
    found = []
    candidates = [name for name in ids if name not in steady][:MOST]
    for name in candidates:
        if left() < floor:
            break
        retried = _one(run, name, times, lambda: left() >= floor)
        if retried:
            found.append(retried)
    return CasesRetried(round, tuple(found), len(ids) - len(found))


def _one(run: Run, name: str, times: int, time_left: Callable[[], bool]) -> Retried | None:
    """One case; None where it can't be run by itself."""
    result = _alone(run, name, times, on_base=False, enough=lambda _: not time_left())
    if not result:
        return None
    base: list[Result] = []
    together = None
    if all(not each.bad for each in result):
        whole = run(False, (), len(result) + 2) if time_left() else None
        together = _results(whole, [name]).get(name)
    else:
        steady = all(each.bad for each in result)
        # One that passes on the base is enough to know that the result is to blame for a steady failure.
        enough = (lambda so_far: not so_far[-1].bad) if steady else (lambda _: not time_left())
        base = _alone(run, name, times, on_base=True, enough=enough)
    return Retried(name, tuple(result), tuple(base), together, stability.stability(result, base, together))


def _alone(
    run: Run, name: str, times: int, *, on_base: bool, enough: Callable[[list[Result]], bool]
) -> list[Result]:
    results: list[Result] = []
    for number in range(times):
        found = _results(run(on_base, [name], number + 2), [name])
        if name not in found:
            break  # it is not there, or can't be selected
        results.append(found[name])
        if enough(results):
            break
    return results


def _results(ran: TestsRan | None, wanted: Sequence[str]) -> dict[str, Result]:
    if ran is None:
        return {}
    names = set(wanted)
    return {case.id: case.result for case in ran.cases if case.id in names}
