"""From a request on the command line to an outcome: builds the parts and runs the session.

The only place that chooses the parts: platform, sandbox, model, observers. It decides nothing of the work.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import click

from ci_agent import session
from ci_agent.cli.settings import load_settings, state_folder
from ci_agent.cli.signals import interruptible
from ci_agent.config import Config
from ci_agent.errors import UsageError
from ci_agent.journal import Journal
from ci_agent.journal.events import ModelRetried
from ci_agent.models import Model, ModelError, ModelSettings, Prices, open_model
from ci_agent.platforms import Issue
from ci_agent.platforms.local import Local
from ci_agent.reporting.folder import write_folder
from ci_agent.reporting.terminal import JsonLines, PlainLog, closing
from ci_agent.sandbox import open_sandbox
from ci_agent.task import Limits, Outcome, Task
from ci_agent.workspace import Source, Workspace, check_branch_name, identity

_TITLE_LENGTH = 100  # of an issue made from a description; longer ones go on in the text


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asked for on the command line. One of `description` and `issue_file` is given."""

    description: str | None
    issue_file: Path | None
    repository: str
    flags: Mapping[str, object]  # by the option's name, only those that were given
    as_json: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a request."""

    outcome: Outcome
    report: Path
    platform: Local
    task: Task

    @property
    def exit_code(self) -> int:
        return self.outcome.exit_code


def work(request: Request) -> Done:
    """Do what was asked for, showing it on the terminal. Raises `CiAgentError` when it can't begin or report."""
    loaded, source = load_settings(request.repository, request.flags)
    settings = loaded.config

    def note_retry(retry: ModelRetried) -> None:
        journal.append(retry)

    model = _model(settings, note_retry)
    state = state_folder(settings)
    person = identity(source)
    platform = Local(
        state / "local" / _slug(source), source.address, user=person, options=_again(request.flags)
    )
    issue = _issue(request, platform, person)
    branch = settings.git.branch.replace("{issue}", issue.number)
    source = _ready(source, branch, None if "branch" in request.flags else issue.reference)
    task = Task(
        issue=issue.number,
        reference=issue.reference,
        title=issue.title,
        text=issue.text,
        repository=source.address,
        base=source.base,
        base_sha=source.base_sha,
        branch=branch,
        requester=person,
    )
    folder = _session_folder(settings, state, issue.number)
    journal = Journal(folder / "session.jsonl")
    with _shown(journal, as_json=request.as_json), interruptible():
        parts = session.Parts(
            task=task,
            limits=_limits(settings),
            config=settings,
            platform=platform,
            workspace=Workspace(source, folder),
            sandbox=open_sandbox(_made(folder / "home"), _made(folder / "tmp"), settings.sandbox.env),
            model=model,
            journal=journal,
            folder=folder,
        )
        outcome = session.run(parts)
    report = _report(parts)
    for scratch in ("home", "tmp"):
        shutil.rmtree(folder / scratch, ignore_errors=True)
    if not request.as_json:
        with contextlib.suppress(BrokenPipeError):  # nobody reads on; the outcome is the same
            click.echo(closing(journal.events, places={"report": str(report)}), nl=False)
    journal.close()
    return Done(outcome, report, platform, task)


def _again(flags: Mapping[str, object]) -> list[str]:
    """The flags of this call, for the next one: those that say where things are and what to use."""
    words = []
    for name in ("state_dir", "output_dir", "model", "base", "branch", "setup", "test"):
        if name in flags:
            words += ["--" + name.replace("_", "-"), str(flags[name])]
    return words


def _issue(request: Request, platform: Local, person: str) -> Issue:
    if request.issue_file is not None:
        return platform.import_issue(request.issue_file).item
    text = (request.description or "").strip()
    title, _, rest = text.partition("\n")
    if len(title) > _TITLE_LENGTH:
        title, rest = title[: _TITLE_LENGTH - 1].rstrip() + "…", text
    return platform.create_issue(title, rest.strip(), person)


def _ready(source: Source, branch: str, reference: str | None) -> Source:
    """The source with `branch` made sure of. `reference` names the issue a branch that is there must be for;
    None: a person named the branch, and knows."""
    check_branch_name(branch)
    if branch == source.base:
        raise UsageError(f"{branch} is the base branch; the work needs a branch of its own, see --branch")
    place = source.checked_out(branch)
    if place is not None:
        raise UsageError(
            f"the branch {branch} is checked out in {place}, so it can't be moved. "
            "Switch to another branch there, or give another name with --branch"
        )
    return source.continuing(branch, reference)


def _slug(source: Source) -> str:
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", source.name).strip("-.") or "repository"
    return f"{name}-{sha256(str(source.git_dir).encode()).hexdigest()[:8]}"


def _session_folder(settings: Config, state: Path, issue: str) -> Path:
    sessions = Path(settings.workspace.dir).expanduser() if settings.workspace.dir else state / "sessions"
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


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _limits(settings: Config) -> Limits:
    limits = settings.limits
    return Limits(
        iterations=limits.max_iterations,
        minutes=limits.timeout,
        cost=limits.max_cost,
        input_tokens=limits.max_input_tokens,
        output_tokens=limits.max_output_tokens,
        verifications=limits.max_verifications,
    )


def _model(settings: Config, on_retry: Callable[[ModelRetried], None]) -> Model:
    model = settings.model
    parts = ModelSettings(
        base_url=model.base_url,
        api_key=model.api_key,
        timeout=model.timeout,
        tries=model.tries,
        first_wait=model.retry_wait,
        max_output_tokens=model.max_output_tokens,
        temperature=model.temperature,
        prices=_prices(settings),
    )
    try:
        return open_model(model.name, parts, on_retry)
    except ModelError as error:
        raise UsageError(str(error)) from error


def _prices(settings: Config) -> Prices | None:
    own = settings.model.prices
    if own.input is None or own.output is None:
        return None
    cached = own.input if own.cached_input is None else own.cached_input
    return Prices(input=own.input, cached_input=cached, output=own.output)


@contextlib.contextmanager
def _shown(journal: Journal, *, as_json: bool) -> Iterator[None]:
    """Show the session while it runs: as JSON lines, live on a terminal, else as plain lines."""
    if as_json:
        journal.watch(JsonLines(sys.stdout))
        yield
    elif sys.stdout.isatty():
        from rich.console import Console

        from ci_agent.reporting.live import LiveView

        with LiveView(Console()) as view:
            journal.watch(view)
            yield
    else:
        journal.watch(PlainLog(sys.stdout))
        yield


def _report(parts: session.Parts) -> Path:
    text = parts.merge_request_text
    report = Path(parts.config.report.output_dir).expanduser().resolve()
    write_folder(
        report,
        parts.journal.events,
        journal=parts.journal.path,
        logs=parts.logs,
        diff=parts.patch.read_bytes() if parts.patch.exists() else None,
        merge_request=text.read_text(encoding="utf-8") if text.exists() else None,
    )
    return report
