"""`ci-agent sessions`: what the repository's jobs worked on, and what came of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

_ISSUE = click.argument("issue", metavar="N")


def _places(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of all commands of the group."""
    for option in (
        click.option("--state-dir", metavar="DIR", help="Where issues and sessions are kept."),
        click.option(
            "-r",
            "--repo",
            "repository",
            metavar="PATH|URL",
            default=".",
            help="The repository.  [default: here]",
        ),
    ):
        command = option(command)
    return command


@click.group()
def sessions() -> None:
    """The sessions of CI jobs, as git at the platform keeps them.

    Each issue has one, the last: under refs/ci-agent/issues/N of the remote `origin`, or on the branch
    ci-agent/state/N where the platform wants no such refs. Your own git credentials are used. Whether a job of this
    repository wrote it is checked where CI_AGENT_CHECKPOINT_KEY is set.
    """


@sessions.command("list")
@_places
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array instead of the table.")
@click.pass_obj
def list_(environment: Mapping[str, str], /, *, repository: str, as_json: bool, **flags: object) -> int:
    """List them: status, issue, merge request, cost, time, model."""
    from ci_agent.job.sessions import cells, opened

    with opened(repository, flags, environment) as found:
        records = found.records()
    if as_json:
        click.echo(json.dumps([record.as_json() for record in records], indent=2))
        return 0
    if not records:
        click.echo("There are no sessions in this repository.")
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in (
        "Issue",
        "Status",
        "Title",
        "Merge request",
        "Model",
        "Cost",
        "Time",
        "Steps",
        "Saved",
        "Signed",
    ):
        numbers = heading in ("Issue", "Cost", "Time", "Steps")
        table.add_column(heading, overflow="fold", justify="right" if numbers else "left")
    for record in records:
        table.add_row(*cells(record))
    width = None if sys.stdout.isatty() else 10_000  # into a file or a pipe goes one line per session
    Console(highlight=False, markup=False, width=width).print(table)
    return 0


@sessions.command()
@_ISSUE
@_places
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@click.pass_obj
def show(
    environment: Mapping[str, str], /, *, issue: str, repository: str, as_json: bool, **flags: object
) -> int:
    """Show the session of issue N: how it ended, what it used, how to get at the work in progress."""
    from ci_agent.job.sessions import opened, told

    with opened(repository, flags, environment) as found:
        record = found.record(issue)
        click.echo(json.dumps(record.as_json(), indent=2) if as_json else told(record, found.address))
    return 0


@sessions.command()
@_ISSUE
@_places
@click.option(
    "-o",
    "--output-dir",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="[default: session-N]",
)
@click.pass_obj
def export(
    environment: Mapping[str, str], /, *, issue: str, repository: str, folder: Path | None, **flags: object
) -> int:
    """Write the session of issue N into a folder, for `ci-agent log` and `ci-agent replay`."""
    from ci_agent.job.sessions import exported, opened

    with opened(repository, flags, environment) as found:
        place = folder or Path(f"session-{issue}")
        exported(found, issue, place)
    click.echo(f"Exported to {place}; look at it with: ci-agent log {place}")
    return 0
