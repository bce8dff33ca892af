"""`ci-agent models`: which models are configured, what they can read and what they cost."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

import click


@click.command()
@click.option(
    "-r", "--repo", "repository", metavar="PATH|URL", default=".", help="The repository.  [default: here]"
)
@click.option("--base", metavar="BRANCH", help="Read .ci-agent.yml from it.  [default: what is checked out]")
@click.option("--model", metavar="NAME", help="Another default model, to see what is known of it.")
@click.option("--state-dir", metavar="DIR", help="Where issues and sessions are kept.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array instead of the table.")
@click.pass_obj
def models(environment: Mapping[str, str], /, *, repository: str, as_json: bool, **flags: object) -> int:
    """List the models, what they can read at once, and what they cost.

    Prices are US dollars per million tokens: of input, of input that the provider's cache served, and of output;
    from the configuration, else from the list that comes with ci-agent. Where no price is known the limit of
    money can't hold, and those of tokens do. Nothing is sent anywhere.
    """
    from ci_agent.job.model_list import listing
    from ci_agent.job.settings import load_settings

    given = {name: value for name, value in flags.items() if value is not None}
    loaded, _ = load_settings(repository, given, environment)
    rows = listing(loaded.config)
    if as_json:
        click.echo(json.dumps([row.as_json() for row in rows], indent=2))
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("For", "Model", "Where", "Reads", "Input", "Cached", "Output", "Prices", "Key"):
        numbers = heading in ("Reads", "Input", "Cached", "Output")
        table.add_column(heading, overflow="fold", justify="right" if numbers else "left")
    for row in rows:
        table.add_row(*row.cells())
    width = None if sys.stdout.isatty() else 10_000  # into a file or a pipe goes one line per model
    Console(highlight=False, markup=False, width=width).print(table)
    limits = loaded.config.limits
    money = f"${limits.max_cost:.2f}, " if any(row.prices for row in rows) else ""
    click.echo(
        f"\nLimits of a session: {money}{limits.max_input_tokens:,} tokens in, {limits.max_output_tokens:,} out, "
        f"{limits.max_iterations:,} answers, {limits.timeout:g} minutes."
    )
    for row in rows:
        if row.prices is None:
            click.echo(
                f"No price is known for {row.name}: for it the limits of tokens count alone; see `models.prices`."
            )
    return 0
