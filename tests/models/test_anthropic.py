"""Claude behind the Messages API: the real client, over real HTTP, against a server that refuses what the API does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import traceback
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ci_agent.journal.events import ModelRetried
from ci_agent.models import (
    Message,
    Model,
    ModelError,
    ModelSettings,
    Prices,
    Reply,
    ToolCall,
    ToolSchema,
    open_model,
)
from ci_agent.models.anthropic import MOST_TOKENS
from ci_agent.models.connection import LONGEST_ANSWER
from ci_agent.task import Ending, Usage
from tests.support.anthropic_rules import thoughts
from tests.support.anthropic_server import AnthropicServer, Says, error
from tests.support.model_server import Fault, Hang, Raw, Request, Reset, Step

NAME = "anthropic:claude-opus-5"
OLDER = "anthropic:claude-sonnet-4-5"
MESSAGES: list[Message] = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "go"}]
TOOLS: list[ToolSchema] = [
    {
        "type": "function",
        "function": {"name": "bash", "description": "Runs.", "parameters": {"type": "object"}},
    }
]
LS = ("bash", {"command": "ls"})


def opened(
    server: AnthropicServer, retries: list[ModelRetried] | None = None, name: str = NAME, **settings: Any
) -> Model:
    known: dict[str, Any] = {
        "base_url": server.base_url,
        "api_key": server.key,
        "first_wait": 0.01,
        "timeout": 5,
    }
    return open_model(
        name, ModelSettings(**known | settings), (retries if retries is not None else []).append
    )


def ask(
    server: AnthropicServer,
    retries: list[ModelRetried] | None = None,
    *,
    seconds: float = 30,
    **settings: Any,
) -> Reply:
    return opened(server, retries, **settings).reply(MESSAGES, TOOLS, time.monotonic() + seconds)


def steps(model: Model, context: list[Message], results: list[str]) -> list[Reply]:
    """The replies of a conversation, to which `context` grows: each call gets its step's result."""
    replies = []
    for text in results:
        replies.append(model.reply(context, TOOLS, time.monotonic() + 30))
        context.append(replies[-1].message)
        context += [{"role": "tool", "tool_call_id": call.id, "content": text} for call in replies[-1].calls]
    return replies


def test_text_calls_usage_and_cost_of_an_answer_are_read() -> None:
    usage = {
        "usage": {
            "input_tokens": 40,
            "cache_read_input_tokens": 900,
            "cache_creation_input_tokens": 60,
            "output_tokens": 50,
            "output_tokens_details": {"thinking_tokens": 20},
        }
    }
    with AnthropicServer([Says("on it", [LS], more=usage)]) as server:
        reply = ask(server, prices=Prices(input=2.0, cached_input=0.2, output=10.0, cache_write=2.5))
    assert reply.text == "on it"
    assert reply.calls == (ToolCall("toolu_1_0", "bash", '{"command": "ls"}'),)
    assert reply.finish_reason == "tool_calls"
    assert reply.usage == Usage(prompt=1000, cached=900, completion=50, reasoning=20, cache_written=60)
    assert reply.cost == pytest.approx((40 * 2.0 + 900 * 0.2 + 60 * 2.5 + 50 * 10.0) / 1e6)
    assert 0 < reply.seconds < 5


def test_the_request_names_model_and_maximum_and_has_both_headers_for_the_key() -> None:
    with AnthropicServer([Says("ok")]) as server:
        ask(server)
        ask(server, max_output_tokens=77)
    first, second = server.requests
    assert first.path == "/v1/messages"
    assert set(first.body) == {"model", "max_tokens", "system", "messages", "tools"}
    assert (first.body["model"], first.body["max_tokens"]) == ("claude-opus-5", MOST_TOKENS)
    assert second.body["max_tokens"] == 77
    assert first.headers["x-api-key"] == server.key
    assert first.headers["authorization"] == f"Bearer {server.key}"
    assert first.headers["anthropic-version"] == "2026-10-21"


