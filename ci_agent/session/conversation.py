"""What the model at work saw, as a file of a checkpoint, so that a later job goes on with it. Pure.

Of what a model said, what only its own API understands is in it as well: with the same model nothing is lost, and what was
sent before is sent again byte for byte, so that the provider's cache may still serve it.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from ci_agent.errors import CheckpointError
from ci_agent.guard import Guard
from ci_agent.journal.journal import with_texts
from ci_agent.models import Message

MOST: Final = 8_000_000  # bytes, compressed: a conversation of a million tokens has about 1.5 MB
INFLATED: Final = 64_000_000
_LEVEL: Final = 6
_ROLES: Final = frozenset({"system", "user", "assistant", "tool"})


class Conversation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model saw, oldest first."""

    model: str  # its name
    messages: tuple[dict[str, Any], ...]
    events: int  # that the journal had: the model was told what people said until then


def written(conversation: Conversation, guard: Guard) -> bytes:
    """Its JSON, in which nothing is left that `guard` knows. Empty: it can't be written down, and is begun anew."""
    try:
        plain = _json(conversation)
        if guard.found(plain):
            plain = _json(_with_texts(conversation, guard.masked_for_journal))
    except RecursionError:  # a model may nest what it wants
        return b""
    return plain


def packed(plain: bytes) -> bytes:
    """It compressed; empty where it would be larger than a checkpoint has room for."""
    if not plain or len(plain) > INFLATED:
        return b""
    content = gzip.compress(plain, _LEVEL, mtime=0)
    return content if len(content) <= MOST else b""


def unpacked(content: bytes) -> Conversation:
    """The conversation in `content`, whose signature holds. Unpacks no more than `INFLATED` bytes.

    Raises `CheckpointError` for what is none.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            plain = file.read(INFLATED + 1)
        found = msgspec.json.decode(plain[: INFLATED + 1], type=Conversation)
    except (OSError, EOFError, zlib.error, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise CheckpointError(f"its conversation can't be read: {error}") from error
    if len(plain) > INFLATED or not _whole(found.messages) or found.events < 1:
        raise CheckpointError("its conversation is none")
    return found


def _whole(messages: Sequence[Message]) -> bool:
    return len(messages) > 1 and all(message.get("role") in _ROLES for message in messages)


def _json(conversation: Conversation) -> bytes:
    try:
        return msgspec.json.encode(conversation)
    except UnicodeEncodeError:  # half a surrogate pair, which is none of UTF-8's
        return msgspec.json.encode(_with_texts(conversation, _encodable, keys=True))


def _with_texts(
    conversation: Conversation, change: Callable[[str], str], *, keys: bool = False
) -> Conversation:
    messages = with_texts(conversation.messages, change, keys=keys)
    return msgspec.structs.replace(conversation, messages=tuple(messages))


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
