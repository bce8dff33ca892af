"""GitLab's variables of the type *file*: their values lie in files that everybody may read, beside the checkout.

For the variable NAME the runner writes `$CI_PROJECT_DIR.tmp/NAME` and puts this path into NAME (gitlab-runner,
shells/bash.go, `Variable`). It does so anew for each part of a job, `after_script` too, so that what is taken away here
is missing only in what the same script runs after us.
"""

from __future__ import annotations

import shutil
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

# The runner's own: certificates of the server, which the configuration that it writes for git names.
_OF_THE_RUNNER = frozenset({"CI_SERVER_TLS_CA_FILE", "CI_SERVER_TLS_CERT_FILE", "CI_SERVER_TLS_KEY_FILE"})
# Certificates that everybody may know; clients look for them where these say.
_CERTIFICATES = frozenset(
    {
        *("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "PIP_CERT"),
        *("GIT_SSL_CAINFO", "CARGO_HTTP_CAINFO"),
    }
)


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What became of the files."""

    removed: tuple[str, ...] = ()  # names of variables
    left: tuple[str, ...] = ()  # names of those whose files could not be taken away
    readable: tuple[Path, ...] = ()  # files that stay for commands
    changed: Mapping[str, str] = field(default_factory=dict, repr=False)  # variables with their new values


def withdraw(environment: Mapping[str, str], wanted: Collection[str], private: Path) -> Withdrawn:
    """Take away the files of variables that nobody needs from here on.

    Those of the variables in `wanted` and the certificates stay, but nobody else may write to them. Those that our own
    git needs, because one of its variables names them, are moved into the folder `private`, which is made. Nothing but
    a file of exactly that place and name is touched, and no link.
    """
    removed: list[str] = []
    left: list[str] = []
    readable: list[Path] = []
    changed: dict[str, str] = {}
    for name, place in _files(environment).items():
        if name in _OF_THE_RUNNER:
            continue
        users = [
            other
            for other, value in environment.items()
            if other.startswith("GIT_") and _names(value, name, place)
        ]
        try:
            if name in wanted or name in _CERTIFICATES:
                place.chmod(stat.S_IMODE(place.stat().st_mode) & ~0o022)
                readable.append(place)
            elif users:
                new = _moved(place, private)
                for other in users:
                    value = changed.get(other, environment[other])
                    changed[other] = value.replace(str(place), str(new))
                changed[name] = str(new)
            else:
                place.unlink()
                removed.append(name)
        except OSError:
            left.append(name)
    return Withdrawn(tuple(removed), tuple(left), tuple(readable), changed)


def _files(environment: Mapping[str, str]) -> dict[str, Path]:
    project = environment.get("CI_PROJECT_DIR", "")
    if not project:
        return {}
    named = {name: Path(value) for name, value in environment.items() if value == f"{project}.tmp/{name}"}
    return {name: place for name, place in named.items() if place.is_file() and not place.is_symlink()}


def _names(value: str, name: str, place: Path) -> bool:
    return any(form in value for form in (str(place), f"${name}", f"${{{name}}}"))


def _moved(place: Path, private: Path) -> Path:
    private.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = private / place.name
    shutil.move(place, new)
    new.chmod(0o600)  # ssh takes no key that others may read
    return new
