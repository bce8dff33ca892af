"""What the tests of a change show: they are run against the source of the base, and the tests of the base against
the source of the result. Each in a checkout made for it, and what counts is run more than once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ci_agent import verification
from ci_agent.evidence.bench import SEED, Bench
from ci_agent.evidence.ground import Place
from ci_agent.evidence.reruns import SOON, run_cases
from ci_agent.journal.events import (
    FileChanged,
    Moment,
    Outdated,
    ProofRan,
    Result,
    Shown,
    TestsChosen,
    TestsRan,
    Without,
)
from ci_agent.verification import coverage, proving

LONGEST = 600.0  # seconds for runs of all tests, where a file that has a say in all of them is changed
_RUNS = 2  # of all of them
# Runs more of what fails without the change, there and with it: one that comes and goes is no proof.
AGAIN = 2
MOST = 50  # cases that are run again
_INLINE = "the tests live in the files of the source, so that the one can't be had without the other"
_TESTS_BEGIN = re.compile(rb"^[ \t]*#\[cfg\(test\)\]", re.MULTILINE)
_TEST_LINE = re.compile(rb"^[+-].*(#\[\w*(::)?test\]|\bassert)", re.MULTILINE)  # as Rust has them


@dataclass(frozen=True, slots=True)
class Change:
    """The change that is to be proved: its tree, its files, and the tests before and after."""

    tree: str
    files: Sequence[FileChanged]
    before: TestsRan | None
    after: TestsRan
    round: int

    @property
    def quick(self) -> bool:
        """Whether all tests may be run again where single cases can't be."""
        return self.after.seconds <= SOON


def prove(
    bench: Bench, on_base: Sequence[TestsChosen], on_result: Sequence[TestsChosen], change: Change
) -> ProofRan:
    """What the tests that the change adds or edits show of it, and what those show that it edits or removes."""
    suites = [*on_result, *on_base]
    touched = _touched(suites, change)
    if not touched.paths:
        inline = any(verification.tests_inline(suite) for suite in suites)
        return ProofRan(change.round, (), (), _INLINE if inline and _touches_inline(bench, change) else "")
    if not change.after.by_case:
        return ProofRan(change.round, touched.paths, (), "results are not known test by test")
    there = set(bench.ground.control.files(change.tree))
    files = tuple(path for path in touched.paths if path in there)
    slow = touched.support and change.after.seconds * _RUNS > min(LONGEST, bench.clock.left())
    whole = bool(touched.support) and not slow
    cases, unneeded, unfinished = _without(bench, on_result, change, touched, files, whole=whole)
    outdated, unfinished_too = _outdated(bench, on_base, change, touched, whole=whole)
    said = [unfinished, unfinished_too]
    if slow:
        said.append(f"what `{touched.support[0]}` does to all tests was not looked at, which take too long")
    return ProofRan(
        change.round, files, cases, "", outdated, unneeded, "; ".join(dict.fromkeys(filter(None, said)))
    )


def _touches_inline(bench: Bench, change: Change) -> bool:
    """Whether the change touches tests that live in files of the source, as far as lines tell: one of a test, or any
    below the mark that begins the tests of a file."""
    control = bench.ground.control
    patch = control.changed_lines(change.tree)
    if _TEST_LINE.search(patch):
        return True
    try:
        added = coverage.added_lines(patch)
    except coverage.CoverageError:  # too many to look at
        return True
    for path, lines in added.items():
        content = control.content(change.tree, path) or b""
        mark = _TESTS_BEGIN.search(content)
        if mark and max(lines) > content.count(b"\n", 0, mark.start()) + 1:
            return True
    return False


# --- which files are of the tests -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Touched:
    """Of the files that the change touches, those of the tests. `support` has no tests of its own: fixtures, helpers
    and data, which have a say in tests of other files."""

    paths: tuple[str, ...]
    support: tuple[str, ...]


# As test files are called in all the languages; where ids tell no files, it is all there is to go by.
_CALLED_TEST = re.compile(
    r"(.*/)?(test_[^/]*|[^/]*[._-](test|spec|tests)|[^/]*(Test|Tests|Spec|IT|TestCase))\.\w+|(.*/)?tests/[^/]*\.rs"
)
# By the ids of its cases a file is one of tests, but for examples in docstrings, which JavaScript does not have.
_OF_A_TEST = re.compile(
    r"(.+)::(?:[^:]*::)*(?:test|Test|it |should )[^:]*|([^:]+\.[cm]?[jt]sx?)::.+", re.DOTALL
)


