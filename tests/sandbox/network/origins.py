"""Servers on loopback that stand for the ones out there, and programs that talk to them through the proxy."""

from __future__ import annotations

import os
import socket
import socketserver
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ci_agent.sandbox.network import Reach, Rule
from ci_agent.sandbox.network.variables import variables


@contextmanager
def origin(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that does `answer` on each connection and then closes it; gives its port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            answer(self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 512

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def head_of(peer: socket.socket) -> bytes:
    """What the peer sends up to the end of a request's head."""
    read = b""
    while b"\r\n\r\n" not in read and (more := peer.recv(65536)):
        read += more
    return read


def rest_of(peer: socket.socket) -> bytes:
    """What the peer sends until it ends."""
    read = b""
    while more := peer.recv(65536):
        read += more
    return read


def saying(body: str, head: str = "200 OK") -> Callable[[socket.socket], None]:
    """Answers any request with this."""

    def answer(peer: socket.socket) -> None:
        head_of(peer)
        peer.sendall(
            f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()
        )

    return answer


def here(*ports: int) -> Rule:
    """Allows these ports of this machine by its name."""
    return Rule("localhost", frozenset(ports), Reach.LOOPBACK)


def asked(port: int, request: str) -> bytes:
    """What the proxy at the port answers to it."""
    with socket.create_connection(("127.0.0.1", port), 20) as client:
        client.sendall(request.encode())
        return rest_of(client)


def runner() -> dict[str, str]:
    """What programs need of this machine's environment where they have another HOME."""
    found = {name: os.environ[name] for name in ("PATH", "PYENV_ROOT", "RUSTUP_HOME") if name in os.environ}
    rustup = Path("~/.rustup").expanduser()
    return {"RUSTUP_HOME": str(rustup), **found} if rustup.is_dir() else found


def through(
    port: int, words: Sequence[str], folder: Path, extra: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program that sees no way out but the proxy at the port, and has no exceptions for this machine."""
    environment = {
        **runner(),
        "HOME": str(folder),
        **variables(port, direct=()),
        **(extra or {}),
    }
    return subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
