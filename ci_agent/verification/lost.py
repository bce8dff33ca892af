"""Which proof went missing between two runs: cases that ran before, do not run now, and have no successor.

It can't see whether a test that still runs was made to prove less; that is for whoever reads the change.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet

from ci_agent.journal.events import Change, Result, TestsCompared


def lost(compared: TestsCompared, passing: AbstractSet[str]) -> tuple[Change, ...]:
    """The newly skipped cases and, of the removed ones, those that ran before and are not renamed.

    `passing` are the ids that pass now. A removed case counts as renamed when one of the added cases passes
    and, in this order, (1) is called the same in another file or class, (2) is the same test with other
    parameters, (3) stands in the same file with the same parameters, if the removed case passed before.
    An added case can be the successor of one removed case only. An error that stood for a whole file or
    class is not missed when tests of that file or class pass now, nor is a case that ran more than once before
    (`name#2`) when it passes now.
    """
    again = re.compile(r"#\d+\Z")  # the same case once more, as in `pytest || pytest --lf`
    gone = [
        change
        for change in compared.removed
        if change.before is not Result.SKIPPED
        and not (again.search(change.id) and again.sub("", change.id) in passing)
    ]
    if any(change.before is Result.ERROR for change in gone):
        alive = _groups(passing)
        gone = [change for change in gone if not _stood_for_others(change, alive)]
    added = [change.id for change in compared.added if change.after is Result.PASSED]
    for likeness in (_name, _without_parameters, _place):
        gone, added = _without_successor(gone, added, likeness)
    return (*compared.newly_skipped, *gone)


Likeness = Callable[[str, Result | None], str]


def _without_successor(
    gone: Iterable[Change], added: Iterable[str], likeness: Likeness
) -> tuple[list[Change], list[str]]:
    """What of `gone` has none in `added`, and what of `added` is the successor of none."""
    waiting: dict[str, list[str]] = {}
    for name in added:
        waiting.setdefault(likeness(name, Result.PASSED), []).append(name)
    left = []
    for change in gone:
        alike = waiting.get(likeness(change.id, change.before))
        if alike:
            alike.pop()
        else:
            left.append(change)
    return left, [name for names in waiting.values() for name in names]


def _name(name: str, _: Result | None) -> str:
    parts, parameters = _split(name)
    return parts[-1] + parameters


def _without_parameters(name: str, _: Result | None) -> str:
    return "::".join(_split(name)[0])


def _place(name: str, result: Result | None) -> str:
    """The file and the parameters. A test that failed is like no other: it may not make way for any."""
    parts, parameters = _split(name)
    return f"{parts[0]}{parameters}" if result is Result.PASSED and len(parts) > 1 else f"{name}\0"


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
    groups = {_without_parameters(name, None).rpartition("::")[0] for name in names}
    return {group[: end.start()] for group in groups for end in re.finditer(r"::|\.|\Z", group)}
