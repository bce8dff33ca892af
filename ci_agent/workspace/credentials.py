"""What a CI leaves in its own checkout to get in with, taken out before anything else runs.

actions/checkout writes a header with the token into `.git/config` (to v5), or into a file beside it that is included
(from v6), and a key for SSH (src/git-auth-helper.ts); GitLab's runner writes the token into the remote's address, or
names a helper that knows it (shells/abstract.go). All of that goes for submodules as well. Our own fetches and
pushes bring their token along, see `remote`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from ci_agent.workspace.git import git

_OPENING = re.compile(
    r"http\.(.*\.)?extraheader|credential\..*|core\.(sshcommand|askpass)|include\.path|includeif\..*\.path|url\..*@.*",
    re.DOTALL,
)
_ADDRESS = re.compile(r"(remote|submodule)\..*\.(url|pushurl)", re.DOTALL)
_LOGIN = re.compile(r"^(https?://)[^/]*@", re.IGNORECASE)
# As actions/checkout names them; both lie in the runner's folder for temporary files.
_FILE = re.compile(r"git-credentials-[0-9a-f-]+\.config")
_KEY = re.compile(r"""-i "?([^"\s]+)""")


def remove_credentials(checkout: Path, temporary: Path | None) -> tuple[str, ...]:
    """Take them out of the configuration of `checkout` and of its submodules, with the files that it names for them in
    `temporary`, the runner's folder for such. Gives the kinds of settings that were there, without values.

    Raises `GitError` or `OSError` where something of it can't be read or written.
    """
    files = _configurations(_git_dir(checkout))
    return tuple(dict.fromkeys(kind for file in files for kind in _cleaned(file, temporary)))


def _git_dir(checkout: Path) -> Path:
    """The common git directory (gitrepository-layout). Git itself would not look into a checkout of another user, as CIs
    with containers make them."""
    place = checkout / ".git"
    if place.is_file():
        place = checkout / place.read_text("utf-8").removeprefix("gitdir:").strip()
    common = place / "commondir"
    return place / common.read_text("utf-8").strip() if common.is_file() else place


def _configurations(git_dir: Path) -> Iterator[Path]:
    """The configuration files of a repository, its worktrees and its submodules; links are left alone."""
    for folder, folders, files in os.walk(git_dir):
        if "HEAD" in files:
            folders[:] = [name for name in folders if name in ("modules", "worktrees")]
            places = (Path(folder, name) for name in ("config", "config.worktree") if name in files)
            yield from (place for place in places if not place.is_symlink())


def _cleaned(file: Path, temporary: Path | None) -> Iterator[str]:
    """Clean one configuration file. Gives the kinds of settings that went or changed."""
    for key, values in _entries(file).items():
        bare = [_LOGIN.sub(r"\1", value) for value in values] if _ADDRESS.fullmatch(key) else values
        if bare == values and not _OPENING.fullmatch(key):
            continue
        git("config", "--file", file, "--unset-all", key)
        for value in bare if bare != values else []:
            git("config", "--file", file, "--add", key, value)
        for named in _files(key, values, temporary):
            named.unlink()
        yield f"{key.partition('.')[0]}.{key.rpartition('.')[2]}"


def _entries(file: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    listing = git("config", "--file", file, "--no-includes", "--list", "-z")
    for entry in listing.split(b"\0"):
        key, _, value = os.fsdecode(entry).partition("\n")
        if key:
            found.setdefault(key, []).append(value)
    return found


def _files(key: str, values: list[str], temporary: Path | None) -> Iterator[Path]:
    """The files in `temporary` that a setting names: included ones, or the key of an SSH command."""
    names: set[str] = set()
    for value in values:
        if key == "core.sshcommand":
            names.update(Path(quoted).name for quoted in _KEY.findall(value))
        elif _FILE.fullmatch(Path(value).name):
            names.add(Path(value).name)
    places = [temporary / name for name in names if name] if temporary else []
    yield from (place for place in places if place.is_file() and not place.is_symlink())
