"""The environment commands get: built from a list of names, never inherited.

A secret of the job reaches a command only when somebody put its name into `sandbox.env`. This module reads
what it is given and the names of folders below the real home; it changes nothing.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from ci_agent.sandbox.paths import there


def build(
    source: Mapping[str, str],
    home: Path,
    temporary: Path,
    extra: Sequence[str] = (),
    ceiling: Path | None = None,
    caches: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The environment of a command, out of the one in `source`.

    `home` and `temporary` become HOME and TMPDIR, `ceiling` GIT_CEILING_DIRECTORIES: from below it, git finds
    no repository that is in it or above. `caches` are the variables of private ones. Names in `extra` are
    taken over as they are and win over everything else.
    """
    environment = {"PATH": _PATH, "LANG": "C.UTF-8"}
    environment |= {
        name: value for name, value in source.items() if name in _PASSED or name.startswith("LC_")
    }
    environment |= _toolchains(source)
    environment |= {
        name: value
        for name, value in source.items()
        if name.upper() in _ADDRESSES and "@" not in value  # user:password@host
    }
    environment |= _SETTINGS
    environment |= {"HOME": str(home), "TMPDIR": str(temporary)}
    if "JAVA_HOME" in source or shutil.which("java", path=environment["PATH"]):
        # Java takes the home from the list of users, and /tmp for granted. Each start of it prints this.
        environment["JAVA_TOOL_OPTIONS"] = shlex.join(
            [f"-Duser.home={home}", f"-Djava.io.tmpdir={temporary}"]
        )
    environment |= caches or {}
    if ceiling is not None:
        environment["GIT_CEILING_DIRECTORIES"] = str(ceiling)
    return environment | {name: source[name] for name in extra if name in source}


def activated(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The same, using the virtual environment in `folder` as its own `activate` script has it."""
    path = os.pathsep.join([str(folder / "bin"), environment["PATH"]])
    return {**environment, "PATH": path, "VIRTUAL_ENV": str(folder)}


def _toolchains(source: Mapping[str, str]) -> dict[str, str]:
    """Where toolchains live: as `source` says, else where they are below the home it names."""
    found = {}
    for name, places in TOOLCHAINS.items():
        below = [Path(source["HOME"], place) for place in places] if "HOME" in source else []
        standing = [str(place) for place in below if there(place)]
        if name in source:
            found[name] = source[name]
        elif standing:
            found[name] = standing[0]
    return found


_PATH = "/usr/local/bin:/usr/bin:/bin"  # where `source` has none

_PASSED = frozenset(
    {
        *("PATH", "LANG", "LANGUAGE", "TZ", "USER", "LOGNAME", "LD_LIBRARY_PATH", "PKG_CONFIG_PATH"),
        *("VIRTUAL_ENV", "CONDA_PREFIX", "JAVA_HOME", "GOROOT"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"),
        *("PIP_CERT", "GIT_SSL_CAINFO", "CARGO_HTTP_CAINFO"),
    }
)

PROXIES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY", "NO_PROXY"})  # in upper case

# Addresses of proxies and package indexes, in upper case. They are passed unless they hold credentials.
_ADDRESSES = frozenset(
    {
        *PROXIES,
        *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "UV_INDEX_URL", "UV_DEFAULT_INDEX"),
        *("GOPROXY", "GOSUMDB", "NPM_CONFIG_REGISTRY"),
    }
)

# Variable: the places below the home where its program looks for what is installed when it is not set, in the
# program's own order. Caches are no installations, see caches.py.
TOOLCHAINS: Mapping[str, Sequence[str]] = {
    "RUSTUP_HOME": (".rustup",),
    "PYENV_ROOT": (".pyenv",),
    "RBENV_ROOT": (".rbenv",),
    "NVM_DIR": (".nvm", ".config/nvm"),
    "VOLTA_HOME": (".volta",),
    "ASDF_DATA_DIR": (".asdf",),
    "MISE_DATA_DIR": (".local/share/mise",),
    "SDKMAN_DIR": (".sdkman",),
    "DOTNET_ROOT": (".dotnet",),
    "ANDROID_HOME": ("Android/Sdk",),
    "PLAYWRIGHT_BROWSERS_PATH": (".cache/ms-playwright",),
    "PUPPETEER_CACHE_DIR": (".cache/puppeteer",),
    "CYPRESS_CACHE_FOLDER": (".cache/Cypress",),
}

# Nobody answers questions, looks at colours or pages through anything.
_SETTINGS: Mapping[str, str] = {
    "CI": "1",
    "TERM": "dumb",
    "NO_COLOR": "1",
    "PAGER": "cat",
    "GIT_PAGER": "cat",
    "GIT_EDITOR": "true",
    "GIT_TERMINAL_PROMPT": "0",
    "DEBIAN_FRONTEND": "noninteractive",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_INPUT": "1",
    "NPM_CONFIG_UPDATE_NOTIFIER": "false",
    "NPM_CONFIG_FUND": "false",
    "TQDM_DISABLE": "1",
    "PYTHONUNBUFFERED": "1",
    # Compiled files are told apart by whole seconds and size. An agent edits and tests faster than that, and
    # would be shown the results of the text before its edit.
    "PYTHONDONTWRITEBYTECODE": "1",
}
