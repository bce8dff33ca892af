"""Rules that single settings have beyond their type. Each takes a value and where it comes from, and gives
what is wanted instead, or "" when all is well."""

from __future__ import annotations

import ipaddress
import re
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from ci_agent.config.settings import Check, Source


def branch_name(value: str, source: Source) -> str:
    """A name that git takes for a branch (the rules of `git check-ref-format`)."""
    del source
    parts = value.split("/")
    fits = (
        not re.search(r"[\s\x00-\x1f~^:?*\[\\\x7f]|\.\.|@\{", value)
        and not value.startswith("-")
        and not value.endswith(".")
        and value not in ("@", "HEAD")
        and all(part and not part.startswith(".") and not part.endswith(".lock") for part in parts)
    )
    return "" if fits else "a branch name that git accepts is wanted, such as `main` or `feature/words`"


def branch_of_issue(value: str, source: Source) -> str:
    """A branch name in which `{issue}` stands for the number; on the command line it may be left out."""
    if source is not Source.FLAG and "{issue}" not in value:
        return "a name with `{issue}` in it is wanted, or all issues would share one branch"
    filled = value.replace("{issue}", "1")
    if "{" in filled or "}" in filled:
        return "`{issue}` is the only thing that is filled in"
    return branch_name(filled, source)


def address(value: str, source: Source) -> str:
    """An http(s) address that carries no password."""
    del source
    try:
        parts = urlsplit(value)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and not re.search(r"\s", value)
        parts.port  # noqa: B018 - reading it is what checks it
    except ValueError:
        fits = False
    if not fits:
        return "an address is wanted, such as `https://host.example/v1`"
    if "@" in parts.netloc:
        return "an address without user and password is wanted; the key goes into `LLM_API_KEY`"
    return ""


def inside(value: str, source: Source) -> str:
    """A path or pattern that stays in the repository."""
    del source
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts:
        return "a relative path without `..` is wanted"
    return ""


def header_value(value: str, source: Source) -> str:
    """What can be sent in the header of a request."""
    del source
    return "" if re.fullmatch(r"[!-~]+", value) else "only letters, digits and signs of ASCII are in a key"


_LONG = 32  # characters


def long_key(value: str, source: Source) -> str:
    """A key that can't be guessed, by its length."""
    del source
    return "" if len(value.strip()) >= _LONG else f"at least {_LONG} characters are wanted"


def variable_names(value: tuple[str, ...], source: Source) -> str:
    """Names an environment variable can have."""
    del source
    wrong = [name for name in value if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name)]
    return f"{wrong[0]!r} is not the name of an environment variable" if wrong else ""


_HOST = re.compile(
    r"(\*\.)?([a-z0-9_]([a-z0-9_-]*[a-z0-9])?\.)*[a-z0-9_]([a-z0-9_-]*[a-z0-9])?", re.IGNORECASE
)
_LONGEST_HOST = 253  # characters, RFC 1035, section 2.3.4


def hosts(value: tuple[str, ...], source: Source) -> str:
    """Names of hosts, `*.` in front for all names below one."""
    del source
    wrong = [name for name in value if not _is_host(name)]
    wanted = "is not the name of a host, such as `files.example.org` or `*.example.org`"
    return f"{wrong[0]!r} {wanted}" if wrong else ""


_PORTS = range(1, 65_536)


def services(value: tuple[str, ...], source: Source) -> str:
    """Names of hosts with a port each."""
    del source
    wrong = [name for name in value if not _is_service(name)]
    return f"{wrong[0]!r} is not a host with a port, such as `postgres:5432`" if wrong else ""


def _is_service(name: str) -> bool:
    host, _, port = name.rpartition(":")
    named = _is_host(host) and "*" not in host
    return (named or _is_address(host)) and port.isdecimal() and port.isascii() and int(port) in _PORTS


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return ":" not in name


def _is_host(name: str) -> bool:
    last = name.rpartition(".")[2]
    number = re.fullmatch(r"[0-9]+|0x[0-9a-f]*", last, re.IGNORECASE)  # an address, to the resolver
    return bool(_HOST.fullmatch(name)) and len(name) <= _LONGEST_HOST and not number


def places(value: tuple[str, ...], source: Source) -> str:
    """Absolute paths, or paths below the home folder."""
    del source
    wrong = [path for path in value if not path.startswith(("/", "~/")) or ".." in path.split("/")]
    wanted = "is not an absolute path, or one that begins with `~/`, without `..`"
    return f"{wrong[0]!r} {wanted}" if wrong else ""


def one_of(*words: str) -> Check:
    """One of these words."""

    def check(value: str, source: Source) -> str:
        del source
        named = ", ".join(f"`{word}`" for word in words[:-1])
        return "" if value in words else f"{named} or `{words[-1]}` is wanted"

    return check


def prices(value: tuple[str, ...], source: Source) -> str:
    """Lines of a name and three prices."""
    del source
    wrong = [line for line in value if not re.fullmatch(r"\S+(\s+\d{1,7}(\.\d{1,6})?){3}", line)]
    return f"{wrong[0]!r} is not a name with three prices: input, cached input, output" if wrong else ""


def label(value: str, source: Source) -> str:
    """A name that both platforms take for a label: GitLab splits lists of labels at commas."""
    del source
    fits = value == value.strip() and value and "," not in value and len(value) <= 50  # noqa: PLR2004 - GitHub's limit
    return "" if fits else "a label of at most 50 characters without commas is wanted"


def login(value: str, source: Source) -> str:
    """The name of an account, `[bot]` of GitHub's apps included."""
    del source
    fits = re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(\[bot\])?", value)
    return "" if fits else "the name of an account without `@` is wanted, such as `shop-bot`"


def numbers(value: tuple[str, ...], source: Source) -> str:
    """Numeric ids."""
    del source
    wrong = [word for word in value if not word.isdecimal()]
    return f"{wrong[0]!r} is no numeric id" if wrong else ""


def person_name(value: str, source: Source) -> str:
    """What can stand before the address in a git identity."""
    del source
    return "a name without `<` and `>` is wanted" if re.search(r"[<>]", value) else ""


def mail(value: str, source: Source) -> str:
    """What can stand between the angle brackets of a git identity."""
    del source
    return "" if re.fullmatch(r"[^\s<>@]+@[^\s<>@]+", value) else "a mail address is wanted"
