"""What is measured beside the tests before and after: the coverage of the change, and the checks."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from pathlib import Path

from ci_agent import verification
from ci_agent.evidence.bench import Bench
from ci_agent.evidence.suites import from_top, paths_of
from ci_agent.journal.events import (
    CheckRan,
    ChecksCompared,
    CommandStarted,
    CoverageMeasured,
    FileChanged,
    Moment,
    TestsChosen,
    TestsRan,
)
from ci_agent.verification import checks, coverage
from ci_agent.workspace import discard

QUICK = 120.0  # seconds: tests that take longer are not run once more for their coverage, unless asked for


def cover(
    bench: Bench,
    suites: Sequence[TestsChosen],
    tree: str,
    after: TestsRan,
    related: Sequence[str],
    round: int,  # noqa: A002 - the event's own word
) -> CoverageMeasured | None:
    """Run the tests once more to see which of the changed lines they run, no more of them than in `after`. None:
    nobody wants to know, or there are no such lines."""
    wanted = bench.ground.config.verification.coverage
    if wanted == "off" or not suites:
        return None
    try:
        added = coverage.added_lines(bench.ground.control.changed_lines(tree))
    except coverage.CoverageError as error:
        return CoverageMeasured(round, "", (), str(error))
    source = {
        path: numbers
        for path, numbers in added.items()
        if not any(verification.is_test_file(suite, path) for suite in suites)
    }
    if not source:
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
    commands: list[str] = []
    log = ""
    for number, suite in enumerate(suites):
        into = bench.ground.folder / "coverage" / f"{round}-{number}"
        own = paths_of(suite, suites, related) if after.some else []
        ran, found, problem = _measured(bench, suite, into, source, own)
        tools += [ran.tool] if ran.tool and not problem else []
        if problem and (len(suites) == 1 or paths_of(suite, suites, list(source))):
            problems.append(f"in {suite.folder or 'the root'}: {problem}" if len(suites) > 1 else problem)
        commands += [from_top(suite, ran.command)] if ran.command else []
        log = log or ran.log
        for path, counts in found.items():
            lines.setdefault(path, {}).update(counts)
    discard(bench.ground.folder / "coverage")
    return CoverageMeasured(
        round,
        ", ".join(dict.fromkeys(tools)),
        coverage.of_change(lines, source),
        "; ".join(problems),
        "\n".join(commands),
        log,
    )


def _measured(
    bench: Bench, suite: TestsChosen, into: Path, only: Container[str], related: Sequence[str]
) -> tuple[verification.Lines, Mapping[str, Mapping[int, int]], str]:
    """The run, the lines of the files in `only` and how often they ran, and why nothing is known."""
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
            related=related,
            limit=bench.clock.limit(),
            hide=bench.ground.hide,
        )
    if ran.problem or not ran.tool:
        return ran, {}, ran.problem
    try:
        return ran, coverage.read(ran.format, ran.files, place.root, suite.folder, only), ""
    except coverage.CoverageError as error:
        return ran, {}, str(error)


class Checks:
    """The configured checks, each in a checkout in which nothing ran before but set-up; on the base once."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._commands = bench.ground.config.checks
        self._before: tuple[CheckRan, ...] | None = None

    def measure_base(self) -> None:
        """Run them on the base, whose checkout is as it was made."""
        if self._commands and self._before is None:
            self._before = self._run(Moment.BEFORE)

    def compare(self, changed: Sequence[FileChanged], round: int) -> ChecksCompared | None:  # noqa: A002 - as above
        """Run them on the result, whose checkout is as it was made. None: there are none."""
        if not self._commands:
            return None
        self.measure_base()
        renamed = {change.path: change.previous for change in changed if change.previous}
        after = self._run(Moment.AFTER)
        return ChecksCompared(round, checks.compare_checks(self._before or (), after, renamed))

    def _run(self, moment: Moment) -> tuple[CheckRan, ...]:
        bench = self._bench
        place = bench.base if moment is Moment.BEFORE else bench.result
        found = []
        for command in self._commands:
            place.put(place.tree)
            bench.ground.journal.append(CommandStarted("checks", command))
            with bench.clock.running():
                ran = checks.run_check(
                    command,
                    moment,
                    root=place.root,
                    sandbox=place.sandbox,
                    logs=bench.ground.logs,
                    timeout=bench.clock.each(),
                    hide=bench.ground.hide,
                )
            bench.ground.journal.append(ran)
            found.append(ran)
        return tuple(found)
