"""Runs the project's setup and tests through a sandbox and says how they ended.

The only place that knows where results by test case come from: pytest is told through `PYTEST_ADDOPTS` and
a plugin of ours, whatever starts it; unittest runs in a script of ours; other runners write the reports that
`verification.junit` names. It judges no change; that is `compare`'s.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path, PurePath

from ci_agent.errors import ConfigError
from ci_agent.journal.events import Case, Moment, Result, SetupRan, TestsChosen, TestsRan
from ci_agent.sandbox import Command, Completed, Sandbox
from ci_agent.verification import reading
from ci_agent.verification.detect import select
from ci_agent.verification.text import by_exit_code, plain, relative_to, whole
from ci_agent.verification.unittest_junit import REPORTS

TAIL_LINES = 40
TAIL_CHARACTERS = 4_000
NOT_EXECUTABLE, NOT_FOUND = 126, 127  # exit codes of shells for a command that can't be run
NO_TESTS_COLLECTED = 5  # the exit code of pytest, and of unittest from Python 3.12, when there is no test


def run_setup(command: str, root: Path, sandbox: Sandbox, logs: Path, timeout: float) -> SetupRan:
    """Run `command` in `root`, at most `timeout` seconds, its output in a new file in `logs`."""
    log = _free(logs, "setup")
    done = sandbox.run(Command(sandbox.shell(command), root, timeout, log, {}))
    tail = relative_to(root)(_tail(log))
    environment = ".venv" if (root / ".venv" / "bin" / "python").exists() else ""
    return SetupRan(command, done.exit_code, done.seconds, done.timed_out, log.name, tail, environment)


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
    junit: str = "",
) -> TestsRan:
    """Run the chosen tests in `root`, at most `timeout` seconds, and give their results.

    The raw output goes to a new file in `logs`, numbered from 1 where it is not the run before. In what is
    taken out of it and of the reports, paths below `root` are relative. `selector` narrows the run where the runner can (see
    `detect.select`; the command of the result shows whether it did). `junit` is a pattern relative to `root`
    for the reports that the command itself writes; what lay there before is not read. A run of no command
    has no cases. Raises `ConfigError` when `junit` is not such a pattern.
    """
    if not chosen.command:
        return TestsRan(moment, "", tree, None, 0.0, False, "", False, (), "", "")
    command = select(chosen, selector)
    log = _free(logs, f"tests-{moment}", numbered=moment is not Moment.BEFORE)
    shown = relative_to(root)
    stale = dict(_matching(root, junit))
    with tempfile.TemporaryDirectory(prefix="ci-agent-tests-") as name:
        folder = Path(name)
        script = f"{_with_plugin(folder)}; {_with_report(chosen.runner, command, folder)}"
        words = sandbox.shell(script)
        done = sandbox.run(Command(words, root, timeout, log, _environment(folder, chosen.runner, command)))
        own = sorted(folder.glob("*.xml"))
        written = [path for path, stamp in _matching(root, junit) if stale.get(path) != stamp]
        found = _read([*own, *written], shown)
    tail = shown(_tail(log) if found.any or done.exit_code == 0 else _telling(log))
    problem = _ended_badly(done, timeout) or _not_run(done, tail, found, bool(own)) or found.problem
    problem = (
        problem or _unreported(chosen.runner, command, done, found) or _refused(chosen.runner, done, tail)
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
        cases=_cases(command, done.exit_code, problem, found, tail),
        log=log.name,
        tail=tail,
    )


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


def _read(paths: list[Path], shown: Callable[[str], str]) -> Found:
    try:
        return Found(bool(paths), reading.read("junit", paths, shown))
    except reading.ReportError as error:
        return Found(any=False, problem=str(error))


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
    if found.any or runner not in ("pytest", "unittest") or "--junit" in command:
        return ""
    return f"{runner} ended with exit code {done.exit_code} before it came to its results"


# --- logs -------------------------------------------------------------------------------------------------


def _free(logs: Path, stem: str, *, numbered: bool = False) -> Path:
    """The first of `stem.log`, `stem-2.log`, … that is not there yet; `numbered`: of `stem-1.log`, `stem-2.log`, …"""
    logs.mkdir(parents=True, exist_ok=True)
    names = (f"{stem}.log" if n == 1 and not numbered else f"{stem}-{n}.log" for n in count(1))
    return next(path for path in map(logs.joinpath, names) if not path.exists())


# How runners mark what failed, where nothing but their output is known: TAP, mocha, jest, go, cargo, compilers.
_FAILURE = re.compile(
    rb"^\s*(not ok\b|FAIL\b|--- FAIL|\xe2\x9c\x96|\xe2\x9c\x97|\xe2\x97\x8f|.*\b(\w*Error|panicked|error(\[\w+\])?):)"
)
_AFTER = 8  # lines that go with a mark
_SCANNED = 20_000_000  # bytes of a log
_LINE = 65_536  # bytes of a line that are looked at in one piece
_LAST = 8  # lines of the end


def _telling(log: Path) -> str:
    """The lines that say what failed and a few after each, then the end; the end alone where none does."""
    marked: list[bytes] = []
    wanted = 0
    with log.open("rb") as file:
        while file.tell() < _SCANNED and len(marked) < TAIL_LINES - _LAST:
            line = file.readline(_LINE)  # of an endless one piece by piece
            if not line:
                break
            wanted = _AFTER + 1 if _FAILURE.match(line) else wanted - 1
            if wanted > 0:
                marked.append(line.rstrip()[:500])
            elif wanted == 0:
                marked.append(b"[...]")
    end = _tail(log)
    if not marked:
        return end
    text = plain(b"\n".join(marked).decode("utf-8", "replace"))
    last = "\n".join(end.splitlines()[-_LAST:])
    room = TAIL_CHARACTERS - len(last) - 20
    return f"{text[:room]}\n[... and its end:]\n{last}" if room > 0 else end


def _tail(log: Path) -> str:
    """The last lines that fit; of one that is longer than all the room, its end."""
    with log.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - 4 * TAIL_CHARACTERS))
        text = plain(file.read().decode("utf-8", "replace")).strip("\n")
    text = "\n".join(text.splitlines()[-TAIL_LINES:])
    if len(text) <= TAIL_CHARACTERS:
        return text
    return text[-TAIL_CHARACTERS:].partition("\n")[2] or text[-TAIL_CHARACTERS:]
