"""The tools that hand something on: a question, a plan, a test run, the work."""

from __future__ import annotations

from typing import Any

import pytest

from ci_agent.journal.events import PlanItem, QuestionAsked, Submitted
from tests.tools.conftest import Do


def test_a_question_ends_the_turn(do: Do) -> None:
    assert do("ask_user", question=" Tabs? ", choices=["yes ", "", "no"]).ends == QuestionAsked(
        "Tabs?", ("yes", "no")
    )
    assert do("ask_user", question="Tabs?").ends == QuestionAsked("Tabs?", ())


def test_an_empty_question_is_not_asked(do: Do) -> None:
    answer = do("ask_user", question=" ")
    assert not answer.ok
    assert answer.ends is None


@pytest.mark.parametrize(
    ("steps", "plan"),
    [
        ([{"step": "Read", "done": True}, {"step": "Fix", "done": False}], [("Read", True), ("Fix", False)]),
        (["Read", "Fix"], [("Read", False), ("Fix", False)]),
        ([{"step": "Read"}, {"step": "Fix", "status": "completed"}], [("Read", False), ("Fix", True)]),
        ([{"step": "Read\n  it", "done": "true"}], [("Read it", True)]),
        ([{"content": "Read", "status": "completed", "id": "1"}], [("Read", True)]),
        ('[{"step": "Read", "done": true}]', [("Read", True)]),
    ],
)
def test_a_plan_is_taken_in_the_shapes_models_write(steps: Any, plan: list[tuple[str, bool]], do: Do) -> None:
    answer = do("update_plan", steps=steps)
    assert answer.plan == tuple(PlanItem(text, done) for text, done in plan)


def test_a_plan_is_not_repeated_to_the_model(do: Do) -> None:
    assert do("update_plan", steps=[{"step": "a", "done": True}, "b"]).text == "Plan shown."


@pytest.mark.parametrize("steps", [[], [3], [{}], [{"step": " "}], [{"step": 1}], ["x"] * 21, [["a"]]])
def test_what_is_no_plan_says_what_one_looks_like(steps: Any, do: Do) -> None:
    answer = do("update_plan", steps=steps)
    assert not answer.ok
    assert answer.plan is None
    assert "step" in answer.text


def test_tests_are_run_by_the_harness(do: Do) -> None:
    assert do("run_tests").text == "ran all"
    assert do("run_tests", selector=" tests/test_a.py ").text == "ran tests/test_a.py"
    assert not do("run_tests", selector="a\0b").ok


def test_a_hand_in_ends_the_turn(do: Do) -> None:
    answer = do("submit", title=" Fix\nslug ", summary=" It was wrong. ")
    assert answer.ends == Submitted("Fix slug", "It was wrong.")


def test_handing_in_again_needs_no_title_and_no_summary(do: Do) -> None:
    do("submit", title="Fix slug", summary="It was wrong.", no_test="Only words.")
    assert do("submit").ends == Submitted("Fix slug", "It was wrong.")
    assert do("submit", summary="It was very wrong.").ends == Submitted("Fix slug", "It was very wrong.")
    assert do("submit", title="x" * 73).ends is None
    assert do("submit").ends == Submitted("Fix slug", "It was very wrong.")


@pytest.mark.parametrize(
    ("title", "summary", "said"),
    [
        ("", "x", "`title` is empty"),
        (" ", "x", "`title` is empty"),
        ("Fix slug", "", "`summary` is empty"),
        ("x" * 73, "x", "`title` has 73 characters, at most 72"),
    ],
)
def test_a_hand_in_that_lacks_something_is_sent_back(title: str, summary: str, said: str, do: Do) -> None:
    answer = do("submit", title=title, summary=summary)
    assert not answer.ok
    assert answer.ends is None
    assert said in answer.text
