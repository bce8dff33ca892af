"""Trees for tests of the rules: plain data, as git's are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha1
from typing import Any

from ci_agent.config.definitions import PolicySettings
from ci_agent.journal.events import PolicyFinding
from ci_agent.workspace.policy import Entry, judge
from ci_agent.workspace.policy.tree import LINK, SUBMODULE


@dataclass(frozen=True)
class Link:
    target: str


@dataclass(frozen=True)
class Submodule:
    sha: str


Files = Mapping[str, bytes | str | Link | Submodule]


@dataclass
class Plain:
    """A tree that was written down."""

    files: Files
    entries: dict[str, Entry] = field(init=False)

    def __post_init__(self) -> None:
        self.entries = {path: self._entry(path) for path in self.files}

    def contents(self, paths: Iterable[str]) -> dict[str, bytes]:
        return {path: self._bytes(path) for path in paths if self.entries[path].mode != SUBMODULE}

    def sizes(self, paths: Iterable[str]) -> dict[str, int]:
        return {path: len(content) for path, content in self.contents(paths).items()}

    def _entry(self, path: str) -> Entry:
        file = self.files[path]
        if isinstance(file, Submodule):
            return Entry(SUBMODULE, file.sha)
        return Entry(LINK if isinstance(file, Link) else "100644", sha1(self._bytes(path)).hexdigest())

    def _bytes(self, path: str) -> bytes:
        file = self.files[path]
        if isinstance(file, bytes):
            return file
        assert not isinstance(file, Submodule)
        return (file.target if isinstance(file, Link) else file).encode("utf-8", "surrogateescape")


def judged(
    base: Files, change: Files, *, gone: Iterable[str] = (), **settings: Any
) -> tuple[PolicyFinding, ...]:
    """The findings on `base` with `change` laid over it, without the files `gone`."""
    result = {path: file for path, file in {**base, **change}.items() if path not in set(gone)}
    return judge(Plain(base), Plain(result), PolicySettings(**settings))


def broken(base: Files, change: Files, **more: Any) -> dict[str, tuple[str, ...]]:
    """The files by the rule they break."""
    return {finding.rule.partition(".")[2]: finding.files for finding in judged(base, change, **more)}
