"""`ci-agent verify`: what a branch does to the tests, without any model."""

from __future__ import annotations

from collections.abc import Mapping

import click


@click.command()
@click.option(
    "--base",
    metavar="REF",
    help="Compare with the commit at which HEAD left it.  [default: the default branch]",
)
@click.option(
    "--head", metavar="REF", default="HEAD", help="The branch, tag or commit to examine.  [default: HEAD]"
)
@click.option(
    "-r", "--repo", "repository", metavar="PATH|URL", default=".", help="The repository.  [default: here]"
)
@click.option(
    "--setup", metavar="CMD", help="Prepares a checkout.  [default: detected; `none`: nothing to do]"
)
@click.option("--test", metavar="CMD", help="Runs the tests.  [default: detected; `none`: there are none]")
@click.option("--policy", metavar="WORD", help="Which tests: full, changed or off.  [default: full]")
@click.option(
    "--fresh", is_flag=True, help="Run the tests on the base even where an earlier run is remembered."
)
@click.option("--output-dir", metavar="DIR", help="The report's folder.  [default: ci-agent-report]")
@click.option("--state-dir", metavar="DIR", help="Where runs on the base are remembered.")
@click.option("--json", "as_json", is_flag=True, help="Print the events as JSON lines, nothing else.")
@click.pass_obj
def verify(
    environment: Mapping[str, str],
    /,
    *,
    repository: str,
    head: str,
    as_json: bool,
    fresh: bool,
    **flags: object,
) -> int:
    """Compare the tests of a branch with those of where it came from.

    In clean checkouts of both sides: the project's own tests, test by test; what broke is run again, alone and on
    the base; the tests that the branch adds are run against the old source, where they must fail; which changed
    lines the tests run; the configured checks. No model is asked, and your checkout is not touched. The report
    folder holds the comparison as Markdown, junit.xml and all logs.

    \b
    Exit codes: 0 nothing speaks against the branch, 1 something does, 2 it can't be compared.

    \b
    Examples:
      ci-agent verify
      ci-agent verify --base main --head feature --setup "npm ci"
    """
    from ci_agent.job.verify import Request
    from ci_agent.job.verify import verify as compare

    given = {name: value for name, value in flags.items() if value is not None}
    return compare(Request(repository, head, given, as_json, fresh), environment)
