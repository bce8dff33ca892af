"""The proxy through which commands reach allowed hosts.

Each connection has a thread and one request: a tunnel (CONNECT), or a plain one after which it is closed. A command
may send whatever it likes; the server it gets is one that `hosts` gave out, and what that server is sent names the
host that was judged.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from ci_agent.sandbox.network.hosts import Reach, RefusedError, permitted, to_dial
from ci_agent.sandbox.network.policy import Policy
from ci_agent.sandbox.network.relay import CHUNK, relay
from ci_agent.sandbox.network.request import HEAD_LIMIT, BadRequestError, Request, parse
from ci_agent.sandbox.network.upstream import Upstream

NO_HOST = "(no host)"  # in the place of a host where a request names none that we can read

CONNECTIONS = 400  # at a time; more wait to be accepted
HEAD_SECONDS = 10.0  # for the whole head of a request, so that nobody can dawdle
DIAL_SECONDS = 10.0  # for each of at most three addresses
IDLE_SECONDS = 300.0  # without a byte in either direction
_ADDRESSES = 3
_AUTHENTICATE = 407
_LONGEST_REASON = 300  # characters
_LINGER_SECONDS = 1.0
_LINGER_READS = 16


def look_up(host: str, port: int) -> Sequence[str]:
    """The addresses of a host. Raises `OSError` where it has none."""
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def dial(address: str, port: int) -> socket.socket:
    """A connection to an address. Raises `OSError`."""
    return socket.create_connection((address, port), DIAL_SECONDS)


class Proxy:
    """Answers requests as `policy`, which may be changed at any time, has it; `report` hears of each decision:
    the host, the port, and why it was refused ("" where it was not).
    """

    def __init__(
        self,
        report: Callable[[str, int, str], None],
        resolve: Callable[[str, int], Sequence[str]] = look_up,
        connect: Callable[[str, int], socket.socket] = dial,
        head_seconds: float = HEAD_SECONDS,
    ) -> None:
        self.policy = Policy()
        self._report = report
        self._resolve = resolve
        self._connect = connect
        self._head_seconds = head_seconds
        self._lock = threading.Lock()
        self._open: dict[socket.socket, Request] = {}
        self._free = threading.BoundedSemaphore(CONNECTIONS)

    def listen(self, listener: socket.socket) -> None:
        """Answer whoever connects, until the listener is closed."""
        while True:
            self._free.acquire()
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._attend, args=(client,), daemon=True).start()

    def _attend(self, client: socket.socket) -> None:
        try:
            with client, suppress(OSError):  # either side went away: nobody is left to be told
                self.answer(client)
        finally:
            self._free.release()

    def answer(self, client: socket.socket) -> None:
        """Answer the one request of a connection. Raises `OSError` when the connection breaks."""
        try:
            head, rest = _read_head(client, self._head_seconds)
            request = parse(head)
        except BadRequestError as error:
            self._report(NO_HOST, 0, str(error))
            _say(client, 400, f"the request {error}")
            return
        policy = self.policy
        if policy.password and not request.accepts(policy.password):
            _say(client, 407, "this proxy is not for you")
            return
        try:
            host, reach = permitted(policy.rules, request.host, request.port)
            through = policy.upstreams.towards(host, request.is_tunnel)
            server = self._through(through) if through else self._direct(host, request.port, reach)
        except RefusedError as error:
            self._report(request.host, request.port, str(error))
            _say(client, 403, f"{request.host} {error}")
            return
        except OSError as error:
            self._report(request.host, request.port, "")
            _say(client, 502, f"{request.host} can't be reached: {error.strerror or error}")
            return
        self._report(host, request.port, "")
        with server, self._noted(client, request):
            if policy is self.policy:  # else it may have changed before this was noted
                _carry(client, server, request, rest, host, through)

    def change(self, policy: Policy) -> None:
        """From now on this is allowed. Connections that are no longer are ended."""
        self.policy = policy
        with self._lock:
            for client, request in self._open.items():
                try:
                    permitted(policy.rules, request.host, request.port)
                except RefusedError:
                    with suppress(OSError):
                        client.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def _noted(self, client: socket.socket, request: Request) -> Iterator[None]:
        with self._lock:
            self._open[client] = request
        try:
            yield
        finally:
            with self._lock:
                del self._open[client]

    def _direct(self, host: str, port: int, reach: Reach) -> socket.socket:
        """A connection to the host. What was judged is what is dialled: the name is looked up once."""
        return self._first(to_dial(self._resolve(host, port), reach), port)

    def _through(self, upstream: Upstream) -> socket.socket:
        """A connection to the runner's own proxy, wherever that is: no command chose it."""
        return self._first(self._resolve(upstream.host, upstream.port), upstream.port)

    def _first(self, addresses: Sequence[str], port: int) -> socket.socket:
        *others, last = addresses[:_ADDRESSES]
        for address in others:
            with suppress(OSError):
                return self._connect(address, port)
        return self._connect(last, port)


def _read_head(peer: socket.socket, seconds: float) -> tuple[bytes, bytes]:
    """The head of a request or an answer, and what came after it."""
    deadline = time.monotonic() + seconds
    read = b""
    while (end := read.find(b"\r\n\r\n")) < 0:
        if len(read) > HEAD_LIMIT:
            raise BadRequestError(f"has a head of more than {HEAD_LIMIT} bytes")
        try:
            peer.settimeout(max(deadline - time.monotonic(), 0.001))
            more = peer.recv(CHUNK)
        except TimeoutError:
            raise BadRequestError("did not come in time") from None
        if not more:
            raise ConnectionAbortedError("closed before there was a request")
        read += more
    return read[: end + 4], read[end + 4 :]


def _carry(
    client: socket.socket,
    server: socket.socket,
    request: Request,
    rest: bytes,
    host: str,
    through: Upstream | None,
) -> None:
    if not request.is_tunnel:
        server.sendall(request.head(host, through.authorization if through else None))
        relay(client, server, rest, request.length or 0, IDLE_SECONDS)
        return
    back = b""
    if through:
        server.sendall(_connect_head(host, request.port, through.authorization))
        try:
            head, back = _read_head(server, HEAD_SECONDS)
        except BadRequestError as error:
            _say(client, 502, f"the answer of this runner's proxy {error}")
            return
        status = head.split(b"\r\n")[0].decode("latin-1")
        if not re.fullmatch(r"HTTP/1\.[01] 2[0-9]{2}( .*)?", status):
            _say(client, 502, f"the proxy of this runner would not connect to {host}: {status}")
            return
    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    relay(client, server, rest, None, IDLE_SECONDS, back)


def _connect_head(host: str, port: int, authorization: str) -> bytes:
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
    lines += [f"Proxy-Authorization: {authorization}"] if authorization else []
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _say(client: socket.socket, status: int, why: str) -> None:
    """Answer with one line, and wait for the client to have read it: it may still be sending.

    The reason stands in the status line as well, which is all that most programs show of a refused tunnel.
    """
    why = "".join(character if " " <= character <= "~" else "?" for character in why)
    body = f"ci-agent: {why}\n"
    head = [f"HTTP/1.1 {status} {why[:_LONGEST_REASON]}", "Content-Type: text/plain", "Connection: close"]
    head += [f"Content-Length: {len(body)}"]
    head += ["Proxy-Authenticate: Basic"] if status == _AUTHENTICATE else []
    client.settimeout(_LINGER_SECONDS)
    client.sendall("\r\n".join([*head, "", body]).encode("ascii"))
    client.shutdown(socket.SHUT_WR)
    for _ in range(_LINGER_READS):
        if not client.recv(CHUNK):
            return
