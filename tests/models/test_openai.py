"""The model behind chat completions: the real client, over real HTTP, against a server that misbehaves."""

from __future__ import annotations

import gzip
import json
import os
import socket
import subprocess
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from ci_agent.guard import REMOVED
from ci_agent.journal.events import ModelRetried
from ci_agent.models import (
    Message,
    ModelError,
    ModelSettings,
    Prices,
    Reply,
    ToolCall,
    ToolSchema,
    open_model,
)
from ci_agent.models.connection import LONGEST_ANSWER
from ci_agent.task import Ending, Usage
from tests.support.model_server import Fault, Hang, ModelServer, Raw, Request, Reset, Say, Step, completion

MESSAGES: list[Message] = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "go"}]
TOOLS: list[ToolSchema] = [
    {"type": "function", "function": {"name": "bash", "parameters": {"type": "object"}}}
]


def ask(
    server: ModelServer, retries: list[ModelRetried] | None = None, *, seconds: float = 30, **settings: Any
) -> Reply:
    known: dict[str, Any] = {
        "base_url": server.base_url,
        "api_key": server.key,
        "first_wait": 0.01,
        "timeout": 5,
    }
    model = open_model(
        "gpt-5-mini", ModelSettings(**known | settings), (retries if retries is not None else []).append
    )
    return model.reply(MESSAGES, TOOLS, time.monotonic() + seconds)


def failure(*steps: Step, seconds: float = 30, **settings: Any) -> ModelError:
    with ModelServer(steps) as server, pytest.raises(ModelError) as caught:
        ask(server, seconds=seconds, **settings)
    assert server.key not in "".join(traceback.format_exception(caught.value))
    return caught.value


def test_text_calls_usage_and_cost_of_an_answer_are_read() -> None:
    with ModelServer([Say("on it", calls=[("bash", {"command": "ls"})])]) as server:
        reply = ask(server, prices=Prices(input=2.0, cached_input=0.2, output=10.0))
    assert reply.text == "on it"
    assert reply.calls == (ToolCall("call_0_0", "bash", '{"command": "ls"}'),)
    assert reply.finish_reason == "tool_calls"
    assert reply.usage == Usage(prompt=1000, cached=900, completion=50, reasoning=20)
    assert reply.cost == pytest.approx((100 * 2.0 + 900 * 0.2 + 50 * 10.0) / 1e6)
    assert reply.message["tool_calls"][0]["id"] == "call_0_0"
    assert 0 < reply.seconds < 5


def test_the_request_holds_the_conversation_the_tools_and_the_settings() -> None:
    with ModelServer([Say("ok")]) as server:
        ask(server, temperature=0.5, max_output_tokens=77)
    [request] = server.requests
    assert request.path == "/v1/chat/completions"
    assert request.body == {
        "model": "gpt-5-mini",
        "messages": MESSAGES,
        "stream": False,
        "tools": TOOLS,
        "temperature": 0.5,
        "max_tokens": 77,
    }


def test_how_hard_to_think_is_said_and_the_cache_key_only_where_it_is_known() -> None:
    with ModelServer([Say("ok")]) as server:
        ask(server, reasoning_effort="low", cache_key="session-1")
    assert server.requests[0].body["reasoning_effort"] == "low"
    assert "prompt_cache_key" not in server.requests[0].body


