"""Where the programs on PATH really are: toolchains, virtual environments and what they link to.

A folder of programs is read for its links and first lines; the folders beside it (`lib`, `share`, …) belong to the
same installation, but not to a home or a repository that only has a `bin` in it.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from ci_agent.sandbox.credentials import holds_credentials
from ci_agent.sandbox.environment import TOOLCHAINS
from ci_agent.sandbox.paths import entries, real, there

# Variables whose value is an installation.
_INSTALLED = (
    *TOOLCHAINS,
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "JAVA_HOME",
    "GOROOT",
    "DOTNET_ROOT",
    "ANDROID_HOME",
)
_FOLDERS = ("LD_LIBRARY_PATH", "PKG_CONFIG_PATH")  # variables whose value is a list of folders
_FILES = (
    *(
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "NODE_EXTRA_CA_CERTS",
        "PIP_CERT",
    ),
    *("GIT_SSL_CAINFO", "CARGO_HTTP_CAINFO"),
)

_PROGRAMS = ("bin", "sbin")  # names of folders beside which the rest of an installation lies
_BESIDE = (
    *(
        "bin",
        "sbin",
        "lib",
        "lib32",
        "lib64",
        "libexec",
        "include",
        "share",
        "etc",
        "opt",
        "Cellar",
        "conf",
        "boot",
    ),
    *("jre", "jmods", "pkg", "src"),
)
_WHOLE = (
    "pyvenv.cfg",
    "conda-meta",
    "release",
    "go.env",
)  # files that only installations have: Python's, Java's, Go's

# Settings that may lie within an installation, with passwords in them.
_SETTINGS = (
    "etc/npmrc",
    "versions/node/*/etc/npmrc",
    "pip.conf",
    ".condarc",
    "condarc.d/*",
    "etc/pip.conf",
    ".npmrc",
)

# Everybody's, and nobody's installation.
_SHARED = {
    Path("/", name)
    for name in ("", "home", "root", "tmp", "var", "var/tmp", "run", "etc", "mnt", "media", "srv", "dev")
}

# What system folders link to mostly.
_SYSTEM = ("/usr/", "/bin/", "/sbin/", "/lib", "/etc/alternatives/")

_MOST = 10_000  # programs of a folder that are looked at
_FIRST_LINE = 256  # bytes of it that the kernel reads, binfmt_script(5)


class Toolchains:
    """The search. `home` is the real one; what holds one of `closed` is nobody's installation."""

    def __init__(self, home: Path, closed: Collection[Path]) -> None:
        self._home = home
        self._above = {above for path in (home, *closed) for above in (path, *path.parents)} | _SHARED
        self._found: set[Path] = set()
        self._seen: set[Path] = set()

    def of(self, environment: Mapping[str, str]) -> set[Path]:
        """Files and folders that commands with this environment need to read to use what is on their PATH."""
        for name in (*_INSTALLED, *_FOLDERS, *_FILES):
            for place in _split(environment.get(name, "")):
                self._add(real(place))
        for link in environment.get("PIP_FIND_LINKS", "").split():  # folders, and addresses
            if link.startswith("/"):
                self._add(real(Path(link)))
        for folder in _split(environment.get("PATH", "")):
            self._programs(folder)
        self._follow(Path("/etc/alternatives"))
        return self._found

    def _add(self, path: Path) -> None:
        if path not in self._above and there(path):
            self._found.add(path)

    def _programs(self, folder: Path) -> None:
        """A folder of programs, with its installation and that of each program in it which is elsewhere."""
        folder = real(folder)
        if folder in self._seen or not there(folder):
            return
        self._seen.add(folder)
        self._installation(folder)
        self._follow(folder)

    def _follow(self, folder: Path) -> None:
        for target in map(real, _leads_to(folder)):
            if target.parent.name in _PROGRAMS:
                self._programs(target.parent)
            elif self._found.isdisjoint(target.parents):
                self._add(target)

    def _installation(self, programs: Path) -> None:
        self._add(programs)
        prefix = programs.parent
        if programs.name in (".bin", "shims"):  # node_modules/.bin; of pyenv, rbenv, asdf and mise
            self._add(prefix)
        if programs.name not in _PROGRAMS or prefix in self._above or there(prefix / ".git"):
            return
        if any(there(prefix / name) for name in _WHOLE):
            self._add(prefix)
            self._base_of(prefix)
        elif prefix == self._home / ".local":  # in whose `share` programs keep what people entrust them with
            self._add(prefix / "lib")
        elif prefix != self._home / "go":  # Go's programs need nothing else, and `src` is a person's work
            for name in _BESIDE:
                self._add(real(prefix / name))

    def _base_of(self, virtual: Path) -> None:
        """The interpreter that a virtual environment is made of: `home` in its pyvenv.cfg, see PEP 405."""
        try:
            lines = (virtual / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return
        for key, _, value in (line.partition("=") for line in lines):
            if key.strip() == "home" and value.strip():
                self._programs(Path(value.strip()))


def settings_with_credentials(roots: Collection[Path]) -> Iterator[Path]:
    """The files within these installations that hold a password."""
    for root in roots:
        for pattern in _SETTINGS:
            yield from (path for path in root.glob(pattern) if holds_credentials(path))


def _leads_to(folder: Path) -> Iterator[Path]:
    """What is needed of elsewhere to start the programs of a folder: what they link to, and their interpreters."""
    system = f"{folder}/".startswith(_SYSTEM)
    for entry in entries(folder)[:_MOST]:
        if entry.is_symlink():
            target = str(Path(entry.path).readlink())
            if not (system and (target.startswith(_SYSTEM) or "/" not in target)):
                yield Path(entry.path)
        elif not system and entry.is_file():
            yield from _interpreter(Path(entry.path))


def _interpreter(script: Path) -> Iterator[Path]:
    """The program in a script's first line, where that is none of the system's."""
    try:
        with script.open("rb") as file:
            line = file.read(_FIRST_LINE).split(b"\n", 1)[0]
    except OSError:
        return
    words = line.removeprefix(b"#!").split()
    if line.startswith(b"#!/") and words and not os.fsdecode(words[0]).startswith(_SYSTEM):
        yield Path(os.fsdecode(words[0]))


def _split(value: str) -> Sequence[Path]:
    return [Path(part) for part in value.split(os.pathsep) if part.startswith("/")]
