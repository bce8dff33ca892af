"""Git over HTTP with a password, on loopback: `git http-backend` behind a small CGI server.

Keeps the headers and addresses it was asked with, so that a test can look for secrets in them.
"""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class GitServer:
    root: Path
    port: int
    user: str
    password: str
    addresses: list[str] = field(default_factory=list)

    def url(self, repository: str, *, user: str | None = None, password: str | None = None) -> str:
        login = f"{user}:{password}@" if user is not None else ""
        return f"http://{login}127.0.0.1:{self.port}/{repository}"


@contextmanager
def git_server(root: Path, user: str = "oauth2", password: str = "s3cret") -> Iterator[GitServer]:
    """Serves the bare repositories below `root` to whoever knows `user` and `password`."""
    known = GitServer(root, 0, user, password)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(known))
    known.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield known
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(known: GitServer) -> type[BaseHTTPRequestHandler]:
    login = base64.b64encode(f"{known.user}:{known.password}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            data = _body(self)
            known.addresses.append(self.path)
            scheme, _, given = self.headers.get("Authorization", "").partition(" ")
            if (scheme.lower(), given) != ("basic", login):
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self._answer(_backend(known, self, data))

        def do_POST(self) -> None:
            self.do_GET()

        def _answer(self, output: bytes) -> None:
            head, _, payload = output.partition(b"\r\n\r\n")
            fields = [line.split(": ", 1) for line in head.decode().split("\r\n")]
            status = next((value for name, value in fields if name == "Status"), "200")
            self.send_response(int(status.split()[0]))
            for name, value in fields:
                if name != "Status":
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _backend(known: GitServer, request: BaseHTTPRequestHandler, data: bytes) -> bytes:
    path, _, query = request.path.partition("?")
    environment = {
        "PATH": os.environ["PATH"],
        "GIT_PROJECT_ROOT": str(known.root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.receivepack",
        "GIT_CONFIG_VALUE_0": "true",
        "REMOTE_USER": known.user,
        "REQUEST_METHOD": request.command,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(data)),
        "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
        "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        "REMOTE_ADDR": "127.0.0.1",
    }
    return subprocess.run(
        ["git", "http-backend"], input=data, env=environment, capture_output=True, check=True
    ).stdout


def _body(request: BaseHTTPRequestHandler) -> bytes:
    if request.headers.get("Transfer-Encoding", "").lower() != "chunked":
        return request.rfile.read(int(request.headers.get("Content-Length") or 0))
    data = b""
    while size := int(request.rfile.readline().split(b";")[0], 16):
        data += request.rfile.read(size)
        request.rfile.readline()
    request.rfile.readline()
    return data
