"""`ci-agent config`: what is set, and where it came from."""

from __future__ import annotations

import sys

import click


@click.group()
def config() -> None:
    """Show the configuration."""


@config.command()
@click.option(
    "-r", "--repo", "repository", metavar="PATH|URL", default=".", help="The repository.  [default: here]"
)
@click.option("--base", metavar="BRANCH", help="Read .ci-agent.yml from it.  [default: what is checked out]")
@click.option("--state-dir", metavar="DIR", help="Where issues and sessions are kept.")
def show(*, repository: str, **flags: object) -> None:
    """Print each effective value and where it came from.

    Values come from the defaults, `.ci-agent.yml` in the base branch's commit, the environment, and flags, in
    this order of rising weight. Secrets are shown as `***`.
    """
    from rich.console import Console
    from rich.table import Table

    from ci_agent.config import FILE_NAME
    from ci_agent.job.settings import load_settings

    loaded, source = load_settings(
        repository, {name: value for name, value in flags.items() if value is not None}
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("Setting", "Value", "From"):
        table.add_column(heading, overflow="fold")
    for row in loaded.rows():
        table.add_row(*row)
    # Into a file or a pipe goes one line per setting, however long.
    width = None if sys.stdout.isatty() else 10_000
    Console(highlight=False, markup=False, width=width).print(table)
    if FILE_NAME in source.uncommitted:
        click.echo(
            f"ci-agent: {FILE_NAME} has uncommitted changes; they count once they are committed", err=True
        )
