"""Reading a bundle that may be anybody's: plain files with the names we know, each as the signed manifest has it.

It is a folder, as the CI's artifacts are, so there is no archive to unpack. Nothing of it is looked at before the
signature holds.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from ci_agent.ci import Job
from ci_agent.config import Config
from ci_agent.job.split.manifest import (
    COMMENT,
    JOURNAL,
    MANIFEST,
    MERGE_REQUEST,
    SIGNATURE,
    WORK,
    BundleError,
    Manifest,
    checked,
    key_of,
)
from ci_agent.signing import Digest

_SIGNED: Final = frozenset({JOURNAL, WORK, COMMENT, MERGE_REQUEST})
_OF_MANIFEST: Final = 65_536  # bytes
_AHEAD: Final = timedelta(minutes=10)  # that the other job's clock may be ahead of ours
_MEGABYTE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that is whole, signed and ours."""

    made: datetime
    journal: bytes
    work: bytes | None  # a git bundle; None: there is nothing to push


def read_bundle(
    folder: Path,
    settings: Config,
    job: Job,
    issue: str,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Bundle | None:
    """The bundle in `folder`, of the work on `issue` in the same pipeline as `job`; None: nobody left one.

    Raises `BundleError` for one that is not to be published, `AuthenticationError` without a key.
    """
    key, most = key_of(settings), int(settings.bundle.max_size * _MEGABYTE)
    names = _names(folder)
    if not names:
        return None
    signature = _content(folder, SIGNATURE, _OF_MANIFEST)
    manifest = checked(_content(folder, MANIFEST, _OF_MANIFEST), signature, key)
    _check_origin(manifest, job, issue)
    _check_age(manifest.made, now(), settings.bundle.max_age)
    if names != {MANIFEST, SIGNATURE, *manifest.files} or not manifest.files.keys() <= _SIGNED:
        raise BundleError("holds other files than it says")
    if sum(file.size for file in manifest.files.values()) > most:
        raise BundleError(f"is larger than {settings.bundle.max_size:g} MB (`bundle.max_size`)")
    contents = {name: _content(folder, name, file.size) for name, file in manifest.files.items()}
    if any(Digest.of(content) != manifest.files[name] for name, content in contents.items()):
        raise BundleError("was changed since it was signed")
    if JOURNAL not in contents:
        raise BundleError("has no journal")
    return Bundle(manifest.made, contents[JOURNAL], contents.get(WORK))


def _names(folder: Path) -> set[str]:
    """The names in the folder; none where it is not there."""
    try:
        if not stat.S_ISDIR(folder.lstat().st_mode):
            raise BundleError("is no folder")
        return {path.name for path in folder.iterdir()}
    except FileNotFoundError:
        return set()
    except (OSError, ValueError) as error:
        raise BundleError(f"can't be read: {error}") from error


def _content(folder: Path, name: str, most: int) -> bytes:
    """The content of a plain file: no link is followed, and no pipe is waited for."""
    try:
        file = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(file, "rb") as reading:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise BundleError(f"has no plain file {name}")
            content = reading.read(most + 1)
    except OSError as error:
        raise BundleError(f"has no plain file {name}: {error.strerror}") from error
    if len(content) > most:
        raise BundleError(f"has a larger {name} than it says")
    return content


def _check_origin(manifest: Manifest, job: Job, issue: str) -> None:
    ours = (job.platform, job.repository, job.pipeline, issue)
    theirs = (manifest.platform, manifest.repository, manifest.pipeline, manifest.issue)
    for what, own, other in zip(("platform", "repository", "pipeline", "issue"), ours, theirs, strict=True):
        if own != other:
            raise BundleError(f"is of another {what}")


def _check_age(made: datetime, now: datetime, hours: float) -> None:
    if made.tzinfo is None or made > now + _AHEAD:
        raise BundleError("was made in the future, by its own account")
    if now - made > timedelta(hours=hours):
        raise BundleError(f"is older than {hours:g} hours (`bundle.max_age`)")
