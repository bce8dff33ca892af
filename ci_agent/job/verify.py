"""The job of `ci-agent verify`: the whole comparison of a branch with where it came from, without any model.

It uses the engine of a session's verification; what it finds is the same.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ci_agent import __version__
from ci_agent.config import Config
from ci_agent.errors import UsageError
from ci_agent.evidence import Evidence, Ground, Round
from ci_agent.guard import Guard
from ci_agent.interrupts import Interrupts
from ci_agent.job.assembly import baselines, confined, guard_here, say, shown
from ci_agent.job.settings import load_for, report_folder
from ci_agent.journal import Journal
from ci_agent.journal.events import PolicyJudged, Warned, WorkspaceReady
from ci_agent.reporting.evidence import evidence
from ci_agent.reporting.folder import check_folder, write_folder
from ci_agent.reporting.terminal import concluding
from ci_agent.reporting.wording import count
from ci_agent.sandbox.confinement import Confinement
from ci_agent.workspace import Control, discard, judge

READY, NOT_READY, NOT_COMPARABLE = 0, 1, 2  # exit codes


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asked for on the command line. `head` is what is compared with the base."""

    repository: str
    head: str
    flags: Mapping[str, object]  # by the option's name, only those that were given
    as_json: bool = False
    fresh: bool = False  # do not use what an earlier run measured on the base


def verify(request: Request, environment: Mapping[str, str]) -> int:
    """Compare `head` with the commit at which it left the base; gives the exit code. Raises `CiAgentError`."""
    settings, source, sha = load_for(request.repository, request.flags, environment, request.head)
    report, guard = report_folder(settings), guard_here(settings, environment)
    check_folder(report)
    folder = Path(tempfile.mkdtemp(prefix="ci-agent-verify-")).resolve()
    try:
        with (
            Interrupts() as interrupts,
            Journal(folder / "session.jsonl", hides=guard) as journal,
        ):
            control = Control(source, folder)
            control.make()
            with (
                shown(journal, sys.stdout, guard, as_json=request.as_json, alone=True),
                contextlib.closing(confined(settings, source, folder)) as confinement,
            ):
                confinement.require()
                found = _examined(
                    control, sha, settings, journal, confinement, guard, folder, fresh=request.fresh
                )
            interrupts.hold()
            write_folder(
                report,
                journal.events,
                guard,
                journal=journal.path,
                logs=folder / "logs",
                diff=control.diff(sha),
                merge_request=None,
                evidence=evidence(journal.events, version=__version__),
            )
            if not request.as_json:
                said = concluding(journal.events, places={"report": str(report)})
                say(guard.cleared(said, "output"))
    finally:
        discard(folder)
    if isinstance(found, str):
        raise UsageError(found)
    if not _comparable(found):
        return NOT_COMPARABLE
    return READY if found.judged.ready else NOT_READY


def _comparable(found: Round) -> bool:
    """Whether the tests came to a result on any side."""
    runs = [run for run in (found.before, found.after) if run and run.command]
    return not runs or any(run.cases if run.by_case else not run.problem for run in runs)


def _examined(
    control: Control,
    sha: str,
    settings: Config,
    journal: Journal,
    confinement: Confinement,
    guard: Guard,
    folder: Path,
    *,
    fresh: bool,
) -> Round | str:
    """What came of it, or why the two can't be compared."""
    source = control.source
    ground = Ground(
        control=control,
        confinement=confinement,
        folder=folder,
        logs=folder / "logs",
        journal=journal,
        config=settings,
        guard=guard,
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
    if source.uncommitted:
        many = count(len(source.uncommitted), "file")
        are = "is" if len(source.uncommitted) == 1 else "are"
        journal.append(
            Warned(f"{many} with uncommitted changes in {source.address} {are} not part of this comparison.")
        )
    examined = Evidence(ground)
    try:
        problem = examined.begin() or examined.measure_base()
        if problem:
            return problem
        found = examined.examine(control.tree_of(sha))
        findings = judge(control.snapshot(source.base_sha), control.snapshot(sha), settings.policy)
        journal.append(PolicyJudged(control.tree_of(sha), findings))
        return found
    finally:
        examined.close()
