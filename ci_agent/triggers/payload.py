"""Looking into a payload that may lack anything: the fields of strangers, by path, with the type they must have."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from ci_agent.task import WAITING_LABEL, Account
from ci_agent.triggers import Ignored

OURS: Final = "<!-- ci-agent:"  # begins every comment that we write

_NUMBER = re.compile(r"\s*#?([0-9]{1,15})\s*")
_MOST = 10**15  # numbers of issues and comments are far below it
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d{1,9})?) ?(Z|UTC|[+-]\d\d:?\d\d)?", re.ASCII)
_HALVES = re.compile("[\ud800-\udfff]")  # JSON can say them, text can't be written with them
_WORD = 40  # characters of a stranger's word that are shown


def at_path(payload: Mapping[str, Any], path: str) -> Any:
    """What stands at `a.b.c`; None where there is nothing."""
    found: Any = payload
    for word in path.split("."):
        found = found.get(word) if isinstance(found, Mapping) else None
    return found


def text(payload: Mapping[str, Any], path: str) -> str:
    """A text; empty where there is none."""
    found = at_path(payload, path)
    return _HALVES.sub("\ufffd", found) if isinstance(found, str) else ""


def number(payload: Mapping[str, Any], path: str) -> str:
    """A positive whole number, as text; empty where there is none. People's inputs come as text, also as `#12`."""
    found = at_path(payload, path)
    if isinstance(found, str):
        match = _NUMBER.fullmatch(found)
        found = int(match[1]) if match else None
    return str(found) if isinstance(found, int) and found is not True and 0 < found < _MOST else ""


def items(payload: Mapping[str, Any], path: str) -> Sequence[Mapping[str, Any]]:
    """The objects of a list."""
    found = at_path(payload, path)
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []


def moment(payload: Mapping[str, Any], path: str) -> datetime | None:
    """A time, in UTC: `2026-01-02T03:04:05Z`, with parts of a second or another offset, or GitLab's
    `2026-01-02 03:04:05 UTC`. One without an offset counts as UTC."""
    match = _TIME.fullmatch(text(payload, path).strip())
    if match is None:
        return None
    offset = "+00:00" if match[3] in (None, "Z", "UTC") else match[3]
    try:
        return datetime.fromisoformat(f"{match[1]}T{match[2]}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):  # the 31st of February; a moment before the first year
        return None


def account(payload: Mapping[str, Any], path: str, login: str, bot: bool) -> Account | None:
    """Somebody; None where the payload does not name them. `login` is the field with their name."""
    name = text(payload, f"{path}.{login}")
    return Account(name, number(payload, f"{path}.id"), bot) if name else None


def same_name(login: str, ours: str | None) -> bool:
    """Whether `login` is our own name, where we know it."""
    return bool(ours) and login.casefold() == str(ours).casefold()


def waits(payload: Mapping[str, Any], labels: str, name: str, state: str, who: Account | None) -> bool:
    """Whether a comment by `who` can be the answer that an issue waits for: the issue is open and has our label, and
    it is no bot that speaks. `labels` and `state` are fields, `name` is that of a label in its own."""
    names = {text(item, name).casefold() for item in items(payload, labels)}
    return WAITING_LABEL in names and text(payload, state) != "closed" and not (who and who.bot)


def lacking(needed: Mapping[str, object]) -> Ignored:
    """The payload lacks something: the first of `needed`, fields with what was found there, that is nothing."""
    return Ignored(f"the payload has no {next(field for field, found in needed.items() if not found)}")


def shown(word: str) -> str:
    """A stranger's word, short, on one line and in plain letters."""
    kept = "".join(c for c in word[: 4 * _WORD] if unicodedata.category(c)[0] in "LMNPS" or c == " ")
    kept = kept.replace("`", "").strip()
    return kept if len(kept) <= _WORD else kept[: _WORD - 1] + "…"
