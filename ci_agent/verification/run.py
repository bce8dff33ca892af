"""Runs the project's setup and tests through a sandbox and says how they ended.

The only place that knows where results by test case come from: pytest is told through `PYTEST_ADDOPTS` and
a plugin of ours, whatever starts it; unittest runs in a script of ours; other runners as their entry says; and
any command may write the reports that `verification.junit` names. It judges no change; that is `compare`'s.
"""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from ci_agent.errors import ConfigError
from ci_agent.journal.events import Case, Moment, Result, SetupRan, TestsChosen, TestsRan
from ci_agent.sandbox import Command, Completed, Sandbox
from ci_agent.verification import reading
from ci_agent.verification.detect import To, narrowed, select
from ci_agent.verification.ecosystems import named
from ci_agent.verification.logs import free, tail, telling
from ci_agent.verification.project import Project
from ci_agent.verification.pytest_reports import LINES, SEED
from ci_agent.verification.runner import Report
from ci_agent.verification.text import by_exit_code, relative_to, whole
from ci_agent.verification.unittest_junit import REPORTS

NOT_EXECUTABLE, NOT_FOUND = 126, 127  # exit codes of shells for a command that can't be run
NO_TESTS_COLLECTED = 5  # the exit code of pytest, and of unittest from Python 3.12, when there is no test
_FROM_PYTHON = ("pytest", "unittest")  # runners that our own plugin and script report for


def run_setup(
    command: str, root: Path, sandbox: Sandbox, logs: Path, timeout: float, place: str = "work"
) -> SetupRan:
    """Run `command` in `root`, at most `timeout` seconds, its output in a new file in `logs`. `place` is what the
    checkout is for."""
    log = free(logs, "setup")
    done = sandbox.run(Command(sandbox.shell(command), root, timeout, log, {}))
    end = relative_to(root)(tail(log))
    environment = ".venv" if (root / ".venv" / "bin" / "python").exists() else ""
    return SetupRan(command, done.exit_code, done.seconds, done.timed_out, log.name, end, environment, place)


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
) -> TestsRan:
    """Run the chosen tests in their folder of `root`, at most `timeout` seconds, and give their results.

    The raw output goes to a new file in `logs`, numbered from 1 where it is not the run before. In what is
    taken out of it and of the reports, paths below `root` are relative, and so are ids that begin with a file; others
    of a project in a folder begin with `folder: `.

    The run is narrowed, where the runner can (see `detect.can_narrow`; the command of the result shows whether it
    was), to one of these, the first that is given: `selector`, words of the runner's own; `cases`, ids as
    results have them; test `files`; the tests `related` to changed files. Paths are relative to `root`.
    `some`: why not all tests are run, for the result.

    `junit` is a pattern relative to the project's folder for the reports that the command itself writes; what lay
    there before is not read. Tests in random order get the same order for the same `seed`. A run of no
    command has no cases. Raises `ConfigError` when `junit` is not such a pattern.
    """
    if not chosen.command:
        return TestsRan(moment, "", tree, None, 0.0, False, "", False, (), "", "")
    place = root / chosen.folder
    command = _narrowed(chosen, Project(place, sandbox), selector, cases, files, related)
    log = free(logs, f"tests-{moment}", numbered=moment is not Moment.BEFORE)
    shown = relative_to(root if not chosen.folder else place)
    with tempfile.TemporaryDirectory(prefix="ci-agent-tests-") as name:
        folder = Path(name)
        report = _report(chosen, Project(place, sandbox), command)
        mine = folder / "report"
        mine.mkdir()
        stale = dict(_matching(place, junit)) | dict(_matching(place, report.files))
        script = report.command(command, mine)
        environment = {**_seeds(chosen, seed), **report.environment(mine)}
        done = _execute(chosen, script, folder, place, sandbox, timeout, log, environment)
        own = sorted(folder.glob("*.xml"))
        written = [path for path, stamp in _matching(place, junit) if stale.get(path) != stamp]
        theirs = [path for path, stamp in _matching(place, report.files) if stale.get(path) != stamp]
        made = [path for path, _ in _matching(mine, "**/*")] if report.format else []
        printed = [log] if report.printed else []
        found = _read(report.format, [*made, *theirs, *printed], [*own, *written], shown)
    end = shown(tail(log) if found.any or done.exit_code == 0 else telling(log))
    problem = _ended_badly(done, timeout) or _not_run(done, end, found, bool(own)) or found.problem
    problem = (
        problem or _unreported(chosen.runner, command, done, found) or _refused(chosen.runner, done, end)
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
        log=log.name,
        tail=end,
        some=some,
    )


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
    command = _narrowed(chosen, project, "", (), files, related)
    runner = named(chosen.runner)
    entries = runner.coverage if runner else ()
    tool, report = next(
        ((tool, report) for tool, report in entries if report.here(project, command)), ("", _NONE)
    )
    if not tool:
        what = (
            f"no tool for {chosen.runner} is there" if chosen.runner else "the test command is none we know"
        )
        return Lines("", "", (), what)
    into.mkdir(parents=True)
    stale = dict(_matching(place, report.files))
    log = free(logs, f"tests-{Moment.COVERAGE}", numbered=True)
    with tempfile.TemporaryDirectory(prefix="ci-agent-tests-") as name:
        environment = {LINES: str(into), **_seeds(chosen, seed), **report.environment(into)}
        script = report.command(command, into)
        done = _execute(chosen, script, Path(name), place, sandbox, timeout, log, environment)
    theirs = [path for path, stamp in _matching(place, report.files) if stale.get(path) != stamp]
    made = [path for path, _ in _matching(into, "**/*") if _readable(report.format, path)]
    said = _first_line(into / "problem.txt")
    problem = said or _ended_badly(done, timeout) or ("" if made or theirs else f"{tool} left no report")
    return Lines(tool, report.format, () if problem else (*made, *theirs), problem)


