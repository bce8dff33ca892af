"""Globs that name files, as people write them in front matter. Strangers write them, too: each is read once, from left
to right, in a time that grows with the lengths of glob and path and no faster."""

from __future__ import annotations

import re

_PARTS = re.compile(r"\*\*/|\*\*|.", re.DOTALL)

Places = set[int]  # in a path: how many of its characters what was read of the glob may stand for


def matches(path: str, glob: str) -> bool:
    """As in `.gitignore`: `**` any folders, `*` and `?` within a name, `{a,b}`; without `/` the name in any folder."""
    glob = glob.removeprefix("./").removeprefix("/")
    if "/" not in glob:
        path = path.rpartition("/")[2]
    if glob.endswith("/"):
        glob += "**"
    at: Places = {0}
    braces: list[
        tuple[Places, Places]
    ] = []  # the open ones: places before, and behind the alternatives so far
    for part in _PARTS.findall(glob):
        if part == "{":
            braces.append((at, set()))
        elif part == "," and braces:
            before, behind = braces[-1]
            behind |= at
            at = before
        elif part == "}" and braces:
            at = at | braces.pop()[1]
        else:
            at = _after(part, at, path)
    return path == glob if braces else len(path) in at  # a brace without its partner is no more than a brace


def _after(part: str, at: Places, path: str) -> Places:
    """The places behind `part`, a piece of a glob, from those before it."""
    if not at:
        return at
    match part:
        case "**/":
            return at | {number + 1 for number in range(min(at), len(path)) if path[number] == "/"}
        case "**":
            return set(range(min(at), len(path) + 1))
        case "*":
            return _within_name(at, path)
        case "?":
            return {number + 1 for number in at if path[number : number + 1] not in ("", "/")}
        case _:
            return {number + 1 for number in at if path[number : number + 1] == part}


def _within_name(at: Places, path: str) -> Places:
    places: Places = set()
    for number in range(min(at), len(path) + 1):
        if number in at or (number - 1 in places and path[number - 1] != "/"):
            places.add(number)
    return places
