"""The forms in which a secret is looked for, each as the letters and digits that are left of it.

All that is no ASCII letter or digit counts for nothing, in the form as in the text: so a secret is found as well with
spaces, line ends, quotes, `" + "`, zero-width characters or anything like that between its characters, base64 and
base64url are the same, and hexadecimal is found whatever separates its digits.
"""

from __future__ import annotations

import base64
import string
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

KEPT: Final = (string.ascii_letters + string.digits).encode()
DROPPED: Final = bytes(set(range(256)) - set(KEPT))

# A value that is taken apart is looked for where its letters and digits can't stand in a text by chance: `not-needed`
# is what people write where an endpoint wants no key, and `postgres1` stands in `postgres 1`.
_UNMISTAKABLE = 12  # letters and digits, both of them
_LONG = 20  # letters or digits
_SHORTEST = 6  # letters and digits that are left of an encoded form

PLAIN: Final = "as text"


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that nobody may see. `name` is for people: `LLM_API_KEY`."""

    name: str
    value: str

    def __repr__(self) -> str:
        return f"Secret({self.name!r})"


@dataclass(frozen=True, slots=True)
class Needle:
    """One form of a secret. `bare`: `looked_for` holds letters and digits only, and the text is to be stripped to them
    as well; else it is looked for as it stands. `any_case`: so it is `looked_for`, in small letters."""

    secret: str
    form: str
    looked_for: bytes
    bare: bool = True
    any_case: bool = False


def bare(content: bytes) -> bytes:
    """The ASCII letters and digits of `content`."""
    return content.translate(None, DROPPED)


def needles(secret: Secret) -> Iterator[Needle]:
    """Everything to look for."""
    for form, written, any_case in _written(secret.value):
        stripped = bare(written)
        plain = form in (PLAIN, "reversed")
        if _unmistakable(stripped) if plain else len(stripped) >= _SHORTEST:
            yield Needle(secret.name, form, stripped.lower() if any_case else stripped, any_case=any_case)
        elif plain and written:
            yield Needle(secret.name, form, written, bare=False)


def _unmistakable(stripped: bytes) -> bool:
    mixed = not stripped.isalpha() and not stripped.isdigit()
    return len(stripped) >= _LONG or (mixed and len(stripped) >= _UNMISTAKABLE)


def _written(value: str) -> Iterator[tuple[str, bytes, bool]]:
    """Form, what it looks like, whether capital letters are the same as small ones."""
    for turned, text in (("", value), (", reversed", value[::-1])):
        data = _bytes(text)
        yield turned.removeprefix(", ") or PLAIN, data, False
        yield f"hexadecimal{turned}", data.hex().encode(), True
        yield f"character codes{turned}", " ".join(map(str, data)).encode(), False
        for encoded in _base64(data):
            yield f"base64{turned}", encoded, False
            yield f"base64{turned}, read backwards", encoded[::-1], False
    data = _bytes(value)
    yield "hexadecimal, read backwards", data.hex()[::-1].encode(), True
    for encoded in _base64(data):
        for twice in _base64(encoded):
            yield "base64 of base64", twice, False


def _base64(data: bytes) -> Iterator[bytes]:
    """What is the same of its base64, whatever stands around it: for each of the three places in a group of three
    bytes at which it can begin, without the characters that hold bits of its neighbours."""
    for before, shared in ((0, 0), (1, 2), (2, 3)):
        encoded = base64.b64encode(bytes(before) + data)
        yield encoded[shared : (before + len(data)) * 8 // 6]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
