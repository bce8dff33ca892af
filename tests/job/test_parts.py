"""Small parts of a job, without a platform."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ci_agent.job.poll import MOST, some
from ci_agent.job.promise import Promise, kept, promise, promised


def test_a_schedule_takes_so_many_at_a_time_and_all_in_turn() -> None:
    waiting = [str(number) for number in range(1, 3 * MOST - 50)]
    seen: set[str] = set()
    for hour in range(20):
        taken = some(waiting, datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hour))
        assert len(taken) == len(set(taken)) == MOST
        seen.update(taken)
    assert seen == set(waiting)
    assert some(waiting[:MOST], datetime.now(UTC)) == waiting[:MOST]


def test_a_promise_is_found_again_until_it_is_kept(tmp_path: Path) -> None:
    made = Promise("12", "progress x", "/tmp/x", "feat/ai-task-12", "abc", "**Could not begin.**")
    promise(tmp_path / "scratch", made)
    assert promised(tmp_path / "scratch") == made
    kept(tmp_path / "scratch")
    assert promised(tmp_path / "scratch") is None


@pytest.mark.parametrize(
    "note", ["", "[]", "{}", '{"issue": 3, "marker": "m", "folder": "f", "branch": "b"}', '{"issue": "1"']
)
def test_a_note_that_is_none_promises_nothing(tmp_path: Path, note: str) -> None:
    (tmp_path / "promised.json").write_text(note)
    assert promised(tmp_path) is None
