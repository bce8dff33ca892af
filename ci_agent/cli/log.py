"""`ci-agent log`: a session step by step, on the terminal."""

from __future__ import annotations

import re
from pathlib import Path

import click


def _steps(_: click.Context, __: click.Parameter, given: str | None) -> range | None:
    """`12`, or `12-15`; 0 is what was before the first step."""
    if given is None:
        return None
    found = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", given, re.ASCII)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if first > last:
        raise click.BadParameter(f"{given!r} is no step; write a number as 12, or two as 12-15")
    return range(first, last + 1)


@click.command()
@click.argument("journal", type=click.Path(path_type=Path))
@click.option(
    "--step",
    "steps",
    metavar="N[-M]",
    callback=_steps,
    help="Only these steps; 0: what was before the first.",
)
@click.option("--full", is_flag=True, help="Show all of long texts, not only their beginning and end.")
@click.option("--plain", is_flag=True, help="Plain lines, without a pager.  [default: unless on a terminal]")
def log(*, journal: Path, steps: range | None, full: bool, plain: bool) -> int:
    """Page through a session: what the model said and did, what came of it, what it cost.

    JOURNAL is a session.jsonl, or a folder that holds one: a report's or a session's. First comes the session in a few
    lines, then each step with its calls and answers, and what the harness ran and told the model meanwhile. On a
    terminal it is shown through $PAGER (or `less -R`), elsewhere as plain lines. Control characters of commands and
    models are left out.

    \b
    Examples:
      ci-agent log ci-agent-report
      ci-agent log session.jsonl --step 12-15 --full
    """
    from ci_agent.job.log import Request, show

    show(Request(journal, steps, full, plain))
    return 0
