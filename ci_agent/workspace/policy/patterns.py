"""Patterns of paths: `*` within a name, `**` over folders. Upper and lower case are one, as on some file systems."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_MOST_STARS = 8  # beyond that a pattern takes everything: patterns of strangers must not take for ever
_WILD = re.compile(r"\*\*/|\*+|\?")


@dataclass(frozen=True, slots=True)
class Patterns:
    """Some patterns. A folder of one that is no folder any more, but a link or a submodule, is taken as well."""

    whole: tuple[re.Pattern[str], ...]
    folders: frozenset[str]

    @classmethod
    def of(cls, globs: Iterable[str]) -> Patterns:
        known = {glob.strip("/").casefold() for glob in globs}
        return cls(
            tuple(re.compile(_translated(glob), re.DOTALL) for glob in sorted(known)),
            frozenset(folder for glob in known for folder in _folders(glob)),
        )

    def take(self, path: str) -> bool:
        name = path.casefold()
        return name in self.folders or any(pattern.fullmatch(name) for pattern in self.whole)


def _translated(glob: str) -> str:
    if len(_WILD.findall(glob)) > _MOST_STARS:
        return ".*"
    parts, end = [], 0
    for wild in _WILD.finditer(glob):
        parts += [re.escape(glob[end : wild.start()]), _WORDS.get(wild[0], ".*")]
        end = wild.end()
    return "".join([*parts, re.escape(glob[end:])])


_WORDS = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}


def _folders(glob: str) -> Iterable[str]:
    """The folders that a pattern names before its first wildcard."""
    parts = glob.split("/")[:-1]
    fixed = next((number for number, part in enumerate(parts) if _WILD.search(part)), len(parts))
    return ("/".join(parts[:number]) for number in range(1, fixed + 1))
