"""What somebody asks for who starts a pipeline by hand or by API: an issue, an intent, or both."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ci_agent.task import Account, Thread
from ci_agent.triggers import Command, Ignored, Kind, Trigger, Verb, commands
from ci_agent.triggers.payload import at_path, number, shown, text


def dispatched(
    payload: Mapping[str, Any], field: str, at: datetime, actor: Account | None
) -> Trigger | Ignored:
    """The trigger by the inputs `issue` and `intent`, which stand in the payload's `field`.

    An issue that is no number is not taken for none: the intent would be worked on in the wrong place.
    """
    issue, intent = number(payload, f"{field}.issue"), text(payload, f"{field}.intent").strip()
    given = at_path(payload, f"{field}.issue")
    if not issue and given is not None and given != "":
        return Ignored(
            f"{shown(given) if isinstance(given, str) else 'what was given'} is no number of an issue"
        )
    if not issue and not intent:
        return Ignored("it names neither an issue nor an intent")
    command = Command(Verb.RUN, commands.kept(intent))
    return Trigger(Kind.DISPATCH, Thread(issue) if issue else None, actor, at, command)
