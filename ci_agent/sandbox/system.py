"""The parts of this machine that commands may read: what belongs to the system, and to nobody in particular.

Ownership is no protection from commands that run as the same user, and root keeps the right to its own files
without any capability. So what not every user may read is left out here, one file at a time.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from ci_agent.sandbox.credentials import holds_credentials
from ci_agent.sandbox.paths import entries

# What of the devices a command may write to, too. No disks, no kernel log, no `fuse`, no `kvm`.
_DEVICES = ("null", "zero", "full", "urandom", "random", "tty", "ptmx", "shm")

# Whole: programs and libraries, and what the kernel says about the machine. `/nix` and `/gnu` are the stores of
# two distributions, in which everything else is a link to there.
_WHOLE = (
    *(
        "/usr",
        "/bin",
        "/sbin",
        "/lib",
        "/lib32",
        "/lib64",
        "/libx32",
        "/nix/store",
        "/gnu/store",
        "/proc",
        "/sys",
    ),
)

# Of /var and /run, which hold everybody's data, and the tokens of containers:
_DATA = (
    *("/var/lib/dpkg", "/var/lib/rpm", "/var/lib/pacman"),  # which packages there are
    *("/var/lib/gems", "/var/lib/ghc", "/var/lib/texmf"),  # libraries that distributions keep there
    *("/var/lib/ca-certificates", "/var/lib/ca-certificates-java"),  # certificates that /etc links to
    "/var/cache/fontconfig",  # without it each start of a browser looks at all fonts
    *(
        "/run/systemd/resolve/resolv.conf",
        "/run/systemd/resolve/stub-resolv.conf",
    ),  # what /etc/resolv.conf links to
    "/run/current-system/sw",  # NixOS: the programs
)

# Of /sys, where root can watch every process of the machine; mostly there is nothing in them.
_WATCHING = ("/sys/kernel/debug", "/sys/kernel/tracing", "/sys/kernel/security")

# Settings for all users that some people put passwords into, and that every user may read.
_SETTINGS = (
    *("pip.conf", "xdg/pip/pip.conf", "uv/uv.toml", "npmrc", "gitconfig", "wgetrc", "curlrc", "environment"),
    *("maven/settings.xml", "apt/apt.conf", "apt/sources.list", "apt/sources.list.d/*", "yum.repos.d/*"),
    *("profile.d/*", "docker/daemon.json", "mavenrc", "gradle/*"),
)

# By which the folder of a CI runner is known, which holds the runner's own keys: GitHub's and Gitea's, Azure's,
# GitLab's, Buildkite's.
_RUNNER = (".runner", ".credentials", ".agent", ".gitlab-runner", "gitlab-runner", "buildkite-agent.cfg")

_OPTIONAL_DEPTH = (
    2  # folders of /opt that are looked into; below are the hundred thousand files of tool caches
)


def readable() -> Iterator[Path]:
    """Files and folders of the system that commands may read."""
    yield from map(Path, (*_WHOLE, *_DATA))
    yield from public(Path("/etc"), closed=_with_credentials(Path("/etc")))
    yield from public(Path("/opt"), depth=_OPTIONAL_DEPTH)


def closed() -> Iterator[Path]:
    """What stays closed within `readable()`: root's own in the folders that are given whole."""
    yield from (path for path in map(Path, _WATCHING) if entries(path))
    yield from _private_below(Path("/usr/local/etc"))
    yield from _with_credentials(Path("/usr/local/etc"))
    yield from _with_credentials(Path("/usr/etc"))


def devices() -> Iterator[Path]:
    """Devices that commands may read and write."""
    yield from (Path("/dev", name) for name in _DEVICES)
    # Who may open this folder may open each terminal in it, and read what a person types there.
    if not any(entry.name.isdigit() for entry in entries(Path("/dev/pts"))):
        yield Path("/dev/pts")


def public(folder: Path, closed: Iterable[Path] = (), depth: int | None = None) -> list[Path]:
    """The fewest paths that hold what every user may read in `folder`, without `closed` and what runners keep.

    What we may not read ourselves may lie below them. Links are left out: what they lead to is judged where it is.
    Below `depth` everything counts as public.
    """
    parts, whole = _public(folder, frozenset(closed), depth)
    return [folder] if whole else parts


def _public(folder: Path, closed: frozenset[Path], depth: int | None) -> tuple[list[Path], bool]:
    """What of the folder is public, and whether that is all of it."""
    inside = entries(folder)
    if _private(folder) or any(entry.name in _RUNNER for entry in inside):
        return [], False
    parts, whole = [], True
    for entry in inside:
        path = Path(entry.path)
        if entry.is_symlink():
            continue
        if path in closed or _private(path):
            whole = False
        elif entry.is_dir() and depth != 0:
            within, all_of_it = _public(path, closed, None if depth is None else depth - 1)
            parts.extend([path] if all_of_it else within)
            whole &= all_of_it
        else:
            parts.append(path)
    return parts, whole


def _private_below(folder: Path) -> Iterator[Path]:
    for entry in entries(folder):
        path = Path(entry.path)
        if entry.is_symlink():
            continue
        if _private(path):
            yield path
        elif entry.is_dir():
            yield from _private_below(path)


def _with_credentials(folder: Path) -> list[Path]:
    found = (path for pattern in _SETTINGS for path in folder.glob(pattern))
    return [path for path in found if holds_credentials(path)]


def _private(path: Path) -> bool:
    """Whether we may read it and not every user may. What we may not read, commands can't either: they have our
    rights, or fewer."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return True
    wanted = stat.S_IROTH | stat.S_IXOTH if stat.S_ISDIR(mode) else stat.S_IROTH
    return mode & wanted != wanted and os.access(path, os.R_OK)
