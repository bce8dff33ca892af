"""Which values of a job nobody may see: those of the configuration, and those of the environment it was started with.

A variable counts by its name. So does the content of the file that a variable leads to: GitLab keeps variables of the
type *file* in `$CI_PROJECT_DIR.tmp/NAME` (gitlab-org/gitlab-runner, shells/abstract.go), others call theirs
`…_FILE`. Of what has several lines, each line that could be secret counts by itself, and long ones in pieces: a piece
of a private key is bad enough.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from ci_agent.config import SETTINGS, Config
from ci_agent.config.secrets import KEY, in_address, of_setting
from ci_agent.guard.forms import Secret

_WORDS = frozenset(
    [
        "AUTH",
        "COOKIE",
        "CREDS",
        "DSN",
        "JWT",
        "KEY",
        "KEYS",
        "PASS",
        "PAT",
        "PASSPHRASE",
        "PRIVATE",
        "PW",
        "PWD",
        "SIGNATURE",
    ]
)  # between underscores
_PARTS = ("TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "APIKEY")  # anywhere
# The last word of what only tells about a secret.
_ABOUT = frozenset(
    [
        "ALGORITHM",
        "AUDIENCE",
        "EXPIRES",
        "EXPIRY",
        "HOST",
        "ISSUER",
        "LENGTH",
        "NAME",
        "REALM",
        "REGION",
        "SCOPE",
        "SERVER",
        "SERVICE",
        "SIZE",
        "TTL",
        "TYPE",
        "USER",
        "USERNAME",
        "VERSION",
    ]
)
_HARMLESS = frozenset(
    (
        "CI_RUNNER_SHORT_TOKEN",  # GitLab writes it into each log
        "CI_TRIGGER_SHORT_TOKEN",
        "CI_SERVER_TLS_CA_FILE",
        "CI_SERVER_TLS_CERT_FILE",
        "GPG_KEY",  # of the release managers, in images of Python and PHP
        "GPG_KEYS",
        "OLDPWD",
        "PWD",
        "TRIGGER_PAYLOAD",  # the webhook's
    )
)
_WEAK = re.compile(r"[a-z]+(?:[-_ .:/][a-z]+)*")  # words: the key of a cache, a kind of authentication

_PIECE: Final = 64  # characters
_LARGEST: Final = 65_536  # bytes of a value or file
_TOKEN = re.compile(r"[A-Za-z0-9+/=_~.-]{20,}")
_NAMED = re.compile(
    r"(?:token|key|secret|passw(?:or)?d|credential)\w*[\"']?\s*[:= ]\s*[\"']?([^\s\"',]{8,})", re.IGNORECASE
)
_OPENSSH = "b3BlbnNzaC1rZXkt"  # how each of these keys begins


def of_environment(environment: Mapping[str, str]) -> Iterator[Secret]:
    """The secrets of the variables in `environment`, and of the files that they lead to."""
    for name, value in environment.items():
        for secret in in_address(value):
            yield Secret(f"a password in {name}", secret)
        if name in _HARMLESS:
            continue
        content = _file(name, value)
        if content is not None:
            yield from _parts(name, content, keyed=_tells(name))
        elif _tells(name) and not _is_harmless(name, value):
            yield from _parts(name, value, keyed=True)


def of_config(config: Config) -> Iterator[Secret]:
    """The secrets of a configuration, by the names of the variables that they mostly come from."""
    for setting in SETTINGS:
        name = (
            (setting.environment or setting.variables)[0]
            if setting.secret
            else f"a password in {setting.key}"
        )
        for value in of_setting(config, setting):
            yield from _pieces(name, value)


def _tells(name: str) -> bool:
    """Whether what is called `name` is secret."""
    words = name.upper().split("_")
    if words[-1] in _ABOUT or "PUBLIC" in words or "PUBKEY" in words:
        return False
    return not _WORDS.isdisjoint(words) or any(part in name.upper() for part in _PARTS)


def _is_harmless(name: str, value: str) -> bool:
    """Whether `value` is none, although `name` says so: a path, an address, words."""
    value = value.strip()
    if len(value) < KEY or re.match(r"[a-zA-Z][\w+.-]*://", value):
        return True
    if value.startswith(("/", "~/", "./", "../")) and (
        "." in value or Path(value).expanduser().parent.is_dir()
    ):
        return True
    strong = any(part in name.upper() for part in _PARTS)
    return not strong and _WEAK.fullmatch(value) is not None


def _file(name: str, value: str) -> str | None:
    """The content of the file variable `name`; None: it is none."""
    if not value.startswith("/") or len(value) > os.pathconf("/", "PC_PATH_MAX"):
        return None
    ours = value.endswith(f".tmp/{name}")
    if not (ours or (_tells(name.removesuffix("_FILE").removesuffix("_PATH")))):
        return None
    with contextlib.suppress(OSError, ValueError):
        path = Path(value)
        if stat.S_ISREG(path.stat().st_mode):
            with path.open("rb") as file:
                return file.read(_LARGEST).decode("utf-8", "replace")
    return None


def _parts(name: str, value: str, *, keyed: bool) -> Iterator[Secret]:
    value = value.strip()[:_LARGEST]
    if "\n" not in value and not value.startswith(("{", "[")):
        if keyed and len(value) >= KEY:
            yield from _pieces(name, value)
        return
    found = dict.fromkeys([*_TOKEN.findall(value), *_NAMED.findall(value), *in_address(value)])
    for token in found:
        if _could_be_secret(token):
            yield from _pieces(name, token)


def _could_be_secret(token: str) -> bool:
    mixed = any(one.isdigit() for one in token) and any(one.isalpha() for one in token)
    return mixed and not token.startswith((_OPENSSH, "-----", "//"))


def _pieces(name: str, value: str) -> Iterator[Secret]:
    for start in range(0, len(value), _PIECE):
        piece = value[start : start + _PIECE]
        if start == 0 or len(piece) >= _PIECE // 2:
            yield Secret(name, piece)
