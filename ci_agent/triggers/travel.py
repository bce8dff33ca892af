"""A trigger on its way from the job that decides to the job that works: one line that is safe in YAML.

Only ids, times and the command's options travel. What people wrote is read again by the job that works.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from ci_agent.task import Account, Thread
from ci_agent.triggers import Command, Ignored, Kind, Trigger, Verb

_LONGEST = 60_000  # characters; more is no trigger of ours


def packed(trigger: Trigger) -> str:
    """The trigger as letters, digits, `-`, `_` and `=`."""
    content = {
        "kind": str(trigger.kind),
        "thread": asdict(trigger.thread) if trigger.thread else None,
        "actor": asdict(trigger.actor) if trigger.actor else None,
        "at": trigger.at.astimezone(UTC).isoformat(),
        "command": asdict(trigger.command)
        | {"verb": str(trigger.command.verb), "text": "" if trigger.comment else trigger.command.text},
        "comment": trigger.comment,
    }
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode("ascii")


def unpacked(text: str) -> Trigger | Ignored:
    """The trigger that was packed, without the issue's text; what is none is ignored."""
    try:
        content = json.loads(base64.b64decode(text[:_LONGEST].encode("ascii"), altchars=b"-_", validate=True))
        return _trigger(content)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Ignored("what the routing job handed on can't be read")


def _trigger(content: dict[str, Any]) -> Trigger:
    thread, actor, command = content["thread"], content["actor"], content["command"]
    return Trigger(
        kind=Kind(content["kind"]),
        thread=Thread(_digits(thread["number"]), thread["merge_request"] is True) if thread else None,
        actor=Account(_text(actor["login"]), _text(actor["id"]), actor["bot"] is True) if actor else None,
        at=_moment(content["at"]),
        command=Command(
            Verb(command["verb"]),
            _text(command["text"]),
            _text_or_none(command["model"]),
            _number_or_none(command["budget"]),
            _text_or_none(command["base"]),
            _text(command["problem"]),
        ),
        comment=_digits(content["comment"]) if content["comment"] else "",
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)


def _number_or_none(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    return float(value)


def _digits(value: object) -> str:
    found = _text(value)
    if not (found.isascii() and found.isdecimal()):
        raise ValueError
    return found


def _moment(value: object) -> datetime:
    found = datetime.fromisoformat(_text(value))
    if found.tzinfo is None:
        raise ValueError
    return found
