"""Git over HTTP with passwords, on loopback: `git http-backend` behind a small CGI server.

It keeps what it was asked, protects branches with a real hook, and loses connections on demand.
"""

from __future__ import annotations

import base64
import os
import re
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

# As GitLab's own hook words it.
_PROTECTING = """\
#!/bin/sh
while read -r _ _ ref; do
    if grep -qxF "${ref#refs/heads/}" protected 2> /dev/null; then
        echo "GitLab: You are not allowed to push code to protected branches on this project." >&2
        exit 1
    fi
done
"""


@dataclass
class Loss:
    """`times` requests whose address matches `address` get no answer, behind `spared` ones that do; `after`: although
    all was done."""

    address: str  # a regular expression, searched for
    after: bool = False
    times: int = 1
    spared: int = 0


@dataclass
class GitServer:
    root: Path
    port: int
    user: str
    password: str
    scheme: str = "http"
    people: dict[str, str] = field(default_factory=dict)  # more users, with their passwords
    readers: set[str] = field(default_factory=set)  # passwords of `user` with which nobody may push
    refused: list[str] = field(default_factory=list)  # addresses of pushes by those
    addresses: list[str] = field(default_factory=list)  # that were asked for
    logins: list[str] = field(default_factory=list)  # what was shown: `user:password`, empty for nothing
    losses: list[Loss] = field(default_factory=list)

    def url(self, repository: str, *, user: str | None = None, password: str | None = None) -> str:
        login = f"{user}:{password}@" if user is not None else ""
        return f"{self.scheme}://{login}127.0.0.1:{self.port}/{repository}"

    def knows(self, login: str) -> bool:
        user, _, password = login.partition(":")
        if user == self.user and password in self.readers:
            return True
        return (self.people | {self.user: self.password}).get(user) == password

    def protect(self, repository: str, *branches: str) -> None:
        """Let nobody push to `branches` of `repository`, by a hook that git runs there."""
        hook = self.root / repository / "hooks" / "pre-receive"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(_PROTECTING)
        hook.chmod(0o755)
        (self.root / repository / "protected").write_text("".join(f"{branch}\n" for branch in branches))


@contextmanager
def git_server(
    root: Path, user: str = "oauth2", password: str = "s3cret", certificate: Path | None = None
) -> Iterator[GitServer]:
    """Serves the bare repositories below `root` to whoever knows `user` and `password`; with a `certificate`, its
    key in the same file, over TLS."""
    known = GitServer(root, 0, user, password, "https" if certificate else "http")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(known))
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
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
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else each answer waits 40 ms for the acknowledgement of its head

        def do_GET(self) -> None:
            data = _body(self)
            known.addresses.append(self.path)
            shown = [_login(header) for header in self.headers.get_all("Authorization") or [""]]
            known.logins += shown
            if len(shown) > 1:
                _refuse(self, 400)  # as GitHub does
            elif not known.knows(shown[0]):
                _refuse(self, 401)
            elif "receive-pack" in self.path and shown[0].partition(":")[2] in known.readers:
                known.refused.append(self.path)
                _refuse(self, 403)
            else:
                _work(known, self, data, shown[0].partition(":")[0])

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _work(known: GitServer, request: BaseHTTPRequestHandler, data: bytes, user: str) -> None:
    matching = (loss for loss in known.losses if loss.times and re.search(loss.address, request.path))
    loss = next(matching, None)
    if loss is None or loss.spared:
        if loss:
            loss.spared -= 1
        _answer(request, _backend(known, request, data, user))
        return
    loss.times -= 1
    if loss.after:
        _backend(known, request, data, user)
    request.connection.shutdown(socket.SHUT_RDWR)
    request.close_connection = True


def _refuse(request: BaseHTTPRequestHandler, status: int) -> None:
    request.send_response(status)
    if status == 401:
        request.send_header("WWW-Authenticate", 'Basic realm="git"')
    request.send_header("Content-Length", "0")
    request.end_headers()


def _answer(request: BaseHTTPRequestHandler, output: bytes) -> None:
    head, _, payload = output.partition(b"\r\n\r\n")
    fields = [line.split(": ", 1) for line in head.decode().split("\r\n")]
    status = next((value for name, value in fields if name == "Status"), "200")
    request.send_response(int(status.split()[0]))
    for name, value in fields:
        if name != "Status":
            request.send_header(name, value)
    request.send_header("Content-Length", str(len(payload)))
    request.end_headers()
    request.wfile.write(payload)


def _login(header: str) -> str:
    scheme, _, given = header.partition(" ")
    return base64.b64decode(given).decode() if scheme.lower() == "basic" else ""


def _backend(known: GitServer, request: BaseHTTPRequestHandler, data: bytes, user: str) -> bytes:
    path, _, query = request.path.partition("?")
    environment = {
        "PATH": os.environ["PATH"],
        "GIT_PROJECT_ROOT": str(known.root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.receivepack",
        "GIT_CONFIG_VALUE_0": "true",
        "REMOTE_USER": user,
        "REQUEST_METHOD": request.command,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(data)),
        "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
        "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        "REMOTE_ADDR": "127.0.0.1",
    }
    # Of a git that dies in the middle, what it had to say until then is the answer, as a web server has it.
    done = subprocess.run(
        ["git", "http-backend"], input=data, env=environment, capture_output=True, check=False
    )
    return done.stdout


def _body(request: BaseHTTPRequestHandler) -> bytes:
    if request.headers.get("Transfer-Encoding", "").lower() != "chunked":
        return request.rfile.read(int(request.headers.get("Content-Length") or 0))
    data = b""
    while size := int(request.rfile.readline().split(b";")[0], 16):
        data += request.rfile.read(size)
        request.rfile.readline()
    request.rfile.readline()
    return data
