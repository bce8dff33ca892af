"""What the stand-ins of the platforms share: HTTP on loopback, a log of requests, faults on demand."""

from __future__ import annotations

import json
import re
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Request:
    method: str
    path: str  # as it was sent, still encoded
    query: dict[str, str]
    body: Any
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Fault:
    """The next `times` requests that match go wrong: answered with `status`, or the connection is cut (status 0).
    `after`: only once the work is done, so that nobody learns that it was. `body` is sent as JSON, or as it is
    where it is bytes."""

    method: str
    path: str  # a regular expression, searched for
    status: int = 0
    times: int = 1
    after: bool = False
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def matches(self, request: Request) -> bool:
        return self.times > 0 and self.method == request.method and bool(re.search(self.path, request.path))


@dataclass
class Server:
    """One running stand-in. `answer` does the work of a request; `check` gives what is wrong with it, also where a
    fault answers."""

    answer: Callable[[Request], Answer]
    check: Callable[[Request], list[str]] = lambda _request: []
    scheme: str = "http"
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)  # what must not happen; any of it fails the test
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"


@contextmanager
def serving(
    answer: Callable[[Request], Answer],
    certificate: Path | None = None,
    check: Callable[[Request], list[str]] = lambda _request: [],
) -> Iterator[Server]:
    """Serves `answer` on loopback; with a `certificate`, its key in the same file, over TLS. Fails the test at its end
    where something was broken that the test did not look at and clear."""
    server = Server(answer, check, "https" if certificate else "http")
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), _handler(server))
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
    httpd.daemon_threads = True
    server.port = httpd.server_port
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()
    assert not server.broken, "\n".join(server.broken)


def certificate_of_its_own(file: Path) -> Path:
    """Makes a certificate for loopback that nobody vouches for, with its key, in `file`."""
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    subprocess.run(
        [*words, *subject, "-keyout", str(file), "-out", str(file), "-days", "2"],
        check=True,
        capture_output=True,
    )
    return file


def _worked(server: Server, request: Request) -> Answer:
    """The stand-in's answer; a defect of the stand-in must fail the test, not look like a broken server."""
    try:
        return server.answer(request)
    except Exception as error:
        server.broken.append(f"{request.method} {request.path}: {type(error).__name__}: {error}")
        raise


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else each answer waits 40 ms for the acknowledgement of its head

        def do_GET(self) -> None:
            answer = _after_faults(server, _received(self))
            if answer.status:
                _send(self, answer)
            else:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True

        def do_POST(self) -> None:
            self.do_GET()

        def do_PUT(self) -> None:
            self.do_GET()

        def do_PATCH(self) -> None:
            self.do_GET()

        def do_DELETE(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _received(handler: BaseHTTPRequestHandler) -> Request:
    data = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    parts = urlsplit(handler.path)
    return Request(
        handler.command,
        parts.path,
        dict(parse_qsl(parts.query, keep_blank_values=True)),
        json.loads(data) if data else None,
        dict(handler.headers.items()),
    )


def _after_faults(server: Server, request: Request) -> Answer:
    """The stand-in's answer, or what the first fault that matches makes of it."""
    with server.lock:
        server.requests.append(request)
        server.broken += server.check(request)
        fault = next((fault for fault in server.faults if fault.matches(request)), None)
        if fault is None:
            return _worked(server, request)
        fault.times -= 1
        if fault.after:
            _worked(server, request)
        return Answer(fault.status, fault.body, fault.headers)


def _send(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    page = isinstance(answer.body, bytes)  # what no API says
    data = answer.body if page else b"" if answer.body is None else json.dumps(answer.body).encode()
    handler.send_response(answer.status)
    for name, value in answer.headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Type", "text/html" if page else "application/json; charset=utf-8")
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)
