"""Notices when the agent learns nothing new: step after step, only answers that it has had before."""

from __future__ import annotations

from ci_agent.agent.repetition import digest

_NUDGE = 8  # steps in a row
_END = 16


class Novelty:
    """Remembers every answer of a conversation, as a digest."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()
        self._fresh = True
        self.stale = 0  # steps in a row without anything new

    def add(self, name: str, result: str) -> None:
        """Take in the answer of one call, in the step that goes on."""
        answer = digest(name, result)
        self._fresh = self._fresh or answer not in self._seen
        self._seen.add(answer)

    def next_step(self) -> None:
        """All calls of the last step have their answers."""
        self.stale = 0 if self._fresh else self.stale + 1
        self._fresh = False

    @property
    def warn(self) -> bool:
        return self.stale == _NUDGE

    @property
    def stuck(self) -> bool:
        return self.stale >= _END
