"""What an agent sent to its model over a session: how many tokens, and how much of it was said before."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

_COUNTING = Path(__file__).with_name("count_tokens.py")


@dataclass(frozen=True, slots=True)
class Prefix:
    """How much of a request is word for word the beginning of the next one, in percent. `compactions` is how many
    requests were shorter than the one before: there an agent shortened its context, so they are not counted."""

    least: float
    median: float
    compactions: int


def tokens(requests: Sequence[bytes], python: Path) -> int:
    """Tokens of all requests together, as `cl100k_base` counts them, by the tiktoken that `python` has."""
    parts = [part for request in requests for part in _parts(request)]
    different = list(dict.fromkeys(parts))
    words = [str(python), str(_COUNTING)]
    answer = subprocess.run(words, input=json.dumps(different).encode(), check=True, stdout=subprocess.PIPE)
    counts: dict[str, int] = dict(zip(different, json.loads(answer.stdout), strict=True))
    return sum(counts[part] for part in parts)


def prefix(requests: Sequence[bytes]) -> Prefix:
    """How stable the beginning of the requests is, which is what a provider's cache lives by."""
    texts = [_parts(request) for request in requests]
    pairs = [(before, after) for before, after in pairwise(texts) if _length(after) > _length(before)]
    shares = sorted(100 * _common(before, after) / _length(before) for before, after in pairs)
    return Prefix(shares[0], shares[len(shares) // 2], len(texts) - 1 - len(pairs))


def _parts(request: bytes) -> list[str]:
    """The text that a model reads, in its order: tools, then each message. What JSON adds around a message's text is
    left out, since providers take it off again; tools and arguments are JSON for the model too."""
    body = json.loads(request)
    return [*map(_json, body.get("tools", ())), *map(_message, body["messages"])]


def _message(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    text = content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
    calls = [
        f"{one['function']['name']} {one['function']['arguments']}" for one in message.get("tool_calls") or ()
    ]
    return "\n".join([message["role"], text, *calls])


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _length(parts: Sequence[str]) -> int:
    return sum(map(len, parts))


def _common(before: Sequence[str], after: Sequence[str]) -> int:
    """Characters that both begin with."""
    common = 0
    for one, other in zip(before, after, strict=False):
        if one != other:
            places = enumerate(zip(one, other, strict=False))
            return common + next((place for place, (a, b) in places if a != b), min(len(one), len(other)))
        common += len(one)
    return common
