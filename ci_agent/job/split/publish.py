"""`ci-agent publish`: the job that publishes what another one did, and believes it nothing that it can find out itself.

What to publish is no part of the bundle: comment, labels, commit message and merge request are made here, from the
journal, and guard and policy look at everything again.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from ci_agent import session
from ci_agent.errors import CiAgentError, GitError, UsageError
from ci_agent.job.admission import too_many
from ci_agent.job.assembly import session_folder, shown
from ci_agent.job.case import Case, turn_away
from ci_agent.job.delivering import Delivered
from ci_agent.job.engage import finish, task_of
from ci_agent.job.fetching import source_of
from ci_agent.job.giving_up import give_up
from ci_agent.job.progress import marker_of
from ci_agent.job.promise import Promise, kept, promise
from ci_agent.job.settings import report_folder
from ci_agent.job.split.first import First, check_commits, check_issue, check_task, take_journal
from ci_agent.job.split.manifest import BundleError
from ci_agent.job.split.reading import Bundle, read_bundle
from ci_agent.job.telling import sections
from ci_agent.journal import Journal
from ci_agent.journal.events import TakenOver
from ci_agent.platforms import Issue
from ci_agent.reporting import replies
from ci_agent.reporting.folder import check_folder
from ci_agent.workspace import Workspace
from ci_agent.workspace.incoming import take_in


def publish(case: Case, issue: Issue, place: Path) -> int:
    """Publish the bundle in the folder `place`, or say on `issue` why not; the exit code, which is the session's."""
    report = report_folder(case.settings)
    check_folder(report)
    job, number = case.host.job, issue.number
    branch = case.settings.git.branch.replace("{issue}", number)
    folder = session_folder(job.scratch / "sessions", number)
    # One comment for each pipeline, however often this job is run again.
    made = Promise(number, marker_of(f"pipeline-{job.pipeline}"), str(folder), branch)
    promise(job.scratch, made)
    try:
        bundle = read_bundle(place, case.settings, job, number, case.now)
        if bundle is None:
            return _nothing(case, made)
        parts, first, tree = _taken_over(case, issue, made, bundle)
    except BundleError as error:
        give_up(case, made, replies.not_published(str(error), job.url))
        print(f"The bundle was refused: it {error}.", file=case.host.output.log, flush=True)
        return 1
    except CiAgentError as error:
        give_up(case, made, replies.could_not_begin(str(error), job.url))
        raise
    watching = shown(parts.journal, case.host.output.log, parts.guard)
    with parts.journal, sections(parts.journal, case.host.output), watching, parts.interrupts:
        outcome = session.publish(parts, first.stop, tree)
    return finish(case, parts, outcome, report)


def _nothing(case: Case, made: Promise) -> int:
    """Nobody left a bundle: the other job was not to work, or it could not."""
    refused = too_many(case, case.forge.comments(made.issue))
    if refused:
        turn_away(case, refused)
        kept(case.host.job.scratch)
        return 0
    give_up(case, made, replies.nothing_to_publish(case.host.job.url))
    print("There is no bundle to publish.", file=case.host.output.log, flush=True)
    return 1


def _taken_over(
    case: Case, issue: Issue, made: Promise, bundle: Bundle
) -> tuple[Delivered, First, str | None]:
    """The parts of publishing, the other job's session, and its work as a tree; None: there is none."""
    folder, job = Path(made.folder), case.host.job
    source = source_of(case, issue, made.branch)
    task = task_of(case, issue, source, made.branch)
    first = take_journal(bundle.journal, folder / session.JOURNAL)
    check_task(first, case.forge.name, task)
    if first.ready:
        check_commits(first.ready, made.branch, source, job.sha)
        source = replace(source, base_sha=first.ready.base_sha)
    workspace = Workspace(source, folder)
    tree = _tree(workspace, first, made.branch, bundle.work)
    journal = Journal(folder / session.JOURNAL, hides=case.host.guard)
    check_issue(journal.events, task)
    journal.append(TakenOver(first.started.job_url, job.url))
    parts = Delivered(
        task=replace(task, base_sha=source.base_sha),
        config=case.settings,
        platform=case.forge,
        workspace=workspace,
        journal=journal,
        folder=folder,
        marker=made.marker,
        guard=case.host.guard,
        started=time.monotonic() - first.ended.seconds,
    )
    return parts, first, tree


def _tree(workspace: Workspace, first: First, branch: str, work: bytes | None) -> str | None:
    """The work as a tree in the control repository, which is the one that was tested."""
    if first.ready is None or first.committed is None:
        if work is not None:
            raise BundleError("brings work of which its journal says nothing")
        return None
    start = first.ready.head_sha
    try:
        workspace.open_for_publishing(start)
        control = workspace.control
        tree = control.tree_of(start) if work is None else take_in(control.git_dir, work, branch, start)
    except (UsageError, GitError) as error:
        raise BundleError(str(error)) from error
    if tree != first.committed.tree:
        raise BundleError("brings other files than those that were tested")
    return tree
