"""What the tests of a change show: they are run against the source of the base, and the tests of the base against
the source of the result. Each in a checkout made for it, and what counts is run more than once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
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
from ci_agent.verification import proving

AGAIN = 2  # runs more of what fails without the change: one that passes then is no proof
MOST = 50  # cases that are run again
_INLINE = "the tests live in the files of the source, so that the one can't be had without the other"
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
    paths = [path for each in change.files for path in (each.path, each.previous) if path]
    suites = [*on_result, *on_base]
    touched = [path for path in paths if any(verification.is_test_file(suite, path) for suite in suites)]
    if not touched:
        inline = any(verification.tests_inline(suite) for suite in suites)
        patch = bench.ground.control.changed_lines(change.tree) if inline else b""
        return ProofRan(change.round, (), (), _INLINE if _TEST_LINE.search(patch) else "")
    if not change.after.by_case:
        return ProofRan(change.round, tuple(touched), (), "results are not known test by test")
    there = set(bench.ground.control.files(change.tree))
    files = [path for path in touched if path in there]
    mixed = bench.ground.control.with_files_of(bench.base_tree, change.tree, touched)
    cases: tuple[Shown, ...] = ()
    if files and mixed != change.tree:
        cases = _without(bench, on_result, change, files, mixed)
    return ProofRan(change.round, tuple(files), cases, "", _outdated(bench, on_base, change, touched))


# --- the tests of the result, the source of the base ------------------------------------------------------


def _without(
    bench: Bench, suites: Sequence[TestsChosen], change: Change, files: Sequence[str], mixed: str
) -> tuple[Shown, ...]:
    place = bench.open_base(mixed)
    ran = bench.run(place, Moment.PROOF, suites, files=files)
    bench.ground.journal.append(ran)
    cases = proving.shown(change.before, change.after, ran, files, proving.belongs)
    failing = [case.id for case in cases if case.without is Without.FAILS][:MOST]
    unsteady = {
        *_passing(bench, place, suites, failing, change.quick),
        *_failing(bench, bench.result, suites, failing, change.quick),
    }
    bench.forget_base()
    return tuple(
        replace(case, without=Without.UNKNOWN, message="it passes one time and fails another")
        if case.id in unsteady
        else case
        for case in cases
    )


def _passing(
    bench: Bench, place: Place, suites: Sequence[TestsChosen], ids: Sequence[str], whole: bool
) -> set[str]:
    """Those that pass in one of some runs more."""
    passing: set[str] = set()
    for number in range(1, AGAIN + 1):
        found = run_cases(
            bench, place, suites, [name for name in ids if name not in passing], SEED + number, whole=whole
        )
        passing |= {name for name, case in found.items() if case.result is Result.PASSED}
    return passing


def _failing(
    bench: Bench, place: Place, suites: Sequence[TestsChosen], ids: Sequence[str], whole: bool
) -> set[str]:
    found = run_cases(bench, place, suites, ids, SEED + 1, whole=whole)
    return {name for name, case in found.items() if case.result.bad}


# --- the tests of the base, the source of the result ------------------------------------------------------


def _outdated(
    bench: Bench, suites: Sequence[TestsChosen], change: Change, touched: Sequence[str]
) -> tuple[Outdated, ...]:
    """Tests that the change edits or removes, and that fail against its source as they were."""
    control = bench.ground.control
    there = set(control.files(bench.base_tree))
    files = [path for path in touched if path in there]
    mixed = control.with_files_of(change.tree, bench.base_tree, touched)
    if not files or change.before is None or mixed in (change.tree, bench.base_tree):
        return ()
    place = bench.open_result(mixed)
    ran = bench.run(place, Moment.REVERSE, suites, files=files)
    bench.ground.journal.append(ran)
    passed = {case.id for case in change.before.cases if case.result is Result.PASSED}
    now = {case.id: case.result for case in change.after.cases}
    failing = {}
    for case in ran.cases:
        said, message = proving.told(case, files)
        if said is Without.FAILS and case.id in passed and not now.get(case.id, Result.PASSED).bad:
            failing[case.id] = message
    passing = _passing(bench, place, suites, list(failing)[:MOST], change.quick)
    return tuple(
        Outdated(name, name not in now, message) for name, message in failing.items() if name not in passing
    )
