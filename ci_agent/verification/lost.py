"""Which proof went missing between two runs: cases that ran before, do not run now, and have no successor.

It can't see whether a test that still runs was made to prove less; that is for whoever reads the change.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import replace
from difflib import SequenceMatcher

from ci_agent.journal.events import Change, Result, TestsCompared

ALIKE = 0.6  # of two names, as difflib measures it; it calls that a close match
MOST_PAIRS = 2_000  # of names that are compared; an honest change renames a few dozen tests of a file
LONGEST_NAME = 60  # characters of a name that are compared


def lost(compared: TestsCompared, passing: AbstractSet[str], command: str = "") -> tuple[Change, ...]:
    """The newly skipped cases and, of the removed ones, those that ran before and are not renamed.

    `passing` are the ids that pass now, `command` is what ran the tests before. A removed case that passed counts
    as renamed when one of the added cases passes and, in this order, (1) is called the same in another file or
    class, (2) is the same test with other parameters, (3) stands in the same file with the same parameters and is
    called alike. An added case can be the successor of one removed case only. A removed case that failed has no
    successor: it may not make way for any.

    An error that stood for a whole file or class is not missed when tests of that file or class pass now, nor is
    a second run (`name#2`) by a `command` that runs failures once more, when the case passes now.
    """
    again = bool(_RUNS_FAILURES_AGAIN.search(command))
    gone = [
        change
        for change in compared.removed
        if change.before is not Result.SKIPPED and not (again and _first_run(change.id) in passing)
    ]
    if any(change.before is Result.ERROR for change in gone):
        alive = _groups(passing)
        gone = [change for change in gone if not _stood_for_others(change, alive)]
    left = [change for change in gone if change.before is Result.PASSED]
    added = [change.id for change in compared.added if change.after is Result.PASSED]
    for likeness in (_name, _without_parameters):
        left, added = _without_successor(left, added, likeness)
    missing = {change.id for change in _called_differently(left, added)}
    gone = [change for change in gone if change.id in missing or change.before is not Result.PASSED]
    return (*compared.newly_skipped, *gone)


def behind_errors(compared: TestsCompared) -> TestsCompared:
    """With the error told of each lost case that is there, but could not be run: what it is in (a file, a package)
    ends in an error itself, as it does where it can't be compiled or imported."""
    failing = (*compared.newly_broken, *compared.still_failing)
    errors = {change.id for change in failing if change.after is Result.ERROR}

    def told(change: Change) -> Change:
        parts = change.id.split("::")
        above = ("::".join(parts[:number]) for number in range(len(parts) - 1, 0, -1))
        error = next((name for name in above if name in errors), "") if change.after is None else ""
        return replace(change, behind=error) if error else change

    return replace(compared, lost=tuple(map(told, compared.lost)), removed=tuple(map(told, compared.removed)))


# `pytest || pytest --lf`, `rspec --only-failures`, `gotestsum --rerun-fails`, Surefire's `rerunFailingTestsCount`.
# What follows `||` may as well only decide on the exit code.
_RUNS_FAILURES_AGAIN = re.compile(
    r"--(?:lf|last-failed|only-failures|next-failure)\b|--(?:rerun|retry|retries)|\brerunFailing"
    r"|\|\|(?!\s*(?:(?:true|false|exit|echo)\b|:))"
)
_AGAIN = re.compile(r"#\d+\Z")


def _first_run(name: str) -> str | None:
    """The id of the case's first run; None where this is the first."""
    return _AGAIN.sub("", name) if _AGAIN.search(name) else None


# --- successors -------------------------------------------------------------------------------------------

Likeness = Callable[[str], str]


def _without_successor(
    gone: Iterable[Change], added: Iterable[str], likeness: Likeness
) -> tuple[list[Change], list[str]]:
    """What of `gone` has none in `added`, and what of `added` is the successor of none."""
    waiting = _sorted_by(likeness, added)
    left = []
    for change in gone:
        near = waiting.get(likeness(change.id))
        if near:
            near.pop()
        else:
            left.append(change)
    return left, [name for names in waiting.values() for name in names]


def _called_differently(gone: Iterable[Change], added: Iterable[str]) -> list[Change]:
    """What of `gone` has nothing in the same place of `added` that is called alike, as far as names are compared."""
    waiting = _sorted_by(_place, added)
    matcher = SequenceMatcher(None, autojunk=False)
    pairs, left = MOST_PAIRS, []
    for change in gone:
        near = waiting.get(_place(change.id), [])
        old = _own_name(change.id)
        matcher.set_seq2(old)
        for number, name in enumerate(near[:pairs], 1):
            if _alike(matcher, old, _own_name(name)):
                near.remove(name)
                pairs -= number
                break
        else:
            pairs -= min(pairs, len(near))
            left.append(change)
    return left


def _sorted_by(likeness: Likeness, names: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(likeness(name), []).append(name)
    return found


def _name(name: str) -> str:
    parts, parameters = _split(name)
    return parts[-1] + parameters


def _without_parameters(name: str) -> str:
    return "::".join(_split(name)[0])


def _place(name: str) -> str:
    """The file and the parameters."""
    parts, parameters = _split(name)
    return f"{parts[0]}{parameters}" if len(parts) > 1 else f"{name}\0"


def _alike(matcher: SequenceMatcher[str], old: str, new: str) -> bool:
    """Whether two names are alike. The matcher has `old` for its second sequence, of which it keeps what it found."""
    if min(len(old), len(new)) >= _TELLING and (old in new or new in old):
        return True
    matcher.set_seq1(new)
    quick = matcher.real_quick_ratio() >= ALIKE and matcher.quick_ratio() >= ALIKE
    return quick and matcher.ratio() >= ALIKE


_TELLING = 4  # characters of a name that tell something where they are part of a longer one
_PREFIX = re.compile(r"[Tt]ests?(?:[_\s]+|(?=[A-Z0-9]))|(?:should|it)[_\s]+")


def _own_name(name: str) -> str:
    """What a case is called, without what all tests are called, which would make short names alike."""
    said = _split(name)[0][-1][:LONGEST_NAME]
    prefix = _PREFIX.match(said)
    return said[prefix.end() :] if prefix else said


def _split(name: str) -> tuple[list[str], str]:
    """`a.py::T::test[x::y]#2` as `a.py`, `T`, `test` and `[x::y]#2`."""
    head, bracket, parameters = name.partition("[")
    return head.split("::"), bracket + parameters


# --- errors that stand for others -------------------------------------------------------------------------

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
