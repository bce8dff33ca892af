"""What is asked of a CI job on its command line, beside the event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line says beside the event. `flags` goes by the setting's key."""

    flags: Mapping[str, object]
    issue: str | None = None
    intent: str | None = None
    route: bool = False  # decide and answer only; other jobs work
    child_pipeline: Path | None = None  # where their pipeline goes, on a platform that wants one
    final_word: bool = False
    hold: Path | None = None  # publish nothing; the bundle goes there
    publish: Path | None = None  # do no work but publish this bundle's
    waiting_is_success: bool = False  # the exit code is 0 where the session waits for an answer