def _touched(suites: Sequence[TestsChosen], change: Change) -> _Touched:
    paths = list(dict.fromkeys(path for each in change.files for path in (each.path, each.previous) if path))
    # One of each file, module or class is enough, and there may be very many.
    groups: dict[str, str] = {}
    for run in filter(None, (change.before, change.after)):
        for case in run.cases:
            groups.setdefault(case.id.rpartition("::")[0] or case.id, case.id)
    known = {name.partition("::")[0] for name in groups.values() if _OF_A_TEST.fullmatch(name)}
    mine = [
        path
        for path in paths
        if path in known or any(verification.is_test_file(suite, path) for suite in suites)
    ]
    support = [
        path
        for path in mine
        if not _CALLED_TEST.fullmatch(path)
        and not any(proving.belongs(name, path) for name in groups.values())
    ]
    return _Touched(tuple(mine), tuple(support))


# --- the tests of the result, the source of the base ------------------------------------------------------


def _without(
    bench: Bench,
    suites: Sequence[TestsChosen],
    change: Change,
    touched: _Touched,
    files: Sequence[str],
    *,
    whole: bool,
) -> tuple[tuple[Shown, ...], tuple[str, ...], str]:
    """What each test of the change does, which fixed ones need no change of the source, and what was not finished."""
    mixed = bench.ground.control.with_files_of(bench.base_tree, change.tree, touched.paths)
    fixed = _fixed(change)
    if mixed == change.tree:  # no source is changed at all
        cases = proving.shown(change.before, change.after, change.after, files, proving.belongs)
        return cases, tuple(fixed), ""
    own = [path for path in files if path not in touched.support]
    if not (whole or own):
        return (), (), ""
    place = bench.open_base(mixed)
    ran = bench.run(place, Moment.PROOF, suites, files=() if whole else own)
    bench.ground.journal.append(ran)
    cases = proving.shown(change.before, change.after, ran, files, proving.belongs)
    failing = [case.id for case in cases if case.without is Without.FAILS][:MOST]
    unsteady = _otherwise(bench, place, suites, failing, _passed, whole=change.quick)
    results = {case.id: case.result for case in ran.cases}
    left = [name for name in fixed if name not in results]
    again = run_cases(bench, place, suites, left, SEED, whole=change.quick) if left else {}
    results |= {name: case.result for name, case in again.items()}
    bench.forget_base()
    if failing and bench.cheap():
        bench.open_result(change.tree)  # what earlier runs left behind must not make it fail
    unsteady |= _otherwise(
        bench, bench.result, suites, failing, lambda result: result.bad, whole=change.quick
    )
    lacking = any(case.without is Without.MISSING for case in cases)
    return (
        tuple(replace(case, without=Without.UNSTEADY) if case.id in unsteady else case for case in cases),
        tuple(name for name in fixed if results.get(name) is Result.PASSED),
        "" if lacking else ran.problem,
    )


def _fixed(change: Change) -> list[str]:
    bad = {case.id for case in change.before.cases if case.result.bad} if change.before else set()
    return [case.id for case in change.after.cases if case.id in bad and case.result is Result.PASSED]


def _otherwise(
    bench: Bench,
    place: Place,
    suites: Sequence[TestsChosen],
    ids: Sequence[str],
    result: Callable[[Result], bool],
    *,
    whole: bool,
) -> set[str]:
    """Those that come to such a `result` in one of some runs more."""
    found: set[str] = set()
    for number in range(1, AGAIN + 1):
        left = [name for name in ids if name not in found]
        ran = run_cases(bench, place, suites, left, SEED + number, whole=whole)
        found |= {name for name, case in ran.items() if result(case.result)}
    return found


def _passed(result: Result) -> bool:
    return result is Result.PASSED


# --- the tests of the base, the source of the result ------------------------------------------------------


def _outdated(
    bench: Bench, suites: Sequence[TestsChosen], change: Change, touched: _Touched, *, whole: bool
) -> tuple[tuple[Outdated, ...], str]:
    """Tests that the change edits or removes, and that do not pass against its source as they were; and what was
    not finished."""
    control = bench.ground.control
    there = set(control.files(bench.base_tree))
    files = [path for path in touched.paths if path in there]
    own = [path for path in files if path not in touched.support]
    mixed = control.with_files_of(change.tree, bench.base_tree, touched.paths)
    if not (own or (whole and files)) or change.before is None or mixed in (change.tree, bench.base_tree):
        return (), ""
    place = bench.open_result(mixed)
    ran = bench.run(place, Moment.REVERSE, suites, files=() if whole else own)
    bench.ground.journal.append(ran)
    now = {case.id: case.result for case in change.after.cases}
    held = [
        case
        for case in change.before.cases
        if case.result is Result.PASSED and not now.get(case.id, Result.PASSED).bad
    ]
    said = proving.against(held, change.before, ran, own, files, whole=whole)
    failing = [name for name, (kind, _) in said.items() if kind is Without.FAILS]
    passing = _otherwise(bench, place, suites, failing[:MOST], _passed, whole=change.quick)
    found = tuple(
        Outdated(name, name not in now, message, kind is Without.MISSING)
        for name, (kind, message) in said.items()
        if name not in passing
    )
    return found, "" if any(old.lacks for old in found) else ran.problem
