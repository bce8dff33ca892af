"""Runs that are no complete result, and why: a clause for people, with the remedy where there is one. Pure functions."""

from __future__ import annotations

import re
import signal

from ci_agent.sandbox import TOO_MUCH, Completed, End
from ci_agent.verification.text import short

LONGEST = 200  # characters of a reason out of an output
NOT_EXECUTABLE, NOT_FOUND = 126, 127  # exit codes of shells for a command that can't be run
_FROM_PYTHON = ("pytest", "unittest")  # runners that our own plugin and script report for
_MISSING = "name the right command in `verification.test`, or install what it needs in `verification.setup`"


def ended_badly(done: Completed, timeout: float, limit: str) -> str:
    """It was stopped by us: too long, too loud. `limit` is the setting that `timeout` comes from; empty: it is no
    setting of ours, because the CI's job may take no longer."""
    if done.timed_out:
        more = f"raise `{limit}`" if limit else "let the CI's job take longer"
        return (
            f"the tests did not end within {timeout:,.0f} s and were stopped; if they need more time, "
            f"{more}, or name a quicker command in `verification.test`"
        )
    if done.ended is End.OUTPUT:
        return "the tests were stopped because they wrote too much output; the log holds its first part"
    if done.ended:
        return f"the tests were stopped because the command {TOO_MUCH[done.ended]}"
    return "the tests were stopped before their end" if done.exit_code is None else ""


def not_run(done: Completed, tail: str, by_case: bool, own_report: bool) -> str:
    """The command, or a program it starts, is not there or was killed. `own_report`: our plugin or script reported."""
    code = done.exit_code or 0
    by_make = re.search(r"\*\*\* \[.*\] Error (126|127)$", tail, re.MULTILINE)
    if not by_case and (code in (NOT_EXECUTABLE, NOT_FOUND) or by_make):
        code = int(by_make[1]) if by_make else code
        fault = "does not exist" if code == NOT_FOUND else "can't be executed"
        why = (code == NOT_EXECUTABLE and _closed(tail)) or f": {_MISSING}"
        return f"the test command, or a program it starts, {fault} (exit code {code}){why}"
    missing = re.search(r"No module named '?pytest'?\s*$", tail, re.MULTILINE)
    if not by_case and code and missing:
        return f"pytest is not installed for the Python that the command uses: {_MISSING}"
    # pytest and our unittest script write their report last, so a crash after it has lost no result.
    if code - 128 in signal.valid_signals() and not own_report:
        name = signal.Signals(code - 128).name
        hint = "; often the machine has run out of memory" if name == "SIGKILL" else ""
        return f"the test command was killed by signal {code - 128} ({name}){hint}"
    return ""


# Of rustc, and of compilers that Maven and Gradle call; what comes of an error has a line of the kind as well.
_BUILD_ERROR = re.compile(
    r"^(?:\[ERROR\] )?(error(?:\[E\d{4}\])?: (?!could not compile|aborting|test failed|process didn't).+"
    r"|\S+\.(?:java|kt|scala|groovy):.{0,20}\d.*|e: .+)$",
    re.MULTILINE,
)


def not_built(done: Completed, tail: str, by_case: bool) -> str:
    """What is to be tested can't be built, so that no test is reached."""
    found = _BUILD_ERROR.search(tail)
    if by_case or not done.exit_code or not found:
        return ""
    return f"what is to be tested can't be built: {short(found[1].strip(), LONGEST)}"


_PYTEST_USAGE_ERROR = 4  # https://docs.pytest.org/en/stable/reference/exit-codes.html


def refused(runner: str, done: Completed, tail: str) -> str:
    """pytest did not understand its command line, or found nothing under a path in it."""
    if runner != "pytest" or done.exit_code != _PYTEST_USAGE_ERROR:
        return ""
    said = next((line.strip() for line in tail.splitlines() if line.startswith("ERROR")), "")
    return f"pytest did not accept the command (exit code 4){': ' + said if said else ''}"


def unreported(runner: str, command: str, done: Completed, tail: str, by_case: bool) -> str:
    """pytest and unittest report at their end; where they did not, they never got there."""
    if by_case or runner not in _FROM_PYTHON or "--junit" in command:
        return ""
    return f"{runner} ended with exit code {done.exit_code} before it came to its results{_closed(tail)}"


# Of Python's PermissionError, and of C's programs and shells: `cat: /x: Permission denied`.
_DENIED = re.compile(r"Permission denied: '(/[^'\n]+)'|(?:^|\s)(/[^:\n]+): Permission denied", re.MULTILINE)


def _closed(tail: str) -> str:
    """The last file that it could not open, which is mostly one that the confinement closes."""
    found = [one or other for one, other in _DENIED.findall(tail)]
    if not found:
        return ""
    return f": it could not open {short(found[-1], LONGEST)}; what commands need elsewhere belongs in `sandbox.readable`"
