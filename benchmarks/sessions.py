"""Whole sessions, measured from outside: the agent as a process, the model's clock, the kernel's account."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from agents import Agent
from scripted_model import ScriptedModel

_TOO_LONG = 600.0  # seconds; a session that takes longer hangs
_OUTPUT = 3_000  # bytes that each command prints
_STRIDE = 2_900  # bytes between the starts of two outputs: no two are the same, which ci-agent would stop
_CONTROLS = 3  # times each command is run alone, per session

_SOURCE = Path(argparse.__file__)  # some 100 kB of real code, there wherever Python is


@dataclass(frozen=True, slots=True)
class Session:
    """What was measured. Steps count from 1; `steps[n - 1]` is the time from sending reply n to having read
    request n + 1. Seconds and bytes."""

    first_request: float  # from starting the process
    steps: Sequence[float]
    peak_memory: int
    requests: Sequence[bytes]  # their bodies, if they were to be kept


def listing(steps: int) -> list[str]:
    """Commands that print 3 kB each. The last one also changes a file, so that there is something to submit."""
    span = _SOURCE.stat().st_size - _OUTPUT
    commands = [
        f"echo STEP {n}; tail -c +{1 + n * _STRIDE % span} {_SOURCE.name} | head -c {_OUTPUT}"
        for n in range(steps)
    ]
    return [*commands[:-1], f"{commands[-1]}; {_CHANGE}"]


def flood(size: int) -> list[str]:
    """A command that prints `size` bytes, and one that changes a file."""
    return [f"yes 'test_the_parser.py::test_prefix[{'x' * 40}] PASSED' | head -c {size}", _CHANGE]


_CHANGE = "echo matched in _get_option_tuples > NOTE.txt"


def run(agent: Agent, commands: Sequence[str], *, keep: bool = False) -> Session:
    """One session of `agent` whose model wants `commands`, one a step, and then hands in. `keep` its requests?

    Raises `RuntimeError` with the agent's output when it does not go through to a good end.
    """
    calls = [("bash", {"command": command}) for command in commands]
    with _folder() as folder, (folder / "output").open("w+b") as output:
        with ScriptedModel([*calls, agent.last], keep=keep) as model:
            started = time.monotonic()
            process = subprocess.Popen(
                agent.words(folder),
                cwd=folder / "repository",
                env=dict(agent.environment(folder, model.base_url)),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            peak = _peak_memory(process)
        exchanges = model.exchanges
        if process.returncode != 0 or len(exchanges) != len(calls) + 1:
            output.seek(0)
            raise RuntimeError(
                f"{agent.name} ended with {process.returncode} after {len(exchanges)} of {len(calls) + 1} "
                f"requests:\n{output.read().decode(errors='replace')[-3000:]}"
            )
    return Session(
        first_request=exchanges[0].received - started,
        steps=[later.received - earlier.sent for earlier, later in pairwise(exchanges)],
        peak_memory=peak,
        requests=model.requests,
    )


def client_alone(python: Path) -> float:
    """Seconds from the start of a process that does nothing else to the first request of the package `openai`."""
    with _folder() as folder, ScriptedModel([("bash", {"command": "true"})]) as model:
        started = time.monotonic()
        environment = {"OPENAI_BASE_URL": model.base_url, "OPENAI_API_KEY": "sk-benchmark"}
        subprocess.run([python, "-c", _CLIENT], cwd=folder, env=environment, check=True)
        return model.exchanges[0].received - started


_CLIENT = """
from openai import OpenAI
OpenAI().post("/chat/completions", body={"model": "any", "messages": []}, cast_to=object)
"""


def controls(agent: Agent, commands: Sequence[str]) -> list[float]:
    """Seconds that the commands take when nothing but `subprocess` runs them in the agent's shell."""
    with _folder() as folder:
        return [
            _alone(agent, command, folder / "repository") for command in commands for _ in range(_CONTROLS)
        ]


def _alone(agent: Agent, command: str, cwd: Path) -> float:
    started = time.monotonic()
    subprocess.run(
        [*agent.shell, command],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        check=True,
    )
    return time.monotonic() - started


def _peak_memory(process: subprocess.Popen[bytes]) -> int:
    """Wait for the process: the largest resident set, in bytes, that it or a child of its ever had."""
    watchdog = threading.Timer(_TOO_LONG, process.kill)
    watchdog.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
    finally:
        watchdog.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_maxrss * 1024  # Linux counts in KiB, see getrusage(2)


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder for one session, with a repository of one commit in it."""
    with tempfile.TemporaryDirectory(prefix="ci-agent-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        repository = folder / "repository"
        repository.mkdir()
        shutil.copy(_SOURCE, repository)
        who = ("-c", "user.name=Bench", "-c", "user.email=bench@localhost")
        for words in (("init", "-q", "-b", "main"), ("add", "."), (*who, "commit", "-q", "-m", "Start")):
            subprocess.run(["git", *words], cwd=repository, check=True)
        yield folder
