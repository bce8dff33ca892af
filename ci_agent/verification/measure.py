"""Runs the tests once more to see which lines they reach, by the tool that the project has. Nothing is installed.

What the tool leaves is read elsewhere (`coverage`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ci_agent.journal.events import Moment, TestsChosen
from ci_agent.sandbox import Sandbox
from ci_agent.verification.ecosystems import named
from ci_agent.verification.execution import NOTHING, execute, matching, narrowed_to, seeds
from ci_agent.verification.incomplete import ended_badly
from ci_agent.verification.logs import free
from ci_agent.verification.project import Project
from ci_agent.verification.pytest_reports import LINES


@dataclass(frozen=True, slots=True)
class Lines:
    """What a run with measured coverage left. `problem`: why there is nothing to be read, as a clause."""

    tool: str
    format: str
    files: tuple[Path, ...]
    problem: str = ""


def run_coverage(
    chosen: TestsChosen,
    *,
    root: Path,
    sandbox: Sandbox,
    logs: Path,
    into: Path,
    timeout: float,
    files: Sequence[str] = (),
    related: Sequence[str] = (),
    seed: int = 1,
) -> Lines:
    """Run the chosen tests, or some (as for `run_tests`), with the coverage tool that the project has.

    What the tool writes goes into the folder `into`, made here; `format` is one of `coverage.FORMATS`. Nothing
    is installed: without a tool nothing is run, and `problem` says so.
    """
    place = root / chosen.folder
    project = Project(place, sandbox)
    command = narrowed_to(chosen, project, "", (), files, related)
    runner = named(chosen.runner)
    entries = runner.coverage if runner else ()
    tool, report = next(
        ((tool, report) for tool, report in entries if report.here(project, command)), ("", NOTHING)
    )
    if not tool:
        what = (
            f"no tool for {chosen.runner} is there" if chosen.runner else "the test command is none we know"
        )
        return Lines("", "", (), what)
    into.mkdir(parents=True)
    stale = dict(matching(place, report.files))
    log = free(logs, f"tests-{Moment.COVERAGE}", numbered=True)
    with tempfile.TemporaryDirectory(prefix="ci-agent-tests-") as name:
        environment = {LINES: str(into), **seeds(chosen, seed), **report.environment(into)}
        script = report.command(command, into)
        done = execute(chosen, script, Path(name), place, sandbox, timeout, log, environment)
    theirs = [path for path, stamp in matching(place, report.files) if stale.get(path) != stamp]
    made = [path for path, _ in matching(into, "**/*") if _readable(report.format, path)]
    said = _first_line(into / "problem.txt")
    problem = said or ended_badly(done, timeout) or ("" if made or theirs else f"{tool} left no report")
    return Lines(tool, report.format, () if problem else (*made, *theirs), problem)


def _readable(format: str, path: Path) -> bool:  # noqa: A002 - the noun
    """coverage.py and c8 leave their data beside the report."""
    return path.suffix == {"coverage.py": ".json", "lcov": ".info"}.get(format, path.suffix)


def _first_line(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.readline(300).strip()
    except OSError:
        return ""
