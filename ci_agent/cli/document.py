"""Writes docs/cli.md from the commands' own help: `python -m ci_agent.cli.document`.

The tests fail when the page and the help differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from ci_agent.cli import cli

PAGE = Path(__file__).parent.parent.parent / "docs" / "cli.md"
_WIDTH = 100


def page() -> str:
    """The whole page in Markdown."""
    parts = [
        "# Command line",
        "This page is made from the commands' own `--help` by `make docs`.",
    ]
    for name, command in _commands(cli, "ci-agent"):
        context = click.Context(
            command,
            info_name=name,
            terminal_width=_WIDTH,
            max_content_width=_WIDTH,
            help_option_names=cli.context_settings["help_option_names"],
        )
        parts.append(f"## {name}\n\n```text\n{command.get_help(context)}\n```")
    return "\n\n".join(parts) + "\n"


def _commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        for below, sub in sorted(command.commands.items()):
            yield from _commands(sub, f"{name} {below}")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
