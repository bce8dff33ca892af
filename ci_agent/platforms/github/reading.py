"""From GitHub's answers to our nouns. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ci_agent.errors import UsageError
from ci_agent.platforms import Comment, Issue, MergeRequest, Permission
from ci_agent.platforms.text import marker_in, without_marker
from ci_agent.task import Account

Raw = Mapping[str, Any]

_NUMBER = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)  # as an int64: those of runs and comments are long
_PERMISSIONS = {"admin": Permission.ADMIN, "write": Permission.WRITE, "read": Permission.READ}


def checked(number: str, what: str, repository: str) -> str:
    """The number, which becomes a part of a path. Raises `UsageError` for what is none."""
    if not _NUMBER.fullmatch(number):
        raise UsageError(f"{repository} has no {what} {number!r}: a number is wanted")
    return number


def account(raw: Raw | None) -> Account:
    """Somebody; an account without a name where it was deleted."""
    if not raw or not raw.get("login"):
        return Account("")
    login = str(raw["login"])
    return Account(login, str(raw.get("id", "")), raw.get("type") == "Bot" or login.endswith("[bot]"))


def viewer(raw: Raw) -> Account:
    """Who we are, as GraphQL says it. `viewer` is called in full, a bot as well."""
    login = str(raw["viewer"]["login"])
    return Account(login, str(raw["viewer"].get("databaseId") or ""), login.endswith("[bot]"))


def edits(raw: Raw) -> list[tuple[datetime, Account]]:
    """When an issue's text or title was edited and by whom, as GraphQL says it."""
    issue = raw["repository"]["issue"]
    texts = [*issue["some"]["nodes"], *issue["others"]["nodes"]]
    found = [(moment(node["editedAt"]), _actor(node["editor"])) for node in texts]
    titles = issue["timelineItems"]["nodes"]
    return found + [(moment(node["createdAt"]), _actor(node["actor"])) for node in titles]


def _actor(raw: Raw | None) -> Account:
    """Somebody, as GraphQL says it: there a bot is called like a person could be."""
    if not raw:
        return Account("")
    bot = raw["__typename"] == "Bot"
    return Account(f"{raw['login']}{'[bot]' if bot else ''}", str(raw.get("databaseId") or ""), bot)


def name(raw: Raw) -> str:
    """What a label is called."""
    return str(raw["name"])


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def labels(raw: Raw) -> tuple[str, ...]:
    return tuple(str(label["name"]) for label in raw.get("labels", []))


def issue(raw: Raw) -> Issue:
    return Issue(
        number=str(raw["number"]),
        title=str(raw["title"]),
        text=_lines(raw.get("body")),
        author=account(raw.get("user")),
        labels=labels(raw),
        open=raw["state"] == "open",
        url=str(raw["html_url"]),
        reference=f"#{raw['number']}",
    )


def comment(raw: Raw, me: Account) -> Comment:
    """A comment on an issue, or on a line of a change, or the words of a review."""
    text, author = _lines(raw.get("body")), account(raw.get("user"))
    marker = marker_in(text) if is_same(author, me) else ""
    created = moment(str(raw.get("created_at") or raw.get("submitted_at")))
    return Comment(
        id=str(raw["id"]),
        author=author,
        text=without_marker(text) if marker else text,
        created=created,
        changed=moment(str(raw["updated_at"])) if raw.get("updated_at") else created,
        url=str(raw["html_url"]),
        marker=marker,
    )


def merge_request(raw: Raw, repository: str) -> MergeRequest:
    there = (raw["head"].get("repo") or {}).get("full_name", "")
    return MergeRequest(
        number=str(raw["number"]),
        title=str(raw["title"]),
        text=_lines(raw.get("body")),
        source=str(raw["head"]["ref"]),
        target=str(raw["base"]["ref"]),
        draft=bool(raw.get("draft")),
        open=raw["state"] == "open",
        labels=labels(raw),
        url=str(raw["html_url"]),
        reference=f"#{raw['number']}",
        foreign=str(there).casefold() != repository.casefold(),
    )


def permission(raw: Raw) -> Permission:
    """GitHub's four old words, and the role that stands between two of them."""
    if raw.get("role_name") == "maintain":
        return Permission.MAINTAIN
    return _PERMISSIONS.get(str(raw.get("permission")), Permission.NONE)


def is_same(one: Account, other: Account) -> bool:
    """Whether two accounts are one, by their ids where both are known."""
    if one.id and other.id:
        return one.id == other.id
    return bool(one.login) and one.login.casefold() == other.login.casefold()


def _lines(text: object) -> str:
    """A text with plain line ends; GitHub's web page writes CR LF."""
    return str(text or "").replace("\r\n", "\n")
