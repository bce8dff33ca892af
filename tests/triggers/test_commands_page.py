"""docs/commands.md says what the help reply says."""

from __future__ import annotations

import re
from pathlib import Path

from ci_agent.reporting.replies import help_text
from ci_agent.triggers import Verb
from ci_agent.triggers.commands import LIST, OPTIONS, parse

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"


def test_the_page_holds_the_lists_of_the_help_reply() -> None:
    text = help_text(
        [(entry.usage, entry.does) for entry in LIST], [(entry.usage, entry.does) for entry in OPTIONS]
    )
    page = PAGE.read_text(encoding="utf-8").splitlines()
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert [line for line in rows if line not in page] == []
    tables = [line for line in page if line.startswith(("| `/agent", "| `--"))]
    assert [line for line in tables if line not in rows] == []


def test_every_example_on_the_page_is_understood() -> None:
    page = PAGE.read_text(encoding="utf-8")
    examples = re.findall(r"^```text\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert len(examples) >= 4
    for example in examples:
        found = parse(example, "shop-bot")
        assert found is not None, example
        assert found.verb is not Verb.UNKNOWN, found.problem
