"""Caches of package managers and compilers that belong to the session, not to the machine.

What a command puts into a cache is used by who comes later: the next job on this machine, or the harness's own
tests. So commands write to caches below a folder of the session's, which are laid out with what the machine's own
ones hold, to be read. Nothing of this asks a network.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ci_agent.sandbox.credentials import USERINFO
from ci_agent.sandbox.farm import farm, link_folders
from ci_agent.sandbox.paths import entries, there
from ci_agent.sandbox.settings import copied


@dataclass(frozen=True, slots=True)
class Caches:
    """Private caches in `folder`: the variables that lead programs to them, the places of the machine's own ones that they link
    to and that must be readable, what was left out of people's settings, in sentences, and what a HOME must lead to."""

    folder: Path
    environment: Mapping[str, str]
    readable: tuple[Path, ...]
    left_out: tuple[str, ...]
    links: Mapping[str, Path]

    def link_into(self, home: Path) -> None:
        """Put the links into a HOME that leads there."""
        for name, place in self.links.items():
            if not (home / name).is_symlink():
                (home / name).symlink_to(place)


def used_by(paths: Iterable[str]) -> set[str]:
    """Which programs with a cache a repository with these files uses."""
    names = {path.rpartition("/")[2] for path in paths}
    return {program for program, signs in _SIGNS.items() if not names.isdisjoint(signs)}


def private_caches(folder: Path, source: Mapping[str, str], used: Collection[str]) -> Caches:
    """Make private caches in `folder`, out of what `source`, the real environment, leads to. Those of the programs
    in `used` hold what the machine's have, as far as it is cheap; the others are empty."""
    layout = _Layout(folder.absolute(), source)
    for program, lay_out in _LAYOUTS.items():
        lay_out(layout, program in used)
    made = {name: str(path) for name, path in layout.private.items()}
    return Caches(
        folder=layout.folder,
        environment=made | layout.environment,
        readable=tuple(layout.readable),
        left_out=tuple(filter(None, layout.left_out)),
        links=layout.links,
    )


@dataclass(slots=True)
class _Layout:
    """What is being made in `folder`."""

    folder: Path
    source: Mapping[str, str]
    private: dict[str, Path] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    readable: list[Path] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    links: dict[str, Path] = field(default_factory=dict)

    def make(self, variable: str, name: str) -> Path:
        """A private folder that `variable` leads to."""
        place = self.private[variable] = self.folder / name
        place.mkdir(parents=True, exist_ok=True)
        return place

    def real(self, variable: str, *below: str) -> Path:
        """Where the machine's own is: as `variable` says, else the first of these below the home that is there."""
        if self.source.get(variable):
            return Path(self.source[variable])
        places = [self.home / name for name in below]
        return next((place for place in places if there(place)), places[0])

    @property
    def home(self) -> Path:
        return Path(self.source.get("HOME") or Path.home())

    def share(self, real: Path, private: Path, small: int | None = None) -> None:
        """A farm of `real` in `private`."""
        if there(real):
            farm(real, private) if small is None else farm(real, private, small)
            self.readable.append(real)

    def settings(self, real: Path, copy: Path) -> bool:
        """A copy of settings without credentials; whether there is one."""
        self.left_out.append(copied(real, copy))
        return there(copy)

    def settings_at(self, variable: str, name: str, *below: str) -> None:
        """The same for settings that `variable` leads to."""
        if self.settings(self.real(variable, *below), self.folder / "settings" / name):
            self.private[variable] = self.folder / "settings" / name


def _pip(layout: _Layout, used: bool) -> None:
    private = layout.make("PIP_CACHE_DIR", "pip")
    layout.settings_at("PIP_CONFIG_FILE", "pip.conf", ".config/pip/pip.conf", ".pip/pip.conf")
    _user_packages(layout)
    if used:
        real = layout.real("PIP_CACHE_DIR", ".cache/pip")
        for name in ("http-v2", "http", "wheels"):
            layout.share(real / name, private / name)


def _user_packages(layout: _Layout) -> None:
    """`pip install --user` writes to a private place, which shows what is in the real one by a .pth file (see the
    documentation of Python's `site`)."""
    private = layout.make("PYTHONUSERBASE", "python")
    for site in layout.real("PYTHONUSERBASE", ".local").glob("lib/python3*/site-packages"):
        place = private / site.relative_to(site.parents[2])
        place.mkdir(parents=True, exist_ok=True)
        (place / "of-this-machine.pth").write_text(f"{site}\n", encoding="utf-8")
        layout.readable.append(site)


def _uv(layout: _Layout, used: bool) -> None:
    del used  # its cache is many small files that refer to each other
    layout.make("UV_CACHE_DIR", "uv")
    layout.settings_at("UV_CONFIG_FILE", "uv.toml", ".config/uv/uv.toml")


def _npm(layout: _Layout, used: bool) -> None:
    private = layout.make("NPM_CONFIG_CACHE", "npm")
    layout.make("YARN_CACHE_FOLDER", "yarn")
    layout.make("npm_config_store_dir", "pnpm")
    layout.settings_at("NPM_CONFIG_USERCONFIG", "npmrc", ".npmrc")
    if used:
        real = layout.real("NPM_CONFIG_CACHE", ".npm") / "_cacache"
        layout.share(real / "content-v2", private / "_cacache" / "content-v2")
        layout.share(real / "index-v5", private / "_cacache" / "index-v5", small=1_000_000)  # is appended to


