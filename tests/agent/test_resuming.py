"""A conversation that goes on in another job."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.agent.context import Quote
from ci_agent.agent.resuming import Break, answer_in_full, chosen, mended, told
from ci_agent.models import Message

OPENING: list[Message] = [{"role": "system", "content": "Work."}, {"role": "user", "content": "Mend it."}]


def asks(*names: str) -> Message:
    """A reply that calls these tools; the ids are their names."""
    calls = [
        {"id": name, "type": "function", "function": {"name": name, "arguments": "{}"}} for name in names
    ]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def answers(name: str) -> Message:
    return {"role": "tool", "tool_call_id": name, "content": "done"}


def unanswered(messages: list[Message]) -> list[str]:
    """The calls without an answer right behind the reply that made them."""
    found = []
    for at, message in enumerate(messages):
        behind = []
        for later in messages[at + 1 :]:
            if later["role"] != "tool":
                break
            behind.append(later["tool_call_id"])
        found += [call["id"] for call in message.get("tool_calls", ()) if call["id"] not in behind]
    return found


@pytest.mark.parametrize("name", ["submit", "ask_user"])
def test_a_call_that_handed_the_turn_back_waits_for_its_answer(name: str) -> None:
    messages = [*OPENING, asks("bash", name), answers("bash")]
    whole, pending = mended(messages)
    assert whole == messages
    assert pending is not None
    assert pending.id == name


def test_a_conversation_that_has_all_its_answers_stays_as_it_is() -> None:
    for messages in ([], OPENING, [*OPENING, asks("bash"), answers("bash")], [*OPENING, asks()]):
        assert mended(messages) == (messages, None)


def test_calls_that_broke_off_are_answered_where_they_belong() -> None:
    said = {"role": "user", "content": "Go on."}
    whole, pending = mended([*OPENING, asks("bash", "grep", "submit"), answers("bash"), said])
    assert pending is None
    assert unanswered(whole) == []
    assert whole[-1] == said
    assert "Not known" in whole[-2]["content"]


@given(st.lists(st.sampled_from(["bash", "grep", "submit", "ask_user"]), unique=True), st.integers(0, 4))
def test_no_call_but_a_pending_one_is_left_without_an_answer(names: list[str], done: int) -> None:
    whole, pending = mended([*OPENING, asks(*names), *map(answers, names[:done])])
    assert unanswered(whole) == ([pending.id] if pending else [])


def test_an_answer_is_told_with_the_choice_that_is_meant() -> None:
    said = told(Break(asked="Which sign?", choices=("plus", "minus"), said=" 2. ", by="dana"))
    assert said.startswith("dana answers:")
    assert "That is the choice: minus" in said
    assert "new machine" in said


@pytest.mark.parametrize(
    ("words", "choice"),
    [
        ("1", "plus"),
        ("**2**", "minus"),
        ("#1", "plus"),
        ("3", ""),
        ("0", ""),
        ("1 or 2", ""),
        ("٢", ""),
        ("", ""),
    ],
)
def test_a_number_alone_means_a_choice(words: str, choice: str) -> None:
    assert chosen(words, ("plus", "minus")) == choice


@pytest.mark.parametrize(
    ("words", "choice"),
    [
        ("2, but only where it is cheap", "The choice 2 was: minus"),
        ("#1: and mind the tabs", "The choice 1 was: plus"),
        ("1.5 is right", ""),
        ("3, please", ""),
        ("take 2", ""),
        ("2nd", ""),
        ("2 days, not more", ""),
        ("2 and 1 both", ""),
        ("1 - no, the other one", ""),
    ],
)
def test_of_a_number_that_an_answer_begins_with_the_choice_is_told(words: str, choice: str) -> None:
    said = told(Break(asked="Which sign?", choices=("plus", "minus"), said=words, by="dana"))
    assert choice in said
    assert choice or "choice" not in said


def test_an_answer_can_be_read_beside_its_question_alone() -> None:
    choices = ("plus", "minus")
    assert answer_in_full(" 2. ", choices) == "minus"
    assert (
        answer_in_full("2, but only where it is cheap", choices) == "2, but only where it is cheap (2: minus)"
    )
    assert answer_in_full("Neither.", choices) == "Neither."
    assert answer_in_full("3, please", choices) == "3, please"


def test_what_is_done_so_far_is_named_and_where_it_is_committed() -> None:
    assert "No file is changed so far." in told(Break())
    assert "are in the files: a.py, b.py. The branches are as they were. What" in told(
        Break(changed=["a.py", "b.py"])
    )
    said = told(Break(changed=[f"f{number}" for number in range(40)], since="ba95a85"))
    assert "committed on top of ba95a85 (`git diff ba95a85` shows them): f0, " in said
    assert "f29 and 10 more. The branches" in said
    assert "The branches" not in told(Break(base="Meanwhile main moved to 123."))


def test_without_an_answer_it_takes_the_likeliest_meaning() -> None:
    assert "Nobody answered" in told(Break(asked="Which sign?"))


def test_a_plain_comment_may_be_the_answer() -> None:
    said = told(Break(asked="Which sign?", comments=[Quote("dana", "Plus, of course.")]))
    assert "Nobody answered" not in said
    assert "Plus, of course." in said


def test_what_moved_is_told_with_the_files_and_no_more_than_some() -> None:
    said = told(Break(base="Meanwhile main moved to 123.", files=[f"f{number}" for number in range(40)]))
    assert "Meanwhile main moved to 123.\nThese files are not as they were:\n- f0\n" in said
    assert said.endswith("- f29\n- and 10 more")
    assert told(Break(base="Meanwhile main moved to 123.")).endswith("moved to 123.")


def test_how_it_ended_and_what_is_asked_for_now_come_first() -> None:
    said = told(Break(ended="The job before ended: Stopped.", said="Use decimals.", by="dana"))
    assert said.startswith("The job before ended: Stopped.\n\nAsked for now, in addition:\n\n")
    assert "Use decimals." in said
