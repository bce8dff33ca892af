"""`ci-agent run`: one task on one repository, on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click


@click.command()
@click.option("-d", "--description", metavar="TEXT", help="What is to be done, in your words.")
@click.option(
    "--issue",
    "issue_file",
    metavar="FILE.md",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An issue as a Markdown file, with or without YAML front matter (title, author, labels). "
    "The same file again goes on with the same branch.",
)
@click.option(
    "-r", "--repo", "repository", metavar="PATH|URL", default=".", help="The repository.  [default: here]"
)
@click.option("--base", metavar="BRANCH", help="Start from it.  [default: the branch that is checked out]")
@click.option("--branch", metavar="NAME", help="Work on it.  [default: feat/ai-task-<issue>]")
@click.option(
    "--model", metavar="NAME", help="The model, e.g. gpt-5-mini; strong or cheap: those of the configuration."
)
@click.option("--max-iterations", metavar="N", type=int, help="Model replies at most.  [default: 150]")
@click.option("--timeout", metavar="MINUTES", type=float, help="Wall time at most.  [default: 60]")
@click.option("--max-cost", metavar="USD", type=float, help="Money at most.  [default: 3.00]")
@click.option("--push/--no-push", default=None, help="Push the branch to the remote `origin` when done.")
@click.option(
    "--setup", metavar="CMD", help="Prepares a checkout.  [default: detected; `none`: nothing to do]"
)
@click.option("--test", metavar="CMD", help="Runs the tests.  [default: detected; `none`: there are none]")
@click.option("--policy", metavar="WORD", help="Which tests: full, changed or off.  [default: full]")
@click.option("--output-dir", metavar="DIR", help="The report's folder.  [default: ci-agent-report]")
@click.option("--state-dir", metavar="DIR", help="Where issues and sessions are kept.")
@click.option("--json", "as_json", is_flag=True, help="Print the events as JSON lines, nothing else.")
@click.pass_obj
def run(
    environment: Mapping[str, str],
    /,
    *,
    description: str | None,
    issue_file: Path | None,
    repository: str,
    as_json: bool,
    **flags: object,
) -> int:
    """Work on one task and leave a tested branch.

    The task comes from -d or --issue. The work happens in a copy; of your repository only the work branch is
    made or moved forward. At the end stand the branch, a merge request text, and a report folder with
    junit.xml, the journal, the patch and the test logs.

    \b
    Examples:
      ci-agent run -d "slug() makes double dashes out of two blanks"
      ci-agent run --issue bug.md --repo ../shop --setup "npm ci" --max-cost 0.50
    """
    from ci_agent.job.local import Request, work

    if (description is None) == (issue_file is None):
        raise click.UsageError("say what is to be done: with -d TEXT or with --issue FILE.md (one of them)")
    if description is not None and not description.strip():
        raise click.UsageError("the description is empty")
    request = Request(
        description=description,
        issue_file=issue_file,
        repository=repository,
        flags={name: value for name, value in flags.items() if value is not None},
        as_json=as_json,
    )
    return work(request, environment).exit_code
