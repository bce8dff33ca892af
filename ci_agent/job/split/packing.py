"""The bundle that a job leaves which publishes nothing: the journal, the work for git, texts for people, the signature."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ci_agent import session
from ci_agent.ci import Job
from ci_agent.errors import CiAgentError, GitError, UsageError
from ci_agent.job.split.manifest import (
    COMMENT,
    JOURNAL,
    MANIFEST,
    MERGE_REQUEST,
    SIGNATURE,
    WORK,
    Manifest,
    key_of,
    signed,
)
from ci_agent.journal.events import Committed, HandedOver, WorkspaceReady
from ci_agent.reporting import merge_request
from ci_agent.reporting.progress import progress_comment
from ci_agent.signing import Digest
from ci_agent.workspace.incoming import pack_up

_MEGABYTE: Final = 1_000_000


def check_place(folder: Path) -> None:
    """Raise `UsageError` where there is something already: only this job's bundle may be taken for it."""
    if os.path.lexists(folder) and not (
        folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir())
    ):
        raise UsageError(f"{folder} is there already; choose a new or empty folder with --bundle")


def write_bundle(
    folder: Path,
    parts: session.Parts,
    job: Job,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Leave the session of `parts`, which has ended, in `folder`. Raises `CiAgentError` where that can't be done."""
    key = key_of(parts.config)
    try:
        check_place(folder)
        folder.mkdir(parents=True, exist_ok=True)
        contents = _contents(parts, folder)
        most = parts.config.bundle.max_size
        if sum(map(len, contents.values())) > most * _MEGABYTE:
            raise CiAgentError(
                f"the bundle would be larger than {most:g} MB (`bundle.max_size`), so none is left"
            )
        files = {name: Digest.of(content) for name, content in contents.items()}
        manifest = Manifest(job.platform, job.repository, job.pipeline, parts.task.issue, now(), files)
        contents[MANIFEST], contents[SIGNATURE] = signed(manifest, key)
        for name, content in contents.items():
            (folder / name).unlink(missing_ok=True)
            with (folder / name).open("xb") as file:
                file.write(content)
    except OSError as error:
        raise CiAgentError(f"the bundle can't be written to {folder}: {error.strerror}") from error


def _contents(parts: session.Parts, folder: Path) -> dict[str, bytes]:
    events, task = parts.journal.events, parts.task
    guidance = parts.platform.guidance(task.issue, task.branch)
    comment = progress_comment(
        events, next_step=guidance.go_on, to_answer=guidance.answer, when_mended=guidance.mended
    )
    proposed = merge_request.text(events, fetch_hint=guidance.fetch, feedback_hint=guidance.feedback)
    found = {
        JOURNAL: parts.journal.path.read_bytes(),
        COMMENT: parts.guard.cleared(comment, "comment").encode("utf-8", "replace"),
        MERGE_REQUEST: parts.guard.cleared(proposed, "merge request's text").encode("utf-8", "replace"),
    }
    work = _work(parts, folder)
    return found if work is None else found | {WORK: work}


def _work(parts: session.Parts, folder: Path) -> bytes | None:
    """What the session committed, as a git bundle; None: nothing, or what an earlier one did."""
    facts = [event.fact for event in parts.journal.events]
    start = next((fact.head_sha for fact in facts if isinstance(fact, WorkspaceReady)), "")
    made = any(isinstance(fact, Committed) and fact.made for fact in facts)
    if not made or not any(isinstance(fact, HandedOver) for fact in facts):
        return None
    target = folder / WORK
    try:
        pack_up(parts.workspace.source, parts.task.branch, start, target)
    except GitError as error:
        raise CiAgentError(f"the work can't be packed up: {error}") from error
    return target.read_bytes()
