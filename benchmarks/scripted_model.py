"""A model on loopback that plays a list of commands and notes when each request came and each reply left.

An OpenAI-compatible server for measuring, so it does next to nothing: replies are made before it starts, all but
their usage, and requests are read and thrown away, unless they are wanted. It runs in a thread of the benchmark,
which waits meanwhile.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from socketserver import StreamRequestHandler, ThreadingTCPServer
from types import TracebackType
from typing import Any, Self

NAME = "gpt-4.1-mini"  # both agents know its price, so that neither saves itself the sum
_BYTES_PER_TOKEN = 4

Call = tuple[str, Mapping[str, str]]  # a tool's name and its arguments


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its reply, in seconds of `time.monotonic`."""

    received: float  # the last byte of the request was read
    sent: float  # the first byte of the reply is about to be written


class ScriptedModel:
    """Answers request n with `calls[n]` while the `with` lasts; after the last one with HTTP 400. The bodies of the
    requests are in `requests`, if they are to be kept."""

    def __init__(self, calls: Sequence[Call], *, keep: bool = False) -> None:
        self.exchanges: list[Exchange] = []
        self.requests: list[bytes] = []
        self._keep = keep
        self._replies = [_completion(n, call) for n, call in enumerate(calls)]
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.model = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def exchange(self, request: bytes) -> bytes:
        """Called when a request was read: the bytes to answer with."""
        received = time.monotonic()
        if self._keep:
            self.requests.append(request)
        if _SUMMARY in request:  # it is asked for beside the steps of the script
            return _response("200 OK", {**_SUMMED_UP, "usage": _usage(request)})
        number = len(self.exchanges)
        reply = _TOO_MANY
        if number < len(self._replies):
            reply = _response("200 OK", {**self._replies[number], "usage": _usage(request)})
        self.exchanges.append(Exchange(received, sent=time.monotonic()))
        return reply


class _Server(ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    model: ScriptedModel


class _Handler(StreamRequestHandler):
    disable_nagle_algorithm = True
    server: _Server

    def handle(self) -> None:
        while (line := self.rfile.readline()).strip():
            is_chat = line.startswith(b"POST ") and b"/chat/completions " in line
            length = 0
            while (header := self.rfile.readline()).strip():
                name, _, value = header.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            request = self.rfile.read(length)
            self.wfile.write(self.server.model.exchange(request) if is_chat else _NOT_FOUND)


def _completion(number: int, call: Call) -> dict[str, Any]:
    name, arguments = call
    function = {"name": name, "arguments": json.dumps(arguments)}
    message = {
        "role": "assistant",
        "content": f"Step {number + 1}: I look at the next part, to find where the prefix is matched.",
        "tool_calls": [{"id": f"call_{number}", "type": "function", "function": function}],
    }
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 1_700_000_000 + number,
        "model": NAME,
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
    }


def _usage(request: bytes) -> dict[str, Any]:
    """What an endpoint would say, roughly: agents that watch over their context must see it grow."""
    tokens = len(request) // _BYTES_PER_TOKEN
    return {
        "prompt_tokens": tokens,
        "completion_tokens": 50,
        "total_tokens": tokens + 50,
        "prompt_tokens_details": {"cached_tokens": tokens * 9 // 10},
    }


def _response(status: str, content: Mapping[str, Any]) -> bytes:
    body = json.dumps(content).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


# How ci-agent begins to ask for a summary (agent/prompts/summary.md); about as long as one may be.
_SUMMARY = b"The conversation has become too long and goes on in a new one"
_SUMMED_UP = {
    "id": "chatcmpl-summary",
    "object": "chat.completion",
    "created": 1_700_000_000,
    "model": NAME,
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "I looked at the parts of argparse one by one. " * 50,
            },
            "finish_reason": "stop",
        }
    ],
}
_TOO_MANY = _response("400 Bad Request", {"error": {"message": "the script is over", "type": "scripted"}})
_NOT_FOUND = _response("404 Not Found", {"error": {"message": "only chat completions", "type": "scripted"}})
