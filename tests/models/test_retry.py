"""Patience: how often, how long, and when it ends."""

from __future__ import annotations

import email.utils
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.journal.events import ModelRetried
from ci_agent.models import ModelError, ModelSettings
from ci_agent.models.retry import Failed, asked_wait, persist
from ci_agent.task import Ending

NOW = datetime(2025, 11, 20, 12, 0, tzinfo=UTC)


def quiet(_: ModelRetried) -> None:
    """Nobody listens."""


class World:
    """A clock that only moves when somebody sleeps or a request takes its time."""

    def __init__(self, *outcomes: Failed | str, takes: float = 0.0, **settings: Any) -> None:
        self.now = 1000.0
        self.given: list[float] = []  # the seconds each attempt was allowed
        self.slept: list[float] = []
        self.told: list[ModelRetried] = []
        self._outcomes = outcomes
        self._takes = takes
        self._settings = ModelSettings(**settings)

    def run(self, seconds: float = 1e6, chance: Callable[[], float] = lambda: 1.0) -> str:
        return persist(
            self._attempt,
            self._settings,
            self.now + seconds,
            self.told.append,
            sleep=self._sleep,
            clock=lambda: self.now,
            chance=chance,
        )

    def _attempt(self, seconds: float) -> str:
        self.given.append(seconds)
        self.now += min(self._takes, seconds)
        outcome = self._outcomes[min(len(self.given), len(self._outcomes)) - 1]
        if isinstance(outcome, Failed):
            raise outcome
        return outcome

    def _sleep(self, seconds: float) -> None:
        assert len(self.told) == len(self.slept) + 1, "told before it waits"
        self.slept.append(seconds)
        self.now += seconds


BUSY = Failed("busy")


def test_a_first_success_waits_for_nothing() -> None:
    world = World("yes")
    assert world.run() == "yes"
    assert world.slept == []


def test_waits_double_up_to_a_minute() -> None:
    world = World(BUSY, tries=9, first_wait=2.0)
    with pytest.raises(ModelError, match=r"9 tries.*busy"):
        world.run()
    assert world.slept == [2, 4, 8, 16, 32, 60, 60, 60]
    assert [(retry.attempt, retry.reason) for retry in world.told] == [(n, "busy") for n in range(1, 9)]


def test_chance_takes_away_at_most_half() -> None:
    world = World(BUSY, "yes", first_wait=8.0)
    world.run(chance=lambda: 0.0)
    assert world.slept == [4]


def test_a_wait_the_endpoint_asked_for_is_kept_exactly() -> None:
    world = World(Failed("busy", wait=90.0), "yes")
    world.run(chance=lambda: 0.0)
    assert world.slept == [90]
    assert world.told == [ModelRetried(1, "busy", 90.0)]


def test_patience_ends_with_the_seconds_after_the_first_failure() -> None:
    world = World(Failed("busy", wait=100.0), tries=99, total_wait=250.0)
    with pytest.raises(ModelError) as caught:
        world.run()
    assert caught.value.ending is Ending.LLM_UNAVAILABLE
    assert world.slept == [100, 100]


def test_a_long_first_try_does_not_use_up_the_patience() -> None:
    world = World(Failed("timed out"), "yes", takes=600.0, total_wait=600.0)
    assert world.run() == "yes"


def test_an_attempt_may_take_no_longer_than_is_left() -> None:
    world = World(BUSY, "yes", takes=5.0, timeout=30.0, first_wait=2.0)
    world.run(seconds=32)
    assert world.given == [30, 25]


def test_a_wait_past_the_deadline_is_not_begun() -> None:
    world = World(BUSY, first_wait=10.0)
    with pytest.raises(ModelError, match="busy") as caught:
        world.run(seconds=25)
    assert caught.value.ending is Ending.LIMIT_WALL
    assert world.slept == [10]
    assert len(world.told) == 1


def test_no_attempt_is_made_after_the_deadline() -> None:
    world = World("yes")
    with pytest.raises(ModelError) as caught:
        world.run(seconds=0)
    assert caught.value.ending is Ending.LIMIT_WALL
    assert world.given == []


def test_what_is_not_failed_goes_through_at_once() -> None:
    def attempt(_: float) -> str:
        raise ModelError(Ending.LLM_AUTH, "no")

    with pytest.raises(ModelError, match=r"^no$"):
        persist(attempt, ModelSettings(), 1e18, quiet)


@given(
    st.integers(1, 12),
    st.floats(0, 1e4),
    st.floats(0, 1e4),
    st.floats(0.1, 1e4),
    st.none() | st.floats(0.1, 120),
    st.floats(0, 1),
)
def test_patience_is_always_bounded(
    tries: int, first: float, total: float, left: float, asked: float | None, chance: float
) -> None:
    world = World(Failed("x", asked), tries=tries, first_wait=first, total_wait=total)
    with pytest.raises(ModelError):
        world.run(seconds=left, chance=lambda: chance)
    assert len(world.given) <= tries
    assert world.now - 1000 <= min(total, left) + 1e-6
    assert len(world.slept) == len(world.told) == len(world.given) - 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": " 0.5 "}, 0.5),
        ({"retry-after": "0"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "3600"}, 120),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Thu, 20 Nov 2025 12:00:30 GMT"}, 30),
        ({"retry-after": "Thu, 20 Nov 2025 12:00:30 -0000"}, 30),
        ({"retry-after": "Thu, 20 Nov 2025 13:01:00 +0100"}, 60),
        ({"retry-after": "Thu, 20 Nov 2025 11:59:30 GMT"}, None),
        ({"retry-after": "Fri, 20 Nov 2026 12:00:00 GMT"}, 120),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "?", "retry-after": "9"}, 9),
    ],
)
def test_the_wait_an_endpoint_asks_for_is_understood(headers: dict[str, str], seconds: float | None) -> None:
    assert asked_wait(headers, NOW) == seconds


@given(
    st.text()
    | st.from_regex(r"\w{3}, \d{1,6} \w{3} \d{1,12} \d\d:\d\d:\d\d [+-]?\d{0,12}")
    | st.integers().map(str)
    | st.floats().map(str)
)
def test_any_header_is_a_wait_within_bounds_or_none(text: str) -> None:
    for name in ("retry-after", "retry-after-ms"):
        seconds = asked_wait({name: text}, NOW)
        assert seconds is None or 0 < seconds <= 120


@given(st.integers(1, 119))
def test_a_date_means_the_seconds_until_then(seconds: int) -> None:
    date = email.utils.format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert asked_wait({"retry-after": date}, NOW) == seconds
