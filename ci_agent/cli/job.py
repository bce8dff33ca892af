"""`ci-agent job` and `ci-agent poll`: what a CI starts."""

from __future__ import annotations

import os
from pathlib import Path

import click

_OUTPUT_DIR = click.option(
    "--output-dir", metavar="DIR", help="The report's folder.  [default: ci-agent-report]"
)
_CHILD_PIPELINE = click.option(
    "--child-pipeline",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="GitLab, where the work goes to other jobs: write their pipeline, a job for each issue, to FILE.",
)


@click.command()
@click.option("--issue", metavar="N", help="Work on this issue, whatever the event says.")
@click.option(
    "--intent", metavar="TEXT", help="What is to be done; without --issue an issue is opened for it."
)
@click.option(
    "--route",
    is_flag=True,
    help="Only decide and answer; the number of an issue to work on is the output `issues`.",
)
@_CHILD_PIPELINE
@click.option(
    "--final-word", is_flag=True, help="Say the last word for a job whose process died; run it always."
)
@_OUTPUT_DIR
def job(
    *,
    issue: str | None,
    intent: str | None,
    route: bool,
    child_pipeline: Path | None,
    final_word: bool,
    output_dir: str | None,
) -> int:
    """Do what the event asks for that started this CI job.

    Runs in GitHub Actions and GitLab CI, see `ci-agent init`. It reads the event, looks up on the platform
    whether the person who acted may ask for it, works on the issue, and answers in its comments. An event
    that is none of its business ends at once, with exit code 0 and the reason in the log.
    """
    from ci_agent.job.pipeline import work
    from ci_agent.job.request import Request

    flags = {"report.output_dir": output_dir} if output_dir else {}
    return work(Request(flags, issue, intent, route, child_pipeline, final_word), os.environ)


@click.command()
@_CHILD_PIPELINE
def poll(*, child_pipeline: Path | None) -> int:
    """Find the open issues that wait for a session, for a schedule.

    These are the issues with the label `ai-task` (`trigger.label`). On GitHub their numbers become the output
    `issues`, a JSON list for a job's matrix; on GitLab a pipeline with a job for each of them is written.
    """
    from ci_agent.job.poll import poll as find

    return find(os.environ, child_pipeline)
