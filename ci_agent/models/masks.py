"""What nobody may read in a text that an endpoint wrote: the key, and the secrets in the endpoint's address."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import unquote, urlsplit

from ci_agent.guard import MASK, REMOVED

# Endpoints without keys are given words like "x" or "test", found in every text. An error without them can
# still be read; a reply would become another one.
SHORTEST_SECRET = 4  # characters, to be masked in errors
SHORTEST_KEY = 8  # characters, one of them a digit, to be masked in replies

Mask = Callable[[str], str]  # takes the secrets out of a text


def masks(key: str, address: str) -> tuple[Mask, Mask]:
    """The mask for errors and the mask for replies."""
    secrets = _secrets(key, address)
    return (
        _mask([secret for secret in secrets if len(secret) >= SHORTEST_SECRET], MASK),
        _mask([secret for secret in secrets if _is_unmistakable(secret)], REMOVED),
    )


def _secrets(key: str, address: str) -> list[str]:
    """The key, and what else in the address nobody may read, longest first: its password and its query."""
    parts = urlsplit(address)
    pairs = [pair.partition("=") for pair in parts.query.split("&")]
    written = [parts.password or "", *(value for name, _, value in pairs if name != "api-version")]
    return sorted({key, *written, *map(unquote, written)}, key=len, reverse=True)


def _is_unmistakable(secret: str) -> bool:
    return len(secret) >= SHORTEST_KEY and any(letter.isdigit() for letter in secret)


def _mask(secrets: Sequence[str], instead: str) -> Mask:
    def mask(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, instead)
        return text

    return mask
