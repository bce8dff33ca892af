"""Keeps the progress comment on the issue up to date, without wearing anyone out.

It decides when to publish, and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ci_agent.errors import CiAgentError
from ci_agent.journal import Event
from ci_agent.journal.events import (
    CommandStarted,
    CommentWritten,
    Moment,
    QuestionAsked,
    SessionEnded,
    StatusChanged,
)
from ci_agent.reporting.progress import progress_comment

GAP = 10.0  # seconds between two edits: GitHub allows 80 writes a minute for everything, people read slower
EDITS = 60  # per session: GitHub keeps every version of a comment, and allows 500 writes an hour
PURPOSE = "progress"  # of the comments in the journal that are ours
PATIENCE = 3  # failures in a row; one 502 must not cost the final word


class CommentObserver:
    """Publishes the comment: at once when the status changes or something long begins, else at most every
    `GAP` seconds.

    `publish` writes the text and raises of the family `CiAgentError`, `events` gives the journal so far,
    `render` makes the text of it, `now` is a clock in seconds that never goes back. After `EDITS` edits only
    the final word is published. A failure is tried again with the next event; the `PATIENCE`th in a row, and
    one of the final word, is raised, so that the journal records it.
    """

    name = "progress comment"

    def __init__(
        self,
        publish: Callable[[str], None],
        events: Callable[[], Sequence[Event]],
        *,
        render: Callable[[Sequence[Event]], str] = progress_comment,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._events = events
        self._render = render
        self._publish = publish
        self._now = now
        self._edits = sum(_is_edit(event) for event in events())
        self._failures = 0
        self._last = -GAP + now()
        self._text = ""
        self._ended = False
        self._busy = False

    def observe(self, event: Event) -> None:
        """See whether `event` is worth an edit, and make it."""
        if isinstance(event.fact, SessionEnded):
            self._ended = True
        # Publishing is itself written to the journal, so this is called again from within.
        if self._busy or isinstance(event.fact, CommentWritten) or not self._due(event):
            return
        self._busy = True
        try:
            self._edit()
        finally:
            self._busy = False

    def _due(self, event: Event) -> bool:
        if self._ended:
            return True
        if self._edits >= EDITS:
            return False
        return _is_pressing(event) or self._now() - self._last >= GAP

    def _edit(self) -> None:
        text = self._render(self._events())
        if text == self._text:
            return
        self._last = self._now()
        self._edits += 1
        try:
            self._publish(text)
        except CiAgentError:
            self._failures += 1
            if self._ended or self._failures >= PATIENCE:
                raise
        else:
            self._failures = 0
            self._text = text


def _is_pressing(event: Event) -> bool:
    """Whether people should know at once. While a set-up or all the tests run, no other event comes for long;
    tests that the model asks for are too many for that."""
    fact = event.fact
    if isinstance(fact, CommandStarted):
        return fact.purpose != f"tests {Moment.ASKED}"
    return isinstance(fact, StatusChanged | QuestionAsked)


def _is_edit(event: Event) -> bool:
    return isinstance(event.fact, CommentWritten) and event.fact.purpose == PURPOSE
