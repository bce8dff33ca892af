"""The job of `ci-agent verify`: the whole comparison of a branch with where it came from, without any model.

It uses the engine of a session's verification; what it finds is the same.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import click

from ci_agent import __version__
from ci_agent.config import Config, secrets
from ci_agent.errors import UsageError
from ci_agent.evidence import Evidence, Ground, Round
from ci_agent.interrupts import Interrupts
from ci_agent.job.assembly import baselines, clean_logs, shown
from ci_agent.job.settings import load_settings
from ci_agent.journal import Journal
from ci_agent.journal.events import WorkspaceReady
from ci_agent.reporting.evidence import evidence
from ci_agent.reporting.folder import check_folder, write_folder
from ci_agent.reporting.terminal import concluding
from ci_agent.workspace import Control, Source, discard

READY, NOT_READY = 0, 1  # exit codes


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asked for on the command line. `head` is what is compared with the base."""

    repository: str
    head: str
    flags: Mapping[str, object]  # by the option's name, only those that were given
    as_json: bool = False
    fresh: bool = False  # do not use what an earlier run measured on the base


def verify(request: Request) -> int:
    """Compare `head` with the commit at which it left the base; gives the exit code. Raises `CiAgentError`."""
    loaded, source = load_settings(request.repository, request.flags)
    settings = loaded.config
    report = Path(settings.report.output_dir).expanduser().absolute()
    check_folder(report)
    source, sha = _sides(source, request, settings)
    with tempfile.TemporaryDirectory(prefix="ci-agent-verify-") as name, Interrupts() as interrupts:
        folder = Path(name).resolve()
        control = Control(source, folder)
        control.make()
        with Journal(folder / "session.jsonl", secrets=secrets(settings)) as journal:
            with shown(journal, sys.stdout, as_json=request.as_json):
                round_ = _examine(control, sha, settings, journal, folder, fresh=request.fresh)
            interrupts.hold()
            clean_logs(folder / "logs", settings)
            write_folder(
                report,
                journal.events,
                journal=journal.path,
                logs=folder / "logs",
                diff=control.diff(sha),
                evidence=evidence(journal.events, version=__version__),
            )
            if not request.as_json:
                click.echo(concluding(journal.events, places={"report": str(report)}), nl=False)
    return READY if round_.judged.ready else NOT_READY


def _sides(source: Source, request: Request, settings: Config) -> tuple[Source, str]:
    """The source, started at the merge base, and the commit to compare with it."""
    base = settings.git.base or source.default_branch()
    if base is None:
        raise UsageError("there is no default branch to compare with; name one with --base")
    _, base_sha = source.up_to(base)
    return replace(source, base=base, base_sha=base_sha).up_to(request.head)


def _examine(
    control: Control, sha: str, settings: Config, journal: Journal, folder: Path, *, fresh: bool
) -> Round:
    source = control.source
    if control.tree_of(sha) == control.tree_of(source.base_sha):
        raise UsageError(f"{sha[:12]} changes nothing against {source.base} ({source.base_sha[:12]})")
    ground = Ground(
        control=control,
        folder=folder,
        logs=folder / "logs",
        journal=journal,
        config=settings,
        remembered=None if fresh else baselines(settings),
        seconds_left=lambda: settings.verification.total_timeout * 60,
    )
    journal.append(
        WorkspaceReady(
            base=source.base,
            base_sha=source.base_sha,
            branch="",
            head_sha=sha,
            earlier=control.titles(source.base_sha, sha),
            continued=False,
            path=str(folder),
        )
    )
    examined = Evidence(ground)
    try:
        problem = examined.begin() or examined.measure_base()
        if problem:
            raise UsageError(problem)
        return examined.examine(control.tree_of(sha))
    finally:
        examined.close()
        discard(folder / "home")
