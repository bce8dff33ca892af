"""The model behind the Responses API: the real client, over real HTTP."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Response

from ci_agent.journal.events import ModelRetried
from ci_agent.models import Message, Model, ModelError, ModelSettings, Reply, ToolCall, ToolSchema, open_model
from ci_agent.models.completion import MOST_CALLS, Completion, Unreadable
from ci_agent.models.responses import ITEMS, read, request
from ci_agent.task import Ending, Usage
from tests.support.model_server import Fault, ModelServer, Say, Step, response

MESSAGES: list[Message] = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "go"}]
PARAMETERS = {"type": "object", "properties": {"command": {"type": "string"}}}
TOOLS: list[ToolSchema] = [
    {"type": "function", "function": {"name": "bash", "description": "Runs.", "parameters": PARAMETERS}}
]
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA=="}


def model(server: ModelServer, retries: list[ModelRetried] | None = None, **settings: Any) -> Model:
    known: dict[str, Any] = {
        "api": "responses",
        "base_url": server.base_url,
        "api_key": server.key,
        "first_wait": 0.01,
    }
    told = retries if retries is not None else []
    return open_model("codex", ModelSettings(**known | settings), told.append)


def ask(server: ModelServer, context: list[Message] = MESSAGES, **settings: Any) -> Reply:
    return model(server, **settings).reply(context, TOOLS, time.monotonic() + 9)


def test_text_calls_and_usage_of_an_answer_are_read() -> None:
    with ModelServer([Say("on it", calls=[("bash", {"command": "ls"})], items=[THOUGHT])]) as server:
        reply = ask(server)
    assert reply.text == "on it"
    assert reply.calls == (ToolCall("call_0_0", "bash", '{"command": "ls"}'),)
    assert reply.finish_reason == "tool_calls"
    assert reply.usage == Usage(prompt=1000, cached=900, completion=50, reasoning=20)
    assert [item["type"] for item in reply.message[ITEMS]] == ["reasoning", "message", "function_call"]


def test_the_request_holds_the_conversation_the_tools_and_the_settings() -> None:
    with ModelServer([Say("ok")]) as server:
        ask(server, temperature=0.5, max_output_tokens=77, reasoning_effort="high", cache_key="session-1")
    [sent] = server.requests
    assert sent.path == "/v1/responses"
    assert sent.body == {
        "model": "codex",
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "instructions": "be brief",
        "input": [{"role": "user", "content": "go"}],
        "tools": [
            {
                "type": "function",
                "strict": False,
                "name": "bash",
                "description": "Runs.",
                "parameters": PARAMETERS,
            }
        ],
        "temperature": 0.5,
        "max_output_tokens": 77,
        "reasoning": {"effort": "high"},
    }


def test_the_cache_key_goes_where_the_api_is_openais_own() -> None:
    settings = ModelSettings(cache_key="session-1")
    assert request("m", MESSAGES, [], settings, home=True)["prompt_cache_key"] == "session-1"
    assert "prompt_cache_key" not in request("m", MESSAGES, [], settings, home=False)


def test_what_the_model_put_out_goes_back_exactly_and_the_prefix_stays() -> None:
    with ModelServer(
        [Say("on it", calls=[("bash", {}), ("bash", {})], items=[THOUGHT]), Say("ok")]
    ) as server:
        context = list(MESSAGES)
        for _ in range(2):
            reply = ask(server, context)
            context.append(reply.message)
            context += [{"role": "tool", "tool_call_id": call.id, "content": "done"} for call in reply.calls]
        ask(server, context)
    said = response(Say("on it", calls=[("bash", {}), ("bash", {})], items=[THOUGHT]), 0, "codex")["output"]
    results = [
        {"type": "function_call_output", "call_id": f"call_0_{number}", "output": "done"} for number in (0, 1)
    ]
    first, second, third = (sent.body["input"] for sent in server.requests)
    assert second == [*first, *said, *results]
    assert third[: len(second)] == second


def test_a_conversation_that_another_model_began_can_go_on() -> None:
    call = {"id": "call_0", "type": "function", "function": {"name": "bash", "arguments": "{}"}}
    context = [
        *MESSAGES,
        {"role": "assistant", "content": "on it", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_0", "content": "done"},
        {"role": "assistant", "content": ""},
    ]
    assert request("m", context, TOOLS, ModelSettings(), home=False)["input"] == [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": "on it"},
        {"type": "function_call", "call_id": "call_0", "name": "bash", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_0", "output": "done"},
    ]


def test_a_reply_that_was_cut_off_says_so_and_its_loose_thoughts_stay_behind() -> None:
    with ModelServer([Say(None, items=[THOUGHT], finish_reason="max_output_tokens")]) as server:
        reply = ask(server)
    assert (reply.finish_reason, reply.text, reply.calls) == ("length", "", ())
    assert reply.message[ITEMS] == []


def test_a_refusal_is_what_the_model_said() -> None:
    refusal = {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "I won't"}]}
    with ModelServer([Say(None, items=[refusal])]) as server:
        assert ask(server).text == "I won't"


def test_a_reply_that_a_filter_left_empty_ends_the_session() -> None:
    with (
        ModelServer([Say(None, finish_reason="content_filter")]) as server,
        pytest.raises(ModelError) as caught,
    ):
        ask(server)
    assert caught.value.ending is Ending.LLM_POLICY


@pytest.mark.parametrize(
    "step",
    [
        Say(None),
        Fault(200, {"status": "completed", "output": "?"}),
        Fault(200, {"status": "failed", "error": {"code": "server_error", "message": "oops"}, "output": []}),
        Fault(200, {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "slow"}}),
        Fault(429, {"error": {"message": "slow down"}}),
    ],
    ids=lambda step: repr(step)[:60],
)
def test_what_may_pass_is_asked_again(step: Step) -> None:
    retries: list[ModelRetried] = []
    with ModelServer([step, Say("here I am")]) as server:
        assert model(server, retries).reply(MESSAGES, TOOLS, time.monotonic() + 9).text == "here I am"
    assert len(retries) == 1


def test_a_prompt_that_is_refused_in_a_success_is_not_asked_again() -> None:
    error = {"code": "invalid_prompt", "message": "flagged as potentially violating our usage policy"}
    with (
        ModelServer([Fault(200, {"status": "failed", "error": error})]) as server,
        pytest.raises(ModelError) as caught,
    ):
        ask(server)
    assert caught.value.ending is Ending.LLM_POLICY
    assert len(server.requests) == 1


def test_a_model_that_has_only_this_api_says_so_to_the_other() -> None:
    message = "This model is only supported in v1/responses and not in v1/chat/completions."
    with (
        ModelServer([Fault(404, {"error": {"message": message}})]) as server,
        pytest.raises(ModelError, match=r"set `model\.api` to `responses`"),
    ):
        ask(server, api="chat")


def test_the_stand_in_answers_as_the_official_package_expects() -> None:
    said = response(Say("on it", calls=[("bash", {})], items=[THOUGHT]), 0, "codex")
    assert [item.type for item in Response.model_validate(said).output] == [
        "reasoning",
        "message",
        "function_call",
    ]


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "content", "text", "call_id", "name", "arguments", "reason"]),
            inner | st.sampled_from(["message", "function_call", "reasoning", "output_text"]),
            max_size=5,
        )
    ),
    max_leaves=12,
)
ITEM = st.fixed_dictionaries(
    {"type": st.sampled_from(["message", "function_call", "reasoning", "?"])},
    optional={"content": ANY, "call_id": ANY, "name": ANY, "arguments": ANY},
)


@given(
    st.fixed_dictionaries(
        {}, optional={"output": ANY | st.lists(ITEM, max_size=4), "incomplete_details": ANY, "usage": ANY}
    )
    | ANY
)
def test_any_answer_is_read_or_unreadable_and_what_was_read_can_be_sent(answer: Any) -> None:
    try:
        completion: Completion = read(answer, MESSAGES)
    except (Unreadable, ModelError):
        return
    ids = [call.id for call in completion.calls]
    assert len(set(ids)) == len(ids)
    sent = request("m", [*MESSAGES, completion.message], TOOLS, ModelSettings(), home=True)["input"][1:]
    assert [item["call_id"] for item in sent if item.get("type") == "function_call"] == ids
    assert not sent or sent[-1].get("type") != "reasoning"


@pytest.mark.parametrize(
    "items",
    [None, 5, "hm", ["hm"], [], [{"type": "function_call", "call_id": "c2", "name": "bash"}]],
    ids=str,
)
def test_items_that_are_none_or_make_other_calls_are_not_sent(items: Any) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "bash", "arguments": "{}"}}
    message = {"role": "assistant", "content": "hm", "tool_calls": [call]}

    def sent(message: Message) -> Any:
        return request("m", [message], [], ModelSettings(), home=True)["input"]

    assert sent({**message, ITEMS: items}) == sent(message)


def test_of_endless_calls_the_first_are_taken_and_the_reply_counts_as_cut_off() -> None:
    items = [
        {"type": "function_call", "call_id": f"c{n}", "name": "bash", "arguments": "{}"}
        for n in range(MOST_CALLS + 9)
    ]
    completion = read({"output": items}, [])
    assert (len(completion.calls), completion.finish_reason) == (MOST_CALLS, "length")
    assert completion.message[ITEMS] == items[:MOST_CALLS]
