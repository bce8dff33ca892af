"""Which strings of a configuration nobody may see."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from ci_agent.config.definitions import SETTINGS, Config
from ci_agent.config.settings import Setting

# Shorter ones stand in too many harmless words; `ollama` is what people write where an endpoint needs no key.
KEY = 8  # characters of a key or token
PASSWORD = 6  # of a password in an address
ALONE = 16  # of what stands alone before the `@` of an address: a token there is longer than a name

_USER = re.compile(r"[a-z][a-z0-9+.-]*://([^\s'\"<>]*)@", re.IGNORECASE)
_PARAMETER = re.compile(
    r"[?&][\w.-]*(?:token|key|secret|pass|auth|sig)[\w.-]*=([^&#\s'\"<>]+)", re.IGNORECASE
)


def secrets(config: Config) -> tuple[str, ...]:
    """The keys and tokens, and the passwords in addresses that other settings hold, such as a package index in the
    set-up command; the longest first, so that replacing one leaves no half of another."""
    found = {secret for setting in SETTINGS for secret in of_setting(config, setting)}
    return tuple(sorted(found, key=lambda one: (-len(one), one)))


def of_setting(config: Config, setting: Setting) -> Iterator[str]:
    """The secrets in the value of one setting."""
    value = _value(config, setting.key)
    if not isinstance(value, str):
        return
    if setting.secret and len(value.strip()) >= KEY:
        yield value.strip()
    yield from in_address(value)


def in_address(text: str) -> Iterator[str]:
    """The passwords in the addresses in `text`."""
    for part in _USER.findall(text):
        yield from _written(_in_front(part))
    for part in _PARAMETER.findall(text):
        yield from _written(part if len(part) >= PASSWORD else "")


def _value(config: Config, key: str) -> Any:
    value: Any = config
    for word in key.split("."):
        value = getattr(value, word)
    return value


def _in_front(part: str) -> str:
    """What is secret of the part before an `@`: the password, with the user's name where it is too short to be looked
    for alone. Empty: nothing, as in `https://host:8080/@scope`."""
    user, colon, password = part.partition(":")
    if not colon:
        return part if len(part) >= ALONE and "/" not in part else ""
    if "/" in user or ("/" in password and password.partition("/")[0].isdecimal()):
        return ""
    return password if len(password) >= PASSWORD else part if len(part) >= PASSWORD else ""


def _written(part: str) -> Iterator[str]:
    """As it stands, and as it is meant."""
    if part:
        yield from (part, unquote(part))