@pytest.mark.parametrize("end", ["", "/", "/v1", "/v1/"])
def test_an_address_may_end_in_v1(end: str) -> None:
    with AnthropicServer([Says("ok")]) as server:
        assert ask(server, base_url=server.base_url + end).text == "ok"
        assert ask(server, base_url=f"{server.base_url}{end}?team=7").text == "ok"
    assert [request.path for request in server.requests] == ["/v1/messages", "/v1/messages?team=7"]


def test_a_temperature_is_sent_by_the_version_that_knows_it() -> None:
    with AnthropicServer([Says("ok")]) as server:
        ask(server, temperature=0.5)
        ask(server, temperature=0.5, reasoning_effort="low")
    sampled, thinking = server.requests
    assert (sampled.body["temperature"], sampled.headers["anthropic-version"]) == (0.5, "2023-06-01")
    assert "temperature" not in thinking.body


def test_every_step_reads_all_of_the_step_before_from_the_cache() -> None:
    context: list[Message] = [
        {"role": "system", "content": "You mend code. " * 1000},
        {"role": "user", "content": "The issue: it is broken. " * 200},
    ]
    answers = [Says("Next.", [LS], ["hm"]) for _ in range(30)]
    with AnthropicServer(answers) as server:
        replies = steps(opened(server), context, ["a line of the output\n" * 30] * 30)
    for before, now in pairwise(replies):
        assert now.usage.cached == before.usage.prompt
        assert now.usage.cached >= 0.95 * now.usage.prompt
    sent = [len(request.body["messages"]) for request in server.requests]
    assert sent == list(range(1, 61, 2))


def test_a_turn_of_many_calls_does_not_lose_the_cache() -> None:
    context = list(MESSAGES)
    many = Says("All of it.", [("bash", {"command": f"cat {number}"}) for number in range(40)], ["hm"])
    with AnthropicServer([Says("First.", [LS]), many, many, Says("done")]) as server:
        replies = steps(opened(server), context, ["ok"] * 4)
    for before, now in pairwise(replies):
        assert now.usage.cached == before.usage.prompt > 0


@pytest.mark.parametrize("name", [NAME, OLDER])
def test_thoughts_go_back_signed_as_they_came(name: str) -> None:
    redacted = [
        {"type": "redacted_thinking", "data": "Zm9v"},
        {"type": "tool_use", "id": "toolu_x", "name": "bash", "input": {}},
    ]
    context = list(MESSAGES)
    script = [
        Says("a", [LS], ["hm", ""]),
        Says(content=redacted),
        Says("", [LS]),
        Says("done", thoughts=["ah"]),
    ]
    with AnthropicServer(script) as server:
        replies = steps(opened(server, name=name, reasoning_effort="high"), context, ["ok"] * 4)
    assert [reply.text for reply in replies] == ["a", "", "", "done"]
    sent = [thoughts(turn["content"]) for turn in server.requests[-1].body["messages"]]
    assert [len(blocks) for blocks in sent] == [0, 2, 0, 1, 0, 0, 0]
    assert all("thinking" in request.body for request in server.requests)


def test_thoughts_do_not_go_to_another_model() -> None:
    context = list(MESSAGES)
    with AnthropicServer([Says("a", [LS], ["hm"]), Says("done")]) as server:
        steps(opened(server, reasoning_effort="low"), context, ["ok"])
        other = opened(server, name="anthropic:claude-fable-5-2", reasoning_effort="low")
        assert steps(other, context, ["ok"])[0].text == "done"


def test_a_budget_waits_until_the_turn_is_one_that_began_with_a_thought() -> None:
    context: list[Message] = [
        *MESSAGES,
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "call:1", "type": "function", "function": {"name": "bash", "arguments": "{}"}}
            ],
        },
        {"role": "tool", "tool_call_id": "call:1", "content": "ok"},
    ]
    with AnthropicServer([Says("", [LS]), Says("done", thoughts=["hm"])]) as server:
        model = opened(server, name=OLDER, reasoning_effort="medium")
        steps(model, context, ["ok"])
        context.append({"role": "user", "content": "2 steps are left"})
        steps(model, context, ["ok"])
    assert [request.body.get("thinking") for request in server.requests] == [
        None,
        {"type": "enabled", "budget_tokens": 4096},
    ]


