"""How each package manager says which registries it uses. An entry per program; no host stands here.

A question is answered by what the program prints, or by the hosts it then asks for: its default may be nowhere but
in the program, and an index may name other hosts for its files. Those run with a proxy that lets them through.
They fetch one small package that every registry of that kind has, and run nothing of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path


def urls(said: str) -> Iterator[str]:
    """All the addresses in a text."""
    yield from re.findall(r"https?://[^\s\"'<>(),|\\]+", said)


def _in_lines(pattern: str) -> Callable[[str], Iterator[str]]:
    """Reads the addresses in those lines that the pattern is found in."""
    return lambda said: urls("\n".join(line for line in said.splitlines() if re.search(pattern, line)))


def _nothing(said: str) -> Iterator[str]:
    del said
    yield from ()


def _nowhere(folder: Path, environment: Mapping[str, str]) -> None:
    del folder, environment


@dataclass(frozen=True, slots=True)
class Question:
    """A program to run: `words`, in a folder with these files, `environment` on top of the runner's.

    `read` finds addresses in what it prints; with `noted`, the hosts it asks for count as well. `prepare` gets
    the folder and the runner's environment before. `learned` names the source for people.
    """

    words: tuple[str, ...]
    learned: str
    read: Callable[[str], Iterator[str]] = _nothing
    noted: bool = False
    files: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[Path, Mapping[str, str]], None] = _nowhere


def _cargo_home(folder: Path, environment: Mapping[str, str]) -> None:
    """A home for cargo with the user's configuration but without what was downloaded before: it would not ask."""
    home = Path(environment.get("CARGO_HOME") or Path(environment.get("HOME", "/"), ".cargo"))
    (folder / "cargo").mkdir()
    for name in ("config.toml", "config", "credentials.toml", "credentials"):
        if (home / name).is_file():
            (folder / "cargo" / name).symlink_to((home / name).absolute())


def _go(said: str) -> Iterator[str]:
    """GOPROXY, a list, then GOSUMDB: `off`, a host, a host and its key, or these and an address (`go help environment`)."""
    proxies, _, database = said.partition("\n")
    yield from urls(proxies)
    words = database.split()
    if words and words[0] != "off":
        yield words[1] if len(words) > 1 else f"https://{words[0].partition('+')[0]}"


_CRATE = """\
[package]
name = "nothing"
version = "0.0.0"
edition = "2021"
[lib]
path = "lib.rs"
[dependencies]
cfg-if = "1"
"""

_POM = """\
<project>
  <modelVersion>4.0.0</modelVersion>
  <parent><groupId>ci.agent</groupId><artifactId>missing</artifactId><version>1</version><relativePath/></parent>
  <artifactId>nothing</artifactId>
</project>
"""

_GRADLE = """\
buildscript { repositories { gradlePluginPortal() } }
repositories { mavenCentral() }
(buildscript.repositories + repositories).each { println "repository ${it.url}" }
"""

_PIP_FETCH = (
    "download",
    "-q",
    "--retries=1",
    "--no-deps",
    "--no-cache-dir",
    "--only-binary=:all:",
    "-d",
    "fetched",
    "six",
)
_UV_FETCH = ("install", "-q", "--no-cache", "--no-deps", "--only-binary=:all:", "--target", "fetched", "six")

MANAGERS: Mapping[str, tuple[Question, ...]] = {
    "pip": (
        Question(
            ("pip", "config", "list"), "pip config", _in_lines(r"\.(index-url|extra-index-url|find-links)=")
        ),
        Question(("pip", *_PIP_FETCH), "pip asked for it", noted=True),
    ),
    "uv": (Question(("uv", "pip", *_UV_FETCH), "uv asked for it", noted=True),),
    "npm": (
        Question(("npm", "config", "list", "--json"), "npm config", _in_lines(r'^\s*"(@[^"]*:)?registry":')),
        Question(
            ("npm", "pack", "--silent", "--ignore-scripts", "--fetch-retries=0", "--cache=cache", "isarray"),
            "npm asked for it",
            noted=True,
        ),
    ),
    # Both may be Corepack's stand-ins, which fetch the program itself first.
    "yarn": (
        Question(("yarn", "config", "get", "registry"), "yarn config", urls, noted=True),
        Question(("yarn", "config", "get", "npmRegistryServer"), "yarn config", urls, noted=True),
    ),
    "pnpm": (Question(("pnpm", "config", "get", "registry"), "pnpm config", urls, noted=True),),
    "cargo": (
        Question(
            ("cargo", "-Z", "unstable-options", "config", "get"),
            "cargo config",
            _in_lines(r"\.(index|registry) = "),
            environment={"RUSTC_BOOTSTRAP": "1"},  # allows -Z
        ),
        Question(
            ("cargo", "fetch", "-q"),
            "cargo asked for it",
            noted=True,
            files={"Cargo.toml": _CRATE, "lib.rs": ""},
            environment={"CARGO_HOME": "cargo", "CARGO_NET_RETRY": "1"},
            prepare=_cargo_home,
        ),
    ),
    "go": (Question(("go", "env", "GOPROXY", "GOSUMDB"), "go env", _go),),
    # Offline it says which repositories it would have asked.
    "mvn": (
        Question(
            ("mvn", "-o", "-B", "-q", "validate"),
            "Maven's settings",
            _in_lines(r"Non-resolvable parent POM"),
            files={"pom.xml": _POM},
        ),
    ),
    "gradle": (
        Question(
            ("gradle", "--offline", "--no-daemon", "-q", "help"),
            "Gradle's repositories",
            _in_lines("^repository "),
            files={"build.gradle": _GRADLE, "settings.gradle": ""},
        ),
    ),
    "gem": (Question(("gem", "sources"), "gem sources", urls),),
    "bundle": (
        Question(
            ("bundle", "lock"),
            "Bundler asked for it",
            noted=True,
            files={"Gemfile": 'source Gem.sources.first.uri.to_s\ngem "rake"\n'},
            environment={"BUNDLE_USER_HOME": "bundle", "BUNDLE_RETRY": "1"},
        ),
    ),
    "composer": (
        Question(
            ("composer", "config", "--global", "--list"), "composer config", _in_lines(r"^\[repositories\.")
        ),
    ),
    "dotnet": (Question(("dotnet", "nuget", "list", "source", "--format", "short"), "dotnet nuget", urls),),
}

_PYTHON, _JAVASCRIPT = ("pip", "uv"), ("npm", "yarn", "pnpm")

# A file's name, and the managers that a project with such a file may use.
SIGNS: Mapping[str, Collection[str]] = {
    **dict.fromkeys(
        ("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "tox.ini", "Pipfile"), _PYTHON
    ),
    "package.json": _JAVASCRIPT,
    "Cargo.toml": ("cargo",),
    "go.mod": ("go",),
    "pom.xml": ("mvn",),
    **dict.fromkeys(
        ("build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts"), ("gradle",)
    ),
    "Gemfile": ("gem", "bundle"),
    "composer.json": ("composer",),
    **dict.fromkeys(("global.json", "nuget.config", "NuGet.Config", "Directory.Build.props"), ("dotnet",)),
}
