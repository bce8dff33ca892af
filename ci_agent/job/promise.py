"""What a job has promised on an issue, noted on the runner's disk before it is said, until everything is said.

Whoever comes after a process that died finds here what has to be made true. Nothing heavy is imported: after most
jobs there is nothing to find.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

_NOTE = "promised.json"


@dataclass(frozen=True, slots=True)
class Promise:
    """What stands on the issue and has to be made true."""

    issue: str
    marker: str  # of the progress comment
    folder: str  # of the session
    branch: str
    before: str | None = (
        None  # commit of what was kept then; empty: nothing was; None: the session is not kept
    )
    work: str = ""  # of that, the commit of the work that stays with the session until it has its own
    said: str = ""  # where the work did not begin: what the comment says of it


def promise(scratch: Path, made: Promise) -> None:
    """Note what is about to be said on the issue."""
    scratch.mkdir(parents=True, exist_ok=True)
    (scratch / _NOTE).write_text(json.dumps(asdict(made)), encoding="utf-8")


def kept(scratch: Path) -> None:
    """Everything is said; nothing is left to do. A note that can't be taken away has the same said once more."""
    with contextlib.suppress(OSError):
        (scratch / _NOTE).unlink()


def promised(scratch: Path) -> Promise | None:
    """What is still to be made true; None: nothing."""
    try:
        found = Promise(**json.loads((scratch / _NOTE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    texts = [
        found.issue,
        found.marker,
        found.folder,
        found.branch,
        found.before or "",
        found.work,
        found.said,
    ]
    return found if all(isinstance(text, str) for text in texts) else None