@pytest.mark.parametrize(
    ("name", "effort", "most", "sent"),
    [
        ("claude-opus-4-6", "low", None, ("adaptive", "low")),
        ("claude-haiku-5-5", "max", None, ("adaptive", "max")),
        ("claude-mythos-preview", "high", None, ("adaptive", "high")),
        ("us.anthropic.claude-opus-4-8-v1:0", "high", None, ("adaptive", "high")),
        ("anthropic/claude-sonnet-4.6", "high", None, ("adaptive", "high")),
        ("claude-haiku-4-5-20251001", "low", None, (1024, None)),
        ("claude-sonnet-4-5", "high", None, (16_000, None)),
        ("claude-sonnet-4-5", "high", 64_000, (16_384, None)),
        ("claude-sonnet-4-5", "high", 8000, (4000, None)),
        ("claude-sonnet-4-5", "high", 2000, None),
        ("claude-sonnet-4-5", "none", None, None),
        ("claude-opus-4-20250514", "low", None, (1024, None)),
        ("claude-3-7-sonnet-20250219", "low", None, (1024, None)),
        ("some-other-model", "medium", None, (4096, None)),
        ("claude-opus-5", None, None, None),
    ],
)
def test_how_hard_to_think_is_said_as_the_model_knows_it(
    name: str, effort: str | None, most: int | None, sent: object
) -> None:
    bodies: list[dict[str, Any]] = []

    class Lenient(AnthropicServer):
        """Knows every model."""

        def answer(self, request: Request) -> tuple[int, Step]:
            bodies.append(request.body)
            return 0, Fault(200, {"content": [{"type": "text", "text": "ok"}]})

    with Lenient([]) as server:
        ask(server, name=f"anthropic:{name}", reasoning_effort=effort, max_output_tokens=most)
    [body] = bodies
    thinking = body.get("thinking")
    if sent is None:
        assert thinking is None
        assert "output_config" not in body
    else:
        assert thinking is not None
        how = thinking.get("budget_tokens", thinking["type"])
        assert (how, body.get("output_config", {}).get("effort")) == sent


def test_a_maximum_that_the_model_names_is_kept_to() -> None:
    with AnthropicServer([Says("ok")], most_tokens=8192) as server:
        model = opened(server)
        for _ in range(2):
            assert model.reply(MESSAGES, TOOLS, time.monotonic() + 9).text == "ok"
    assert [request.body["max_tokens"] for request in server.requests] == [MOST_TOKENS, 8192, 8192]


def test_a_maximum_is_tried_once() -> None:
    refusal = error(
        400,
        "invalid_request_error",
        "max_tokens: 9 > 5, which is the maximum allowed number of output tokens",
    )
    with AnthropicServer([refusal]) as server, pytest.raises(ModelError, match="is the maximum") as caught:
        ask(server)
    assert caught.value.ending is Ending.LLM_UNAVAILABLE
    assert [request.body["max_tokens"] for request in server.requests] == [MOST_TOKENS, 5]


@pytest.mark.parametrize(
    ("stop", "ours"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("refusal", "content_filter"),
        ("something_new", "something_new"),
    ],
)
def test_why_it_stopped_is_told_in_our_words(stop: str, ours: str) -> None:
    with AnthropicServer([Says("so far", stop_reason=stop)]) as server:
        assert ask(server).finish_reason == ours


def test_a_paused_turn_is_asked_for_again() -> None:
    retries: list[ModelRetried] = []
    with AnthropicServer([Says("wait", stop_reason="pause_turn"), Says("done")]) as server:
        assert ask(server, retries).text == "done"
    assert [retry.reason for retry in retries] == ["claude-opus-5 paused in the middle of its turn"]


def test_a_refusal_that_says_nothing_ends_the_session() -> None:
    with AnthropicServer([Says(stop_reason="refusal")]) as server, pytest.raises(ModelError) as caught:
        ask(server)
    assert caught.value.ending is Ending.LLM_POLICY
    assert len(server.requests) == 1


def test_an_answer_that_fills_the_context_ends_as_a_context_that_is_too_long() -> None:
    full = Says("and th", stop_reason="model_context_window_exceeded")
    with AnthropicServer([full]) as server, pytest.raises(ModelError) as caught:
        ask(server)
    assert caught.value.ending is Ending.CONTEXT


