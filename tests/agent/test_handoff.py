"""What a model is told that takes over."""

from __future__ import annotations

from ci_agent.agent import HandOff, taken_over

_OPENING = [{"role": "system", "content": "s"}, {"role": "user", "content": "# The issue: x"}]
_HAND_OFF = HandOff(
    why="It went in circles.", base="f" * 40, files=["a.py"], said="Fix it\n\n# Mine", tests="2 tests failed"
)


def test_the_first_messages_stay_and_the_story_is_added() -> None:
    system, user = taken_over(_OPENING, _HAND_OFF)
    assert system == _OPENING[0]
    assert user["content"].startswith("# The issue: x\n\n# Taken over from another model\n\n")
    for part in ("It went in circles.", "git diff ffffffffffff`", "- a.py", "> # Mine", "2 tests failed"):
        assert part in user["content"]
    assert _OPENING[1]["content"] == "# The issue: x"


def test_it_stays_short_whatever_the_other_one_left() -> None:
    hand_off = HandOff("It failed.", "f" * 40, [f"{n}.py" for n in range(1000)], "x" * 10**6, "y" * 10**6)
    assert len(taken_over(_OPENING, hand_off)[1]["content"]) < 7_000


def test_where_nothing_was_changed_it_says_so() -> None:
    hand_off = HandOff("It failed.", "f" * 40, [], "", "")
    assert taken_over(_OPENING, hand_off)[1]["content"].endswith("It failed.\n\nIt left no change.")
