"""A trigger on its way from the job that decides to the job that works: one word that is safe in YAML.

Ids, times and the command's options travel. What a comment or the issue says is read again by the job that
works; only an intent, which stands nowhere else, is taken along.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, TypeVar

from ci_agent.task import Account, Thread
from ci_agent.triggers import Command, Ignored, Kind, Trigger, Verb, commands
from ci_agent.triggers.payload import number

T = TypeVar("T")

_LONGEST = 131_072  # characters; Linux gives a process no longer variable
_MOST_BYTES = 262_144  # unpacked; the longest intent in JSON stays below it


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
    data = json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")
    return base64.urlsafe_b64encode(zlib.compress(data, 9)).decode("ascii")


def unpacked(word: str) -> Trigger | Ignored:
    """The trigger that was packed, without the words that are read again; what is none is ignored."""
    try:
        return _trigger(json.loads(_opened(word)))
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError, zlib.error):
        return Ignored("what the routing job handed on can't be read")


# Each of these takes what it expects and nothing else; another thing is one of the errors above.


def _opened(word: str) -> bytes:
    data = base64.b64decode(word[:_LONGEST].encode("ascii"), altchars=b"-_", validate=True)
    opening = zlib.decompressobj()
    text = opening.decompress(data, _MOST_BYTES)
    if not opening.eof or opening.unused_data:  # more than that, cut off, or something behind it
        raise ValueError
    return text


def _trigger(content: dict[str, Any]) -> Trigger:
    thread, actor, comment = content["thread"], content["actor"], content["comment"]
    return Trigger(
        kind=Kind(content["kind"]),
        thread=None
        if thread is None
        else Thread(_number(thread, "number"), _typed(bool, thread["merge_request"])),
        actor=None
        if actor is None
        else Account(_typed(str, actor["login"]), _typed(str, actor["id"]), _typed(bool, actor["bot"])),
        at=_moment(content["at"]),
        command=_command(content["command"]),
        comment="" if comment == "" else _number(content, "comment"),
    )


def _command(content: dict[str, Any]) -> Command:
    model, budget, base = content["model"], content["budget"], content["base"]
    command = Command(
        Verb(content["verb"]),
        _typed(str, content["text"]),
        None if model is None else _typed(str, model),
        None if budget is None else _typed(float, budget),
        None if base is None else _typed(str, base),
        fresh=_typed(bool, content["fresh"]),
        problem=_typed(str, content["problem"]),
    )
    if commands.wrong(command):
        raise ValueError
    return command


def _typed(kind: type[T], value: object) -> T:
    if not isinstance(value, kind):
        raise TypeError
    return value


def _number(content: dict[str, Any], field: str) -> str:
    found = number(content, field)
    if not found or found != content[field]:
        raise ValueError
    return found


def _moment(value: object) -> datetime:
    found = datetime.fromisoformat(_typed(str, value))
    if found.tzinfo is None:
        raise ValueError
    return found.astimezone(UTC)
