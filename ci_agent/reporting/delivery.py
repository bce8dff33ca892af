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
    ModelRetried,
    PlanUpdated,
    SessionEnded,
    SessionStarted,
    StatusChanged,
    ToolCalled,
)
from ci_agent.reporting.progress import progress_comment

GAP = 10.0  # seconds between two edits: GitHub allows 80 writes a minute for everything, people read slower
SHARE = 8  # the gap grows to this part of the time worked: what is old already changes slower
EDITS = 60  # per job: GitHub keeps every version of a comment, and allows 500 writes an hour
FOR_STATUS = 20  # of these are kept for changes of status and the end; the others last for an hour
FOR_END = 2  # of these are kept for the end: the final word, and what may still come after it
PURPOSE = "progress"  # of the comments in the journal that are ours
PATIENCE = 3  # failures in a row; one 502 must not cost the final word


class CommentObserver:
    """Publishes the comment: at once when the status changes and at the end, else at most every `GAP` seconds,
    and the longer it takes, the more seldom; never more than `EDITS` times.

    `publish` writes the text and raises of the family `CiAgentError`, `events` gives the journal so far,
    `render` makes the text of it, `now` is a clock in seconds that never goes back. A failure is tried again
    with the next event; the `PATIENCE`th in a row, and one of the final word, is raised, so that the journal
    records it.
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
        self._edits = _edits(events())
        self._failures = 0
        self._begun = now()
        self._last = self._begun - GAP
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
        left = EDITS - self._edits
        if self._ended:
            return left > 0
        if isinstance(event.fact, StatusChanged):
            return left > FOR_END
        if left <= FOR_STATUS or not _begins(event):
            return False
        now = self._now()
        return now - self._last >= max(GAP, (now - self._begun) / SHARE)

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


def _begins(event: Event) -> bool:
    """Whether something begins that may take long. With what ends, people would see the step before: the next
    one begins at once, and could not be told for a while."""
    fact = event.fact
    if isinstance(fact, ToolCalled):
        return fact.name != "update_plan"  # the plan itself comes next
    return isinstance(fact, SessionStarted | CommandStarted | ModelRetried | PlanUpdated)


def _edits(events: Sequence[Event]) -> int:
    """How many there were in this job."""
    edits = 0
    for fact in (event.fact for event in events):
        if isinstance(fact, SessionStarted):
            edits = 0
        edits += isinstance(fact, CommentWritten) and fact.purpose == PURPOSE
    return edits
