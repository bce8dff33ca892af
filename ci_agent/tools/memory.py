"""What a conversation holds already, so that nothing is paid for twice: text that was shown, words that were
explained, and the last hand-in.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ci_agent.journal.events import Submitted


@dataclass(frozen=True, slots=True)
class Shown:
    """What an answer shows of something that can be looked at again.

    `of` names it: a path, or whatever else tells it from all others. `lines` stand there from the one with
    number `first` on. `rest` is what the answer shows besides.
    """

    of: str
    first: int = 1
    lines: tuple[str, ...] = ()
    rest: str = ""

    def holds(self, other: Shown) -> bool:
        """Whether all of `other` stands in this one too."""
        start = other.first - self.first
        there = self.lines[start : start + len(other.lines)] if start >= 0 else None
        return self.of == other.of and there == other.lines and other.rest in {"", self.rest}


@dataclass(slots=True)
class Memory:
    """Of one conversation. Call `forget` when earlier answers were taken out of the model's context."""

    handed_in: Submitted | None = None
    _calls: int = 0
    _shown: dict[str, list[tuple[int, Shown]]] = field(default_factory=dict)  # with the number of the call
    _pointed: set[Shown] = field(default_factory=set)  # what the model was told to have seen
    _explained: set[str] = field(default_factory=set)

    def begin_call(self) -> None:
        """Count a call."""
        self._calls += 1

    def seen(self, shown: Shown) -> int:
        """How many calls ago the model was shown all of this; 0: it must be shown now.

        That it was seen is said once: asked for again after that, it is shown.
        """
        earlier = self._shown.setdefault(shown.of, [])
        call = next((call for call, window in reversed(earlier) if window.holds(shown)), None)
        if call is not None and shown not in self._pointed:
            self._pointed.add(shown)
            return self._calls - call
        self._pointed.discard(shown)
        earlier.append((self._calls, shown))
        return 0

    def first_time(self, word: str) -> bool:
        """Whether the model has not been told about `word` yet; from now on it has."""
        new = word not in self._explained
        self._explained.add(word)
        return new

    def forget(self) -> None:
        """The model no longer sees what it was shown and told. What it handed in stays."""
        self._shown.clear()
        self._pointed.clear()
        self._explained.clear()
