"""Names that are something else on another system: git's own folder, a link, a line in a terminal.

What is `.git` to HFS+ and NTFS follows git's `utf8.c` (`is_hfs_dotgit`) and `path.c` (`is_ntfs_dotgit`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from ci_agent.workspace.policy.tree import LINK, SUBMODULE, Tree

# What HFS+ drops from names.
_IGNORED = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
# What NTFS drops from their ends, and where the name of a stream begins.
_GIT = re.compile(r"\.git|git~1", re.IGNORECASE)
_CONTROL = re.compile("[\x00-\x1f\x7f]")


def is_git(name: str) -> bool:
    """Whether a file system takes a name, without slashes, for `.git`."""
    for part in name.split("\\"):
        plain = _IGNORED.sub("", part).partition(":")[0].rstrip(" .")
        if _GIT.fullmatch(plain):
            return True
    return False


def dangerous(tree: Tree, paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Those of `paths` with a dangerous name, each with the reason as a clause."""
    spelled = _spellings(tree)
    for path in paths:
        parts = path.split("/")
        if any(is_git(part) for part in parts):
            yield path, "is `.git` on some systems"
        elif "\\" in path:
            yield path, "names another folder on Windows"
        elif _CONTROL.search(path):
            yield path, "has control characters in its name"
        elif other := _other_spelling(parts, spelled):
            yield path, f"is the same as {other} on some systems"


def _spellings(tree: Tree) -> dict[str, set[str]]:
    """The spellings of each link and submodule of `tree`, by what they are on systems that don't tell case apart."""
    special = {path for path, entry in tree.entries.items() if entry.mode in (LINK, SUBMODULE)}
    found: dict[str, set[str]] = {_folded(path): set() for path in special}
    if found:
        for path in tree.entries:
            for place in _places(path.split("/")):
                if (known := found.get(_folded(place))) is not None:
                    known.add(place)
    return found


def _other_spelling(parts: list[str], spelled: dict[str, set[str]]) -> str:
    for place in _places(parts):
        others = spelled.get(_folded(place), set()) - {place}
        if others:
            return min(others)
    return ""


def _places(parts: list[str]) -> Iterator[str]:
    """The path and all folders above it."""
    return ("/".join(parts[:length]) for length in range(1, len(parts) + 1))


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", _IGNORED.sub("", path).casefold())
