"""What is written bit by bit into a log or onto a terminal: each bit passes the guard with those before it."""

from __future__ import annotations

import io
from typing import TextIO

from ci_agent.guard.guard import Guard

_BEFORE = 4_096  # characters that are kept of what was written; no form of a secret is that long


class Flow:
    """Texts of one `channel`, one after the other."""

    def __init__(self, guard: Guard, channel: str) -> None:
        self._guard = guard
        self._channel = channel
        self._before = ""

    def cleared(self, text: str) -> str:
        """`text`, or else that it was withheld: it holds a secret, or it completes one that began before."""
        found = self._guard.found(self._before + text)
        if not found:
            self._before = (self._before + text)[-_BEFORE:]
            return text
        self._before = ""
        self._guard.stopped(self._channel, found)
        values = " and ".join(sorted(map(str, found)))
        end = "\n" if text.endswith("\n") else ""
        return self._guard.masked(f"(withheld here: the value of {values})") + end


class GuardedStream(io.TextIOBase):
    """A text stream into `stream`, which stays open; what is written to it passes the guard."""

    def __init__(self, stream: TextIO, guard: Guard, channel: str) -> None:
        self._stream = stream
        self._flow = Flow(guard, channel)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    def write(self, text: str) -> int:
        self._stream.write(self._flow.cleared(text))
        return len(text)

    def flush(self) -> None:
        self._stream.flush()