@pytest.mark.parametrize(
    "step",
    [
        error(529, "overloaded_error", "Overloaded"),
        error(500, "api_error", "Internal server error"),
        error(504, "timeout_error", "Timed out"),
        error(429, "rate_limit_error", "slow down"),
        error(408, "timeout_error", "Request timed out"),
        error(409, "conflict_error", "Busy"),
        error(200, "overloaded_error", "Overloaded"),
        Reset(),
        Reset(in_body=True),
        Raw(b"this is not HTTP\r\n\r\n"),
        Fault(200, "<html><title>Log in</title></html>"),
        Fault(200, b'{"content": ['),
        Fault(200, {"type": "message", "content": None}),
        Fault(200, [1]),
        Fault(200, b'{"content": "' + b"a" * (LONGEST_ANSWER + 1)),
        Fault(502, "<html><title>Bad gateway</title></html>"),
    ],
    ids=lambda step: repr(step)[:60],
)
def test_what_may_pass_is_asked_again(step: Step) -> None:
    retries: list[ModelRetried] = []
    with AnthropicServer([step, Says("here I am")]) as server:
        assert ask(server, retries).text == "here I am"
    [retry] = retries
    assert retry.reason
    assert len(server.requests) == 2


def test_the_endpoint_says_how_long_to_wait() -> None:
    retries: list[ModelRetried] = []
    busy = error(429, "rate_limit_error", "slow down", {"retry-after": "0.02"})
    with AnthropicServer([busy, Says("ok")]) as server:
        ask(server, retries, first_wait=30)
    assert [retry.wait_seconds for retry in retries] == [0.02]
    assert "slow down" in retries[0].reason


def test_an_overload_without_end_is_given_up() -> None:
    with (
        AnthropicServer([error(529, "overloaded_error", "Overloaded")]) as server,
        pytest.raises(ModelError, match=r"3 tries.*529: Overloaded") as caught,
    ):
        ask(server, tries=3)
    assert caught.value.ending is Ending.LLM_UNAVAILABLE
    assert len(server.requests) == 3


def test_a_hanging_endpoint_is_left_after_the_time_out() -> None:
    with AnthropicServer([Hang(), Hang(dripping=True), Says("awake")]) as server:
        assert ask(server, timeout=0.2).text == "awake"


SPENT = {"error_code": "enforced_spend_limit_reached"}


@pytest.mark.parametrize(
    ("step", "ending", "words"),
    [
        (error(403, "permission_error", "not for you"), Ending.LLM_AUTH, "Set ANTHROPIC_API_KEY"),
        (error(402, "billing_error", "pay first"), Ending.LLM_QUOTA, "pay first"),
        (
            error(400, "invalid_request_error", "Your credit balance is too low to access the API."),
            Ending.LLM_QUOTA,
            "no credit left",
        ),
        (
            error(400, "invalid_request_error", "You have reached your specified API usage limits."),
            Ending.LLM_QUOTA,
            "no credit left",
        ),
        (
            Fault(429, {"error": {"type": "rate_limit_error", "message": "stop", "details": SPENT}}),
            Ending.LLM_QUOTA,
            "stop",
        ),
        (
            error(429, "rate_limit_error", "Usage credits are required for long context requests."),
            Ending.CONTEXT,
            "long context",
        ),
        (error(413, "request_too_large", "Request exceeds the maximum size"), Ending.CONTEXT, "413"),
        (
            error(400, "invalid_request_error", "prompt is too long: 208310 tokens > 200000 maximum"),
            Ending.CONTEXT,
            "longer than the model takes",
        ),
        (
            error(
                400,
                "invalid_request_error",
                "input length and `max_tokens` exceed context limit: 178959 + 64000 > 200000",
            ),
            Ending.CONTEXT,
            "longer than the model takes",
        ),
        (
            error(400, "invalid_request_error", "Output blocked by content filtering policy"),
            Ending.LLM_POLICY,
            "content policy",
        ),
        (error(404, "not_found_error", "model: claude-9"), Ending.LLM_UNAVAILABLE, "does not know the model"),
        (error(400, "invalid_request_error", "tools.0: odd"), Ending.LLM_UNAVAILABLE, "tools.0: odd"),
        (Fault(307, "", {"Location": "http://127.0.0.1:1/"}), Ending.LLM_UNAVAILABLE, "ANTHROPIC_BASE_URL"),
    ],
    ids=lambda value: repr(value)[:70],
)
def test_what_will_not_pass_ends_the_session_at_once(step: Step, ending: Ending, words: str) -> None:
    with AnthropicServer([step]) as server, pytest.raises(ModelError) as caught:
        ask(server)
    assert caught.value.ending is ending
    assert words in str(caught.value)
    assert len(server.requests) == 1


