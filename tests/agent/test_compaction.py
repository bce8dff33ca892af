"""A conversation that became too long is made shorter, and stays one that every endpoint takes."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.agent import Quote, meanwhile
from ci_agent.agent.compaction import (
    PLANS,
    Plan,
    compact,
    estimated,
    limit,
    needed,
    next_limit,
    restarted,
    summary_request,
)
from ci_agent.agent.resuming import BREAK
from ci_agent.agent.turns import edited_files
from ci_agent.models import Message

_START: list[Message] = [
    {"role": "system", "content": "How to work"},
    {"role": "user", "content": "The task"},
]
_LONG = "\n".join(f"{number}\tline of the file" for number in range(1, 101))


def _turn(*calls: tuple[str, dict[str, Any] | str, str], **more: object) -> list[Message]:
    """An assistant's message with calls (tool, arguments, result), and their results. Ids are given by `_talk`."""
    asked = [
        {
            "type": "function",
            "function": {"name": name, "arguments": given if isinstance(given, str) else json.dumps(given)},
        }
        for name, given, _ in calls
    ]
    message: Message = {"role": "assistant", "content": "Let me see."} | more
    if asked:
        message["tool_calls"] = asked
    return [message, *({"role": "tool", "content": text} for _, _, text in calls)]


def _talk(*turns: list[Message]) -> list[Message]:
    messages = copy.deepcopy([*_START, *(message for turn in turns for message in turn)])
    waiting: list[str] = []
    for at, message in enumerate(messages):
        for number, call in enumerate(message.get("tool_calls", ())):
            call["id"] = f"call_{at}_{number}"
            waiting.append(call["id"])
        if message["role"] == "tool":
            message["tool_call_id"] = waiting.pop(0)
    return messages


def _read(path: str, text: str = _LONG, **more: int) -> list[Message]:
    return _turn(("read_file", {"path": path, **more}, text))


def _contents(messages: list[Message]) -> list[str]:
    return [message["content"] for message in messages if message["role"] == "tool"]


def assert_valid(messages: list[Message]) -> None:
    """Each call is answered once, by the results right behind its message, in the order of the calls."""
    assert messages[:2] == _START
    ids: list[str] = []
    waiting: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            assert message["tool_call_id"] == waiting.pop(0)
            continue
        assert not waiting
        waiting = [call["id"] for call in message.get("tool_calls", ())]
        ids += waiting
    assert not waiting
    assert len(set(ids)) == len(ids)


# --- when --------------------------------------------------------------------------------------------------


def test_the_limit_is_half_the_window_and_never_more_than_is_configured() -> None:
    assert limit(32_000, 60_000) == limit(32_000, 0) == 16_000
    assert limit(1_000_000, 60_000) == limit(None, 60_000) == 60_000
    assert limit(None, 0) is None


def test_what_the_last_reply_reported_counts_and_what_came_after_is_estimated() -> None:
    new: list[Message] = [{"role": "tool", "tool_call_id": "1", "content": "x" * 3_500}]
    assert 1_000 <= estimated(new) <= 1_010
    assert not needed(58_900, new, 60_000)
    assert needed(59_100, new, 60_000)


def test_after_a_compaction_there_is_room_before_the_next() -> None:
    assert next_limit(20_000, 60_000) == 60_000
    assert next_limit(55_000, 60_000) == 75_000


def test_text_that_is_not_english_counts_more() -> None:
    assert estimated([{"role": "user", "content": "文" * 700}]) >= 600


# --- what stays --------------------------------------------------------------------------------------------


def test_old_results_become_stubs_that_say_how_to_get_them_back() -> None:
    talk = _talk(
        _read("src/a.py"),
        _read("src/b.py", start=10, end=40),
        _turn(("bash", {"command": "pytest -q"}, f"{_LONG}\n3 failed, 10 passed\n[exit 1, 2.0s]")),
        _turn(("search", {"pattern": "slug"}, f"8 hits\n{_LONG}")),
        *(_read(f"new{number}.py") for number in range(5)),
    )
    short = compact(talk)
    assert _contents(short.messages) == [
        "[left out: 100 lines of read_file src/a.py; call it again if you need it]",
        "[left out: 100 lines of read_file src/b.py, start 10, end 40; call it again if you need it]",
        (
            "[left out: 102 lines of bash pytest -q; exit 1, 2.0s; its last line: 3 failed, 10 passed; "
            "call it again if you need it]"
        ),
        "[left out: 101 lines of search slug; it began: 8 hits; call it again if you need it]",
        *[_LONG] * 5,
    ]
    assert short.left_out == 4
    assert short.freed == estimated(talk) - estimated(short.messages)


