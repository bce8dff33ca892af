"""The parts of a session that do not depend on where it runs: limits, model, sandbox, folders, what is shown."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO, cast

import click

from ci_agent import session
from ci_agent.agent import Models
from ci_agent.config import Config
from ci_agent.errors import UsageError
from ci_agent.guard import Guard, GuardedStream, of_config, of_environment
from ci_agent.interrupts import Interrupts
from ci_agent.job.settings import state_folder
from ci_agent.journal import Journal
from ci_agent.platforms import Platform
from ci_agent.reporting.folder import write_folder
from ci_agent.reporting.terminal import JsonLines, PlainLog
from ci_agent.sandbox import Sandbox
from ci_agent.sandbox.confinement import Confinement
from ci_agent.sandbox.paths import there
from ci_agent.sandbox.shared_memory import SharedMemory
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
    guard: Guard,
    *,
    in_ci: bool = False,
) -> session.Parts:
    """The parts of a session in `folder`, which is its own. `platform` is guarded already; `marker` is that of its
    progress comment. `in_ci`: this is a CI's job, and no person's machine."""
    workspace = Workspace(source, folder)
    confinement = confined(settings, source, folder, in_ci=in_ci)
    return session.Parts(
        task=task,
        limits=limits(settings),
        config=settings,
        platform=platform,
        workspace=workspace,
        confinement=confinement,
        sandbox=sandbox_of(confinement, workspace, folder),
        models=models,
        journal=Journal(folder / session.JOURNAL, hides=guard),
        folder=folder,
        marker=marker,
        interrupts=Interrupts(),
        guard=guard,
        remembered=baselines(settings),
    )


def confined(settings: Config, source: Source, folder: Path, *, in_ci: bool = False) -> Confinement:
    """How commands are confined that work on `source` in `folder`."""
    people = [Path(source.git_dir)] if source.is_copy else [Path(source.git_dir), Path(source.address)]
    return Confinement(settings.sandbox, folder, people, source.files(), SharedMemory(clears=in_ci))


def sandbox_of(confinement: Confinement, workspace: Workspace, folder: Path) -> Sandbox:
    """The sandbox of the checkout in `workspace`, whose other things are in `folder`."""
    return confinement.sandbox(
        workspace.root, folder / "home", folder / "tmp", workspace.control.objects, ceiling=folder
    )


def guard_here(settings: Config, environment: Mapping[str, str]) -> Guard:
    """What keeps the secrets of `environment`, this process's, and of the settings, outside of a CI's job."""
    return Guard([*of_environment(environment), *of_config(settings)])


def baselines(settings: Config) -> Path:
    """Where runs of the tests on the base are kept for later sessions."""
    return state_folder(settings) / "baselines"


def run(
    parts: session.Parts,
    watching: contextlib.AbstractContextManager[None],
    listening: contextlib.AbstractContextManager[object] | None = None,
) -> Outcome:
    """Run the session while `watching` shows it and `listening` hears people, and tidy up behind it."""
    hearing = listening or contextlib.nullcontext()
    with watching, parts.interrupts, hearing, contextlib.closing(parts.confinement):
        outcome = session.run(parts)
    for scratch in ("home", "tmp", "caches", "downloads"):
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
    journal: Journal, stream: TextIO | None, guard: Guard, *, as_json: bool = False, alone: bool = False
) -> Iterator[None]:
    """Show the session while it runs: as JSON lines, live on a terminal, else as plain lines. `alone`: it is a
    comparison without a session. None: there is nobody to show it to, because the standard output is closed."""
    if stream is None:
        yield
        return
    stream = cast("TextIO", GuardedStream(stream, guard, "output"))
    if as_json:
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


def write_report(journal: Journal, folder: Path, report: Path, guard: Guard) -> None:
    """Leave the report of the session in `folder` in `report`; every file of it passes `guard`. Raises `CiAgentError`
    when it can't be written."""
    patch, text = folder / session.PATCH, folder / session.MERGE_REQUEST_TEXT
    write_folder(
        report,
        journal.events,
        guard,
        journal=journal.path,
        logs=folder / session.LOGS,
        diff=patch.read_bytes() if there(patch) else None,
        merge_request=text.read_text(encoding="utf-8") if there(text) else None,
    )
