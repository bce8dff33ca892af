"""Which package registries this machine's package managers use: they are asked, so that mirrors are found as well.

They are run as the runner's own programs, in its environment, in empty folders, so that no file of a repository
has a say. Nothing of what they say is kept on disk. To add one, write an entry in `managers.py`.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from urllib.parse import urlsplit

from ci_agent.sandbox.network import Reach, Rule, open_gateway
from ci_agent.sandbox.network.hosts import EVERY_NAME, WEB_PORTS, RefusedError, kind_of, normalised
from ci_agent.sandbox.network.registries.managers import MANAGERS, SIGNS, Question
from ci_agent.sandbox.network.variables import EXCEPTION_VARIABLES, variables

__all__ = ["Registry", "ask"]


@dataclass(frozen=True, slots=True)
class Registry:
    """A host that a package manager needs, and where that was learned, such as `npm config`."""

    rule: Rule
    learned: str


def ask(
    programs: Collection[str], folder: Path, environment: Mapping[str, str], seconds: float = 10.0
) -> tuple[Registry, ...]:
    """The registries of those of `programs` that `environment` has on its PATH and that we know how to ask.

    All are asked at the same time, and those that have not answered after `seconds` are ended; what they said or
    asked for until then counts. Empty folders are made in `folder`, which nobody else may write to, nor to
    any above it: package managers look there too. They are removed again. Raises `OSError` where they can't be.
    """
    deadline = time.monotonic() + seconds
    questions = [
        question
        for name, asked in MANAGERS.items()
        if name in programs and shutil.which(name, path=environment.get("PATH"))
        for question in asked
    ]
    found: list[list[Registry]] = [[] for _ in questions]

    def put(number: int, question: Question) -> None:
        found[number] += _answers(question, folder, environment, deadline)

    threads = [
        threading.Thread(target=put, args=(number, question)) for number, question in enumerate(questions)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    known: dict[Rule, Registry] = {}
    for registry in chain.from_iterable(found):
        known.setdefault(registry.rule, registry)
    return tuple(known.values())


def managers_for(files: Iterable[str]) -> set[str]:
    """The package managers that a project with these files may use."""
    names = {path.rpartition("/")[2] for path in files}
    return {program for sign, programs in SIGNS.items() if sign in names for program in programs}


def _answers(
    question: Question, folder: Path, environment: Mapping[str, str], deadline: float
) -> Iterator[Registry]:
    with tempfile.TemporaryDirectory(dir=folder) as empty:
        for name, text in question.files.items():
            Path(empty, name).write_text(text)
        question.prepare(Path(empty), environment)
        if question.noted:
            said, asked = _noted(question, Path(empty), environment, deadline)
        else:
            said, asked = _run(question, Path(empty), environment, deadline), ()
    for url in question.read(said):
        rule = _rule_of(url)
        if rule:
            yield Registry(rule, question.learned)
    yield from (Registry(_rule(host, port), question.learned) for host, port in asked)


def _noted(
    question: Question, folder: Path, environment: Mapping[str, str], deadline: float
) -> tuple[str, tuple[tuple[str, int], ...]]:
    """What the program printed, and the hosts it asked for through a proxy that nobody else can use."""
    password = secrets.token_urlsafe()
    everything = Rule(EVERY_NAME, frozenset(), Reach.LOOPBACK)  # as if the runner itself had started it
    gateway = open_gateway([everything], environment, password)
    try:
        proxied = {name: value for name, value in environment.items() if name not in EXCEPTION_VARIABLES}
        said = _run(question, folder, proxied | variables(gateway.port, password, direct=()), deadline)
    finally:
        gateway.close()
    return said, gateway.reached()


def _run(question: Question, folder: Path, environment: Mapping[str, str], deadline: float) -> str:
    """What the program printed, on both streams, until it ended or time was up."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            question.words,
            cwd=folder,
            env={**environment, **question.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(deadline - time.monotonic(), 0))
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        output.seek(0)
        return output.read(_OUTPUT_LIMIT).decode(errors="replace")


def _rule_of(url: str) -> Rule | None:
    """The rule that allows the host of an address; None for what is no address we can use."""
    try:
        parts = urlsplit(url)
        return _rule(parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443))
    except (ValueError, RefusedError):
        return None


def _rule(host: str, port: int) -> Rule:
    """The rule that allows this host, whatever address it has inside of a company. Raises `RefusedError`.

    An address of this machine only where the configuration itself says so.
    """
    try:
        name = str(ipaddress.ip_address(host))
    except ValueError:
        name = normalised(host)
    is_local = kind_of(name) is Reach.LOOPBACK or name == "localhost" or name.endswith(".localhost")
    return Rule(name, WEB_PORTS | {port}, Reach.LOOPBACK if is_local else Reach.PRIVATE)


_OUTPUT_LIMIT = 1_000_000  # bytes