@pytest.mark.parametrize("host", ["api.openai.com", "eu.api.openai.com", "mine.openai.azure.com"])
def test_where_the_api_is_openais_own_its_newer_fields_are_used(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ModelServer([Say("ok")]) as server:
        monkeypatch.setenv(
            "HTTP_PROXY", server.base_url.removesuffix("/v1")
        )  # the server stands for the host
        monkeypatch.delenv("NO_PROXY", raising=False)
        ask(server, base_url=f"http://{host}/v1", cache_key="session-1", max_output_tokens=77)
    [request] = server.requests
    assert request.headers["host"] == host
    assert request.body["prompt_cache_key"] == "session-1"
    assert request.body["max_completion_tokens"] == 77
    assert "max_tokens" not in request.body


def test_without_tools_and_settings_nothing_is_said_about_them() -> None:
    with ModelServer([Say("ok")]) as server:
        model = open_model("m", ModelSettings(base_url=server.base_url, api_key=server.key), print)
        model.reply(MESSAGES, [], time.monotonic() + 9)
    assert set(server.requests[0].body) == {"model", "messages", "stream"}


def test_reasoning_stays_in_the_message() -> None:
    with ModelServer([Say("hm", message={"reasoning_content": "thought", "signature": "abc"})]) as server:
        reply = ask(server)
    assert reply.message["reasoning_content"] == "thought"
    assert reply.message["signature"] == "abc"
    assert reply.text == "hm"


def test_a_reply_that_a_filter_left_empty_ends_the_session() -> None:
    error = failure(Say(None, finish_reason="content_filter"))
    assert error.ending is Ending.LLM_POLICY
    assert "content policy" in str(error)


def test_a_reply_that_a_filter_cut_off_is_one() -> None:
    with ModelServer([Say("half of", finish_reason="content_filter")]) as server:
        reply = ask(server)
    assert (reply.text, reply.finish_reason) == ("half of", "content_filter")


def test_what_another_api_keeps_in_a_message_is_not_sent() -> None:
    mixed = {
        "role": "assistant",
        "content": "hm",
        "responses": [{}],
        "anthropic": [{}],
        "reasoning_content": "x",
    }
    with ModelServer([Say("ok")]) as server:
        model = open_model("m", ModelSettings(base_url=server.base_url, api_key=server.key), lambda _: None)
        model.reply([*MESSAGES, mixed], TOOLS, time.monotonic() + 9)
    sent = server.requests[0].body["messages"]
    assert sent == [*MESSAGES, {"role": "assistant", "content": "hm", "reasoning_content": "x"}]


def test_what_a_provider_keeps_in_a_reply_goes_back_unchanged() -> None:
    function = {"name": "bash", "arguments": "{}"}
    call = {
        "id": "c1",
        "type": "function",
        "function": function,
        "extra_content": {"google": {"thought": "EoQB"}},
    }
    kept = {
        "content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}],
        "reasoning_details": [{"type": "reasoning.encrypted", "data": "gAAA"}],
        "tool_calls": [call],
    }
    with ModelServer([Say(message=kept), Say("ok")]) as server:
        model = open_model("m", ModelSettings(base_url=server.base_url, api_key=server.key), lambda _: None)
        reply = model.reply(MESSAGES, TOOLS, time.monotonic() + 9)
        model.reply([*MESSAGES, reply.message], TOOLS, time.monotonic() + 9)
    assert server.requests[1].body["messages"][2] == {"role": "assistant", **kept}


def test_an_answer_with_nothing_in_it_is_an_answer() -> None:
    with ModelServer([Say(None, usage=None)]) as server:
        reply = ask(server)
    assert (reply.text, reply.calls, reply.usage, reply.cost) == ("", (), Usage(), None)


def test_half_a_surrogate_pair_in_the_conversation_can_be_sent() -> None:
    with ModelServer([Say("ok")]) as server:
        model = open_model("m", ModelSettings(base_url=server.base_url, api_key=server.key), print)
        model.reply([{"role": "user", "content": "caf\udce9 ü"}], TOOLS, time.monotonic() + 9)
    assert server.requests[0].body["messages"][0]["content"] == "caf? ü"


@pytest.mark.parametrize(
    "step",
    [
        *(
            Fault(status, {"error": {"message": "busy"}})
            for status in (408, 409, 425, 429, 500, 502, 503, 529)
        ),
        Reset(),
        Reset(in_body=True),
        Raw(b"\x00\x01 this is not HTTP\r\n\r\n"),
        Raw(b""),
        Fault(200, "<html><title>Log in</title></html>"),
        Fault(200, b'{"choices": ['),
        Fault(200, b"\xff\xfe\x00"),
        Fault(200, b"[" * 100_000),
        Fault(200, {"choices": []}),
        Fault(200, {"choices": None}),
        Fault(200, {"object": "chat.completion"}),
        Fault(200, {"choices": [{"finish_reason": "error"}]}),
        Fault(200, [1, 2]),
        Fault(200, {"error": {"code": 502, "message": "upstream"}}),
        Fault(200, {"choices": []}, {"Content-Encoding": "gzip"}),
        Fault(200, {"choices": []}, {"Content-Type": "application/json; charset=hex"}),
    ],
    ids=lambda step: repr(step)[:60],
)
def test_what_may_pass_is_asked_again(step: Step) -> None:
    retries: list[ModelRetried] = []
    with ModelServer([step, Say("here I am")]) as server:
        assert ask(server, retries).text == "here I am"
    [retry] = retries
    assert retry.attempt == 1
    assert retry.reason
    assert retry.wait_seconds <= 0.01
    assert len(server.requests) == 2


def test_a_hanging_endpoint_is_left_after_the_time_out_and_asked_again() -> None:
    retries: list[ModelRetried] = []
    with ModelServer([Hang(), Say("awake")]) as server:
        assert ask(server, retries, timeout=0.2).text == "awake"
    assert retries[0].reason == "no answer from 127.0.0.1 within 0.2 s"


def test_an_endpoint_that_drips_blanks_does_not_hold_us_beyond_the_time_out() -> None:
    with ModelServer([Hang(dripping=True), Say("at last")]) as server:
        assert ask(server, timeout=0.2).text == "at last"


def test_blanks_before_the_answer_do_not_matter() -> None:
    with ModelServer([Fault(200, b'\n\n \n{"choices": [{"message": {"content": "hi"}}]}')]) as server:
        assert ask(server).text == "hi"


def test_a_dead_endpoint_is_given_up_with_the_reason() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and nobody listens
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        settings = ModelSettings(base_url=address, api_key="sk-1234", tries=3, first_wait=0.01)
        with pytest.raises(ModelError) as caught:
            open_model("m", settings, lambda _: None).reply(MESSAGES, TOOLS, time.monotonic() + 9)
    assert caught.value.ending is Ending.LLM_UNAVAILABLE
    assert "3 tries" in str(caught.value)
    assert "Connection refused" in str(caught.value)


def test_an_endless_rate_limit_ends_after_the_agreed_tries() -> None:
    retries: list[ModelRetried] = []
    with (
        ModelServer([Fault(429, {"error": {"message": "slow down"}}, {"retry-after-ms": "5"})]) as server,
        pytest.raises(ModelError, match=r"8 tries.*slow down") as caught,
    ):
        ask(server, retries)
    assert caught.value.ending is Ending.LLM_UNAVAILABLE
    assert [retry.attempt for retry in retries] == list(range(1, 8))
    assert {retry.wait_seconds for retry in retries} == {0.005}
    assert len(server.requests) == 8


def test_a_wait_that_would_pass_the_deadline_is_not_begun() -> None:
    start = time.monotonic()
    error = failure(Fault(503, "", {"Retry-After": "60"}), seconds=3)
    assert error.ending is Ending.LIMIT_WALL
    assert time.monotonic() - start < 2


def test_a_request_does_not_outlast_the_deadline() -> None:
    start = time.monotonic()
    assert failure(Hang(), seconds=0.3, timeout=60).ending is Ending.LIMIT_WALL
    assert time.monotonic() - start < 2


@pytest.mark.parametrize(
    ("step", "ending", "words"),
    [
        (Fault(403, {"error": {"message": "no access"}}), Ending.LLM_AUTH, "no access"),
        (Fault(402, {"error": {"message": "Insufficient Balance"}}), Ending.LLM_QUOTA, "no credit left"),
        (
            Fault(429, {"error": {"message": "You exceeded it", "code": "insufficient_quota"}}),
            Ending.LLM_QUOTA,
            "You exceeded it",
        ),
        (
            Fault(404, {"error": "model 'gpt-5-mini' not found"}),
            Ending.LLM_UNAVAILABLE,
            "does not know the model",
        ),
        (Fault(413, "<html><title>413 Too Large</title>"), Ending.CONTEXT, "413 Too Large"),
        (
            Fault(400, {"error": {"message": "too long", "code": "context_length_exceeded"}}),
            Ending.CONTEXT,
            "longer than the model takes",
        ),
        (
            Fault(400, {"error": {"code": "content_filter", "message": "no"}}),
            Ending.LLM_POLICY,
            "content policy",
        ),
        (Fault(400, {"detail": "bad " * 500}), Ending.LLM_UNAVAILABLE, "bad bad"),
        (Fault(200, {"error": {"code": 402, "message": "pay first"}}), Ending.LLM_QUOTA, "pay first"),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_what_will_not_pass_ends_the_session_at_once(step: Step, ending: Ending, words: str) -> None:
    with ModelServer([step]) as server, pytest.raises(ModelError) as caught:
        ask(server)
    assert caught.value.ending is ending
    assert words in str(caught.value)
    assert len(str(caught.value)) < 600
    assert len(server.requests) == 1


def test_a_wrong_key_is_an_ending_and_the_key_is_not_repeated() -> None:
    wrong = "sk-wrong-9876543210"
    with (
        ModelServer([Say("never")], key="sk-right-0123456789") as server,
        pytest.raises(ModelError) as caught,
    ):
        ask(server, api_key=wrong)
    assert caught.value.ending is Ending.LLM_AUTH
    assert "Incorrect API key provided: ***." in str(caught.value)
    assert wrong not in "".join(traceback.format_exception(caught.value))
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [500, 200])
def test_the_key_is_not_repeated_in_the_journal_either(status: int) -> None:
    retries: list[ModelRetried] = []
    with ModelServer(
        [Fault(status, b'{"debug": "' + b"." * 290 + b'sk-test-0123456789"}'), Say("ok")]
    ) as server:
        ask(server, retries)
    assert "sk-" not in retries[0].reason


def test_a_key_that_a_reply_quotes_is_not_in_the_reply() -> None:
    step = Say(
        "debug: sk-test-0123456789",
        calls=[("bash", {"command": "echo sk-test-0123456789"})],
        message={"reasoning": [{"sk-test-0123456789": "sk-test-0123456789"}]},
        finish_reason="sk-test-0123456789",
    )
    escaped = json.dumps(completion(step, 0, "m")).replace("sk-test", r"s\u006b\u002dtest").encode()
    for answer in (step, Fault(200, escaped)):
        with ModelServer([answer]) as server:
            reply = ask(server)
        assert "0123456789" not in repr(reply)
        assert reply.text == f"debug: {REMOVED}"


@pytest.mark.parametrize("key", ["test", "not-needed", "gpt-4"])
def test_a_word_in_place_of_a_key_changes_no_reply(key: str) -> None:
    with ModelServer([Say(f"the {key} passed")], key=key) as server:
        assert ask(server).text == f"the {key} passed"


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("packed", [False, True])
def test_an_answer_without_end_is_left_and_asked_for_again(status: int, packed: bool) -> None:
    body = b'{"error": "' + b"a" * (LONGEST_ANSWER + 1)
    headers = {"Content-Encoding": "gzip"} if packed else {}
    huge = Fault(status, gzip.compress(body, 1) if packed else body, headers)
    retries: list[ModelRetried] = []
    with ModelServer([huge, Say("shorter")]) as server:
        assert ask(server, retries).text == "shorter"
    assert [retry.reason for retry in retries] == ["the answer of 127.0.0.1 is longer than 20,000,000 bytes"]


def test_an_endless_answer_costs_no_memory_and_ends_the_session_in_the_end() -> None:
    def drown(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.recv(1_000_000)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
            while True:
                connection.sendall(b" " * 1_000_000)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=lambda: drown(listener.accept()[0]), daemon=True).start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        settings = ModelSettings(base_url=address, api_key="sk-1234", tries=1)
        with pytest.raises(ModelError, match="longer than 20,000,000 bytes") as caught:
            open_model("m", settings, lambda _: None).reply(MESSAGES, TOOLS, time.monotonic() + 20)
    assert caught.value.ending is Ending.LLM_UNAVAILABLE


def test_a_packed_answer_is_read() -> None:
    body = gzip.compress(json.dumps(completion(Say("hi"), 0, "m")).encode())
    with ModelServer([Fault(200, body, {"Content-Encoding": "gzip"})]) as server:
        assert ask(server).text == "hi"


def test_a_query_in_the_address_goes_along_and_its_secrets_are_told_to_nobody() -> None:
    def answer(request: Request) -> Step:
        return Fault(404, {"error": {"message": f"no {request.path}, pa%3Ass-word1 pa:ss-word1"}})

    with ModelServer(answer) as server, pytest.raises(ModelError) as caught:
        ask(server, base_url=f"{server.base_url}?api-version=2024-10-21&key=pa%3Ass-word1")
    [request] = server.requests
    assert request.path == "/v1/chat/completions?api-version=2024-10-21&key=pa%3Ass-word1"
    text = str(caught.value)
    assert "no /v1/chat/completions?api-version=2024-10-21&key=***, *** ***" in text
    assert "ss-word1" not in text


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_key_does_not_follow_a_redirect(status: int) -> None:
    with ModelServer([Say("gotcha")]) as elsewhere:
        error = failure(Fault(status, "", {"Location": f"{elsewhere.base_url}/chat/completions"}))
    assert elsewhere.requests == []
    assert error.ending is Ending.LLM_UNAVAILABLE
    assert "LLM_BASE_URL" in str(error)


@pytest.mark.parametrize("key", [None, "", " \n"])
def test_a_missing_key_is_told_before_anything_is_sent(key: str | None) -> None:
    with (
        ModelServer([Say("never")]) as server,
        pytest.raises(ModelError, match="LLM_API_KEY or OPENAI_API_KEY") as caught,
    ):
        ask(server, api_key=key)
    assert caught.value.ending is Ending.LLM_AUTH
    assert server.requests == []


@pytest.mark.parametrize("key", ["sk-a\nsk-b", "sk-ä0123456789", "Bearer sk-0123456789"])
def test_a_key_that_no_header_can_hold_is_told_and_not_shown(key: str) -> None:
    error = failure(Say("never"), api_key=key)
    assert error.ending is Ending.LLM_AUTH
    assert key not in str(error)


def test_blanks_around_a_key_are_not_part_of_it() -> None:
    with ModelServer([Say("ok")]) as server:
        assert ask(server, api_key=f" {server.key}\n").text == "ok"


@pytest.mark.parametrize(
    "address",
    [
        "example.org/v1",
        "ftp://example.org",
        "http://",
        "http://[1",
        "http://[::zz]/",
        "http://h:99999/",
        "http://h\tt",
        "http://256.1.1.1",
        "http://" + "a" * 99,
    ],
)
def test_an_address_that_is_none_is_told(address: str) -> None:
    error = failure(Say("never"), base_url=address)
    assert error.ending is Ending.LLM_UNAVAILABLE
    assert "LLM_BASE_URL" in str(error)


def test_a_proxy_that_can_not_be_used_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "gopher://proxy")
    error = failure(Say("never"))
    assert error.ending is Ending.LLM_UNAVAILABLE
    assert "HTTP_PROXY" in str(error)


def test_the_key_does_not_show_in_the_settings() -> None:
    assert "sk-secret" not in repr(ModelSettings(api_key="sk-secret"))


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("openai:gpt-5", "gpt-5"),
        ("llama3.1:8b", "llama3.1:8b"),
        ("openai/gpt-5", "openai/gpt-5"),
        ("openai:openai/gpt-5:free", "openai/gpt-5:free"),
    ],
)
def test_a_name_is_sent_as_the_endpoint_knows_it(name: str, sent: str) -> None:
    with ModelServer([Say("ok")]) as server:
        model = open_model(name, ModelSettings(base_url=server.base_url, api_key=server.key), lambda _: None)
        model.reply(MESSAGES, TOOLS, time.monotonic() + 9)
    assert server.requests[0].body["model"] == sent
    assert model.name == sent


