"""What a rule may know of a tree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

LINK: Final = "120000"  # a symbolic link's mode in git's trees
SUBMODULE: Final = "160000"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, symbolic link or submodule of a tree."""

    mode: str  # as git writes it: `100644`
    sha: str  # of its content; of a submodule the commit


class Tree(Protocol):
    """A tree of git's. Paths are text as `os.fsdecode` makes it."""

    @property
    def entries(self) -> Mapping[str, Entry]:
        """All there is in it, by path."""
        ...

    def contents(self, paths: Iterable[str]) -> Mapping[str, bytes]:
        """What is in these files; of a symbolic link, where it leads."""
        ...

    def sizes(self, paths: Iterable[str]) -> Mapping[str, int]:
        """How large these files are, in bytes."""
        ...
