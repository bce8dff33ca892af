"""Reading answers of endpoints that are only nearly compatible."""

from __future__ import annotations

import json
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.models.completion import (
    MOST_CALLS,
    PRIVATE,
    Completion,
    Unreadable,
    decode,
    read,
    read_message,
    read_usage,
)
from ci_agent.task import Usage

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def loosely(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Dictionaries in which each field may be as it should, be anything, or be missing."""
    return st.fixed_dictionaries({}, optional={name: good | JSON for name, good in fields.items()})


CALLS = st.lists(
    loosely(
        {
            "id": st.sampled_from(["a", "b", "", "call_2", "call_3"]),
            "type": st.just("function"),
            "function": loosely({"name": st.text(max_size=70), "arguments": st.text(max_size=9)}),
        }
    )
    | JSON,
    max_size=4,
)
PARTS = st.lists(
    loosely({"type": st.sampled_from(["text", "thinking"]), "text": st.text()}) | JSON, max_size=3
)
MESSAGE = loosely(
    {"role": st.just("assistant"), "content": st.text() | PARTS, "tool_calls": CALLS, "refusal": st.text()}
)
ANSWER = loosely(
    {
        "choices": st.lists(loosely({"message": MESSAGE, "finish_reason": st.just("stop")}), max_size=2),
        "usage": loosely({"prompt_tokens": st.integers(), "total_tokens": st.floats()}),
    }
)
CONTEXT: list[dict[str, Any]] = [
    {"role": "user", "content": "go"},
    {"role": "assistant", "tool_calls": [{"id": "call_2"}, {"id": "a"}]},
]


@given(ANSWER | JSON)
def test_any_json_is_a_completion_that_can_go_back_or_a_clean_refusal(answer: Any) -> None:
    try:
        completion = read(decode(json.dumps(answer).encode(), str), CONTEXT)
    except Unreadable:
        return  # any other error fails the test
    check(completion)


def check(completion: Completion) -> None:
    message = completion.message
    assert json.loads(msgspec.json.encode(message))["role"] == "assistant"
    ids = [call.id for call in completion.calls]
    assert len({"call_2", "a", *ids}) == 2 + len(ids)  # unique, here and in the context
    assert [c["id"] for c in message.get("tool_calls", [])] == ids
    assert message.get("content") is not None or ids
    assert isinstance(completion.text, str)
    assert completion.finish_reason
    usage = completion.usage
    assert 0 <= usage.cached <= usage.prompt
    assert 0 <= usage.reasoning <= usage.completion
    assert read_message(message, CONTEXT) == (message, completion.text, completion.calls)


@given(st.binary() | st.text().map(lambda text: text.encode("utf-16")))
def test_any_bytes_are_json_or_a_clean_refusal(raw: bytes) -> None:
    try:
        value = decode(raw, str)
    except Unreadable:
        return
    msgspec.json.encode(value)


def mended(message: dict[str, Any]) -> Completion:
    answer = {"choices": [{"message": {"role": "assistant", **message}}]}
    return read(decode(json.dumps(answer).encode(), str), [])


def call(**fields: Any) -> dict[str, Any]:
    return {"id": "x1", "type": "function", "function": {"name": "bash", "arguments": "{}", **fields}}


def test_a_proper_message_comes_back_as_it_was() -> None:
    message = {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "reasoning_details": [{"type": "reasoning.encrypted", "data": "AbC="}],
        "tool_calls": [{**call(), "extra_content": {"google": {"thought_signature": "s"}}, "index": 0}],
    }
    assert mended(message).message == message


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("plain", "plain"),
        (None, ""),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab"),
        ([{"type": "thinking", "thinking": "hm", "text": "no"}, {"type": "text", "text": "yes"}], "yes"),
        (["a", "b"], "ab"),
        ({"text": "x"}, '{"text": "x"}'),
        ("\ud83d broken", "? broken"),
    ],
)
def test_content_comes_in_many_shapes(content: Any, text: str) -> None:
    assert mended({"content": content}).text == text


def test_a_refusal_is_what_was_said() -> None:
    assert mended({"content": None, "refusal": "I can't do that"}).text == "I can't do that"


@pytest.mark.parametrize("calls", [None, [], "none", {}, [None, 7]])
def test_no_calls_leave_no_trace_in_the_message(calls: Any) -> None:
    completion = mended({"content": None, "tool_calls": calls})
    assert completion.calls == ()
    assert completion.message == {"role": "assistant", "content": ""}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"command": "é"}, '{"command": "é"}'),
        (None, "{}"),
        ("", "{}"),
        ('{"command": "l', '{"command": "l'),  # malformed: the loop answers that
        (["a"], '["a"]'),
        ({"n": float("nan")}, '{"n": null}'),
    ],
)
def test_arguments_are_text_in_the_call_and_in_the_message(arguments: Any, text: str) -> None:
    completion = mended({"tool_calls": [call(arguments=arguments)]})
    assert completion.calls[0].arguments == text
    assert completion.message["tool_calls"][0]["function"]["arguments"] == text


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("bash", "bash"),
        ("functions.bash", "functions_bash"),
        ("", "unnamed"),
        (None, "unnamed"),
        ("x" * 99, "x" * 64),
    ],
)
def test_a_name_is_one_that_endpoints_take_back(name: Any, kept: str) -> None:
    completion = mended({"tool_calls": [call(name=name)]})
    assert completion.calls[0].name == kept
    assert completion.message["tool_calls"][0]["function"]["name"] == kept


def test_missing_and_repeated_ids_are_made_up() -> None:
    calls = [
        call(),
        call(),
        {**call(), "id": None},
        {"function": {"name": "bash"}},
        {**call(), "id": "call_3"},
    ]
    ids = [one.id for one in mended({"tool_calls": calls}).calls]
    assert ids == ["x1", "call_1", "call_2", "call_3", "call_4"]


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, Usage()),
        ("many", Usage()),
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}, Usage(10, 0, 5, 0)),
        ({"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 8}}, Usage(10, 8, 0, 0)),
        (
            {"prompt_tokens": 10, "prompt_cache_hit_tokens": 7, "prompt_tokens_details": None},
            Usage(10, 7, 0, 0),
        ),
        ({"prompt_tokens": 10, "cached_tokens": 6}, Usage(10, 6, 0, 0)),
        ({"prompt_tokens": 10, "cached_tokens": 60}, Usage(10, 10, 0, 0)),
        ({"completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 3}}, Usage(0, 0, 5, 3)),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "total_tokens": 40,
                "completion_tokens_details": {"reasoning_tokens": 25},
            },
            Usage(10, 0, 30, 25),
        ),
        ({"prompt_tokens": -4, "completion_tokens": "5", "total_tokens": None}, Usage()),
        ({"prompt_tokens": 12.0, "completion_tokens": float("nan"), "total_tokens": True}, Usage(12)),
    ],
)
def test_usage_is_read_in_each_dialect(usage: Any, expected: Usage) -> None:
    assert read_usage(usage) == expected


def test_counts_no_reply_can_have_are_no_counts() -> None:
    usage = {"prompt_tokens": -5, "completion_tokens": 10**15, "total_tokens": 1e300}
    assert read_usage(usage) == Usage()
    assert read_usage({"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 10**10}).completion == 3


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "the answer is no JSON"),
        (b"<html>", "the answer is no JSON"),
        (b'data: {"choices": []}\n\ndata: [DONE]', "the answer is no JSON"),
        (b"[" * 10_000, "the answer is nested too deeply"),
        (b'{"choices": [{}]}', "the answer holds no message"),
        (b"null", "the answer holds no message"),
    ],
)
def test_what_is_no_answer_says_why(raw: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read(decode(raw, str), [])
    assert caught.value.reason == reason
    assert caught.value.quoted


def test_a_byte_order_mark_is_no_part_of_the_answer() -> None:
    assert decode(b'\xef\xbb\xbf{"a": 1}', str) == {"a": 1}


def test_what_is_private_to_us_is_not_taken_from_an_endpoint_but_kept_when_it_is_read_again() -> None:
    private = {"maker": "m", "anthropic": {"model": "m", "content": 5}, "responses": 5, "written": 5}
    assert private.keys() == PRIVATE
    said = {"role": "assistant", "content": "hi", "reasoning_content": "hm"}
    assert mended({**said, **private}).message == said
    assert read_message({**said, **private}, [])[0] == {**said, **private}


def test_made_up_ids_are_found_at_once_where_many_are_taken() -> None:
    count = 20_000
    calls = [{"id": f"call_{count + number}"} for number in range(count)] + [{}] * count
    began = time.process_time()
    _, _, read_calls = read_message({"tool_calls": calls}, [])
    assert time.process_time() - began < 2
    assert [one.id for one in read_calls[count:]] == [f"call_{2 * count + n}" for n in range(count)]


def test_of_endless_calls_the_first_are_taken_and_the_reply_counts_as_cut_off() -> None:
    whole, cut = (mended({"tool_calls": [call()] * count}) for count in (MOST_CALLS, MOST_CALLS + 1))
    assert (len(whole.calls), whole.finish_reason) == (MOST_CALLS, "tool_calls")
    assert (len(cut.calls), cut.finish_reason) == (MOST_CALLS, "length")
    assert len(cut.message["tool_calls"]) == MOST_CALLS
