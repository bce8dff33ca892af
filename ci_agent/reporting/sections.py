"""How a text is put together from parts that a platform's limit may force to leave out.

A part stands or falls as a whole, so that a cut never leaves half a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LIMIT = 60_000  # characters; GitHub takes 65,536 and the platform adds its marker


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the text. Where its Markdown is empty, there is nothing to say."""

    name: str  # as it is called where it is left out
    markdown: str


def fit(sections: Sequence[Section], last: str) -> str:
    """The sections in order, then `last`, in at most `LIMIT` characters; a section that would not fit any more
    is named instead."""
    parts: list[str] = []
    room = LIMIT - len(last) - 2
    for number, section in enumerate(sections):
        reserve = 80 * (len(sections) - number)  # for naming those that come after
        too_long = len(section.markdown) + 2 > room - reserve
        said = f"*Left out, too long for here: {section.name}.*" if too_long else section.markdown
        if said:
            parts.append(said)
            room -= len(said) + 2
    return "\n\n".join([*parts, last]) + "\n"
