"""Runs the tests once more to see which lines they reach, by the tool that the project has. Nothing is installed.

What the tool leaves is read elsewhere (`coverage`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ci_agent.journal.events import Moment, TestsChosen
from ci_agent.sandbox import Sandbox
from ci_agent.sandbox.deleting import scratch
from ci_agent.verification.ecosystems import named
from ci_agent.verification.execution import NOTHING, execute, matching, narrowed_to, seeds
from ci_agent.verification.incomplete import ended_badly
from ci_agent.verification.logs import free, lost
from ci_agent.verification.opening import regular
from ci_agent.verification.project import Project
from ci_agent.verification.pytest_reports import LINES
from ci_agent.verification.text import one_line

SEED = 1
LONGEST_PROBLEM = 300  # characters
_LONGEST_LINE = 16_384  # bytes


@dataclass(frozen=True, slots=True)
class Lines:
    """What a run with measured coverage left. `problem`: why there is nothing to be read, as a clause.
    Without a run there is no `command` and no `log`."""

    tool: str
    format: str
    files: tuple[Path, ...]
    problem: str = ""
    command: str = ""  # as a person would call it, without what was put in to measure
    log: str = ""  # name in the folder of logs


def run_coverage(
    chosen: TestsChosen,
    *,
    root: Path,
    sandbox: Sandbox,
    logs: Path,
    into: Path,
    timeout: float,
    related: Sequence[str] = (),
    limit: str = "verification.timeout",
    hide: Callable[[str], str] = str,
) -> Lines:
    """Run the chosen tests, or those `related` to changed files, with the coverage tool that the project has;
    `limit` and `hide` as for `run_tests`.

    What the tool writes goes into the folder `into`, made here; `format` is one of `coverage.FORMATS`. Nothing
    is installed: without a tool nothing is run, and `problem` says so.
    """
    place = root / chosen.folder
    project = Project(place, sandbox)
    command = narrowed_to(chosen, project, "", (), (), related)
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
    with scratch("ci-agent-tests-") as folder:
        environment = {LINES: str(into), **seeds(chosen, SEED), **report.environment(into)}
        script = report.command(command, into)
        done = execute(chosen, script, folder, place, sandbox, timeout, log, environment, (into,))
    theirs = [path for path, stamp in matching(place, report.files) if stale.get(path) != stamp]
    made = [path for path, _ in matching(into, "**/*") if _readable(report.format, path)]
    said = hide(_first_line(into / "problem.txt"))[:LONGEST_PROBLEM]
    gone = lost(log)
    problem = said or ended_badly(done, timeout, limit) or gone
    problem = problem or ("" if made or theirs else f"{tool} left no report")
    kept = "" if gone else log.name
    return Lines(tool, report.format, () if problem else (*made, *theirs), problem, command, kept)


def _readable(format: str, path: Path) -> bool:  # noqa: A002 - the noun
    """coverage.py and c8 leave their data beside the report."""
    return path.suffix == {"coverage.py": ".json", "lcov": ".info"}.get(format, path.suffix)


def _first_line(path: Path) -> str:
    try:
        with regular(path) as file:
            return one_line(file.readline(_LONGEST_LINE).decode("utf-8", "replace").strip())
    except OSError:
        return ""
