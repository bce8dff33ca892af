"""The environment commands get: built from a list of names, never inherited.

A secret of the job reaches a command only when somebody put its name into `sandbox.env`. This module reads
what it is given and the names of folders below the real home; it changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path


def build(
    source: Mapping[str, str],
    home: Path,
    temporary: Path,
    extra: Sequence[str] = (),
    ceiling: Path | None = None,
) -> dict[str, str]:
    """The environment of a command, out of the one in `source`.

    `home` and `temporary` become HOME and TMPDIR, `ceiling` GIT_CEILING_DIRECTORIES: from below it, git finds
    no repository that is in it or above. Names in `extra` are taken over as they are and win over everything
    else.
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
    if ceiling is not None:
        environment["GIT_CEILING_DIRECTORIES"] = str(ceiling)
    return environment | {name: source[name] for name in extra if name in source}


def _toolchains(source: Mapping[str, str]) -> dict[str, str]:
    """Where toolchains live: as `source` says, else where they are below the home it names."""
    found = {}
    for name, places in _TOOLCHAINS.items():
        below = [Path(source["HOME"], place) for place in places] if "HOME" in source else []
        standing = [str(place) for place in below if place.exists()]
        if name in source:
            found[name] = source[name]
        elif standing:
            found[name] = standing[0]
    return found


_PATH = "/usr/local/bin:/usr/bin:/bin"  # where `source` has none

_PASSED = frozenset(
    {
        *("PATH", "LANG", "LANGUAGE", "TZ", "USER", "LOGNAME", "LD_LIBRARY_PATH", "PKG_CONFIG_PATH"),
        *("VIRTUAL_ENV", "CONDA_PREFIX", "JAVA_HOME", "GOROOT", "GOMODCACHE", "DOTNET_ROOT", "ANDROID_HOME"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"),
        *("PIP_CERT", "GIT_SSL_CAINFO", "CARGO_HTTP_CAINFO"),
    }
)

# Addresses of proxies and package indexes, in upper case. They are passed unless they hold credentials.
_ADDRESSES = frozenset(
    {
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY", "NO_PROXY"),
        *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "UV_INDEX_URL", "UV_DEFAULT_INDEX"),
        *("GOPROXY", "GOSUMDB", "NPM_CONFIG_REGISTRY"),
    }
)

# Variable: the places below the home that its program uses when it is not set, in the program's own order.
_TOOLCHAINS: Mapping[str, Sequence[str]] = {
    "CARGO_HOME": (".cargo",),
    "RUSTUP_HOME": (".rustup",),
    "GOPATH": ("go",),
    "GOCACHE": (".cache/go-build",),
    "PYENV_ROOT": (".pyenv",),
    "PYTHONUSERBASE": (".local",),
    "PIP_CONFIG_FILE": (".config/pip/pip.conf", ".pip/pip.conf"),
    "PIP_CACHE_DIR": (".cache/pip",),
    "UV_CACHE_DIR": (".cache/uv",),
    "NVM_DIR": (".nvm",),
    "NPM_CONFIG_USERCONFIG": (".npmrc",),
    "NPM_CONFIG_CACHE": (".npm",),
    "GRADLE_USER_HOME": (".gradle",),
    "RBENV_ROOT": (".rbenv",),
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
