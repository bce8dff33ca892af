"""Learning nothing new."""

from __future__ import annotations

from ci_agent.agent.novelty import Novelty


def _after(*steps: tuple[str, ...]) -> Novelty:
    novelty = Novelty()
    for answers in steps:
        for answer in answers:
            novelty.add("bash", answer)
        novelty.next_step()
    return novelty


def test_steps_without_a_new_answer_are_counted_in_a_row() -> None:
    assert _after(("a",), ("b",), ("a",), ("b", "a")).stale == 2
    assert _after(("a",), ("a",), ("a", "c"), ("a",)).stale == 1


def test_after_eight_there_is_a_warning_and_after_sixteen_an_end() -> None:
    circle = [(answer,) for answer in "abcd" * 5]  # four calls in turn, which no repetition of two finds
    assert [_after(*circle[:count]).warn for count in (11, 12, 13)] == [False, True, False]
    assert [_after(*circle[:count]).stuck for count in (19, 20)] == [False, True]


def test_how_long_it_took_is_nothing_new() -> None:
    assert _after(("ok\n[exit 0, 0.1s]",), ("ok\n[exit 0, 2.3s]",)).stale == 1
