"""Tools at endpoints that know them, endpoints that don't, and endpoints that say so: the real client over HTTP."""

from __future__ import annotations

import itertools
import time
from typing import Any

import pytest

from ci_agent.framing import framed
from ci_agent.journal.events import ModelRetried
from ci_agent.models import Message, Model, ModelError, ModelSettings, Reply, ToolCall, open_model
from ci_agent.task import Ending
from ci_agent.tools import all_tools, schema
from tests.support.model_server import Fault, ModelServer, Request, Say, Step

TOOLS = [schema(tool) for tool in all_tools()]
LS = '<call name="bash">\n<arg name="command">ls</arg>\n</call>'
REFUSED = Fault(400, {"error": {"message": "registry.ollama.ai/library/gemma:2b does not support tools"}})


class Session:
    """A conversation that is led as the loop leads it."""

    def __init__(self, server: ModelServer, **settings: Any) -> None:
        self.retries: list[ModelRetried] = []
        known: dict[str, Any] = {"base_url": server.base_url, "api_key": server.key, "first_wait": 0.01}
        self.model: Model = open_model("gemma:2b", ModelSettings(**known | settings), self.retries.append)
        self.context: list[Message] = [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "go"},
        ]

    def step(self) -> Reply:
        reply = self.model.reply(self.context, TOOLS, time.monotonic() + 9)
        self.context.append(reply.message)
        self.context += [{"role": "tool", "tool_call_id": call.id, "content": "done"} for call in reply.calls]
        if not reply.calls:
            self.context.append({"role": "user", "content": "Go on by calling a tool."})
        return reply


def tells_tools(request: Request) -> bool:
    """Whether the tools are described in the system message, and nowhere else."""
    described = "## bash\n" in request.body["messages"][0]["content"]
    assert described != ("tools" in request.body)
    return described


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "registry.ollama.ai/library/gemma:2b does not support tools"),
        (400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'),
        (500, "tools param requires --jinja flag"),
        (500, "Unsupported param: tools"),
        (
            404,
            "No endpoints found that support tool use. To learn more about provider routing, visit: https://x",
        ),
        (400, "`tool calling` is not supported with this model"),
        (400, "tools is not supported in this model. For a list of supported models, refer to https://x"),
        (
            400,
            "litellm.UnsupportedParamsError: x does not support parameters: ['tools', 'temperature'], for y",
        ),
        (400, "Function calling is not enabled for models/gemma-3-27b-it"),
        (400, "deepseek-reasoner does not support Function Calling"),
        (400, "This model doesn't support tool use."),
        (400, "Unrecognized request argument supplied: tools"),
        (422, "Unsupported parameter: 'tools' is not supported with this model."),
    ],
)
def test_an_endpoint_that_refuses_tools_gets_them_in_words_for_the_rest_of_the_session(
    status: int, message: str
) -> None:
    steps: list[Step] = [Fault(status, {"error": {"message": message}}), Say(f"I look.\n{LS}"), Say(LS)]
    with ModelServer(steps) as server:
        session = Session(server)
        replies = [session.step(), session.step()]
    assert [tells_tools(request) for request in server.requests] == [False, True, True]
    assert replies[0].calls == (ToolCall("call_2", "bash", '{"command": "ls"}'),)
    assert (replies[0].text, replies[0].finish_reason) == ("I look.", "tool_calls")
    assert replies[0].calls[0].id != replies[1].calls[0].id
    [retry] = session.retries
    assert message[:40] in retry.reason
    assert retry.reason.endswith("from here on it calls tools in its text")


@pytest.mark.parametrize(
    "message",
    [
        "This model does not support parallel tool calls",
        "Unsupported value: 'temperature' does not support 0.5 with this model.",
        "Invalid schema for function 'bash'",
    ],
)
def test_other_refusals_are_none_of_tools(message: str) -> None:
    with ModelServer([Fault(400, {"error": {"message": message}})]) as server:
        session = Session(server)
        with pytest.raises(ModelError):
            session.step()
    assert len(server.requests) == 1


def test_a_model_that_only_talks_gets_the_tools_in_words() -> None:
    with ModelServer([Say("I would run ls."), Say("As I said."), Say(LS), Say(LS)]) as server:
        session = Session(server)
        replies = [session.step() for _ in range(4)]
    assert [tells_tools(request) for request in server.requests] == [False, False, True, True]
    assert [len(reply.calls) for reply in replies] == [0, 0, 1, 1]
    assert [retry.wait_seconds for retry in session.retries] == [0.0]


