"""The lines of the table that the benchmark prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_DIGITS = {"s": 3, "ms": 1, "MB": 0, "%": 1, "": 0}


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. Without a `goal` it is for information; else `ours` may be as much as that, or, where
    `more` is better, has to be."""

    name: str
    unit: str
    ours: float
    theirs: float
    them: str
    goal: float | None = None
    more: bool = False

    @property
    def missed(self) -> bool:
        return self.goal is not None and (self.ours < self.goal if self.more else self.ours > self.goal)


def table(figures: Sequence[Figure]) -> str:
    """The figures as a table in Markdown."""
    rows = ["| figure | ci-agent | beside it | ratio | goal | reached |", "|-|-:|-:|-:|-:|-|"]
    for figure in figures:
        sign = "≥" if figure.more else "≤"
        goal = "" if figure.goal is None else f"{sign} {_number(figure.goal, figure.unit)}"
        reached = "" if figure.goal is None else "**no**" if figure.missed else "yes"
        ours, theirs = _number(figure.ours, figure.unit), _number(figure.theirs, figure.unit)
        ratio = f"{figure.ours / figure.theirs:.2f}"
        rows.append(f"| {figure.name} | {ours} | {theirs} ({figure.them}) | {ratio} | {goal} | {reached} |")
    return "\n".join(rows)


def _number(value: float, unit: str) -> str:
    return f"{value:,.{_DIGITS[unit]}f} {unit}".strip()
