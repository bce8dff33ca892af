"""Which strings of a configuration nobody may see."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from ci_agent.config.definitions import SETTINGS, Config

SHORTEST = 6  # characters; what is shorter stands in too many harmless words

_USER = re.compile(r"https?://([^\s/@:]*)(?::([^\s/@]*))?@", re.IGNORECASE)


def secrets(config: Config) -> tuple[str, ...]:
    """The keys and tokens, and the passwords in addresses that other settings hold, such as a package index in the
    set-up command; the longest first, so that replacing one leaves no half of another."""
    found = {secret for setting in SETTINGS for secret in _of(_value(config, setting.key), setting.secret)}
    return tuple(sorted((one for one in found if len(one) >= SHORTEST), key=len, reverse=True))


def _value(config: Config, key: str) -> Any:
    value: Any = config
    for word in key.split("."):
        value = getattr(value, word)
    return value


def _of(value: Any, secret: bool) -> Iterator[str]:
    if not isinstance(value, str):
        return
    if secret:
        yield value.strip()
    for user, password in _USER.findall(value):
        kept = password or user  # a token may stand in the place of the user
        yield from (kept, unquote(kept))