def test_at_home_the_prefix_with_a_slash_is_no_part_of_the_name() -> None:
    assert open_model("openai/gpt-5", ModelSettings(api_key="sk-x"), lambda _: None).name == "gpt-5"


def test_the_addresses_in_the_environment_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with ModelServer([Say("ok")]) as configured, ModelServer([Say("no")]) as ambient:
        monkeypatch.setenv("OPENAI_BASE_URL", ambient.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-ambient")
        assert ask(configured).text == "ok"


def test_headers_of_the_environment_go_along_where_nobody_took_them_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control for `tests/job/test_endpoint.py`: so it is with the package."""
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Leak: CANARY")
    with ModelServer([Say("ok")]) as server:
        ask(server)
    assert server.requests[0].headers["x-leak"] == "CANARY"


def test_opening_a_model_loads_no_client_and_the_first_reply_does(tmp_path: Path) -> None:
    script = (
        "import sys, time\n"
        "from ci_agent.models import ModelSettings, open_model\n"
        "model = open_model('m', ModelSettings(base_url=sys.argv[1], api_key=sys.argv[2]), print)\n"
        "assert not {'openai', 'genai_prices', 'httpx2'} & set(sys.modules)\n"
        "print(model.reply([{'role': 'user', 'content': 'hi'}], [], time.monotonic() + 30).text)\n"
        "assert 'openai' in sys.modules\n"
    )
    with ModelServer([Say("hello")]) as server:
        done = subprocess.run(
            [sys.executable, "-c", script, server.base_url, server.key],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path)},
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello\n", "")


def test_warming_up_loads_the_client_and_opens_no_connection(tmp_path: Path) -> None:
    script = (
        "import sys, threading\n"
        "def audit(event, _):\n"
        "    if event == 'socket.connect': print(event)\n"
        "sys.addaudithook(audit)\n"
        "from ci_agent.models import warm_up\n"
        "for name in ('gpt-5-mini', 'replay:file'): warm_up(name)\n"
        "for thread in threading.enumerate()[1:]: thread.join()\n"
        "print({'openai', 'ci_agent.models.replay'} <= set(sys.modules), 'genai_prices' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "True False\n", "")


def test_an_id_that_was_used_before_is_replaced_in_the_next_reply() -> None:
    def same_id(_: object) -> Step:
        call = {"id": "call_0", "type": "function", "function": {"name": "bash", "arguments": "{}"}}
        return Say(message={"tool_calls": [call]})

    with ModelServer(same_id) as server:
        model = open_model("m", ModelSettings(base_url=server.base_url, api_key=server.key), lambda _: None)
        context = list(MESSAGES)
        for _ in range(3):
            reply = model.reply(context, TOOLS, time.monotonic() + 9)
            context.append(reply.message)
            context += [{"role": "tool", "tool_call_id": call.id, "content": "ok"} for call in reply.calls]
    assert [m["tool_call_id"] for m in context if m["role"] == "tool"] == ["call_0", "call_4", "call_6"]


def test_each_retry_is_told_before_its_wait() -> None:
    order: list[str] = []

    def answer(_: object) -> Step:
        order.append("request")
        return Fault(500) if len(order) < 4 else Say("ok")

    def tell(retry: ModelRetried) -> None:
        order.append(f"retry {retry.attempt}")

    with ModelServer(answer) as server:
        settings = ModelSettings(base_url=server.base_url, api_key=server.key, first_wait=0.01)
        open_model("m", settings, tell).reply(MESSAGES, TOOLS, time.monotonic() + 9)
    assert order == ["request", "retry 1", "request", "retry 2", "request"]
