"""Notices when the agent goes round in circles: the same calls with the same results."""

from __future__ import annotations

import hashlib
import re

_WARN_ROUNDS = 3
_STUCK_ROUNDS = 5
_PERIODS = (1, 2)  # A A A, and A B A B
# What differs between two runs of the same thing: durations, and the numbers of kept outputs.
_VARYING = re.compile(r"(?<!\d)\d++(?:\.\d++)?\s?(?:ms|s|seconds)\b|AGENT_OUTPUTS/\d++")
_LONGEST = 100_000  # characters of a text in which that is looked for; no tool answers more


def digest(*texts: str) -> bytes:
    """The same for texts that differ only in what differs between two runs of the same thing. Very long ones count
    as they stand."""
    text = "\0".join(one if len(one) > _LONGEST else _VARYING.sub("~", one) for one in texts)
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()


class Repetition:
    """Remembers the last calls with their results."""

    def __init__(self) -> None:
        self._seen: list[bytes] = []

    def add(self, name: str, arguments: str, result: str) -> None:
        self._seen.append(digest(name, arguments, result))
        del self._seen[: -_STUCK_ROUNDS * max(_PERIODS)]

    @property
    def rounds(self) -> int:
        """How often the last call, or pair of calls, came in a row with the same results."""
        return max(self._rounds(period) for period in _PERIODS)

    def _rounds(self, period: int) -> int:
        last = self._seen[-period:]
        count = 0
        while last and self._seen[len(self._seen) - (count + 1) * period :][:period] == last:
            count += 1
            if len(self._seen) < (count + 1) * period:
                break
        return count

    @property
    def warn(self) -> bool:
        return self.rounds == _WARN_ROUNDS

    @property
    def stuck(self) -> bool:
        return self.rounds >= _STUCK_ROUNDS
