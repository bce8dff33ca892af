"""The history of a repository's sessions, as their checkpoints in git tell it: `ci-agent sessions`.

Whoever may push there could have written them. So each is shown with what its signature says; what does not hold is
never taken for the truth, and where the key is not at hand nothing is said of it.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from ci_agent import session
from ci_agent.errors import CheckpointError, CiAgentError, UsageError
from ci_agent.job.checkpoints import key_of
from ci_agent.job.settings import load_settings
from ci_agent.journal import Event, write
from ci_agent.journal.archive import unpacked
from ci_agent.reporting.text import one_line
from ci_agent.reporting.wording import commit, count, duration, money
from ci_agent.session import checkpoint
from ci_agent.session.checkpoint import State
from ci_agent.workspace import Remote, Store, Stored, store_at


class Signature(StrEnum):
    """What is known of where a checkpoint is from."""

    HOLDS = "holds"
    WRONG = "wrong"  # not written by a job of this repository, or changed since
    UNKNOWN = "not checked"  # the key is not here


@dataclass(frozen=True, slots=True)
class Record:
    """One issue's last session."""

    issue: str
    ref: str  # where its checkpoint is
    signature: Signature
    state: State | None  # None: there is nothing to read in it
    problem: str = ""  # why not

    def as_json(self) -> dict[str, Any]:
        """The same as names and values."""
        state = msgspec.to_builtins(self.state) if self.state else {}
        state.pop("files", None)
        known = {
            "issue": self.issue,
            "ref": self.ref,
            "signature": str(self.signature),
            "problem": self.problem,
        }
        return state | known


class History:
    """The sessions whose checkpoints `store` has. `key` is what they are signed with; None: it is not here."""

    def __init__(self, store: Store, key: bytes | None, address: str) -> None:
        self.address = address
        self._store = store
        self._key = key

    def records(self) -> list[Record]:
        """All of them, by the number of the issue. Raises `CiAgentError` where the repository can't be asked."""
        found = []
        for issue in sorted(self._store.all(), key=_by_number):
            with contextlib.suppress(UsageError):  # gone meanwhile
                found.append(self.record(issue))
        return found

    def record(self, issue: str) -> Record:
        """That of one issue. Raises `UsageError` where there is none."""
        try:
            return self._judged(issue, self._stored(issue))
        except CheckpointError as error:
            return Record(issue, "", Signature.WRONG, None, str(error))

    def whole(self, issue: str) -> tuple[Record, tuple[Event, ...]]:
        """The record and the journal of an issue's session. Raises `UsageError` where there is none, `CiAgentError` for one
        that can't be read or whose signature is wrong."""
        stored = self._stored(issue)
        record = self._judged(issue, stored)
        if record.signature is Signature.WRONG:
            raise CheckpointError(f"nothing is taken from {record.ref}: {record.problem}")
        return record, unpacked(stored.files.get(checkpoint.JOURNAL, b""))

    def prune(self, before: datetime) -> list[str]:
        """Delete the checkpoints of sessions that were over and saved last before that moment; their issues. What is not
        signed with our key is left to people."""
        gone = []
        for issue in sorted(self._store.all(), key=_by_number):
            with contextlib.suppress(CheckpointError, UsageError):  # none of ours, or gone meanwhile
                stored = self._stored(issue)
                record = self._judged(issue, stored)
                state = record.state if record.signature is Signature.HOLDS else None
                if state and state.over and state.saved < before and self._store.delete(issue, stored.commit):
                    gone.append(issue)
        return gone

    def _stored(self, issue: str) -> Stored:
        stored = self._store.read(issue, work=False)
        if stored is None:
            raise UsageError(
                f"there is no session of issue {issue} in this repository; see `ci-agent sessions list`"
            )
        return stored

    def _judged(self, issue: str, stored: Stored) -> Record:
        ref = stored.ref
        document = stored.files.get(checkpoint.STATE, b"")
        if self._key is None:
            return Record(issue, ref, Signature.UNKNOWN, checkpoint.stated(document))
        try:
            state = checkpoint.checked_for(stored, self._key, issue, self.address)
        except CheckpointError as error:
            return Record(issue, ref, Signature.WRONG, None, str(error))
        return Record(issue, ref, Signature.HOLDS, state)


