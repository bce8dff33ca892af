"""Whether the last word has been said."""

from __future__ import annotations

import pytest

from ci_agent.journal import Fact
from ci_agent.journal.events import CommentWritten, LabelsChanged, SessionEnded
from ci_agent.session import last_word_said
from ci_agent.task import Ending, Status
from tests.support.stories import story

LABELLED = LabelsChanged(("ai-review",), ("ai-running",))
ENDED = SessionEnded(Status.COMPLETED, Ending.SUBMITTED, "", 0, 1.0)
WRITTEN = CommentWritten("u", "progress", False)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ((LABELLED, ENDED, WRITTEN), True),
        ((WRITTEN, LABELLED, ENDED), False),  # the comment is of the time before
        ((LABELLED, ENDED), False),
        ((LABELLED, ENDED, CommentWritten("u", "another", False)), False),
        ((ENDED, WRITTEN), False),  # the label was not taken
        ((LabelsChanged(("ai-running",), ()), ENDED, WRITTEN), False),
        ((LABELLED, WRITTEN), False),
        ((), False),
    ],
)
def test_the_last_word_is_comment_and_label_of_the_end(facts: tuple[Fact, ...], said: bool) -> None:
    assert last_word_said(story(*facts)) is said
