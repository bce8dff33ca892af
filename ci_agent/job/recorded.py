"""A journal that somebody kept. It may be anybody's, so nothing in it is taken for granted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ci_agent import session
from ci_agent.errors import JournalError, UsageError
from ci_agent.journal import Event, read


def find_journal(place: Path) -> Path:
    """The journal at `place`: the file, or the one in a session's folder or in a report. Raises `UsageError`."""
    try:
        path = place / session.JOURNAL if place.is_dir() else place
        if path.is_file():
            return path
    except OSError:  # too long to be a path
        path = place
    hint = f"give a {session.JOURNAL}, or a folder that holds one: a session's or a report's"
    raise UsageError(f"there is no journal {path}; {hint}")


def recorded(path: Path) -> Iterator[Event]:
    """The events of the journal, one after the other: it may be larger than the memory. Raises `UsageError` where
    it can't be read or holds something else."""
    try:
        yield from read(path)
    except JournalError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        raise UsageError(f"the journal {path} can't be read: {error.strerror}") from error
