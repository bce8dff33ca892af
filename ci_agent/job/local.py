"""The job of `ci-agent run`: from a request on the command line to an outcome, on this machine.

It chooses the parts and decides nothing of the work.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ci_agent import session
from ci_agent.agent import Models
from ci_agent.config import Config
from ci_agent.errors import UsageError
from ci_agent.guard import Guard
from ci_agent.job.approving import check_alone
from ci_agent.job.assembly import assemble, guard_here, run, say, session_folder, shown, write_report
from ci_agent.job.guarded import GuardedPlatform
from ci_agent.job.models import open_models
from ci_agent.job.progress import marker_of
from ci_agent.job.settings import load_settings, report_folder, state_folder
from ci_agent.journal.events import ModelChosen, ModelRetried
from ci_agent.platforms import Issue
from ci_agent.platforms.local import Local
from ci_agent.reporting.folder import check_folder
from ci_agent.reporting.progress import GONE, WORKING
from ci_agent.reporting.terminal import closing
from ci_agent.task import Outcome, Status, Task, titled
from ci_agent.workspace import Source, check_branch_name, identity


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


def work(request: Request, environment: Mapping[str, str]) -> Done:
    """Do what was asked for, showing it on the terminal. Raises `CiAgentError` when it can't begin or report."""
    loaded, source = load_settings(request.repository, request.flags, environment)
    settings = loaded.config

    def note_retry(retry: ModelRetried | ModelChosen) -> None:
        journal.append(retry)

    models = open_models(settings, note_retry)
    guard = guard_here(settings, environment)
    state = state_folder(settings)
    person = identity(source)
    platform = Local(
        state / "local" / _slug(source),
        source.address,
        place=source.place,
        user=person,
        options=_again(request.flags),
    )
    _check_early(settings, source)
    issue = _issue(request, platform, person, _taken(settings, source))
    check_alone(settings, issue.labels)
    with platform.claim(issue.number):
        named = "branch" in request.flags
        parts = _parts(settings, source, platform, issue, models, guard, person=person, named=named)
        journal = parts.journal
        # Nobody else works on this issue now: a comment that says so is left from a process that is gone.
        platform.close_stale(issue.number, beginning=WORKING, text=GONE, keep=parts.marker)
        with journal:
            outcome = run(parts, shown(journal, sys.stdout, guard, as_json=request.as_json))
            report = report_folder(settings)
            if not request.as_json:
                _close(parts, outcome, issue, report)
            write_report(parts.journal, parts.folder, report, guard)
    return Done(outcome, report, platform, parts.task)


def _parts(
    settings: Config,
    source: Source,
    platform: Local,
    issue: Issue,
    models: Models,
    guard: Guard,
    *,
    person: str,
    named: bool,
) -> session.Parts:
    """The parts of the session for `person`. `named`: they named the branch to work on."""
    branch = settings.git.branch.replace("{issue}", issue.number)
    source = _ready(source, branch, platform, None if named else issue.reference)
    sessions = Path(settings.workspace.dir).expanduser() if settings.workspace.dir else None
    folder = session_folder(sessions or state_folder(settings) / "sessions", issue.number)
    task = Task(
        issue=issue.number,
        reference=issue.reference,
        title=issue.title,
        text=issue.text,
        author=issue.author.login,
        url=issue.url,
        repository=source.address,
        base=source.base,
        base_sha=source.base_sha,
        branch=branch,
        requester=person,
        labels=issue.labels,
    )
    guarded = GuardedPlatform(platform, guard)
    return assemble(settings, source, guarded, task, models, folder, marker_of(folder.name), guard)


def _close(parts: session.Parts, outcome: Outcome, issue: Issue, report: Path) -> None:
    """The last words on the terminal."""
    places = {"report": str(report), "issue": issue.url}
    if outcome.status is not Status.COMPLETED:
        places["to go on"] = parts.platform.guidance(issue.number, parts.task.branch).again
    say(parts.guard.cleared(closing(parts.journal.events, places=places), "output"))


def _again(flags: Mapping[str, object]) -> list[str]:
    """The flags of this call, for the next one: those that say where things are and what to use."""
    words = []
    for name in ("state_dir", "output_dir", "model", "base", "branch", "setup", "test"):
        if name in flags and not str(flags[name]).startswith("replay:"):  # a recording fits one run only
            words += ["--" + name.replace("_", "-"), str(flags[name])]
    return words


def _check_early(settings: Config, source: Source) -> None:
    """What would go wrong at the end for sure is said before anything is done or paid for."""
    if settings.git.push and source.remote is None:
        raise UsageError("there is no remote called origin to push to; leave --push away, or add one")
    check_folder(report_folder(settings))


def _taken(settings: Config, source: Source) -> Callable[[str, str], bool]:
    """Whether a number is no good for a new issue, because its branch is there for something else: in a clone
    of a colleague's, or when the state folder was lost."""
    template = settings.git.branch

    def taken(number: str, reference: str) -> bool:
        branch = template.replace("{issue}", number)
        return branch != template and source.belongs_to_other(branch, reference)

    return taken


def _issue(request: Request, platform: Local, person: str, taken: Callable[[str, str], bool]) -> Issue:
    if request.issue_file is not None:
        return platform.import_issue(request.issue_file, taken=taken).item
    title, text = titled(request.description or "")
    return platform.create_issue(title, text, person, taken=taken)


def _ready(source: Source, branch: str, platform: Local, reference: str | None) -> Source:
    """The source with `branch` made sure of. `reference` names the issue a branch that is there must be for;
    None: a person named the branch, and knows."""
    check_branch_name(branch)
    if branch == source.base:
        earlier = platform.find_merge_request(branch)
        if earlier is None:
            raise UsageError(f"{branch} is the base branch; the work needs a branch of its own, see --branch")
        raise UsageError(
            f"you are on the work branch {branch}; to go on with it switch back first: `git switch {earlier.target}`"
        )
    blocking = source.in_the_way(branch)
    if blocking:
        raise UsageError(
            f"there can be no branch {branch} beside the branch {blocking}: git keeps no name inside another; "
            "choose another with --branch"
        )
    if not os.access(source.git_dir / "refs", os.W_OK):
        raise UsageError(f"{source.git_dir} can't be written to, so the work could not be handed over")
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