def _cargo(layout: _Layout, used: bool) -> None:
    private, real = layout.make("CARGO_HOME", "cargo"), layout.real("CARGO_HOME", ".cargo")
    name = "config.toml" if there(real / "config.toml") else "config"
    layout.settings(real / name, private / "config.toml")
    if used:
        for registry in entries(real / "registry" / "index"):
            if not there(Path(registry.path, ".git")):  # an index that is fetched into, as before Cargo 1.70
                layout.share(Path(registry.path), private / "registry" / "index" / registry.name)
        layout.share(real / "registry" / "cache", private / "registry" / "cache")
        link_folders(real / "registry" / "src", private / "registry" / "src", depth=2)
        layout.readable.append(real / "registry" / "src")


def _go(layout: _Layout, used: bool) -> None:
    layout.make("GOPATH", "go")
    layout.make("GOMODCACHE", "go/pkg/mod")
    build = layout.make("GOCACHE", "go-build")
    layout.settings_at("GOENV", "go.env", ".config/go/env")
    if not used:
        return
    asked = _asked_of_go(layout)
    flags = asked.get("GOFLAGS", "")
    layout.environment["GOFLAGS"] = f"{flags} -modcacherw".strip()  # folders that can be deleted again
    fetched = Path(asked.get("GOMODCACHE") or layout.home / "go" / "pkg" / "mod") / "cache" / "download"
    if there(fetched):
        behind = USERINFO.sub("", asked.get("GOPROXY", ""))
        layout.environment["GOPROXY"] = ",".join(filter(None, [fetched.absolute().as_uri(), behind]))
        layout.readable.append(fetched)
    layout.share(Path(asked.get("GOCACHE") or layout.home / ".cache" / "go-build"), build)


def _asked_of_go(layout: _Layout) -> dict[str, str]:
    """What Go says of its own settings, which come from variables, from a file and from Go itself."""
    program = shutil.which("go", path=layout.source.get("PATH"))
    if program is None:
        return {}
    asking = {
        name: value for name, value in layout.source.items() if name in ("PATH", "HOME") or name[:2] == "GO"
    }
    words = [program, "env", "-json", "GOFLAGS", "GOPROXY", "GOMODCACHE", "GOCACHE"]
    try:
        said = subprocess.run(
            words,
            env=asking | {"GOTOOLCHAIN": "local"},
            cwd=layout.folder,
            capture_output=True,
            timeout=10,
            check=True,
        )
        return dict(json.loads(said.stdout))
    except (OSError, subprocess.SubprocessError, ValueError):
        return {}


def _maven(layout: _Layout, used: bool) -> None:
    """No variable says where Maven looks for its things; it is the home."""
    private, real = layout.folder / "maven", layout.home / ".m2"
    private.mkdir(parents=True, exist_ok=True)
    layout.links[".m2"] = private
    for name in ("settings.xml", "toolchains.xml"):
        layout.settings(real / name, private / name)
    if used:
        layout.share(real / "repository", private / "repository")


def _gradle(layout: _Layout, used: bool) -> None:
    private, real = layout.make("GRADLE_USER_HOME", "gradle"), layout.real("GRADLE_USER_HOME", ".gradle")
    scripts = [real / "init.gradle", *real.glob("init.d/*.gradle"), *real.glob("init.d/*.gradle.kts")]
    for path in (real / "gradle.properties", *scripts):
        layout.settings(path, private / path.relative_to(real))
    if used:
        if there(real / "caches" / "modules-2"):  # Gradle's own way, from 6.1
            layout.environment["GRADLE_RO_DEP_CACHE"] = str(real / "caches")
            layout.readable.append(real / "caches" / "modules-2")
        link_folders(real / "wrapper" / "dists", private / "wrapper" / "dists", depth=3)
        layout.readable.append(real / "wrapper" / "dists")


def _nuget(layout: _Layout, used: bool) -> None:
    layout.make("NUGET_PACKAGES", "nuget")
    real = layout.real("NUGET_PACKAGES", ".nuget/packages")
    if used and there(real):
        layout.environment["NUGET_FALLBACK_PACKAGES"] = str(real)
        layout.readable.append(real)


_LAYOUTS: Mapping[str, Callable[[_Layout, bool], None]] = {
    "pip": _pip,
    "uv": _uv,
    "npm": _npm,
    "cargo": _cargo,
    "go": _go,
    "maven": _maven,
    "gradle": _gradle,
    "nuget": _nuget,
}

# Files by which a repository shows what it uses.
_SIGNS: Mapping[str, Collection[str]] = {
    "pip": (
        "pyproject.toml",
        "setup.py",
        "setup.cfg",
        "requirements.txt",
        "tox.ini",
        "noxfile.py",
        "Pipfile",
    ),
    "npm": ("package.json",),
    "cargo": ("Cargo.toml",),
    "go": ("go.mod",),
    "maven": ("pom.xml",),
    "gradle": ("build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts"),
    "nuget": ("global.json", "Directory.Build.props", "NuGet.Config", "nuget.config", "packages.config"),
}
