"""The progress comments on an issue, one for each session: their markers, and which of them are of sessions that began."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ci_agent.platforms import Comment
from ci_agent.reporting import replies
from ci_agent.reporting.delivery import PURPOSE
from ci_agent.reporting.progress import WORKING, question_in

PROMISES = (
    WORKING,
    replies.WAITING,
    replies.NOT_BEGUN,
    replies.LOST,
)  # how comments begin after which something has to follow


def marker_of(session: str) -> str:
    """The marker of a session's progress comment."""
    return f"{PURPOSE} {session}"


def session_of(marker: str) -> str:
    """The session whose progress comment has the marker."""
    return marker.removeprefix(marker_of(""))


def sessions(comments: Sequence[Comment]) -> list[Comment]:
    """The progress comments of sessions that began, oldest first."""
    return [
        comment
        for comment in comments
        if comment.marker.startswith(marker_of("")) and not comment.text.startswith(replies.NO_SESSION)
    ]


def abandoned(comments: Sequence[Comment]) -> str:
    """The session of the last progress comment, where that promises something; empty: it does not. Who is let in on the issue
    without going on with that session goes on with its comment."""
    ours = [one for one in comments if one.marker.startswith(marker_of(""))]
    return session_of(ours[-1].marker) if ours and ours[-1].text.startswith(PROMISES) else ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A question that stands in a progress comment and waits for an answer; both empty: there is none."""

    session: str = ""
    question: str = ""  # with its choices


def waiting(comments: Sequence[Comment]) -> Waiting:
    """The last question that waits, as far as the comments say."""
    for comment in reversed(sessions(comments)):
        if question := question_in(comment.text):
            return Waiting(session_of(comment.marker), question)
    return Waiting()


def comment_of(comments: Sequence[Comment], session: str) -> Comment | None:
    """The progress comment of one session; None: there is none."""
    return next((comment for comment in comments if comment.marker == marker_of(session)), None)