def test_the_latest_whole_read_of_what_is_being_edited_stays() -> None:
    part = f"{_LONG}\n[lines 1 to 100 of 900; go on with start=101]"
    talk = _talk(
        _read("./src/a.py", "old\n" * 50),
        _read("src/a.py"),
        _read("src/a.py", part),
        _read("big.py", part),
        _turn(
            ("edit_file", {"path": "src/a.py", "old": "a", "new": "b"}, f"edited src/a.py at line 3\n{_LONG}")
        ),
        _turn(("write_file", {"path": "big.py", "content": "x"}, "replaced big.py, 1 line")),
        *(_turn(("bash", {"command": "ls"}, "x")) for _ in range(5)),
    )
    assert _contents(compact(talk).messages)[:6] == [
        "[left out: 50 lines of read_file ./src/a.py; call it again if you need it]",
        _LONG,
        "[left out: 101 lines of read_file src/a.py; call it again if you need it]",
        part,
        "edited src/a.py at line 3\n[left out: 100 lines more]",
        "replaced big.py, 1 line",
    ]
    assert _contents(compact(talk, PLANS[2]).messages)[1].startswith("[left out: ")


def test_files_of_a_patch_count_as_edited() -> None:
    patch = "*** Begin Patch\n*** Update File: a/b.py\n@@\n-x\n+y\n*** Add File: c.py\n+z\n*** End Patch"
    talk = _talk(_turn(("apply_patch", {"patch": patch}, "done"), ("edit_file", "no JSON", "not run")))
    assert edited_files(talk) == {"a/b.py", "c.py"}


def test_a_harsher_plan_takes_away_what_old_edits_wrote_and_keeps_where() -> None:
    patch = "*** Begin Patch\n*** Update File: a.py\n" + "+x\n" * 200 + "*** End Patch"
    talk = _talk(
        _turn(("write_file", {"path": "b.py", "content": "y\n" * 500}, "created b.py, 500 lines")),
        _turn(("apply_patch", {"patch": patch}, "done")),
        *(_turn(("bash", {"command": "ls"}, "x")) for _ in range(5)),
    )
    calls = [message["tool_calls"][0]["function"] for message in compact(talk, PLANS[1]).messages[2:5:2]]
    assert json.loads(calls[0]["arguments"]) == {"path": "b.py", "content": "[left out: 501 lines]"}
    assert json.loads(calls[1]["arguments"])["patch"] == (
        "*** Begin Patch\n*** Update File: a.py\n*** End Patch\n[left out: 200 lines]"
    )
    assert compact(talk).messages[2] is talk[2], "the first plan leaves the calls alone"


@pytest.mark.parametrize(
    "more", [{"anthropic": [{"type": "thinking", "signature": "s"}]}, {"reasoning_content": "Hm."}]
)
def test_a_message_in_which_a_provider_keeps_its_own_is_not_touched(more: dict[str, Any]) -> None:
    write = _turn(("write_file", {"path": "b.py", "content": "y\n" * 500}, "created b.py, 500 lines"), **more)
    talk = _talk(write, *(_turn(("bash", {"command": "ls"}, "x")) for _ in range(5)))
    assert compact(talk, PLANS[2]).messages[2] is talk[2]


def test_whether_it_was_worth_it() -> None:
    old = [_read("a.py", "x" * 16_000) for _ in range(20)]
    new = [_read("a.py", "x" * 16_000) for _ in range(5)]
    assert compact(_talk(*old, *new)).is_enough
    assert not compact(_talk(*new)).is_enough


# --- going on from a summary -------------------------------------------------------------------------------


def test_a_summary_is_asked_for_on_the_same_prefix() -> None:
    talk = _talk(_read("a.py"))
    asked = summary_request(talk)
    assert asked[:-1] == talk
    for heading in ("## Goal", "## Findings", "## Edits made", "## Tests", "## What is left"):
        assert heading in asked[-1]["content"]