def test_a_model_that_called_a_tool_once_may_talk() -> None:
    steps = [Say("hm"), Say(calls=[("bash", {"command": "ls"})]), Say("hm"), Say("hm"), Say("hm")]
    with ModelServer(steps) as server:
        session = Session(server)
        for _ in range(5):
            session.step()
    assert not any(tells_tools(request) for request in server.requests)


def test_a_reply_that_is_empty_or_cut_off_says_nothing_of_tools() -> None:
    with ModelServer([Say(""), Say("well, let", finish_reason="length"), Say("hm"), Say("x")]) as server:
        session = Session(server)
        for _ in range(4):
            session.step()
    assert not any(tells_tools(request) for request in server.requests)


def test_the_prefix_stays_once_tools_are_called_in_words() -> None:
    with ModelServer([Say(LS), Say("hm"), Say(f"{LS}\n{LS}"), Say("ok")]) as server:
        session = Session(server, tool_calls="text")
        for _ in range(4):
            session.step()
    sent = [request.body["messages"] for request in server.requests]
    for before, after in itertools.pairwise(sent):
        assert after[: len(before)] == before
    assert sent[-1][-2:] == [
        {"role": "assistant", "content": f"{LS}\n{LS}"},
        {"role": "user", "content": "\n\n".join([framed("result", "done", name="bash")] * 2)},
    ]


def test_calls_before_the_change_are_told_in_the_same_words() -> None:
    def answer(request: Request) -> Step:
        refused = "tools" in request.body and len(request.body["messages"]) > 2
        return (
            REFUSED
            if refused
            else Say("ok", calls=[("bash", {"command": "ls"})] if len(server.requests) == 1 else ())
        )

    with ModelServer(answer) as server:
        session = Session(server)
        session.step()
        with pytest.raises(
            ModelError, match=r"model\.tool_calls"
        ):  # it did call tools: something else is wrong
            session.step()
        other = Session(server)
        other.context = session.context
        other.step()
    assert server.requests[-1].body["messages"][2] == {"role": "assistant", "content": f"ok\n\n{LS}"}


def test_where_native_calls_are_wanted_a_refusal_is_the_end() -> None:
    with ModelServer([REFUSED]) as server:
        session = Session(server, tool_calls="native")
        with pytest.raises(ModelError, match=r"Set `model\.tool_calls`") as caught:
            session.step()
    assert caught.value.ending is Ending.LLM_UNAVAILABLE
    assert session.retries == []


def test_a_call_the_server_left_in_the_text_is_one_and_goes_back_as_one() -> None:
    text = 'Look.\n<tool_call>\n{"name": "bash", "arguments": {"command": "ls"}}\n</tool_call>'
    with ModelServer([Say(text, message={"reasoning_content": "hm"}), Say("ok")]) as server:
        session = Session(server)
        reply = session.step()
        session.step()
    assert reply.calls == (ToolCall("call_2", "bash", '{"command": "ls"}'),)
    assert server.requests[1].body["messages"][2] == {
        "role": "assistant",
        "content": "Look.",
        "reasoning_content": "hm",
        "tool_calls": [
            {
                "id": "call_2",
                "type": "function",
                "function": {"name": "bash", "arguments": '{"command": "ls"}'},
            }
        ],
    }


def test_a_native_call_is_the_only_one_that_counts_beside_an_example_in_the_text() -> None:
    with ModelServer([Say(LS, calls=[("run_tests", {})])]) as server:
        assert [call.name for call in Session(server).step().calls] == ["run_tests"]


def test_a_call_that_the_model_wrote_badly_is_asked_for_again() -> None:
    bad = Fault(400, {"error": {"message": "Failed to call a function.", "code": "tool_use_failed"}})
    with ModelServer([bad, Say(calls=[("bash", {})])]) as server:
        session = Session(server)
        assert len(session.step().calls) == 1
    assert len(session.retries) == 1


def test_without_tools_a_text_is_a_text() -> None:
    with ModelServer([Say(LS)]) as server:
        reply = Session(server, tool_calls="text").model.reply(
            [{"role": "user", "content": "x"}], [], time.monotonic() + 9
        )
    assert (reply.text, reply.calls) == (LS, ())
    assert server.requests[0].body["messages"] == [{"role": "user", "content": "x"}]
