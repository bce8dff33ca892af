"""The tables of docs/architecture.md that are made from the code: `python -m ci_agent.session.document`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ci_agent.session import states
from ci_agent.session.endings import ENDINGS

PAGE: Final = Path(__file__).parents[2] / "docs" / "architecture.md"


def endings() -> str:
    """How a session ends, in Markdown."""
    rows = [f"| `{ending}` | {status} | {code} |" for ending, (status, code) in ENDINGS.items()]
    return "\n".join(["| ending | status | exit code |", "|---|---|--:|", *rows])


def filled(page: str) -> str:
    """The page with its tables as they are now."""
    for name, table in {"states": states.table(), "endings": endings()}.items():
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n{table}\n{end}{rest.partition(end)[2]}"
    return page


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
