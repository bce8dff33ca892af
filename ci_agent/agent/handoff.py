"""What a model is told that takes over from another one: short, and by the harness, since the other one was stuck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ci_agent.models import Message

_FILES = 40
_SAID_CHARACTERS = 1_500
_TESTS_CHARACTERS = 4_000


@dataclass(frozen=True, slots=True)
class HandOff:
    """How another model's work stands."""

    why: str  # it came to no end, in a sentence
    base: str  # the commit it began with
    files: Sequence[str]  # that it changed
    said: str  # by it, of its work
    tests: str  # what the harness measured of its last hand-in; empty: it handed nothing in


def taken_over(messages: Sequence[Message], hand_off: HandOff) -> list[Message]:
    """The first messages of a conversation, for a model that goes on with somebody else's work."""
    *before, task = messages
    return [*before, task | {"content": f"{task['content']}\n\n{_told(hand_off)}"}]


def _told(hand_off: HandOff) -> str:
    base = hand_off.base[:12]
    parts = [f"# Taken over from another model\n\nIt worked on this before you. {hand_off.why}"]
    if hand_off.files:
        listed = "\n".join(f"- {name}" for name in hand_off.files[:_FILES])
        parts.append(
            f"What it changed is in the files; see it with `git diff {base}`. It need not be right: keep what is, and "
            f"put back what is not with `git checkout {base} -- FILE`.\n\n{listed}"
        )
    else:
        parts.append("It left no change.")
    if hand_off.said.strip():
        quoted = "\n".join(
            f"> {line}".rstrip() for line in hand_off.said.strip()[:_SAID_CHARACTERS].splitlines()
        )
        parts.append(f"It said:\n\n{quoted}")
    if hand_off.tests:
        parts.append(
            f"What the harness measured of its last hand-in:\n\n{hand_off.tests[:_TESTS_CHARACTERS]}"
        )
    return "\n\n".join(parts)
