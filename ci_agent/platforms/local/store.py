"""A folder of numbered files that several processes use at once. It knows nothing of what is in them.

Writers take turns by a lock on the folder, so that looking something up and then making it is one step.
Readers need none: a file is replaced in one piece, so it is always a whole one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from ci_agent.errors import CiAgentError

PATIENCE = 30.0  # seconds to wait for another writer, who needs milliseconds
_PAUSE = 0.005  # seconds between two looks at the lock


@contextlib.contextmanager
def writing(folder: Path, patience: float = PATIENCE) -> Iterator[None]:
    """Only we write in `folder` meanwhile. It is made where it is missing.

    The lock goes with the process that holds it, however that ends. Raises `CiAgentError` after `patience`
    seconds, or when the folder can't be used.
    """
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("ab")
    with lock:
        deadline = time.monotonic() + patience
        while not _locked(lock.fileno(), folder):
            if time.monotonic() > deadline:
                raise CiAgentError(
                    f"another process has been writing in {folder} for {patience:.0f} s; "
                    "end it, or choose another place with --state-dir"
                )
            time.sleep(_PAUSE)
        yield


@contextlib.contextmanager
def claimed(lock_file: Path) -> Iterator[int | None]:
    """Hold `lock_file`, as no other process does meanwhile. Gives None; where it is held already, the id of the
    process that holds it, 0 where that is not known, and nothing is held.

    The lock goes with the process that holds it, however that ends; its children don't have it. Raises
    `CiAgentError` when the file can't be used.
    """
    with explained(lock_file):
        lock_file.parent.mkdir(parents=True, exist_ok=True)
        lock = lock_file.open("a+b", buffering=0)
    with lock:
        if not _locked(lock.fileno(), lock_file):
            lock.seek(0)
            word = lock.read(20).decode("ascii", "replace").strip()
            yield int(word) if word.isdecimal() else 0
            return
        with explained(lock_file):
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n".encode())
        try:
            yield None
        finally:
            # Closing would not do: a child that was started this instant has the file until it runs its program.
            fcntl.flock(lock.fileno(), fcntl.LOCK_UN)


def numbers(folder: Path) -> list[int]:
    """The numbers of the files in `folder`, rising."""
    with explained(folder):
        names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return sorted(int(match[1]) for name in names if (match := _FILE_NAME.fullmatch(name)))


def next_number(folder: Path) -> int:
    """The first number after all that were given. For use inside `writing`."""
    with explained(folder):
        # A folder without its file once had one: an issue somebody deleted. Its number is not given again.
        names = [path.name.removesuffix(".md") for path in folder.iterdir()] if folder.is_dir() else []
    return max([0, *(int(name) for name in names if NUMBER.fullmatch(name))]) + 1


def load(path: Path) -> bytes | None:
    """What is in the file; None where there is none."""
    with explained(path):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None


def changed(path: Path) -> datetime:
    """When the file was last changed, in UTC."""
    with explained(path):
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def save(path: Path, data: bytes) -> None:
    """Put `data` into the file, all of it or nothing. For use inside `writing`."""
    draft = path.with_name(f".{path.name}.draft")
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.write_bytes(data)
            draft.replace(path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """An `OSError` about `path`, as an error for people."""
    try:
        yield
    except OSError as error:
        raise CiAgentError(
            f"{path} can't be used: {error.strerror}; mend that, or choose another place with --state-dir"
        ) from error


NUMBER = re.compile(r"[1-9][0-9]{0,8}")
_FILE_NAME = re.compile(rf"({NUMBER.pattern})\.md")


def _locked(descriptor: int, folder: Path) -> bool:
    with explained(folder):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
