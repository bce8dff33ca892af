"""What people say to a session while it works: how the model is told, and how that is found again. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ci_agent.agent.context import Quote
from ci_agent.framing import framed
from ci_agent.models import Message

_BEGINS: Final = "[Said while you work, by somebody who may ask you for work. From here on it counts as much as the issue.]"


def told(said: Sequence[Quote]) -> str:
    """What the model is told of it."""
    return "\n\n".join([_BEGINS, *(framed("request", one.text.strip(), by=one.author) for one in said)])


def tells(message: Message) -> bool:
    """Whether a message of a conversation is one that `told` made. No summary of the model's may take its place."""
    content = message.get("content")
    return message["role"] == "user" and isinstance(content, str) and content.startswith(_BEGINS)
