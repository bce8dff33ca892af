"""A model in reserve: two real endpoints, of which one can't be had."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ci_agent.journal.events import ModelChosen, ModelRetried
from ci_agent.models import Message, Model, ModelError, ModelSettings, Reply
from ci_agent.models.fallback import open_models
from ci_agent.task import Ending
from tests.support.model_server import Fault, ModelServer, Say, Step

TOOLS = [{"type": "function", "function": {"name": "bash", "parameters": {"type": "object"}}}]
THINKING = Say(calls=[("bash", {})], message={"reasoning_content": "hm", "signature": "of the first"})
ME = Say("me", calls=[("bash", {})])
GONE = Fault(503, {"error": {"message": "down for maintenance"}})


class Session:
    """A conversation that is led as the loop leads it."""

    def __init__(self, first: ModelServer, second: ModelServer, **settings: Any) -> None:
        self.retries: list[ModelRetried | ModelChosen] = []
        known: dict[str, Any] = {"base_url": second.base_url, "api_key": second.key, "first_wait": 0.01}
        self.model: Model = open_models(
            "first",
            ModelSettings(base_url=first.base_url, api_key=first.key, first_wait=0.01),
            "second",
            ModelSettings(**known | settings),
            self.retries.append,
        )
        self.context: list[Message] = [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "go"},
        ]

    def step(self) -> Reply:
        reply = self.model.reply(self.context, TOOLS, time.monotonic() + 9)
        self.context.append(reply.message)
        self.context += [{"role": "tool", "tool_call_id": call.id, "content": "done"} for call in reply.calls]
        return reply


def test_while_the_first_answers_nobody_else_is_asked() -> None:
    with ModelServer([GONE, GONE, Say("I'm here")]) as first, ModelServer([Say("me too")]) as second:
        session = Session(first, second)
        assert session.step().text == "I'm here"
        assert session.model.name == "first"
    assert second.requests == []
    assert len(session.retries) == 2


@pytest.mark.parametrize(
    ("fault", "requests"),
    [
        (GONE, 3),
        (Fault(429, ""), 3),
        (Fault(401, ""), 1),
        (Fault(402, ""), 1),
        (Fault(429, {"error": {"message": "no", "code": "insufficient_quota"}}), 1),
        (Fault(404, ""), 1),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_where_the_first_can_not_be_had_the_second_answers_and_stays(fault: Step, requests: int) -> None:
    with ModelServer([fault]) as first, ModelServer([ME, Say("again")]) as second:
        session = Session(first, second)
        assert [session.step().text, session.step().text] == ["me", "again"]
        assert session.model.name == "second"
    assert len(first.requests) == requests
    assert len(second.requests) == 2
    told = session.retries[-1]
    assert isinstance(told, ModelChosen)
    assert (told.role, told.model, told.instead_of) == ("fallback", "second", "first")
    assert told.reason
    assert second.requests[0].body["messages"] == first.requests[0].body["messages"]
    assert len(session.retries) == requests


@pytest.mark.parametrize(
    ("fault", "ending"),
    [
        (Fault(400, {"error": {"message": "no", "code": "context_length_exceeded"}}), Ending.CONTEXT),
        (Fault(400, {"error": {"message": "no", "code": "content_filter"}}), Ending.LLM_POLICY),
    ],
    ids=["context", "policy"],
)
def test_what_is_wrong_with_the_request_is_not_the_models_fault(fault: Step, ending: Ending) -> None:
    with ModelServer([fault]) as first, ModelServer([Say("me")]) as second:
        with pytest.raises(ModelError) as caught:
            Session(first, second).step()
        assert caught.value.ending is ending
        assert second.requests == []


def test_thoughts_of_the_one_are_not_shown_to_the_other_who_gets_its_own_back() -> None:
    own = Say("ok", calls=[("bash", {})], message={"reasoning_content": "mine"})
    with ModelServer([THINKING, GONE]) as first, ModelServer([own, own]) as second:
        session = Session(first, second)
        for _ in range(3):
            session.step()
    call = {"id": "call_0_0", "type": "function", "function": {"name": "bash", "arguments": "{}"}}
    sent = second.requests[1].body["messages"]
    assert sent[2] == {"role": "assistant", "content": "", "tool_calls": [call]}
    assert sent[4]["reasoning_content"] == "mine"
    assert set(sent[4]) == {"role", "content", "tool_calls", "reasoning_content"}
    assert sent[: len(second.requests[0].body["messages"])] == second.requests[0].body["messages"]


def test_a_model_of_another_api_can_take_over() -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA=="}
    with (
        ModelServer([THINKING, GONE]) as first,
        ModelServer([Say("ok", calls=[("bash", {})], items=[thought]), Say("done")]) as second,
    ):
        session = Session(first, second, api="responses")
        for _ in range(3):
            session.step()
    kinds = [item.get("type", item.get("role")) for item in second.requests[1].body["input"]]
    assert kinds[:3] == ["user", "function_call", "function_call_output"]
    assert kinds[3:] == ["reasoning", "message", "function_call", "function_call_output"]


def test_a_model_without_tool_calls_can_take_over() -> None:
    with ModelServer([THINKING, GONE]) as first, ModelServer([Say("ok")]) as second:
        session = Session(first, second, tool_calls="text")
        session.step()
        session.step()
    assert second.requests[0].body["messages"][2] == {
        "role": "assistant",
        "content": '<call name="bash">\n</call>',
    }


def test_where_neither_can_be_had_both_are_named() -> None:
    with ModelServer([GONE]) as first, ModelServer([Fault(401, "who are you?")]) as second:
        session = Session(first, second)
        with pytest.raises(ModelError) as caught:
            session.step()
    assert caught.value.ending is Ending.LLM_AUTH
    text = str(caught.value)
    assert "second: 127.0.0.1 answered 401" in text
    assert "Before it, first: " in text
    assert "down for maintenance" in text


def test_a_model_in_reserve_that_nobody_could_ask_is_told_at_once() -> None:
    with (
        ModelServer([Say("ok")]) as first,
        ModelServer([Say("ok")]) as second,
        pytest.raises(ModelError, match="no key for second"),
    ):
        Session(first, second, api_key="")
