"""What a session says to people on the platform: the progress comment and the labels. It decides nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from ci_agent.errors import CiAgentError, JournalError
from ci_agent.journal import Event
from ci_agent.journal.events import (
    CommentWritten,
    LabelsChanged,
    SessionEnded,
    SessionStarted,
    StatusChanged,
    Warned,
)
from ci_agent.platforms import Label
from ci_agent.reporting.delivery import PURPOSE, CommentObserver
from ci_agent.reporting.progress import progress_comment
from ci_agent.reporting.summary import CHECKOUT_KEPT, Summary
from ci_agent.sandbox.paths import there
from ci_agent.session.endings import END_LABELS, FAILED, other_labels
from ci_agent.session.parts import Delivery
from ci_agent.task import Status
from ci_agent.workspace import discard


class Voice:
    """Speaks for one session."""

    def __init__(self, parts: Delivery) -> None:
        self._parts = parts
        self._journal = parts.journal
        self._issue = parts.task.issue
        self._marker = parts.marker

    def begin(self) -> None:
        """From now on the progress comment follows the journal, unless another job publishes."""
        if not self._parts.publishes:
            return
        self._journal.watch(
            CommentObserver(self._publish, lambda: self._journal.events, render=self._progress)
        )

    def status(self, status: Status) -> None:
        self._journal.append(StatusChanged(status))

    def warn(self, text: str) -> None:
        self._journal.append(Warned(text))

    def label(self, add: Label) -> None:
        """Of our labels the issue has this one and no other. A platform that refuses is no reason to stop."""
        if not self._parts.publishes:
            return
        others = other_labels(add, self._parts.config.trigger.label)
        try:
            self._parts.platform.change_labels(self._issue, [add], others)
        except CiAgentError as error:
            self.warn(f"The label {add.name} could not be set: {error}")
            return
        self._journal.append(LabelsChanged((add.name,), tuple(others)))

    def say_again(self) -> None:
        """Say the last word of a session that is over, which did not arrive. Raises `CiAgentError`."""
        summary = Summary.of(self._journal.events)
        self._publish(self._progress(self._journal.events))
        self.label(END_LABELS[summary.status])

    def without_journal(self, error: JournalError) -> None:
        """The last word where not even the journal takes one: better an unrecorded word than a false one."""
        for scratch in ("home", "outputs", "downloads"):  # a full disk may take the word once these are gone
            discard(self._parts.folder / scratch)
        place = self._parts.workspace.root
        kept = f" {CHECKOUT_KEPT}`{place}`." if there(place) else ""
        with contextlib.suppress(CiAgentError, OSError):
            self._parts.platform.ensure_comment(self._issue, self._marker, f"**Stopped.** {error}.{kept}")
            others = other_labels(FAILED, self._parts.config.trigger.label)
            self._parts.platform.change_labels(self._issue, [FAILED], others)

    def _progress(self, events: Sequence[Event]) -> str:
        guidance = self._parts.platform.guidance(self._issue, self._parts.task.branch)
        return progress_comment(
            events,
            next_step=guidance.go_on,
            to_answer=guidance.answer,
            when_mended=guidance.mended,
            while_working=guidance.stop,
        )

    def _publish(self, text: str) -> None:
        written = self._parts.platform.ensure_comment(self._issue, self._marker, text)
        self._journal.append(CommentWritten(written.item.url, PURPOSE, written.created))


def of_this_job(events: Sequence[Event]) -> Sequence[Event]:
    """Those since the last job of the session began."""
    starts = [at for at, event in enumerate(events) if isinstance(event.fact, SessionStarted)]
    return events[starts[-1] if starts else 0 :]


def last_word_said(events: Sequence[Event]) -> bool:
    """Whether the issue's comment and label say how the session ended."""
    label: tuple[str, ...] = ()
    end: SessionEnded | None = None
    written = False
    for fact in (event.fact for event in of_this_job(events)):
        if isinstance(fact, LabelsChanged):
            label = fact.added
        elif isinstance(fact, SessionEnded):
            end, written = fact, False
        elif isinstance(fact, CommentWritten):
            written = fact.purpose == PURPOSE
    return end is not None and written and label == (END_LABELS[end.status].name,)
