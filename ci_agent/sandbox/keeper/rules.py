"""The Landlock rules of the next command, as far as they can be made before it is there."""

from __future__ import annotations

import os

from ci_agent.sandbox.keeper.messages import Request
from ci_agent.sandbox.kernel import landlock


class Rules:
    """Rules for the system's own places, of which there are many and which no command moves, are made while nothing else is
    to be done: a fifth of what a command costs."""

    def __init__(self) -> None:
        self._places: list[str] = []
        self._spare: int | None = None

    def of(self, request: Request, output: int) -> int:
        """A descriptor of all rules of a command that writes to `output`. Raises `OSError`."""
        if self._spare is None or self._places != request.system:
            self._make(request.system)
        rules, self._spare = self._spare, None
        assert rules is not None  # noqa: S101 - it has just been made
        said = f"/proc/self/fd/{output}"  # what `> /dev/stdout` opens once more
        try:
            landlock.allow(rules, request.readable, [*request.writable, said])
        except BaseException:
            os.close(rules)
            raise
        return rules

    def prepare(self) -> None:
        """Make some for the next command. To be called when there is time."""
        if self._places and self._spare is None:
            self._make(self._places)

    def _make(self, places: list[str]) -> None:
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None
        self._spare = landlock.ruleset(places, ())
        self._places = places
