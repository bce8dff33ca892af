"""The parts of a session that do not depend on where it runs: limits, model, sandbox, folders, what is shown."""

from __future__ import annotations

import contextlib
import mmap
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, TextIO

import click

from ci_agent import session
from ci_agent.agent import Models
from ci_agent.config import Config, secrets
from ci_agent.errors import CiAgentError, UsageError
from ci_agent.interrupts import Interrupts
from ci_agent.job.settings import state_folder
from ci_agent.journal import Journal
from ci_agent.platforms import Platform
from ci_agent.reporting.folder import write_folder
from ci_agent.reporting.terminal import JsonLines, PlainLog
from ci_agent.sandbox import open_sandbox
from ci_agent.task import Limits, Outcome, Task
from ci_agent.workspace import Source, Workspace, discard


def assemble(
    settings: Config,
    source: Source,
    platform: Platform,
    task: Task,
    models: Models,
    folder: Path,
    marker: str,
) -> session.Parts:
    """The parts of a session in `folder`, which is its own. `marker` is that of its progress comment."""
    sandbox = open_sandbox(folder / "home", folder / "tmp", settings.sandbox.env, ceiling=folder)
    return session.Parts(
        task=task,
        limits=limits(settings),
        config=settings,
        platform=platform,
        workspace=Workspace(source, folder),
        sandbox=sandbox,
        models=models,
        journal=Journal(folder / session.JOURNAL, secrets=secrets(settings)),
        folder=folder,
        marker=marker,
        interrupts=Interrupts(),
        remembered=baselines(settings),
    )


def baselines(settings: Config) -> Path:
    """Where runs of the tests on the base are kept for later sessions."""
    return state_folder(settings) / "baselines"


def run(parts: session.Parts, watching: contextlib.AbstractContextManager[None]) -> Outcome:
    """Run the session while `watching` shows it, and tidy up behind it."""
    with watching, parts.interrupts:
        outcome = session.run(parts)
    for scratch in ("home", "tmp"):
        discard(parts.folder / scratch)
    return outcome


def session_folder(sessions: Path, issue: str) -> Path:
    """A new folder for a session in `sessions`. Raises `UsageError` where none can be made."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    for number in range(1, 1000):
        folder = sessions.resolve() / f"{stamp}-issue-{issue}-{number}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise UsageError(
                f"no session folder can be made in {sessions}: {error.strerror}; see --state-dir"
            ) from error
        return folder
    raise UsageError(f"{sessions} is full of sessions of this second")


def limits(settings: Config) -> Limits:
    """What one session may use."""
    given = settings.limits
    return Limits(
        iterations=given.max_iterations,
        minutes=given.timeout,
        cost=given.max_cost,
        input_tokens=given.max_input_tokens,
        output_tokens=given.max_output_tokens,
        verifications=given.max_verifications,
    )


@contextlib.contextmanager
def shown(
    journal: Journal, stream: TextIO | None, *, as_json: bool = False, alone: bool = False
) -> Iterator[None]:
    """Show the session while it runs: as JSON lines, live on a terminal, else as plain lines. `alone`: it is a
    comparison without a session. None: there is nobody to show it to, because the standard output is closed."""
    if stream is None:
        yield
    elif as_json:
        journal.watch(JsonLines(stream))
        yield
    elif stream.isatty():
        from rich.console import Console

        from ci_agent.reporting.live import LiveView
        from ci_agent.reporting.live_log import LiveLog

        with (LiveLog if alone else LiveView)(Console(file=stream)) as view:
            journal.watch(view)
            yield
    else:
        journal.watch(PlainLog(stream))
        yield


def say(text: str) -> None:
    """The last words on the standard output. Where they can't be written, the outcome is the same."""
    if sys.stdout is None:
        return
    try:
        click.echo(text, nl=False)
    except OSError as error:
        give_up_output()
        if not isinstance(error, BrokenPipeError):  # there nobody reads on
            click.echo(f"ci-agent: the output can't be written: {error.strerror}", err=True)


def give_up_output() -> None:
    """Nothing more is written to the standard output, or Python would fail once more when it ends, with an exit code
    of its own."""
    with contextlib.suppress(OSError), Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def write_report(journal: Journal, folder: Path, report: Path, settings: Config) -> None:
    """Leave the report of the session in `folder` in `report`, without the secrets of the settings. Raises
    `CiAgentError` when it can't be written."""
    clean_logs(folder / session.LOGS, settings)
    patch, text = folder / session.PATCH, folder / session.MERGE_REQUEST_TEXT
    write_folder(
        report,
        journal.events,
        journal=journal.path,
        logs=folder / session.LOGS,
        diff=without_secrets(patch.read_bytes(), settings) if patch.exists() else None,
        merge_request=text.read_text(encoding="utf-8") if text.exists() else None,
    )


def without_secrets(content: bytes, settings: Config) -> bytes:
    """The secrets of the settings taken out of it."""
    for secret in secrets(settings):
        content = content.replace(secret.encode(), b"***")
    return content


def clean_logs(logs: Path, settings: Config) -> None:
    """Take the secrets of the settings out of what commands printed. Links, pipes and folders that a command put
    in the place of a log are left alone, and what is behind them too: no report takes them for a log. Raises
    `CiAgentError` when a log with a secret can't be written anew."""
    if logs.is_symlink():
        return
    known = [secret.encode() for secret in secrets(settings)]
    for log in sorted(logs.glob("*")):
        try:
            file = os.open(log, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            continue
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            continue
        with os.fdopen(file, "rb") as reading:
            _clean(log, reading, known)


def _clean(log: Path, reading: BinaryIO, secrets: Sequence[bytes]) -> None:
    """Take out of a log what a command printed of them."""
    if not os.fstat(reading.fileno()).st_size:
        return
    with mmap.mmap(reading.fileno(), 0, access=mmap.ACCESS_READ) as content:
        found = [secret for secret in secrets if content.find(secret) >= 0]
    if not found:
        return
    clean = reading.read()  # no longer than a sandbox lets a command print
    for secret in found:
        clean = clean.replace(secret, b"***")
    try:
        log.unlink()  # a new file, because this one may have another name elsewhere
        with log.open("xb") as writing:
            writing.write(clean)
    except OSError as error:
        raise CiAgentError(
            f"the log {log.name} holds a secret that can't be taken out of it ({error.strerror}), so no report was "
            "written; see that commands leave the folder of logs alone"
        ) from error
