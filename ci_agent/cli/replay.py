"""`ci-agent replay`: what a session did, done once more without any model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click


@click.command()
@click.argument("journal", type=click.Path(path_type=Path))
@click.option(
    "-r",
    "--repo",
    "repository",
    metavar="PATH",
    help="A clone of the repository.  [default: the one that the journal names]",
)
@click.option("--step", "last", metavar="N", type=click.IntRange(min=1), help="Stop after this step.")
@click.option(
    "--all", "everything", is_flag=True, help="Go on after the first difference, and count them all."
)
@click.pass_obj
def replay(
    environment: Mapping[str, str],
    *,
    journal: Path,
    repository: str | None,
    last: int | None,
    everything: bool,
) -> int:
    """Run a recorded session's tool calls again and show the first that differs.

    JOURNAL is a session.jsonl, or a folder that holds one: a report's or a session's. The commit that the session began
    on is laid out and prepared in a checkout of its own, the calls run there in order with the real tools, and at the
    end the files are compared with what was committed. What honestly differs between two runs, such as durations
    and the names of temporary folders, is no difference. No model and no platform is asked, and your checkout is
    not touched.

    Like `make`, this runs what the file says: the commands in a journal are somebody's, so replay one of a stranger's in
    a container. The sandbox level is printed first.

    \b
    Exit codes: 0 nothing differs, 1 something does, 2 it can't be replayed.

    \b
    Examples:
      ci-agent replay ci-agent-report
      ci-agent replay session.jsonl --repo ~/src/shop --step 12
    """
    from ci_agent.job.replay import Request
    from ci_agent.job.replay import replay as run_again

    return run_again(Request(journal, repository, last, everything), environment)