# --- what is run ------------------------------------------------------------------------------------------

_NONE = Report(format="")


def _narrowed(
    chosen: TestsChosen,
    project: Project,
    selector: str,
    cases: Sequence[str],
    files: Sequence[str],
    related: Sequence[str],
) -> str:
    if selector:
        return select(chosen, selector)
    inside = f"{chosen.folder}/" if chosen.folder else ""
    if cases:
        plain_ids = [case.removeprefix(f"{chosen.folder}: ") if inside else case for case in cases]
        return narrowed(chosen, "cases", [case.removeprefix(inside) for case in plain_ids])
    to: To = "files" if files else "related"
    paths = [path.removeprefix(inside) for path in files or related if path.startswith(inside)]
    runner = named(chosen.runner)
    if to == "related" and runner and not runner.related and runner.related_files:
        to, paths = "files", list(runner.related_files(project, paths))
    return narrowed(chosen, to, paths)


def _report(chosen: TestsChosen, project: Project, command: str) -> Report:
    runner = named(chosen.runner)
    reports = runner.reports if runner else ()
    return next((report for report in reports if report.here(project, command)), _NONE)


def _seeds(chosen: TestsChosen, seed: int) -> dict[str, str]:
    """For commands that are not known, Python's: they may well start it."""
    runner = named(chosen.runner)
    return dict.fromkeys(runner.seeds if runner else ("PYTHONHASHSEED", SEED), str(seed))


def _execute(
    chosen: TestsChosen,
    command: str,
    folder: Path,
    place: Path,
    sandbox: Sandbox,
    timeout: float,
    log: Path,
    environment: Mapping[str, str],
) -> Completed:
    script = f"{_with_plugin(folder)}; {_with_report(chosen.runner, command, folder)}"
    variables = {**_environment(folder, chosen.runner, command), **environment}
    return sandbox.run(Command(sandbox.shell(script), place, timeout, log, variables))


def _readable(format: str, path: Path) -> bool:  # noqa: A002 - the noun
    """coverage.py and c8 leave their data beside the report."""
    return path.suffix == {"coverage.py": ".json", "lcov": ".info"}.get(format, path.suffix)


