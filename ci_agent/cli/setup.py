"""`ci-agent init` and `ci-agent doctor`: setting up a repository, and looking whether everything is there."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import click

F = TypeVar("F", bound=Callable[..., object])


def _where(command: F) -> F:
    """The options that say which repository is meant."""
    for option in (
        click.option(
            "--repository", metavar="NAME", help="OWNER/NAME there.  [default: of the remote origin]"
        ),
        click.option(
            "--platform", type=click.Choice(["github", "gitlab"]), help="[default: by the remote origin]"
        ),
        click.option(
            "-C",
            "folder",
            metavar="DIR",
            default=".",
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            help="The checkout, or a folder in it.  [default: here]",
        ),
    ):
        command = option(command)
    return command


@click.command()
@_where
@click.option(
    "--action",
    metavar="OWNER/NAME@COMMIT",
    help="Your copy of ci-agent: its place, and a commit (on GitLab also a tag).",
)
@click.option(
    "--apply",
    is_flag=True,
    help="Change the platform's settings, with the token of an administrator in GITHUB_TOKEN or of a Maintainer in "
    "GITLAB_TOKEN.",
)
@click.pass_obj
def init(
    environment: Mapping[str, str],
    *,
    folder: Path,
    platform: str | None,
    repository: str | None,
    action: str | None,
    apply: bool,
) -> int:
    """Set up a repository for ci-agent.

    Writes the workflow (GitHub) or .gitlab-ci.yml (GitLab) at the top of the repository; a file that is there
    stays as it is, and how it differs is shown. Then says what is to be set on the platform, or does it with
    --apply: labels; GitHub's right of Actions to open pull requests; GitLab's trigger token, its webhook for
    issues and comments, and the permission to start pipelines with variables. What can't be done is said with
    the place where a person does it, and the exit code is 1.
    """
    from ci_agent.job.init import initialise

    return initialise(
        environment, folder, click.echo, platform=platform, repository=repository, action=action, apply=apply
    )


@click.command()
@_where
@click.pass_obj
def doctor(
    environment: Mapping[str, str], *, folder: Path, platform: str | None, repository: str | None
) -> int:
    """Look whether everything is there that a job needs.

    Configuration, git, the model's endpoint and key, the test command, the token with its rights, and the
    settings of the repository on its platform. Nothing is changed, and no model is asked. Exit code 1 where
    something is missing (✗); what is marked ? can't be looked up, or is not needed yet.
    """
    from rich.console import Console
    from rich.table import Table

    from ci_agent.job.doctor import examine
    from ci_agent.reporting.text import clean

    checks = list(examine(environment, folder, platform, repository))
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    for check in checks:
        table.add_row({True: "✓", False: "✗", None: "?"}[check.ok], check.what, clean(check.found))
        if check.remedy:
            table.add_row("", "", f"→ {clean(check.remedy)}")
    Console(highlight=False, markup=False, width=None if os.isatty(1) else 200).print(table)
    return int(any(check.ok is False for check in checks))
