"""From GitLab's answers to our nouns, and from our text to what GitLab only shows. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ci_agent.errors import UsageError
from ci_agent.platforms import Comment, Issue, MergeRequest, Permission
from ci_agent.platforms.text import marker_in, without_marker
from ci_agent.task import Account, is_bot_name
from ci_agent.unseen import LINE_ENDS

Raw = Mapping[str, Any]

DRAFT = "Draft: "
_NUMBER = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)  # as an int64: those of jobs and notes are long
_DRAFTS = re.compile(r"^(?:\[draft\]|\(draft\)|draft:)\s*", re.IGNORECASE)
# Access levels of the members API: Developer 30, Maintainer 40, Owner 50; below it people only read and report.
_LEVELS = ((50, Permission.ADMIN), (40, Permission.MAINTAIN), (30, Permission.WRITE), (5, Permission.READ))
_QUICK_ACTION = re.compile(r"^/(?=[A-Za-z])", re.MULTILINE)


def checked(number: str, what: str, project: str) -> str:
    """The number, which becomes a part of a path. Raises `UsageError` for what is none."""
    if not _NUMBER.fullmatch(number):
        raise UsageError(f"{project} has no {what} {number!r}: a number is wanted")
    return number


def account(raw: Raw | None) -> Account:
    """Somebody; an account without a name where GitLab names nobody."""
    if not raw or not raw.get("username"):
        return Account("")
    login = str(raw["username"])
    return Account(login, str(raw.get("id", "")), bool(raw.get("bot")) or is_bot_name(login))


def me(raw: Raw) -> Account:
    """Who we are."""
    return Account(str(raw["username"]), str(raw["id"]), account(raw).bot)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def issue(raw: Raw) -> Issue:
    return Issue(
        number=str(raw["iid"]),
        title=str(raw["title"]),
        text=str(raw.get("description") or "").replace("\r\n", "\n"),
        author=account(raw.get("author")),
        labels=tuple(map(str, raw.get("labels", []))),
        open=raw["state"] == "opened",
        url=str(raw["web_url"]),
        reference=f"#{raw['iid']}",
        confidential=bool(raw.get("confidential")),
    )


def internal(raw: Raw) -> bool:
    """Whether a note is only for those who may see confidential things. It was called `confidential` before 15.5."""
    return bool(raw.get("internal") or raw.get("confidential"))


def name(raw: Raw) -> str:
    """What a label is called."""
    return str(raw["name"])


def comment(raw: Raw, me: Account, page: str) -> Comment:
    """A note; `page` is the address of what it stands on."""
    text, author = str(raw.get("body") or "").replace("\r\n", "\n"), account(raw.get("author"))
    marker = marker_in(text) if author.id and author.id == me.id else ""
    return Comment(
        id=str(raw["id"]),
        author=author,
        text=without_marker(text) if marker else text,
        created=moment(raw["created_at"]),
        changed=moment(raw.get("updated_at") or raw["created_at"]),
        url=f"{page}#note_{raw['id']}",
        marker=marker,
    )


def merge_request(raw: Raw) -> MergeRequest:
    return MergeRequest(
        number=str(raw["iid"]),
        title=_DRAFTS.sub("", str(raw["title"])),
        text=str(raw.get("description") or "").replace("\r\n", "\n"),
        source=str(raw["source_branch"]),
        target=str(raw["target_branch"]),
        draft=bool(raw.get("draft")),
        open=raw["state"] == "opened",
        labels=tuple(map(str, raw.get("labels", []))),
        url=str(raw["web_url"]),
        reference=f"!{raw['iid']}",
        foreign=raw.get("source_project_id") != raw.get("target_project_id"),
    )


def permission(raw: Raw) -> Permission:
    """What a member may do. Blocked and awaiting ones are members, too."""
    if raw.get("state", "active") != "active":
        return Permission.NONE
    level = int(raw.get("access_level", 0))
    return next((permission for least, permission in _LEVELS if level >= least), Permission.NONE)


def inert(body: str) -> str:
    """A text in which GitLab finds no quick action: those stand at the very start of a line, and GitLab would do
    them with our rights, whatever code or quote they seem to stand in."""
    return _QUICK_ACTION.sub(" /", LINE_ENDS.sub("\n", body))
