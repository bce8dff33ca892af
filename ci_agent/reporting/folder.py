"""The report folder: what a CI job keeps of a session, and what a person looks into afterwards."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

from ci_agent.errors import CiAgentError, JournalError, UsageError
from ci_agent.guard import Guard
from ci_agent.journal import Event, read
from ci_agent.journal.events import CheckRan, CoverageMeasured, SetupRan, TestsRan

_JUNIT, _JOURNAL, _TEXT, _DIFF, _LOGS = "junit.xml", "session.jsonl", "merge-request.md", "diff.patch", "logs"
_EVIDENCE = "evidence.md"
_IGNORE = ".gitignore"


def check_folder(folder: Path) -> None:
    """Raise `UsageError` where a report would take the place of something else: `folder` may be missing, empty
    or an earlier report, which has a journal of ours in it. A link may lead anywhere, so it is refused."""
    wrong = ""
    try:
        if folder.is_symlink():
            wrong = "is a link, and what it leads to could be overwritten"
        elif folder.exists() and not folder.is_dir():
            wrong = "is no folder"
        elif folder.exists() and any(folder.iterdir()) and not _is_report(folder):
            wrong = "holds other things than a report, which could be overwritten"
        else:
            there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
            tempfile.TemporaryDirectory(dir=there).cleanup()  # whether something can be written
    except OSError as error:
        said = f"the report can't be written to {folder}: {error.strerror}"
        raise UsageError(f"{said}; choose another place with --output-dir") from error
    if wrong:
        raise UsageError(f"{folder.absolute()} {wrong}; choose another folder with --output-dir")


def write_folder(
    folder: Path,
    events: Sequence[Event],
    guard: Guard,
    *,
    journal: Path,
    logs: Path,
    diff: bytes | None,
    merge_request: str | None = None,
    evidence: str | None = None,
) -> None:
    """Write the report of a session to `folder`, made if need be, in place of an earlier report.

    Every file passes `guard`: values in logs are masked, another file with one is replaced by a statement.

    `journal` and `logs` are the session's journal and its folder of logs. `diff` is the
    change as a patch, `merge_request` its text, `evidence` the report of a verification without a session; None
    where there is none. Files that people put beside
    the earlier report are left alone. In a folder of its own the report is hidden from git by a `.gitignore`.
    Raises `CiAgentError` when the folder can't be written, or is none to be written to: see `check_folder`.
    """
    from ci_agent.reporting.junit import junit_report

    check_folder(folder)
    try:
        own = not folder.exists() or not any(folder.iterdir())
        folder.mkdir(parents=True, exist_ok=True)
        _remove_earlier(folder)
        if own:
            _write(folder / _IGNORE, b"*\n")
        files = {_JOURNAL: journal.read_bytes()}
        for name in _log_names(events):
            _copy_log(logs, folder / _LOGS, name, guard)
        files[_JUNIT] = junit_report(events, lambda name: _log(logs, name, guard)).encode()
        if diff is not None:
            files[_DIFF] = diff
        if merge_request is not None:
            files[_TEXT] = merge_request.encode("utf-8", "replace")
        if evidence is not None:
            files[_EVIDENCE] = evidence.encode("utf-8", "replace")
        for name, content in files.items():
            _write(folder / name, guard.cleared_bytes(content, f"file {name}"))
    except OSError as error:
        raise _unusable(folder, error) from error


def _unusable(folder: Path, error: OSError) -> CiAgentError:
    return CiAgentError(
        f"the report can't be written to {folder}: {error.strerror}. The session itself is not touched by "
        "this; choose another place with --output-dir"
    )


def _is_report(folder: Path) -> bool:
    journal = folder / _JOURNAL
    if journal.is_symlink() or not journal.is_file():
        return False
    try:
        return next(read(journal), None) is not None
    except JournalError:
        return False


def _remove_earlier(folder: Path) -> None:
    """Remove what an earlier report left: its own files, and the logs its journal names."""
    earlier = folder / _JOURNAL
    try:
        names = list(_log_names(read(earlier))) if earlier.is_file() else []
    except JournalError:
        names = []  # it was changed or is of another version, so nobody knows which logs are ours
    for name in names:
        if not (folder / _LOGS).is_symlink():
            (folder / _LOGS / name).unlink(missing_ok=True)
    for name in (_JUNIT, _JOURNAL, _TEXT, _DIFF, _EVIDENCE):
        (folder / name).unlink(missing_ok=True)


def _log_names(events: Iterable[Event]) -> list[str]:
    """The logs of set-up, tests, coverage and checks that `events` name, as plain names inside the folder of logs."""
    kinds = SetupRan | TestsRan | CheckRan | CoverageMeasured
    names = [event.fact.log for event in events if isinstance(event.fact, kinds)]
    return [name for name in dict.fromkeys(names) if name and Path(name).name == name]


def _copy_log(logs: Path, target: Path, name: str, guard: Guard) -> None:
    reading = _opened(logs, name)
    if reading is None:
        return
    with reading:
        if target.is_symlink():
            target.unlink()
        target.mkdir(exist_ok=True)
        _write(target / name, _masked(reading, guard))


def _log(logs: Path, name: str, guard: Guard) -> str:
    reading = _opened(logs, name) if Path(name).name == name else None
    if reading is None:
        return f"(there is no log {name})"
    with reading:
        return _masked(reading, guard).decode("utf-8", "replace")


def _masked(log: BinaryIO, guard: Guard) -> bytes:
    """What a command printed, without the secrets in it; a statement where they can't be taken out one by one."""
    content = log.read()  # no longer than a sandbox lets a command print
    return guard.cleared_bytes(guard.masked_bytes(content), "log")


def _opened(logs: Path, name: str) -> BinaryIO | None:
    """A log as it was written; None where there is none, or where a command put a link, a pipe or a folder in its
    place: what that leads to is no log."""
    if logs.is_symlink():
        return None
    try:
        file = os.open(logs / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None  # the run never got so far as to write one
    if stat.S_ISREG(os.fstat(file).st_mode):
        return os.fdopen(file, "rb")
    os.close(file)
    return None


def _write(target: Path, content: bytes) -> None:
    # A file that is made anew is never written through a link that lay in its place.
    target.unlink(missing_ok=True)
    with target.open("xb") as file:
        file.write(content)
