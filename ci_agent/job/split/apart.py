"""The job that works and publishes nothing: a session like any other, whose end is a bundle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ci_agent.job.admission import too_many
from ci_agent.job.assembly import run, session_folder, shown, write_report
from ci_agent.job.case import Case, turn_away
from ci_agent.job.engage import parts_of
from ci_agent.job.progress import marker_of, waiting
from ci_agent.job.resuming import Before
from ci_agent.job.settings import report_folder
from ci_agent.job.split.manifest import key_of
from ci_agent.job.split.packing import check_place, write_bundle
from ci_agent.job.telling import sections, tell
from ci_agent.platforms import Issue
from ci_agent.reporting.folder import check_folder


def work_apart(case: Case, issue: Issue, place: Path) -> int:
    """Work on `issue` and leave the bundle in the folder `place`; the exit code.

    Nothing is said on the issue, so nothing is promised there either, and no other job can see that it is worked on:
    keeping them in a row is left to the CI.
    """
    report = report_folder(case.settings)
    check_folder(report)
    check_place(place)
    key_of(case.settings)
    comments = case.forge.comments(issue.number)
    refused = too_many(case, comments)
    if refused:
        turn_away(case, refused)
        return 0
    job, output = case.host.job, case.host.output
    branch = case.settings.git.branch.replace("{issue}", issue.number)
    folder = session_folder(job.scratch / "sessions", issue.number)
    before = Before(question=waiting(comments).question)
    parts = parts_of(case, issue, branch, folder, marker_of(folder.name), before)
    parts = replace(parts, publishes=False)
    with parts.journal, sections(parts.journal, output):
        outcome = run(parts, shown(parts.journal, output.log, parts.guard))
    tell(output, parts.journal.events, outcome.status)
    write_report(parts.journal, parts.folder, report, parts.guard)
    write_bundle(place, parts, job)
    print(f"Nothing was published; the bundle is in {place}.", file=output.log, flush=True)
    return outcome.exit_code
