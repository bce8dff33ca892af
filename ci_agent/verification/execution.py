"""How a command is started so that it leaves results: narrowed, with a seed, with our plugin and script for Python,
and which files it wrote. It reads no results.
"""

from __future__ import annotations

import os
import shlex
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath

from ci_agent.errors import ConfigError
from ci_agent.journal.events import TestsChosen
from ci_agent.sandbox import Command, Completed, Sandbox
from ci_agent.verification.detect import To, narrowed, select
from ci_agent.verification.ecosystems import named
from ci_agent.verification.project import Project
from ci_agent.verification.pytest_reports import SEED
from ci_agent.verification.runner import Report

NOTHING = Report(format="")
# Bytes. The kernel takes 128 KiB in one argument, which the command is of its shell (execve(2), MAX_ARG_STRLEN).
LONGEST_COMMAND = 100_000


def narrowed_to(
    chosen: TestsChosen,
    project: Project,
    selector: str,
    cases: Sequence[str],
    files: Sequence[str],
    related: Sequence[str],
) -> str:
    """The command for the first of these that is given, as `run_tests` has them. Where nothing of it lies in the
    project, or nothing can be told to be related, or it would be too long to be run, it is the whole command."""
    if selector:
        return select(chosen, selector)
    command = _narrowed_to(chosen, project, cases, files, related)
    return command if len(command.encode()) <= LONGEST_COMMAND else chosen.command


def _narrowed_to(
    chosen: TestsChosen, project: Project, cases: Sequence[str], files: Sequence[str], related: Sequence[str]
) -> str:
    inside = f"{chosen.folder}/" if chosen.folder else ""
    if cases:
        return narrowed(chosen, "cases", in_project(chosen, cases))
    to: To = "files" if files else "related"
    paths = [path.removeprefix(inside) for path in files or related if path.startswith(inside)]
    runner = named(chosen.runner)
    if to == "related" and runner and not runner.related and runner.related_files:
        to, paths = "files", list(runner.related_files(project, paths))
    return narrowed(chosen, to, paths)


def in_project(chosen: TestsChosen, cases: Sequence[str]) -> list[str]:
    """Ids of the repository as the project itself has them."""
    if not chosen.folder:
        return list(cases)
    return [case.removeprefix(f"{chosen.folder}: ").removeprefix(f"{chosen.folder}/") for case in cases]


def report_of(chosen: TestsChosen, project: Project, command: str) -> Report:
    """How this command's results come; `NOTHING` where it is known by its exit code."""
    runner = named(chosen.runner)
    reports = runner.reports if runner else ()
    return next((report for report in reports if report.here(project, command)), NOTHING)


def seeds(chosen: TestsChosen, seed: int) -> dict[str, str]:
    """The variables for this seed. For commands that are not known, Python's: they may well start it."""
    runner = named(chosen.runner)
    return dict.fromkeys(runner.seeds if runner else ("PYTHONHASHSEED", SEED), str(seed))


def execute(
    chosen: TestsChosen,
    command: str,
    folder: Path,
    place: Path,
    sandbox: Sandbox,
    timeout: float,
    log: Path,
    environment: Mapping[str, str],
    writable: Sequence[Path] = (),
) -> Completed:
    """Run it in `place`. JUnit XML of Python's runners goes into `folder`, which is ours; so is what else is
    `writable`."""
    script = f"{_with_plugin(folder)}; {_with_report(chosen.runner, command, folder)}"
    variables = {**_environment(folder, chosen.runner, command), **environment}
    return sandbox.run(
        Command(sandbox.shell(script), place, timeout, log, variables, writable=(folder, *writable))
    )


# xunit1 is the format that names the file of each test; with it goes what failing tests printed. One file that
# can't be imported would keep all other tests from running, and prove nothing: pytest shall go on without it.
_PYTEST_OPTIONS = (
    "-o junit_family=xunit1 -o junit_logging=all -o junit_log_passing_tests=false "
    "--continue-on-collection-errors"
)


def _environment(folder: Path, runner: str, command: str) -> dict[str, str]:
    from ci_agent.verification.unittest_junit import REPORTS  # which imports unittest

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


def matching(root: Path, pattern: str) -> Iterator[tuple[Path, Stamp]]:
    """The regular files in `root` that match a pattern relative to it, with what tells whether they were written anew."""
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
    top = os.path.realpath(root)
    for path in paths:
        try:
            status = path.lstat()
        except OSError:  # gone meanwhile
            continue
        inside = Path(os.path.realpath(path.parent)).is_relative_to(top)
        if stat.S_ISREG(status.st_mode) and inside:
            yield path, (status.st_mtime_ns, status.st_size, status.st_ino)
