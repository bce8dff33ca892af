"""Runs on the base, kept between sessions: the same commit in the same environment need not be paid for twice.

What decides the result is in the key: the commit, the commands, their environment, and what of the machine is known.
That can't be all, so only runs are kept in which nothing failed and everything reached its end: what fails now is looked
at on a real base anyway, while a failure that is no longer true would make a test look fixed. None is used for longer
than `DAYS`.
"""

from __future__ import annotations

import contextlib
import os
import platform
import stat
import time
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from ci_agent import __version__
from ci_agent.journal.events import Moment, SetupChosen, TestsChosen, TestsRan
from ci_agent.sandbox.environment import build

_FORM = "2"  # of ids and results: another one when those of kept runs mean something else
DAYS = 7  # what set-up installs moves on
_DAY = 24 * 3600
_LARGEST = 60_000_000  # bytes of a kept run
# What CI's jobs say of the image they run in.
_IMAGE = ("CI_JOB_IMAGE", "ImageOS", "ImageVersion")


def key(
    base: str, setup: SetupChosen, suites: Sequence[TestsChosen], junit: str, passed: Sequence[str]
) -> str:
    """A name for what a run on the commit `base` depends on. `passed` are the variables that reach the commands beside
    those that always do."""
    nowhere = Path("/")  # home and temporary folder are others each time
    variables = build(os.environ, nowhere, nowhere, passed)
    machine = [platform.platform(), *(os.environ.get(name, "") for name in _IMAGE)]
    commands = [setup.command, junit, *(f"{suite.folder}\n{suite.command}" for suite in suites)]
    parts = [
        __version__,
        _FORM,
        base,
        *commands,
        *machine,
        *(f"{name}={variables[name]}" for name in sorted(variables)),
    ]
    return sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def recall(folder: Path | None, name: str, tree: str) -> TestsRan | None:
    """The run of that name on `tree`; None: there is none to use."""
    import msgspec

    if folder is None:
        return None
    try:
        # Anything may lie in the place of our file; it must neither block nor lead us elsewhere.
        descriptor = os.open(folder / f"{name}.json", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            about = os.fstat(file.fileno())
            fits = stat.S_ISREG(about.st_mode) and about.st_size <= _LARGEST
            if not fits or not 0 <= time.time() - about.st_mtime <= DAYS * _DAY:
                return None
            ran = msgspec.json.decode(file.read(), type=TestsRan)
    except (OSError, ValueError):  # msgspec's errors are among the latter
        return None
    if not _worth_keeping(ran) or ran.tree != tree:
        return None
    return replace(ran, reused=True, log="")


def keep(folder: Path | None, name: str, ran: TestsRan) -> None:
    """Keep a run, if it is one to keep. A folder that can't be written to is no reason to stop."""
    import msgspec

    if folder is None or not _worth_keeping(ran):
        return
    with contextlib.suppress(OSError, ValueError):
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.json"):
            if time.time() - old.stat().st_mtime > DAYS * _DAY:
                old.unlink(missing_ok=True)
        made = folder / f"{name}.{os.getpid()}.new"
        made.write_bytes(msgspec.json.encode(ran))
        made.replace(folder / f"{name}.json")


def _worth_keeping(ran: TestsRan) -> bool:
    complete = ran.moment is Moment.BEFORE and not ran.problem and not ran.some and ran.exit_code == 0
    return complete and bool(ran.cases) and not any(case.result.bad for case in ran.cases)
