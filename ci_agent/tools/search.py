"""`search`: lines that match a regular expression, of many matches so many that one knows where to look."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ci_agent.tools import grep, places
from ci_agent.tools.grep import Found, Match, Wanted
from ci_agent.tools.memory import Shown
from ci_agent.tools.text import clean
from ci_agent.tools.tool import Answer, Parameter, ToolError, World

_LINE = 200  # characters of a line that are shown
_BEFORE = 60  # of them before the match
_CHARACTERS = 15_000  # of an answer
_CODE_POINT = re.compile(r"\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})")  # searching programs write it otherwise
_FILES = 20  # files that are named with the number of their matches


class Search:
    name = "search"
    description = "Find lines by regular expression, files that git ignores left out. Prefer it to grep."
    parameters: tuple[Parameter, ...] = (
        Parameter("pattern", "string", r"e.g. def slug\(", example=r"def slug\("),
        Parameter("path", "string", "folder or file", required=False, default="."),
        Parameter("glob", "string", "e.g. *.py", required=False, default=""),
        Parameter("max_results", "integer", "", required=False, default=50, minimum=1, maximum=200),
    )

    def run(self, arguments: Mapping[str, Any], world: World) -> Answer:
        pattern = arguments["pattern"]
        if not pattern or "\0" in pattern or "\n" in pattern:
            raise ToolError("`pattern` must be one line of text, and not empty.")
        place, glob = _where(arguments["path"], arguments["glob"], world)
        target = _path(place)
        folder, name = (target, "") if target.is_dir() else (target.parent, target.name)
        if not target.exists():
            raise ToolError(places.missing(place))
        found, notes = _as_meant(Wanted(pattern, name, glob), folder, world)
        prefix = "" if folder == place.root else f"{folder.relative_to(place.root)}/"
        text = "\n".join([*_said(found, prefix, arguments["max_results"]), *notes])
        return Answer(text, shown=Shown(text))


_WILD = re.compile(r"[*?{\[]")


def _where(path: str, glob: str, world: World) -> tuple[places.Place, str]:
    """Where to search, and in files like what, also where `path` is a pattern or `glob` a folder."""
    place = places.locate(path, world)
    wild = _WILD.search(path)
    if wild and not glob and not _path(place).exists():
        folder, slash, _ = path[: wild.start()].rpartition("/")
        return places.locate(folder or ".", world), path[len(folder + slash) :]
    glob = glob.removeprefix("./")
    if glob and not place.parts and not _WILD.search(glob) and not glob.startswith("!"):
        named = places.locate(glob, world)
        if _path(named).is_dir():
            return named, ""
    return place, f"{{{glob}}}" if "," in glob and "{" not in glob else glob


def _path(place: places.Place) -> Path:
    return place.root.joinpath(*place.parts)


def _as_meant(wanted: Wanted, folder: Path, world: World) -> tuple[Found, list[str]]:
    """What is found, and how the pattern was taken where it finds nothing as it stands."""
    try:
        found = grep.search(wanted, folder, world)
    except grep.NoExpressionError as error:
        written_out = _written_out(wanted, folder, world)
        if written_out and written_out.matches:
            return written_out, []
        found = grep.search(replace(wanted, literal=True), folder, world)
        if found.matches:
            return found, [f"[`pattern` is no regular expression ({error}): taken as plain text]"]
        if written_out:
            return written_out, []
        raise ToolError(
            f"`pattern` is no regular expression ({error}), and as plain text it stands nowhere. Write it differently."
        ) from error
    if not found.matches and r"\|" in wanted.pattern:
        found = grep.search(replace(wanted, pattern=wanted.pattern.replace(r"\|", "|")), folder, world)
        return found, [r"[`\|` finds nothing, so it was taken as `|`]"] if found.matches else []
    return found, []


def _written_out(wanted: Wanted, folder: Path, world: World) -> Found | None:
    """What is found with the characters themselves in place of their code points; None: there are none, or it is no
    expression even so."""
    pattern = _CODE_POINT.sub(_character, wanted.pattern)
    if pattern == wanted.pattern:
        return None
    try:
        return grep.search(replace(wanted, pattern=pattern), folder, world)
    except grep.NoExpressionError:
        return None


def _character(found: re.Match[str]) -> str:
    """The character that Python and JavaScript mean by it."""
    character = chr(min(int(found[1] or found[2], 16), sys.maxunicode))
    return found[0] if unicodedata.category(character) in ("Cc", "Cs") else re.escape(character)


def _said(found: Found, prefix: str, limit: int) -> list[str]:
    """All matches if there are not too many. Else some of each file, and where the others are."""
    if not found.matches:
        return ["[no matches]"]
    files: dict[str, list[Match]] = {}
    for match in found.matches:
        files.setdefault(prefix + clean(match.path), []).append(match)
    shares = _shares({path: len(matches) for path, matches in files.items()}, limit)
    shown: list[str] = []
    left: Counter[str] = Counter()
    room = _CHARACTERS
    for path, matches in files.items():
        lines = [f"{match.number}:{_short(match)}" for match in matches]
        fitting = _fitting(lines, room - len(path) - 1, shares[path])
        if fitting:
            shown += [f"{path}:{fitting[0]}"] if len(fitting) == 1 else [f"{path}:", *fitting]
            room -= sum(len(line) + 1 for line in (path, *fitting))
        if len(fitting) < len(lines):
            left[path] = len(lines) - len(fitting)
    return [*shown, *_left(left, complete=found.all, alone=len(files) == 1)]


def _shares(counts: Mapping[str, int], limit: int) -> dict[str, int]:
    """How many matches of each file are shown, `limit` in all: a few of each rather than all of the first."""
    shares = {}
    for done, path in enumerate(sorted(counts, key=counts.__getitem__)):
        # Where there are more files than matches to show, the last ones, which have most, get what is left.
        shares[path] = min(counts[path], max(1, limit // (len(counts) - done)), limit)
        limit -= shares[path]
    return shares


def _fitting(lines: Sequence[str], room: int, most: int) -> list[str]:
    fitting: list[str] = []
    for line in lines[:most]:
        room -= len(line) + 1
        if room < 0:
            break
        fitting.append(line)
    return fitting


def _left(left: Counter[str], *, complete: bool, alone: bool) -> list[str]:
    """How many matches are not shown, by file where it is not `alone`; "" where all are."""
    if not left and complete:
        return []
    more = "" if complete else "more than "
    most = left.most_common(_FILES)
    named = "" if alone else "".join(f"\n+ {count:,} more in {path[:_LINE]}" for path, count in most)
    others = f"\n+ {len(left) - len(most):,} more files" if len(left) > len(most) else ""
    head = f"[{more}{left.total():,} matches left out; narrow pattern, path or glob, or raise max_results]"
    return [head + named + others]


def _short(match: Match) -> str:
    """The text of the line, of a long one a piece with the beginning of the match."""
    text = clean(match.text)
    if len(text) <= _LINE:
        return text
    start = 0 if match.at <= _LINE - _BEFORE else min(match.at, len(text)) - _BEFORE
    end = start + _LINE
    return ("…" if start else "") + text[start:end] + ("…" if end < len(text) else "")
