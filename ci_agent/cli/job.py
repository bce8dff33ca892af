"""`ci-agent job`, `ci-agent publish` and `ci-agent poll`: what a CI starts."""

from __future__ import annotations

from collections.abc import Mapping
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


_ISSUE = click.option("--issue", metavar="N", help="Work on this issue, whatever the event says.")
_INTENT = click.option(
    "--intent", metavar="TEXT", help="What is to be done; without --issue an issue is opened for it."
)
_WAITING_IS_SUCCESS = click.option(
    "--waiting-is-success",
    is_flag=True,
    help="Exit with 0, not 5, where the session waits for an answer: a CI knows only success and failure.",
)


@click.command()
@_ISSUE
@_INTENT
@click.option(
    "--route",
    is_flag=True,
    help="Only decide and answer; the number of an issue to work on is the output `issues`.",
)
@_CHILD_PIPELINE
@click.option(
    "--final-word", is_flag=True, help="Say the last word for a job whose process died; run it always."
)
@click.option(
    "--no-publish",
    is_flag=True,
    help="Work, but write nothing to the platform: `ci-agent publish` does, in a job of its own.",
)
@click.option(
    "--bundle",
    metavar="DIR",
    default="ci-agent-bundle",
    show_default=True,
    type=click.Path(path_type=Path),
    help="With --no-publish: the folder for what is to be published.",
)
@_WAITING_IS_SUCCESS
@_OUTPUT_DIR
@click.pass_obj
def job(
    environment: Mapping[str, str],
    *,
    issue: str | None,
    intent: str | None,
    route: bool,
    child_pipeline: Path | None,
    final_word: bool,
    no_publish: bool,
    bundle: Path,
    waiting_is_success: bool,
    output_dir: str | None,
) -> int:
    """Do what the event asks for that started this CI job.

    Runs in GitHub Actions and GitLab CI, see `ci-agent init`. It reads the event, looks up on the platform
    whether the person who acted may ask for it, works on the issue, and answers in its comments. An event
    that is none of its business ends at once, with exit code 0 and the reason in the log.
    """
    from ci_agent.job.pipeline import work
    from ci_agent.job.request import Request

    if no_publish and (route or final_word):
        raise click.UsageError("--no-publish is for the job that works: --route and --final-word publish")
    hold = bundle if no_publish else None
    asked = Request(
        _flags(output_dir),
        issue,
        intent,
        route,
        child_pipeline,
        final_word,
        hold,
        waiting_is_success=waiting_is_success,
    )
    return work(asked, environment)


@click.command()
@click.argument("bundle", metavar="BUNDLE", type=click.Path(path_type=Path))
@_ISSUE
@_INTENT
@_WAITING_IS_SUCCESS
@_OUTPUT_DIR
@click.pass_obj
def publish(
    environment: Mapping[str, str],
    *,
    bundle: Path,
    issue: str | None,
    intent: str | None,
    waiting_is_success: bool,
    output_dir: str | None,
) -> int:
    """Publish what `ci-agent job --no-publish` left in the folder BUNDLE.

    Runs in a second job of the same pipeline, with a token that may write and without the model's key. It decides
    again by the event who asked for what, checks the signature, the policy and everything else that it can find out
    itself, then pushes the branch, opens the merge request and says on the issue how it ended. Where there is no
    bundle, or one that is not to be trusted, it says that. Needs CI_AGENT_BUNDLE_KEY, as the first job does.
    """
    from ci_agent.job.pipeline import work
    from ci_agent.job.request import Request

    asked = Request(_flags(output_dir), issue, intent, publish=bundle, waiting_is_success=waiting_is_success)
    return work(asked, environment)


def _flags(output_dir: str | None) -> dict[str, object]:
    return {"report.output_dir": output_dir} if output_dir else {}


@click.command()
@_CHILD_PIPELINE
@click.pass_obj
def poll(environment: Mapping[str, str], *, child_pipeline: Path | None) -> int:
    """Find the open issues that wait for a session, for a schedule.

    These are the issues with the label `ai-task` (`trigger.label`). On GitHub their numbers become the output
    `issues`, a JSON list for a job's matrix; on GitLab a pipeline with a job for each of them is written.
    """
    from ci_agent.job.poll import poll as find

    return find(environment, child_pipeline)
