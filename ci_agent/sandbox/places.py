"""What of this machine a command may read, and what it may write: the list that confinement enforces.

Everything that is not named is closed. So this is a list of what development needs, and it is made of what is
there: the system without what only root may read, the toolchains that PATH leads to, what the settings add. It
reads folders and settings, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ci_agent.sandbox import system
from ci_agent.sandbox.paths import entries, real, there
from ci_agent.sandbox.toolchains import Toolchains, settings_with_credentials


@dataclass(frozen=True, slots=True)
class Places:
    """Files, and folders with everything below them, absolute and without links. What is writable can be read.

    `missing` are those of the settings' that are not there, as they are written in the settings.
    """

    readable: tuple[Path, ...]
    writable: tuple[Path, ...]
    missing: tuple[str, ...] = ()

    def adding(self, readable: Iterable[Path] = (), writable: Iterable[Path] = ()) -> Places:
        """These and others, such as those of one checkout. What is not there is left out."""
        return replace(
            self,
            readable=_tidy([*self.readable, *_there(readable)]),
            writable=_tidy([*self.writable, *_there(writable)]),
        )


def machine_places(
    environment: Mapping[str, str],
    source: Mapping[str, str],
    readable: Sequence[str] = (),
    writable: Sequence[str] = (),
    closed: Collection[Path] = (),
) -> Places:
    """The places of this machine for commands with `environment`, which was built out of `source`.

    `readable` and `writable` are those of the settings, with `~/` for the home of `source`. `closed` are folders of
    the harness's and the person's own (the session's, the checkout the work comes from): no installation is
    guessed to be one of them or above.
    """
    home = real(Path(source.get("HOME") or Path.home()))
    to_read, missing_to_read = _named(readable, home)
    to_write, missing_to_write = _named(writable, home)
    toolchains = Toolchains(home, [real(path) for path in closed]).of(environment)
    shut = {*system.closed(), *settings_with_credentials(toolchains)}
    spread = [part for path in _there({*system.readable(), *toolchains}) for part in _without(path, shut)]
    return Places(
        readable=_tidy([*spread, *to_read]),
        writable=_tidy([*_there(system.devices()), *to_write]),
        missing=tuple(dict.fromkeys([*missing_to_read, *missing_to_write])),
    )


def _named(names: Sequence[str], home: Path) -> tuple[list[Path], list[str]]:
    """The places that the settings name, and the names of which there are none."""
    places = {name: home / name[2:] if name.startswith("~/") else Path(name) for name in names}
    return _there(places.values()), [name for name, path in places.items() if not there(path)]


def _there(paths: Iterable[Path]) -> list[Path]:
    return [real(path) for path in paths if there(path)]


def _without(path: Path, shut: Collection[Path]) -> list[Path]:
    """`path`, or where it holds something that is shut, what else is in it."""
    if path in shut:
        return []
    if not any(other.is_relative_to(path) for other in shut):
        return [path]
    inside = (Path(entry.path) for entry in entries(path) if not entry.is_symlink())
    return [part for child in inside for part in _without(child, shut)]


def _tidy(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Sorted, without what lies below another one."""
    every = set(paths)
    return tuple(sorted(path for path in every if every.isdisjoint(path.parents)))