def _first_line(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.readline(300).strip()
    except OSError:
        return ""


# --- where results come from ------------------------------------------------------------------------------


# xunit1 is the format that names the file of each test; with it goes what failing tests printed. One file that
# can't be imported would keep all other tests from running, and prove nothing: pytest shall go on without it.
_PYTEST_OPTIONS = (
    "-o junit_family=xunit1 -o junit_logging=all -o junit_log_passing_tests=false "
    "--continue-on-collection-errors"
)


def _environment(folder: Path, runner: str, command: str) -> dict[str, str]:
    # pytest fills in variables; tox (measured with 4.67) runs it once per environment, and lets our options
    # through only when told to. Whatever is no plain call of pytest may start tox.
    plain_call = runner == "pytest" and "tox" not in command.lower()
    report = shlex.quote(f"--junitxml={folder}/{'pytest' if plain_call else 'pytest-$TOX_ENV_NAME'}.xml")
    return {
        "PYTEST_ADDOPTS": f"{report} {_PYTEST_OPTIONS}",
        "TOX_OVERRIDE": "testenv.pass_env+=PYTEST_ADDOPTS",
        REPORTS: str(folder),
    }


def _with_plugin(folder: Path) -> str:
    """Puts our plugin where pytest finds it, and gives the shell command that shows it the way.

    By `-p` in PYTEST_ADDOPTS pytest would fail where PYTHONPATH is set anew on the way to it, which many a
    Makefile does. An entry point that it does not see is none.
    """
    python = folder / "python"
    about = python / "ci_agent_reports-0.dist-info"
    about.mkdir(parents=True)
    shutil.copy(Path(__file__).with_name("pytest_reports.py"), python / "ci_agent_reports.py")
    shutil.copy(Path(__file__).with_name("python_lines.py"), python / "ci_agent_lines.py")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: ci-agent-reports\nVersion: 0\n")
    (about / "entry_points.txt").write_text("[pytest11]\nci_agent_reports = ci_agent_reports\n")
    return f'export PYTHONPATH={shlex.quote(str(python))}"${{PYTHONPATH:+:$PYTHONPATH}}"'


def _with_report(runner: str, command: str, folder: Path) -> str:
    """The command as it is run: unittest in our script, which is put where the sandbox lets it be read."""
    if runner != "unittest":
        return command
    script = shutil.copy(Path(__file__).with_name("unittest_junit.py"), folder)
    return command.replace("-m unittest", shlex.quote(str(script)))


Stamp = tuple[int, int, int]


def _matching(root: Path, pattern: str) -> Iterator[tuple[Path, Stamp]]:
    """The regular files in `root` that match, with what tells whether they were written anew."""
    if not pattern:
        return
    if PurePath(pattern).is_absolute() or ".." in PurePath(pattern).parts:
        raise ConfigError(
            f"verification.junit is {pattern!r}: it must be a path or pattern inside the repository"
        )
    try:
        paths = sorted(root.glob(pattern))
    except ValueError as error:
        raise ConfigError(f"verification.junit is {pattern!r}: {error}") from error
    for path in paths:
        status = path.lstat()
        inside = path.parent.resolve().is_relative_to(root.resolve())
        if stat.S_ISREG(status.st_mode) and inside:
            yield path, (status.st_mtime_ns, status.st_size, status.st_ino)


@dataclass(frozen=True, slots=True)
class Found:
    """What the reports of a run say. `problem`: why one of them could not be read."""

    any: bool
    cases: tuple[Case, ...] = ()
    problem: str = ""


def _read(format: str, made: list[Path], junit: list[Path], shown: Callable[[str], str]) -> Found:  # noqa: A002 - the noun
    """JUnit has the last word where there is some: it was asked for, or pytest wrote it."""
    if format == "junit":
        made, junit = [], [*made, *junit]
    try:
        if junit or not made:
            return Found(bool(junit), reading.read("junit", junit, shown))
        cases = reading.read(format, made, shown)
        return Found(bool(cases), cases)
    except reading.ReportError as error:
        return Found(any=False, problem=str(error))


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


# --- runs that are no complete result ---------------------------------------------------------------------

_MISSING = "name the right command in `verification.test`, or install what it needs in `verification.setup`"


def _ended_badly(done: Completed, timeout: float) -> str:
    if done.timed_out:
        return (
            f"the tests did not end within {timeout:,.0f} s and were stopped; if they need more time, "
            "raise `verification.timeout`, or name a quicker command in `verification.test`"
        )
    if done.flooded:
        return "the tests were stopped because they wrote too much output; the log holds its first part"
    return "the tests were stopped before their end" if done.exit_code is None else ""


def _not_run(done: Completed, tail: str, found: Found, own_report: bool) -> str:
    code = done.exit_code or 0
    by_make = re.search(r"\*\*\* \[.*\] Error (126|127)$", tail, re.MULTILINE)
    if not found.any and (code in (NOT_EXECUTABLE, NOT_FOUND) or by_make):
        code = int(by_make[1]) if by_make else code
        fault = "does not exist" if code == NOT_FOUND else "can't be executed"
        return f"the test command, or a program it starts, {fault} (exit code {code}): {_MISSING}"
    missing = re.search(r"No module named '?pytest'?\s*$", tail, re.MULTILINE)
    if not found.any and code and missing:
        return f"pytest is not installed for the Python that the command uses: {_MISSING}"
    # pytest and our unittest script write their report last, so a crash after it has lost no result.
    if code - 128 in signal.valid_signals() and not own_report:
        name = signal.Signals(code - 128).name
        hint = "; often the machine has run out of memory" if name == "SIGKILL" else ""
        return f"the test command was killed by signal {code - 128} ({name}){hint}"
    return ""


_PYTEST_USAGE_ERROR = 4  # https://docs.pytest.org/en/stable/reference/exit-codes.html


def _refused(runner: str, done: Completed, tail: str) -> str:
    """pytest did not understand its command line, or found nothing under a path in it."""
    if runner != "pytest" or done.exit_code != _PYTEST_USAGE_ERROR:
        return ""
    said = next((line.strip() for line in tail.splitlines() if line.startswith("ERROR")), "")
    return f"pytest did not accept the command (exit code 4){': ' + said if said else ''}"


def _unreported(runner: str, command: str, done: Completed, found: Found) -> str:
    """pytest and unittest report at their end; where they did not, they never got there."""
    if found.any or runner not in _FROM_PYTHON or "--junit" in command:
        return ""
    return f"{runner} ended with exit code {done.exit_code} before it came to its results"