def test_a_wrong_key_is_an_ending_and_the_key_is_not_repeated() -> None:
    wrong = "sk-ant-wrong-9876543210"
    with AnthropicServer([Says("never")]) as server, pytest.raises(ModelError) as caught:
        ask(server, api_key=wrong)
    assert caught.value.ending is Ending.LLM_AUTH
    assert "invalid x-api-key: ***" in str(caught.value)
    assert wrong not in "".join(traceback.format_exception(caught.value))
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_key_does_not_follow_a_redirect(status: int) -> None:
    with (
        AnthropicServer([Says("gotcha")]) as elsewhere,
        AnthropicServer([Fault(status, "", {"Location": f"{elsewhere.base_url}/v1/messages"})]) as server,
        pytest.raises(ModelError) as caught,
    ):
        ask(server)
    assert elsewhere.requests == []
    assert caught.value.ending is Ending.LLM_UNAVAILABLE


def test_a_missing_key_is_told_before_anything_is_sent() -> None:
    with AnthropicServer([Says("never")]) as server, pytest.raises(ModelError, match="set ANTHROPIC_API_KEY"):
        opened(server, api_key=None)
    assert server.requests == []


def test_without_the_extra_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "anthropic", None)
    with pytest.raises(ModelError) as caught:
        open_model(NAME, ModelSettings(api_key="sk-ant-0123456789"), lambda _: None)
    assert "run pip install 'ci-agent[anthropic]'" in str(caught.value)


def test_what_the_environment_says_to_the_package_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with AnthropicServer([Says("ok")]) as configured, AnthropicServer([Says("no")]) as ambient:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", ambient.base_url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ambient")
        monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "ambient")
        assert ask(configured).text == "ok"


def test_opening_a_model_loads_no_client_and_the_first_reply_does(tmp_path: Path) -> None:
    script = (
        "import sys, time\n"
        "from ci_agent.models import ModelSettings, open_model\n"
        "model = open_model('anthropic:m', ModelSettings(base_url=sys.argv[1], api_key=sys.argv[2]), print)\n"
        "assert not {'anthropic', 'openai', 'genai_prices', 'httpx2'} & set(sys.modules)\n"
        "print(model.reply([{'role': 'user', 'content': 'hi'}], [], time.monotonic() + 30).text)\n"
        "assert 'anthropic' in sys.modules and 'openai' not in sys.modules\n"
    )
    with AnthropicServer([Says("hello")]) as server:
        assert run(tmp_path, script, server.base_url, server.key) == (0, "hello\n", "")


def test_warming_up_loads_the_client_and_opens_no_connection(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "def audit(event, _):\n"
        "    if event == 'socket.connect': print(event)\n"
        "sys.addaudithook(audit)\n"
        "from ci_agent.models.anthropic import warm_up\n"
        "warm_up()\n"
        "print('anthropic' in sys.modules, 'genai_prices' in sys.modules)\n"
    )
    assert run(tmp_path, script) == (0, "True False\n", "")


def run(home: Path, script: str, *arguments: str) -> tuple[int, str, str]:
    """The code and the outputs of a Python of its own."""
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=home,
        env={**os.environ, "HOME": str(home)},
    )
    return done.returncode, done.stdout, done.stderr


def test_a_message_outlives_the_journal() -> None:
    context = list(MESSAGES)
    with AnthropicServer([Says("a", [LS], ["hm"]), Says("done")]) as server:
        model = opened(server)
        steps(model, context, ["ok"])
        steps(model, json.loads(json.dumps(context)), ["ok"])
        steps(model, context, ["ok"])
    assert server.requests[1].body == server.requests[2].body
