"""One job per issue, by means every platform has: the progress comments themselves.

A job first writes its progress comment, then looks at all of them. Of several jobs that are at work the one
whose comment came first goes on, whatever the order in which they look; comments get their numbers from the
platform, one after the other. The comment of a job that is gone is given its last word on the way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ci_agent.platforms import Comment, Forge, Written
from ci_agent.reporting import replies
from ci_agent.reporting.delivery import PURPOSE
from ci_agent.reporting.progress import GONE, WORKING


def marker_of(session: str, run: str) -> str:
    """The marker of the progress comment of a session that the CI's `run` works on."""
    return f"{PURPOSE} {session} {run}"


def run_of(comment: Comment) -> str:
    """The CI's run behind a progress comment; empty for another comment."""
    words = comment.marker.split()
    return words[2] if len(words) == 3 and words[0] == PURPOSE else ""  # noqa: PLR2004 - as `marker_of` has it


def sessions(comments: Sequence[Comment]) -> list[Comment]:
    """The progress comments of sessions that began, oldest first."""
    return [
        comment
        for comment in comments
        if run_of(comment) and not comment.text.startswith((replies.COULD_NOT_BEGIN, replies.BUSY))
    ]


def at_work(comments: list[Comment]) -> list[Comment]:
    """The progress comments that say somebody is at work, oldest first."""
    return [comment for comment in comments if run_of(comment) and comment.text.startswith(WORKING)]


def claim(forge: Forge, number: str, mine: Written[Comment], run: str) -> Comment | None:
    """Claim the issue with our progress comment `mine`. Gives the comment of the job that came first, and ours
    says so then; None: the issue is ours."""
    for other in _others(forge, number, mine.item):
        if run_of(other) == run or forge.job_ended(run_of(other), other.changed):
            forge.ensure_comment(number, other.marker, GONE)
        elif int(other.id) < int(mine.item.id):
            forge.ensure_comment(number, mine.item.marker, replies.busy(other.url))
            return other
    return None


def _others(forge: Forge, number: str, mine: Comment) -> Iterator[Comment]:
    return (comment for comment in at_work(list(forge.comments(number))) if comment.id != mine.id)
