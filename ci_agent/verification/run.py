"""Runs the project's setup and tests through a sandbox and says how they ended.

Results by test case come in three ways: pytest and unittest are told to report by parts of ours, whatever starts
them (`execution`); other runners report as their entry says; and any command may write the reports that
`verification.junit` names. It judges no change; that is `compare`'s.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ci_agent.journal.events import Case, Moment, Result, SetupRan, TestsChosen, TestsRan
from ci_agent.sandbox import Command, Sandbox
from ci_agent.sandbox.deleting import scratch
from ci_agent.verification import reading
from ci_agent.verification.execution import execute, in_project, matching, narrowed_to, report_of, seeds
from ci_agent.verification.incomplete import ended_badly, not_built, not_run, refused, unreported
from ci_agent.verification.logs import free, lost, tail, telling
from ci_agent.verification.project import Project
from ci_agent.verification.text import by_exit_code, relative_to, whole

NO_TESTS_COLLECTED = 5  # the exit code of pytest, and of unittest from Python 3.12, when there is no test


def run_setup(
    command: str,
    root: Path,
    sandbox: Sandbox,
    logs: Path,
    timeout: float,
    place: str = "work",
    *,
    hide: Callable[[str], str] = str,
) -> SetupRan:
    """Run `command` in `root`, at most `timeout` seconds, its output in a new file in `logs`. `place` is what the
    checkout is for; `hide` as for `run_tests`. Where the log was lost, the end says so, and no log is named."""
    log = free(logs, "setup")
    shown = _shown(root, hide)
    done = sandbox.run(Command(sandbox.shell(command), root, timeout, log, {}, setup=True))
    gone = lost(log)
    environment = ".venv" if (root / ".venv" / "bin" / "python").exists() else ""
    return SetupRan(
        command,
        done.exit_code,
        done.seconds,
        done.timed_out,
        "" if gone else log.name,
        gone or tail(log, shown),
        environment,
        place,
    )


def run_tests(
    chosen: TestsChosen,
    moment: Moment,
    *,
    root: Path,
    tree: str,
    sandbox: Sandbox,
    logs: Path,
    timeout: float,
    selector: str = "",
    cases: Sequence[str] = (),
    files: Sequence[str] = (),
    related: Sequence[str] = (),
    junit: str = "",
    seed: int = 1,
    some: str = "",
    limit: str = "verification.timeout",
    hide: Callable[[str], str] = str,
) -> TestsRan:
    """Run the chosen tests in their folder of `root`, at most `timeout` seconds, and give their results.

    The raw output goes to a new file in `logs`, numbered from 1 where it is not the run before. In what is
    taken out of it and of the reports, paths below `root` are relative, and so are ids that begin with a file; others
    of a project in a folder begin with `folder: `.

    The run is narrowed, where the runner can (see `detect.can_narrow`; the command of the result shows whether it
    was), to one of these, the first that is given: `selector`, words of the runner's own; `cases`, ids as
    results have them; test `files`; the tests `related` to changed files. Paths are relative to `root`.
    Where none of it lies in the project, or nothing is related, the whole is run. `some`: why not all tests are
    run, for the result.

    `junit` is a pattern relative to the project's folder for the reports that the command itself writes; what lay
    there before is not read. Tests in random order get the same order for the same `seed`. A run of no
    command has no cases. `limit` is the setting that `timeout` comes from, for people. Every text from the run goes
    through `hide` before any of it is cut off. A log or folder that the run deleted or replaced is its problem.
    Raises `ConfigError` when `junit` is not such a pattern.
    """
    if not chosen.command:
        return TestsRan(moment, "", tree, None, 0.0, False, "", False, (), "", "")
    place = root / chosen.folder
    command = narrowed_to(chosen, Project(place, sandbox), selector, cases, files, related)
    log = free(logs, f"tests-{moment}", numbered=moment is not Moment.BEFORE)
    shown = _shown(place, hide)
    known = frozenset(_NUMBER.sub("", case) for case in in_project(chosen, cases))
    here = _identity(place)
    with scratch("ci-agent-tests-") as folder:
        report = report_of(chosen, Project(place, sandbox), command)
        mine = folder / "report"
        mine.mkdir()
        stale = dict(matching(place, junit)) | dict(matching(place, report.files))
        script = report.command(command, mine)
        environment = {**seeds(chosen, seed), **report.environment(mine)}
        done = execute(chosen, script, folder, place, sandbox, timeout, log, environment)
        own = [path for path, _ in matching(folder, "*.xml")]
        written = [path for path, stamp in matching(place, junit) if stale.get(path) != stamp]
        theirs = [path for path, stamp in matching(place, report.files) if stale.get(path) != stamp]
        made = [path for path, _ in matching(mine, "**/*")] if report.format else []
        printed = [log] if report.printed else []
        found = _read(report.format, [*made, *theirs, *printed], [*own, *written], shown, known)
    end = (tail if found.any or done.exit_code == 0 else telling)(log, shown)
    gone = lost(log)
    moved = "" if _identity(place) == here else "the folder of the project was deleted or replaced by the run"
    problem = (
        ended_badly(done, timeout, limit)
        or gone
        or moved
        or not_run(done, end, found.any, bool(own))
        or (not_built(done, end, found.any) if report.format else "")
        or found.problem
        or unreported(chosen.runner, command, done, end, found.any)
        or refused(chosen.runner, done, end)
    )
    return TestsRan(
        moment=moment,
        command=command,
        tree=tree,
        exit_code=done.exit_code,
        seconds=done.seconds,
        timed_out=done.timed_out,
        problem=problem,
        by_case=found.any,
        cases=_placed(chosen.folder, _cases(command, done.exit_code, problem, found, end)),
        log="" if gone else log.name,
        tail=end,
        some=some,
    )


def _shown(root: Path, hide: Callable[[str], str]) -> Callable[[str], str]:
    """What makes texts of the run fit to be kept."""
    relative = relative_to(root)
    return lambda text: relative(hide(text))


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


_NUMBER = re.compile(r"#\d+'*$")  # of cases that are called alike


@dataclass(frozen=True, slots=True)
class Found:
    """What the reports of a run say. `problem`: why one of them could not be read."""

    any: bool
    cases: tuple[Case, ...] = ()
    problem: str = ""


def _read(
    format: str,  # noqa: A002 - the noun
    made: list[Path],
    junit: list[Path],
    shown: Callable[[str], str],
    known: Container[str],
) -> Found:
    """JUnit has the last word where there is some: it was asked for, or pytest wrote it."""
    if format == "junit":
        made, junit = [], [*made, *junit]
    try:
        if junit or not made:
            return Found(bool(junit), reading.read("junit", junit, shown, known))
        cases = reading.read(format, made, shown, known)
        return Found(bool(cases), cases)
    except reading.ReportError as error:
        return Found(any=False, problem=shown(str(error)))


# Files of source, as ids begin with them.
_FILE = re.compile(r"[\w@+.-]+(?:/[\w@+.-]+)*\.(?:py|[cm]?[jt]sx?|rb|php|exs|bats|go|rs)(?=$|::)")


def _placed(folder: str, cases: tuple[Case, ...]) -> tuple[Case, ...]:
    if not folder:
        return cases
    return tuple(
        replace(case, id=f"{folder}/{case.id}" if _FILE.match(case.id) else f"{folder}: {case.id}")
        for case in cases
    )


def _cases(command: str, exit_code: int | None, problem: str, found: Found, tail: str) -> tuple[Case, ...]:
    if found.any and problem:
        return found.cases
    if found.any:
        quiet = exit_code == 0 or (exit_code == NO_TESTS_COLLECTED and not found.cases)
        if quiet or any(case.result.bad for case in found.cases):
            return found.cases
        message = f"the command ended with exit code {exit_code} although no test failed"
        return (*found.cases, Case(by_exit_code(command), Result.ERROR, 0.0, message, tail))
    if problem:
        return (Case(whole(command), Result.ERROR, 0.0, problem, tail),)
    if exit_code:
        return (Case(whole(command), Result.FAILED, 0.0, f"exit code {exit_code}", tail),)
    return (Case(whole(command), Result.PASSED),)
