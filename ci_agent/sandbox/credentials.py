"""Which files of package managers hold credentials.

Only a look at text: nothing is decoded or asked. What is not text of a sensible size counts as holding none.
"""

from __future__ import annotations

import re
from pathlib import Path

_SIZE = 1_000_000  # bytes; settings are smaller, and databases are nobody's settings

# `https://user:password@host`, and `https://token@host`: RFC 3986, 3.2.1.
USERINFO = re.compile(r"(?<=://)[^/\s\"'<>@]+@")

# `//host/:_authToken=…`, `password = …`, `"token": …`, `<password>…`: the name stands at the end of a key.
KEY = re.compile(
    r"""(?ix) (?: _auth | token | passw(?:or)?d | passphrase | secret | (?:secret|api|private)[-_.]?key
        | user[-_]?name | credentials? ) ["']? \s* [=:>]"""
)

_XML_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


def holds_credentials(path: Path) -> bool:
    """Whether the file has a password, a token or an address with one in it. One that can't be read does."""
    try:
        if path.stat().st_size > _SIZE:
            return False
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True
    lines = _XML_COMMENT.sub("", text).splitlines()
    return any(USERINFO.search(line) or KEY.search(line) for line in lines if not _comment(line))


def _comment(line: str) -> bool:
    return line.lstrip().startswith(("#", ";", "!"))