def test_the_new_conversation_holds_task_summary_diff_and_the_last_results() -> None:
    last = _turn(*((("read_file", {"path": f"{n}.py"}, f"{n}\n{_LONG}")) for n in range(7)))
    talk = _talk(*(_read("a.py") for _ in range(30)), last)
    new = restarted(talk, "## Goal\nMend it.", "+x\n" * 10_000)
    assert_valid(new)
    assert "Mend it." in new[2]["content"]
    assert "characters more: `git diff`]" in new[2]["content"]
    assert [text.startswith("[left out") for text in _contents(new)] == [True] * 2 + [False] * 5
    assert "No file is changed so far." in restarted(talk, "", "")[2]["content"]


def test_what_people_said_meanwhile_outlives_any_summary() -> None:
    said = {"role": "user", "content": meanwhile.told([Quote("dana", "Keep the docs.")])}
    talk = [
        *_talk(*(_read("a.py") for _ in range(10))),
        said,
        *_talk(*(_read("b.py") for _ in range(10)))[2:],
    ]
    new = restarted(restarted(talk, "## Goal", ""), "## Goal", "")
    assert_valid(new)
    assert [message for message in new if message == said] == [said]
    assert new[:2] == talk[:2]


# --- any conversation --------------------------------------------------------------------------------------

_TEXTS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        [_LONG, "a\n" * 400, "[exit 0, 1.0s]", "[left out: 3 lines]", "[lines 1 to 2 of 3]\n" + _LONG]
    ),
)
_ARGUMENTS = st.one_of(
    st.text(max_size=20),
    st.dictionaries(
        st.sampled_from(["path", "content", "patch", "old", "command", "start"]),
        st.one_of(
            _TEXTS, st.sampled_from(["a.py", "./a.py", "*** Update File: a.py\n" + _LONG]), st.integers()
        ),
    ),
)
_CALLS = st.tuples(
    st.sampled_from(["read_file", "write_file", "edit_file", "apply_patch", "bash", "unknown"]),
    _ARGUMENTS,
    _TEXTS,
)
_TURNS = st.one_of(
    st.lists(_CALLS, max_size=4).map(lambda calls: _turn(*calls)),
    st.lists(_CALLS, max_size=2).map(lambda calls: _turn(*calls, anthropic=[{"type": "thinking"}])),
    _TEXTS.map(lambda text: [{"role": "user", "content": text}]),
)
_TALKS = st.lists(_TURNS, max_size=12).map(lambda turns: _talk(*turns))


@given(_TALKS, st.sampled_from(PLANS))
def test_any_conversation_stays_valid_gets_no_longer_and_is_done_at_once(
    talk: list[Message], plan: Plan
) -> None:
    before = copy.deepcopy(talk)
    short = compact(talk, plan)
    assert talk == before
    assert_valid(short.messages)
    assert [message["role"] for message in short.messages] == [message["role"] for message in talk]
    assert short.freed >= 0
    for call in (call for message in short.messages for call in message.get("tool_calls", ())):
        original = next(
            one for message in talk for one in message.get("tool_calls", ()) if one["id"] == call["id"]
        )
        assert call == original or json.loads(call["function"]["arguments"])
    again = compact(short.messages, plan)
    assert again.messages == short.messages
    assert again.left_out == 0


@given(_TALKS, st.sampled_from(PLANS), st.text(), st.text())
def test_any_conversation_can_go_on_from_a_summary(
    talk: list[Message], plan: Plan, summary: str, diff: str
) -> None:
    assert_valid(restarted(talk, summary, diff, plan))


@pytest.mark.parametrize("plan", PLANS)
def test_what_a_person_answered_stays(plan: Plan) -> None:
    """Nobody says it again."""
    answer, hint = f"dana answers: plus. {_LONG}", f"Use decimals. {BREAK}"
    talk = _talk(
        _turn(("ask_user", {"question": "Which sign?"}, answer)),
        _turn(("submit", {"title": "t", "summary": "s"}, hint)),
        _turn(("submit", {"title": "t", "summary": "s"}, f"Not accepted. {_LONG}")),
        *(_read(f"f{number}.py") for number in range(8)),
    )
    contents = _contents(compact(talk, plan).messages)
    assert answer in contents
    assert hint in contents
    assert f"Not accepted. {_LONG}" not in contents
