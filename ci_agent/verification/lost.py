"""Which proof went missing between two runs: cases that ran before, do not run now, and have no successor.

It can't see whether a test that still runs was made to prove less; that is for whoever reads the change.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from difflib import SequenceMatcher

from ci_agent.journal.events import Change, Result, TestsCompared


def lost(compared: TestsCompared, passing: AbstractSet[str], command: str) -> tuple[Change, ...]:
    """The newly skipped cases and, of the removed ones, those that ran before and are not renamed.

    `passing` are the ids that pass now, `command` is what ran the tests. A removed case that passed before counts as
    renamed when one of the added cases passes and, in this order, (1) is called the same in another file or class,
    (2) is the same test with other parameters, (3) stands in the same file with the same parameters and is called
    alike. An added case can be the successor of one removed case only. One that failed has no successor: it may not
    make way for any. An error that stood for a whole file or class is not missed when tests of that file or class
    pass now, nor is a case that ran more than once before (`name#2`) when it passes now, and `command` is one that runs
    failures once more.
    """
    twice = _RUNS_FAILURES_AGAIN.search(command) is not None
    gone = [
        change
        for change in compared.removed
        if change.before is not Result.SKIPPED
        and not (twice and _ONCE_MORE.search(change.id) and _ONCE_MORE.sub("", change.id) in passing)
    ]
    if any(change.before is Result.ERROR for change in gone):
        alive = _groups(passing)
        gone = [change for change in gone if not _stood_for_others(change, alive)]
    added = [change.id for change in compared.added if change.after is Result.PASSED]
    failed = [change for change in gone if change.before is not Result.PASSED]
    gone = [change for change in gone if change.before is Result.PASSED]
    for likeness in (_name, _without_parameters):
        gone, added = _without_successor(gone, added, likeness)
    gone, _ = _without_successor(gone, added, _place, alike=_called_alike)
    order = {change.id: number for number, change in enumerate(compared.removed)}
    return (*compared.newly_skipped, *sorted((*failed, *gone), key=lambda change: order[change.id]))


_ONCE_MORE = re.compile(r"#\d+\Z")
_RUNS_FAILURES_AGAIN = re.compile(r"--(?:lf|last-failed|only-failures|rerun|reruns)\b|\|\|")
_ALIKE = 0.6  # of 1, as difflib measures it: `test_tabs` and `test_tabs_and_blanks` are
_MOST_COMPARED = 50  # added cases of one place that a removed one is compared with

Likeness = Callable[[str], str]


def _called_alike(one: str, other: str) -> bool:
    names = (_split(name)[0][-1] for name in (one, other))
    return SequenceMatcher(None, next(names), next(names), autojunk=False).ratio() >= _ALIKE


def _without_successor(
    gone: Iterable[Change],
    added: Iterable[str],
    likeness: Likeness,
    alike: Callable[[str, str], bool] = lambda *_: True,
) -> tuple[list[Change], list[str]]:
    """What of `gone` has none in `added`, and what of `added` is the successor of none."""
    waiting: dict[str, list[str]] = {}
    for name in added:
        waiting.setdefault(likeness(name), []).append(name)
    left = []
    for change in gone:
        near = waiting.get(likeness(change.id), [])
        successor = next((name for name in near[-_MOST_COMPARED:] if alike(change.id, name)), None)
        if successor is None:
            left.append(change)
        else:
            near.remove(successor)
    return left, [name for names in waiting.values() for name in names]


def _name(name: str) -> str:
    parts, parameters = _split(name)
    return parts[-1] + parameters


def _without_parameters(name: str) -> str:
    return "::".join(_split(name)[0])


def _place(name: str) -> str:
    """The file and the parameters."""
    parts, parameters = _split(name)
    return f"{parts[0]}{parameters}" if len(parts) > 1 else f"{name}\0"


def _split(name: str) -> tuple[list[str], str]:
    """`a.py::T::test[x::y]#2` as `a.py`, `T`, `test` and `[x::y]#2`."""
    head, bracket, parameters = name.partition("[")
    return head.split("::"), bracket + parameters


_FIXTURE = re.compile(r"(?:setUp|tearDown)(?:Class|Module)")


def _stood_for_others(change: Change, alive: AbstractSet[str]) -> bool:
    """pytest's case for a file that can't be imported, unittest's for one or for a fixture of a class or module."""
    if change.before is not Result.ERROR:
        return False
    group, _, name = change.id.rpartition("::")
    return (group if _FIXTURE.fullmatch(name) else change.id) in alive


def _groups(names: Iterable[str]) -> set[str]:
    """The files, modules and classes that tests of these ids are in."""
    groups = {_without_parameters(name).rpartition("::")[0] for name in names}
    return {group[: end.start()] for group in groups for end in re.finditer(r"::|\.|\Z", group)}
