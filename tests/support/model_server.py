"""A model on loopback: an OpenAI-compatible HTTP server that says what a test wrote down.

    with ModelServer([Say(calls=[("bash", {"command": "ls"})]), Say("done")]) as server:
        ...  # base_url=server.base_url, api_key=server.key
        server.requests[0].body["messages"]

Each request gets the next step; the last one repeats. A callable instead of the list decides by the request.
At a path that ends in `/responses` the answer has the form of that API. The server checks the bearer key and
answers 401 as OpenAI does, quoting the key.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

USAGE = {
    "prompt_tokens": 1000,
    "completion_tokens": 50,
    "total_tokens": 1050,
    "prompt_tokens_details": {"cached_tokens": 900},
    "completion_tokens_details": {"reasoning_tokens": 20},
}


@dataclass(frozen=True)
class Say:
    """A proper answer. `calls` are pairs of a tool's name and its arguments, a dict or raw text."""

    text: str | None = None
    calls: Sequence[tuple[str, Mapping[str, Any] | str]] = ()
    finish_reason: str | None = None  # None: `tool_calls` or `stop`, as fits
    usage: Mapping[str, Any] | None = field(default_factory=lambda: USAGE)
    message: Mapping[str, Any] = field(default_factory=dict)  # more fields of the message, or other values
    items: Sequence[Mapping[str, Any]] = ()  # of the Responses API, before the text and the calls


@dataclass(frozen=True)
class Fault:
    """Any other HTTP answer. A dict as `body` goes out as JSON, text as HTML, bytes as they are, as JSON."""

    status: int = 500
    body: Mapping[str, Any] | Sequence[Any] | str | bytes = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reset:
    """The connection breaks: before the answer, or in the middle of its body."""

    in_body: bool = False


@dataclass(frozen=True)
class Hang:
    """No answer until the client leaves or the server closes. `dripping`: a blank of a body now and then."""

    dripping: bool = False


@dataclass(frozen=True)
class Raw:
    """These bytes go out on the connection instead of an HTTP answer."""

    data: bytes


Step = Say | Fault | Reset | Hang | Raw


@dataclass(frozen=True)
class Request:
    """What a client sent. Header names are in lower case."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class ModelServer:
    """Runs while the `with` lasts. `requests` holds all that came, those with a wrong key too."""

    def __init__(
        self, steps: Sequence[Step] | Callable[[Request], Step], key: str = "sk-test-0123456789"
    ) -> None:
        self.key = key
        self.requests: list[Request] = []
        self.closing = threading.Event()
        self._steps = steps
        self._answered = 0
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.model = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def say(self, steps: Sequence[Step] | Callable[[Request], Step]) -> None:
        """From now on the answers are these, from the first one on."""
        with self._lock:
            self._steps = steps
            self._answered = 0

    def answer(self, request: Request) -> tuple[int, Step]:
        """The number of this answer, from 0, and the answer."""
        with self._lock:
            self.requests.append(request)
            if request.headers.get("authorization") != f"Bearer {self.key}":
                return self._answered, _unauthorized(request)
            number = self._answered
            self._answered += 1
        if callable(self._steps):
            return number, self._steps(request)
        return number, self._steps[min(number, len(self._steps) - 1)]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    model: ModelServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may leave when they like; nothing is printed."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60  # seconds an idle connection is kept; tests are over long before
    server: _Server

    def log_message(self, *_: Any) -> None:
        """Silent."""

    def do_GET(self) -> None:  # a client that follows a redirect arrives here
        self.server.model.requests.append(Request(self.path, self._lower_headers(), {}))
        self._send(Fault(404, {"error": {"message": "only POST here"}}))

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        request = Request(self.path, self._lower_headers(), json.loads(raw))
        number, step = self.server.model.answer(request)
        match step:
            case Say():
                form = response if request.path.partition("?")[0].endswith("/responses") else completion
                self._send(Fault(200, form(step, number, str(request.body.get("model")))))
            case Fault():
                self._send(step)
            case Raw(data):
                self.close_connection = True
                self.wfile.write(data)
            case Reset(in_body):
                self._reset(in_body)
            case Hang(dripping):
                self._hang(dripping)

    def _lower_headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.headers.items()}

    def _send(self, fault: Fault) -> None:
        kind = "text/html" if isinstance(fault.body, str) else "application/json"
        body = fault.body
        if not isinstance(body, bytes):
            body = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(fault.status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **fault.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _reset(self, in_body: bool) -> None:
        self.close_connection = True
        if in_body:
            self.wfile.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
            )
        # Lingering for 0 seconds makes close() send a reset instead of a proper end.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _hang(self, dripping: bool) -> None:
        self.close_connection = True
        if dripping:
            self.wfile.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
            )
        while not self.server.model.closing.wait(0.02):
            if dripping:
                self.wfile.write(b"\n")  # raises when the client has left
            elif _has_left(self.connection):
                return


def completion(say: Say, number: int, model: str) -> dict[str, Any]:
    """The JSON of a chat completion that says `say`; call ids count from `call_<number>_0`."""
    calls = [
        {
            "id": f"call_{number}_{position}",
            "type": "function",
            "function": {
                "name": name,
                "arguments": arguments if isinstance(arguments, str) else json.dumps(arguments),
            },
        }
        for position, (name, arguments) in enumerate(say.calls)
    ]
    message: dict[str, Any] = {"role": "assistant", "content": say.text}
    if calls:
        message["tool_calls"] = calls
    answer: dict[str, Any] = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 1_700_000_000 + number,
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": message | dict(say.message),
                "finish_reason": say.finish_reason or ("tool_calls" if calls else "stop"),
            }
        ],
    }
    if say.usage is not None:
        answer["usage"] = dict(say.usage)
    return answer


def response(say: Say, number: int, model: str) -> dict[str, Any]:
    """The JSON of a response that says `say`, as OpenAI's API reference has it; call ids as in `completion`."""
    output: list[dict[str, Any]] = [dict(item) for item in say.items]
    if say.text is not None:
        part = {"type": "output_text", "text": say.text, "annotations": []}
        output.append(
            {
                "type": "message",
                "id": f"msg_{number}",
                "role": "assistant",
                "status": "completed",
                "content": [part],
            }
        )
    for call in completion(say, number, model)["choices"][0]["message"].get("tool_calls", ()):
        item = {
            "type": "function_call",
            "id": f"fc_{call['id']}",
            "call_id": call["id"],
            "status": "completed",
        }
        output.append(item | call["function"])
    usage = say.usage and {
        "input_tokens": say.usage["prompt_tokens"],
        "input_tokens_details": {"cache_write_tokens": 0} | say.usage["prompt_tokens_details"],
        "output_tokens": say.usage["completion_tokens"],
        "output_tokens_details": say.usage["completion_tokens_details"],
        "total_tokens": say.usage["total_tokens"],
    }
    return {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": 1_700_000_000 + number,
        "status": "incomplete" if say.finish_reason else "completed",
        "error": None,
        "incomplete_details": {"reason": say.finish_reason} if say.finish_reason else None,
        "model": model,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "output": output,
        "usage": usage,
    }


def _unauthorized(request: Request) -> Fault:
    key = request.headers.get("authorization", "").removeprefix("Bearer ")
    message = f"Incorrect API key provided: {key}. You can find your API key in your account."
    return Fault(
        401, {"error": {"message": message, "type": "invalid_request_error", "code": "invalid_api_key"}}
    )


def _has_left(connection: socket.socket) -> bool:
    connection.settimeout(0.001)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
