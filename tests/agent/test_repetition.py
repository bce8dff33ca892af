"""Going round in circles."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.agent.repetition import Repetition, digest


def _after(*calls: str) -> Repetition:
    repetition = Repetition()
    for name in calls:
        repetition.add(name, "{}", "result")
    return repetition


def test_the_same_call_three_times_is_warned_of_and_five_times_is_stuck() -> None:
    assert [_after(*"A" * count).rounds for count in (1, 2, 3, 4, 5)] == [1, 2, 3, 4, 5]
    assert _after(*"AAA").warn
    assert not _after(*"AAAA").warn
    assert not _after(*"AAAA").stuck
    assert _after(*"AAAAA").stuck


def test_two_calls_in_turn_count_by_pairs() -> None:
    assert _after(*"ABABAB").warn
    assert not _after(*"ABABABAB").stuck
    assert _after(*"ABABABABAB").stuck


def test_something_else_in_between_starts_anew() -> None:
    assert _after(*"AAAABA").rounds == 1
    assert not _after(*"AAAABAAAA").stuck


def test_the_result_counts_but_not_how_long_it_took() -> None:
    repetition = Repetition()
    for seconds in ("0.1", "12.3", "0.4", "9", "1.0"):
        repetition.add("bash", "ls", f"a\n[exit 0, {seconds}s]")
    assert repetition.stuck
    changing = Repetition()
    for count in range(9):
        changing.add("bash", "ls", f"{count} files")
    assert changing.rounds == 1


@given(st.lists(st.sampled_from("ABC"), max_size=40))
def test_whoever_is_stuck_did_repeat_the_same_five_times(calls: list[str]) -> None:
    expected = any(
        len(calls) >= 5 * period and calls[-5 * period :] == calls[-period:] * 5 for period in (1, 2)
    )
    assert _after(*calls).stuck is expected


def test_endless_digits_and_texts_are_compared_at_once() -> None:
    began = time.process_time()
    assert digest("1" * 90_000, "x") == digest("1" * 90_000, "x")
    assert digest("1" * 5_000_000 + "2") != digest("1" * 5_000_001)
    assert time.process_time() - began < 2


@pytest.mark.parametrize("one", ["0.1s", "12 ms", "1.2.3 seconds", "in 5s.", "AGENT_OUTPUTS/12"])
def test_durations_and_kept_outputs_do_not_count(one: str) -> None:
    assert digest(one) == digest(re.sub(r"\d+(?=\D*$)", "9871", one))


@pytest.mark.parametrize("one", ["12 files", "1.5x", "5 sheep", "v1.2"])
def test_other_numbers_count(one: str) -> None:
    assert digest(one) != digest(re.sub(r"\d+(?=\D*$)", "9871", one))
