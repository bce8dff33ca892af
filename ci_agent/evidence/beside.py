"""What is measured beside the tests before and after: the proof, the coverage of the change, the checks."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from pathlib import Path

from ci_agent import verification
from ci_agent.evidence.bench import Bench
from ci_agent.journal.events import (
    CheckRan,
    ChecksCompared,
    CommandStarted,
    CoverageMeasured,
    FileChanged,
    Moment,
    ProofRan,
    TestsChosen,
    TestsRan,
)
from ci_agent.verification import checks, coverage, proving
from ci_agent.workspace import discard

QUICK = 120.0  # seconds: tests that take longer are not run once more for their coverage, unless asked for
_INLINE = "the tests live in the files of the source, so that the one can't be had without the other"


def prove(
    bench: Bench,
    suites: Sequence[TestsChosen],
    tree: str,
    changed: Sequence[FileChanged],
    *,
    before: TestsRan | None,
    after: TestsRan,
    round: int,  # noqa: A002 - the event's own word
) -> ProofRan:
    """Run the tests that the change adds or edits against the source of the base.

    What is checked out for that are the tests of the result and all else of the base; afterwards the checkout of the
    base is given up, because tests have run in it that are not its own.
    """
    paths = [path for change in changed for path in (change.path, change.previous) if path]
    touched = [path for path in paths if any(verification.is_test_file(suite, path) for suite in suites)]
    there = set(bench.ground.control.files(tree))
    files = [path for path in touched if path in there]
    if not files:
        inline = any(verification.tests_inline(suite) for suite in suites) and bool(paths)
        return ProofRan(round, (), (), _INLINE if inline else "")
    if not after.by_case:
        return ProofRan(round, tuple(files), (), "results are not known test by test")
    place = bench.base
    place.put(bench.ground.control.with_files_of(bench.base_tree, tree, touched))
    without = bench.run(place, Moment.PROOF, suites, files=files)
    bench.ground.journal.append(without)
    bench.forget_base()
    return ProofRan(round, tuple(files), proving.shown(before, after, without, files, proving.belongs))


def cover(
    bench: Bench,
    suites: Sequence[TestsChosen],
    tree: str,
    after: TestsRan,
    round: int,  # noqa: A002 - as above
) -> CoverageMeasured | None:
    """Run the tests once more to see which of the changed lines they run. None: nobody wants to know."""
    wanted = bench.ground.config.verification.coverage
    if wanted == "off" or not suites:
        return None
    if wanted == "auto" and after.seconds > QUICK:
        return CoverageMeasured(
            round, "", (), f"the tests take {after.seconds:.0f} s, and it needs another run of them"
        )
    if bench.clock.left() < after.seconds * 2:
        return CoverageMeasured(round, "", (), "there was no time left for another run of the tests")
    tools: list[str] = []
    problems: list[str] = []
    lines: dict[str, dict[int, int]] = {}
    added = coverage.added_lines(bench.ground.control.changed_lines(tree))
    source = {
        path: numbers
        for path, numbers in added.items()
        if not any(verification.is_test_file(suite, path) for suite in suites)
    }
    for number, suite in enumerate(suites):
        into = bench.ground.folder / "coverage" / f"{round}-{number}"
        tool, found, problem = _measured(bench, suite, into, source)
        tools += [tool] if tool and not problem else []
        problems += [problem] if problem else []
        for path, counts in found.items():
            lines.setdefault(path, {}).update(counts)
    discard(bench.ground.folder / "coverage")
    problem = problems[0] if problems and not tools else ""
    return CoverageMeasured(
        round, ", ".join(dict.fromkeys(tools)), coverage.of_change(lines, source), problem
    )


def _measured(
    bench: Bench, suite: TestsChosen, into: Path, only: Container[str]
) -> tuple[str, Mapping[str, Mapping[int, int]], str]:
    """The tool, the lines of the files in `only` and how often they ran, and why nothing is known."""
    place = bench.result
    bench.ground.journal.append(CommandStarted("coverage", suite.command))
    place.put(place.tree)
    with bench.clock.running():
        ran = verification.run_coverage(
            suite,
            root=place.root,
            sandbox=place.sandbox,
            logs=bench.ground.logs,
            into=into,
            timeout=bench.clock.each(),
        )
    if ran.problem or not ran.tool:
        return ran.tool, {}, ran.problem
    try:
        return ran.tool, coverage.read(ran.format, ran.files, place.root, suite.folder, only), ""
    except coverage.CoverageError as error:
        return ran.tool, {}, str(error)


class Checks:
    """The configured checks, run on the base once."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._commands = bench.ground.config.checks
        self._before: tuple[CheckRan, ...] | None = None

    def compare(self, changed: Sequence[FileChanged], round: int) -> ChecksCompared | None:  # noqa: A002 - as above
        """Run them on the result, which is checked out. None: there are none."""
        if not self._commands:
            return None
        if self._before is None:
            self._before = self._run(Moment.BEFORE)
        renamed = {change.path: change.previous for change in changed if change.previous}
        compared = ChecksCompared(
            round, checks.compare_checks(self._before, self._run(Moment.AFTER), renamed)
        )
        self._bench.ground.journal.append(compared)
        return compared

    def _run(self, moment: Moment) -> tuple[CheckRan, ...]:
        bench = self._bench
        place = bench.base if moment is Moment.BEFORE else bench.result
        found = []
        for command in self._commands:
            bench.ground.journal.append(CommandStarted("checks", command))
            with bench.clock.running():
                ran = checks.run_check(
                    command,
                    moment,
                    root=place.root,
                    sandbox=place.sandbox,
                    logs=bench.ground.logs,
                    timeout=bench.clock.each(),
                )
            bench.ground.journal.append(ran)
            found.append(ran)
        return tuple(found)
