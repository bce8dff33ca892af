"""Small documents that name the digests of other files, signed with a key: HMAC-SHA256 (RFC 2104). Pure.

The purpose of a document is signed along, so that one that was signed for another purpose with the same key does not
count. A purpose is one line, with the version of the format in it: `ci-agent bundle 1`.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Annotated, Final, TypeVar

import msgspec

SHORTEST: Final = (
    16  # characters of a secret; of the tokens in use, older ones of GitLab are the shortest, with 20
)
_DERIVING: Final = "ci-agent key"

D = TypeVar("D", bound=msgspec.Struct)


class UnsignedError(ValueError):
    """A document is not signed with this key for this purpose, or was changed since."""


class MalformedError(ValueError):
    """A document is not what was to be read; the message says where."""


class WeakSecretError(ValueError):
    """A secret is too short to make a key of it; the message is a sentence."""


class Digest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of one file that a document names."""

    size: Annotated[int, msgspec.Meta(ge=0)]  # bytes
    sha256: str

    @classmethod
    def of(cls, content: bytes) -> Digest:
        """That of `content`."""
        return cls(len(content), hashlib.sha256(content).hexdigest())


def signed(document: msgspec.Struct, key: bytes, purpose: str) -> tuple[bytes, bytes]:
    """`document` as it is written, JSON for people, and the file beside it with its signature, in hexadecimal."""
    content = msgspec.json.format(msgspec.json.encode(document)) + b"\n"
    return content, _signature(content, key, purpose)


def checked(content: bytes, signature: bytes, key: bytes, purpose: str, kind: type[D]) -> D:
    """The document in `content`. Nothing of it is read before `signature` is the one that `key` makes of it.

    Raises `UnsignedError` where it is not, and `MalformedError` where what was signed is no `kind`.
    """
    if not hmac.compare_digest(_signature(content, key, purpose), signature):
        raise UnsignedError("it is not signed with this key for this purpose, or was changed since")
    return stated(content, kind)


def stated(content: bytes, kind: type[D]) -> D:
    """The document in `content`, whoever wrote it. Raises `MalformedError` where it is no `kind`."""
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(str(error)) from error


def derived(secret: str, purpose: str) -> bytes:
    """A key of 32 bytes for `purpose`, made of a secret that is there for something else, and which can't be had from it.

    Raises `WeakSecretError` for fewer than `SHORTEST` characters: whoever can read a document and its signature could try
    all secrets of that length on a machine of their own.
    """
    if len(secret.strip()) < SHORTEST:
        raise WeakSecretError(
            f"a secret of fewer than {SHORTEST} characters could be guessed from what it signs; use a longer one"
        )
    return hmac.digest(secret.encode("utf-8", "surrogatepass"), f"{_DERIVING}\n{purpose}".encode(), "sha256")


def _signature(content: bytes, key: bytes, purpose: str) -> bytes:
    if "\n" in purpose or purpose == _DERIVING:  # else two purposes could sign the same bytes
        raise ValueError(f"{purpose!r} can't be the purpose of a signature")
    return hmac.digest(key, f"{purpose}\n".encode() + content, "sha256").hex().encode() + b"\n"
