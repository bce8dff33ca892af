"""What is in a checkpoint, and when it is taken for one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ci_agent.errors import CheckpointError
from ci_agent.guard import Guard, Secret
from ci_agent.journal.archive import unpacked
from ci_agent.session import checkpoint
from ci_agent.session.checkpoint import checked, contents
from ci_agent.task import Ending, Status
from ci_agent.workspace import Stored
from tests.support.stories import HEAD, ended, facts, replied, started, story, success, working

KEY, OTHER = b"k" * 32, b"o" * 32
SECRET = "dpl-7Qx2Lm9Zr4Tb8Wc1Yd6Ke3Vn"
AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
NOTHING = Guard([])


def stored(events: list, work: str = HEAD, key: bytes = KEY) -> Stored:  # type: ignore[type-arg]
    return Stored("c0ffee", contents(tuple(events), "101", AT, work, key, NOTHING), work or None)


def test_it_says_of_the_session_what_its_journal_says() -> None:
    kept = stored(success())
    state = checked(kept, KEY)
    assert (state.status, state.issue, state.work, state.saved) == (Status.COMPLETED, "12", HEAD, AT)
    assert state.over
    assert list(unpacked(kept.files[checkpoint.JOURNAL])) == success()


def test_one_that_goes_on_is_not_over() -> None:
    assert not checked(stored(working()), KEY).over


@pytest.mark.parametrize(
    "changed",
    [
        lambda kept: replace(kept, work=HEAD[::-1]),
        lambda kept: replace(kept, work=None),
        lambda kept: replace(kept, files={**kept.files, checkpoint.JOURNAL: b"x"}),
        lambda kept: replace(kept, files={**kept.files, "more": b"x"}),
        lambda kept: replace(kept, files={checkpoint.STATE: kept.files[checkpoint.STATE]}),
        lambda kept: replace(kept, files={}),
        lambda kept: stored(working(), key=OTHER),
    ],
    ids=["other work", "no work", "other journal", "one more file", "no signature", "nothing", "another key"],
)
def test_what_somebody_changed_is_not_taken(changed) -> None:  # type: ignore[no-untyped-def]
    kept = stored(working())
    assert checked(kept, KEY)
    with pytest.raises(CheckpointError):
        checked(changed(kept), KEY)


def test_a_secret_that_the_journal_could_not_mask_leaves_with_no_checkpoint() -> None:
    """Names within a model's message stand there as they are."""
    reply = replace(replied(6), message={"role": "assistant", "content": [{"input": {SECRET: 1}}]})
    guard = Guard([Secret("DEPLOY_TOKEN", SECRET)])
    with pytest.raises(CheckpointError, match="DEPLOY_TOKEN"):
        contents(tuple(story(*facts(working()), reply)), "101", AT, "", KEY, guard)
    [fact] = guard.news()
    assert fact.channel == "checkpoint"


def test_half_a_character_in_a_sentence_or_title_does_not_keep_it_from_being_saved() -> None:
    events = story(started(title="\udcff"), *ended(Status.FAILED, Ending.STUCK, "a file \udcff", 1))
    assert checked(stored(events), KEY).sentence == "a file ?"
