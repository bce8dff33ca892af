"""Runs one check through a sandbox and says how it ended and what it found. It judges nothing."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

from ci_agent.journal.events import CheckRan, Moment
from ci_agent.sandbox import TOO_MUCH, Command, Completed, Sandbox
from ci_agent.verification.checks.findings import findings
from ci_agent.verification.incomplete import NOT_EXECUTABLE, NOT_FOUND
from ci_agent.verification.logs import free, tail
from ci_agent.verification.text import relative_to


def run_check(
    command: str,
    moment: Moment,
    *,
    root: Path,
    sandbox: Sandbox,
    logs: Path,
    timeout: float,
    hide: Callable[[str], str] = str,
) -> CheckRan:
    """Run `command` in `root`, at most `timeout` seconds, its output in a new file `check-{moment}-{n}.log` in
    `logs`. `problem` is why its exit code says nothing of the code: it could not be started or was stopped. What is
    kept of its output goes through `hide` before it is cut."""
    log = free(logs, f"check-{moment}", numbered=True)
    done = sandbox.run(Command(sandbox.shell(command), root, timeout, log, {}))
    relative = relative_to(root)
    found, cut = findings(log, root, hide)
    return CheckRan(
        moment=moment,
        command=command,
        exit_code=done.exit_code,
        seconds=done.seconds,
        problem=_problem(done, timeout),
        findings=found,
        log=log.name,
        tail=tail(log, lambda text: relative(hide(text))),
        cut=cut,
    )


def _problem(done: Completed, timeout: float) -> str:
    if done.timed_out:
        return f"it did not end within {timeout:,.0f} s and was stopped"
    if done.ended:
        return f"it was stopped because it {TOO_MUCH[done.ended]}"
    if done.exit_code is None:
        return "it was stopped before its end"
    if done.exit_code in (NOT_FOUND, NOT_EXECUTABLE):
        fault = "does not exist" if done.exit_code == NOT_FOUND else "can't be executed"
        return f"it, or a program it starts, {fault} (exit code {done.exit_code})"
    if done.exit_code - 128 in signal.valid_signals():
        return f"it was killed by signal {done.exit_code - 128}"
    return ""