@contextlib.contextmanager
def opened(repository: str, flags: Mapping[str, object], environment: Mapping[str, str]) -> Iterator[History]:
    """The history of the repository at `repository`, a path or a URL. Raises `UsageError` where it has no remote."""
    given = {name: value for name, value in flags.items() if value is not None}
    loaded, source = load_settings(repository, given, environment)
    if source.remote is None:
        raise UsageError(
            "this repository has no remote `origin`, where the sessions of CI jobs are kept; name a repository with --repo"
        )
    # Tokens and keys of models are not those that the jobs have.
    key = key_of(loaded.config) if loaded.config.checkpoint.key else None
    with history_at(source.remote, key) as found:
        yield found


@contextlib.contextmanager
def history_at(remote: Remote, key: bytes | None) -> Iterator[History]:
    """The history at `remote`. `key` is what its checkpoints are signed with; None: it is not here."""
    with tempfile.TemporaryDirectory(prefix="ci-agent-sessions-") as folder:
        store = store_at(remote, Path(folder) / "fetched.git")
        yield History(store, key, remote.url)


# --- what people see --------------------------------------------------------------------------------------


def cells(record: Record) -> tuple[str, ...]:
    """A row of the table. What strangers wrote is made harmless."""
    state = record.state
    if state is None:
        return (record.issue, "?", one_line(record.problem), *("",) * 6, str(record.signature))
    row = (
        record.issue,
        str(state.status),
        state.title,
        state.merge_request,
        state.model,
        _cost(state),
        duration(state.seconds),
        f"{state.steps:,}",
        f"{state.saved:%Y-%m-%d %H:%M}",
        str(record.signature),
    )
    return tuple(one_line(cell, 80) for cell in row)


def told(record: Record, address: str) -> str:
    """One session in a few lines."""
    state = record.state
    if state is None:
        return f"issue {record.issue}: nothing is taken from {record.ref}: {one_line(record.problem, 1000)}"
    rows = {
        "status": f"{state.status}{': ' + state.sentence if state.sentence else ''}",
        "asked for": f"by {state.requester.partition(' <')[0]}" if state.requester else "",
        "model": f"{state.model}, {count(state.steps, 'step')}",
        "used": f"{duration(state.seconds)}, cost {_cost(state)}, {state.tokens:,} tokens",
        "branch": f"{state.branch} from {state.base} at {commit(state.base_sha)}"
        if state.base_sha
        else state.branch,
        "request": f"{state.merge_request} {state.merge_request_url}".strip(),
        "log": state.job_url,
        "saved": f"{state.saved:%Y-%m-%d %H:%M} UTC, in {record.ref}; signature: {record.signature}",
        "left out": f"{count(state.elided, 'long text')} of the journal" if state.elided else "",
        "the work": f"git fetch {shlex.quote(address)} {record.ref} && git log -p FETCH_HEAD^"
        if state.work
        else "",
    }
    lines = [f"issue {record.issue}: {one_line(state.title)}"]
    lines += [f"  {name:<10} {one_line(value, 1000)}" for name, value in rows.items() if value]
    return "\n".join(lines)


def _cost(state: State) -> str:
    return money(state.cost) if state.priced else "unknown"


def exported(found: History, issue: str, folder: Path) -> None:
    """Leave the journal of an issue's session in `folder`, for `ci-agent log` and `ci-agent replay`, and what its state
    says. Raises `UsageError` where something is there already, `CiAgentError` where it can't be written."""
    record, events = found.whole(issue)
    journal = folder / session.JOURNAL
    if os.path.lexists(journal):
        raise UsageError(f"{journal} is there already; choose another folder with -o")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write(journal, events)
        state = msgspec.json.format(msgspec.json.encode(record.as_json())) + b"\n"
        (folder / "state.json").write_bytes(state)
    except OSError as error:
        raise CiAgentError(f"the session can't be written to {folder}: {error.strerror}") from error


def _by_number(issue: str) -> tuple[int, str]:
    return (int(issue) if issue.isdecimal() else 0, issue)
