"""`ci-agent config`: what is set, and where it came from."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping

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
@click.pass_obj
def show(environment: Mapping[str, str], /, *, repository: str, **flags: object) -> int:
    """Print each effective value and where it came from.

    Values come from the defaults, `.ci-agent.yml` in the base branch's commit, the environment, and flags, in
    this order of rising weight. Secrets are shown as `***`. Where one of them can't be used, that is said, and
    the defaults are shown.
    """
    from ci_agent.config import FILE_NAME, load
    from ci_agent.errors import ConfigError
    from ci_agent.job.settings import load_settings

    given = {name: value for name, value in flags.items() if value is not None}
    try:
        loaded, source = load_settings(repository, given, environment)
    except ConfigError as error:
        click.echo(f"ci-agent: {error}\n\nThe settings and their defaults:\n", err=True)
        _table(load(file=None, environment={}, flags={}).rows())
        return error.exit_code
    _table(loaded.rows())
    if FILE_NAME in source.uncommitted:
        click.echo(
            f"ci-agent: {FILE_NAME} has uncommitted changes; they count once they are committed", err=True
        )
    return 0


def _table(rows: Iterable[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("Setting", "Value", "From"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*row)
    # Into a file or a pipe goes one line per setting, however long.
    width = None if sys.stdout.isatty() else 10_000
    Console(highlight=False, markup=False, width=width).print(table)
