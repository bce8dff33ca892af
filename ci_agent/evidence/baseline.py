"""Runs on the base, kept between sessions: the same commit in the same environment need not be paid for twice.

What decides the result is in the key: the files of the commit, the commands, and what of the machine is known. Only
runs that reached their end are kept, and none is used for longer than `DAYS`.
"""

from __future__ import annotations

import contextlib
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from ci_agent import __version__
from ci_agent.journal.events import SetupChosen, TestsChosen, TestsRan

DAYS = 7  # what set-up installs moves on
_DAY = 24 * 3600
_LARGEST = 60_000_000  # bytes of a kept run
# What CI's jobs say of the image they run in.
_IMAGE = ("CI_JOB_IMAGE", "ImageOS", "ImageVersion")


def key(tree: str, setup: SetupChosen, suites: Sequence[TestsChosen], junit: str) -> str:
    """A name for what a run depends on."""
    machine = (
        platform.platform(),
        os.environ.get("PATH", ""),
        *(os.environ.get(name, "") for name in _IMAGE),
    )
    commands = [setup.command, junit, *(f"{suite.folder}\n{suite.command}" for suite in suites)]
    parts = [__version__, tree, *commands, *machine]
    return sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def recall(folder: Path | None, name: str) -> TestsRan | None:
    """The run of that name; None: there is none to use."""
    import msgspec

    if folder is None:
        return None
    path = folder / f"{name}.json"
    try:
        about = path.stat()
        if time.time() - about.st_mtime > DAYS * _DAY or about.st_size > _LARGEST:
            return None
        ran = msgspec.json.decode(path.read_bytes(), type=TestsRan)
    except (OSError, msgspec.MsgspecError):
        return None
    return replace(ran, reused=True, log="")


def keep(folder: Path | None, name: str, ran: TestsRan) -> None:
    """Keep a run that reached its end. A folder that can't be written to is no reason to stop."""
    import msgspec

    if folder is None or ran.problem or ran.some or not ran.cases:
        return
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.json"):
            if time.time() - old.stat().st_mtime > DAYS * _DAY:
                old.unlink(missing_ok=True)
        made = folder / f"{name}.{os.getpid()}.new"
        made.write_bytes(msgspec.json.encode(ran))
        made.replace(folder / f"{name}.json")
