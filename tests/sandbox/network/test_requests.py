"""Requests that two readers would read differently, and any bytes at all, one connection at a time."""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ci_agent.sandbox.network.hosts import Reach, Rule, rule
from ci_agent.sandbox.network.policy import Policy
from ci_agent.sandbox.network.proxy import Proxy
from ci_agent.sandbox.network.request import HEAD_LIMIT, HEADER_LIMIT, BadRequestError, parse

ADDRESSES = {
    "good.example": ["93.184.216.34"],
    "a.cdn.example": ["2606:4700::1111"],
    "inside.example": ["10.0.0.1", "169.254.169.254", "::1"],
    "mirror.example": ["10.0.0.2"],
}
RULES = (
    rule("good.example"),
    rule("*.cdn.example"),
    rule("inside.example"),
    Rule("mirror.example", frozenset({80, 8081}), Reach.PRIVATE),
)


class Exchange:
    """What became of some bytes that a client sent: `answer` to it, what the server got, and what was done for it."""

    def __init__(self, sent: bytes, rules: Sequence[Rule] = RULES) -> None:
        self.decisions: list[tuple[str, int, str]] = []
        self.looked_up: list[str] = []
        self.dialled: list[tuple[str, int]] = []
        self._servers: list[socket.socket] = []
        proxy = Proxy(lambda *decision: self.decisions.append(decision), self._look_up, self._dial)
        proxy.policy = Policy(tuple(rules))
        client, ours = socket.socketpair()
        with client, ours:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            try:
                proxy.answer(ours)
            except OSError:
                ours.close()
            ours.close()
            self.answer = _all(client)
        self.received = b"".join(_all(server) for server in self._servers)
        for server in self._servers:
            server.close()

    def _look_up(self, host: str, port: int) -> Sequence[str]:
        self.looked_up.append(host)
        return ADDRESSES.get(host, ["8.8.8.8"])

    def _dial(self, address: str, port: int) -> socket.socket:
        self.dialled.append((address, port))
        server, ours = socket.socketpair()
        server.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        server.shutdown(socket.SHUT_WR)
        self._servers.append(server)
        return ours


def _all(end: socket.socket) -> bytes:
    received = b""
    while more := end.recv(65536):
        received += more
    return received


def test_a_plain_request_reaches_the_server_without_what_was_meant_for_the_proxy() -> None:
    exchange = Exchange(
        b"GET http://Good.Example/a?b=c HTTP/1.1\r\nHost: good.example\r\nAccept: */*\r\nProxy-Connection: keep-alive\r\n"
        b"Connection: x-secret\r\nX-Secret: 1\r\nProxy-Authorization: Basic eDp5\r\n\r\n"
    )
    assert exchange.received == (
        b"GET /a?b=c HTTP/1.1\r\nHost: good.example\r\nConnection: close\r\nAccept: */*\r\n\r\n"
    )
    assert exchange.dialled == [("93.184.216.34", 80)]
    assert exchange.answer.endswith(b"\r\n\r\nhi")
    assert exchange.decisions == [("good.example", 80, "")]


def test_a_body_is_sent_on_and_what_comes_after_it_is_not() -> None:
    exchange = Exchange(
        b"POST http://good.example:80 HTTP/1.0\r\nContent-Length: 4\r\n\r\nbodyGET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"
    )
    assert exchange.received == (
        b"POST / HTTP/1.1\r\nHost: good.example\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody"
    )


def test_a_tunnel_carries_what_it_is_given() -> None:
    exchange = Exchange(b"CONNECT a.cdn.example:443 HTTP/1.1\r\nHost: whatever.example\r\n\r\n\x16\x03\x01")
    assert exchange.received == b"\x16\x03\x01"
    assert exchange.dialled == [("2606:4700::1111", 443)]
    assert exchange.answer.startswith(b"HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 200 OK")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "good.example.evil",
        "evil-good.example",
        "cdn.example",
        "127.0.0.1",
        "0x7f.1",
        "2130706433",
        "[::1]",
    ],
)
@pytest.mark.parametrize("request_line", ["CONNECT {}:443", "GET http://{}/"])
def test_a_host_that_is_not_allowed_is_neither_looked_up_nor_dialled(host: str, request_line: str) -> None:
    exchange = Exchange(f"{request_line.format(host)} HTTP/1.1\r\n\r\n".encode())
    assert exchange.answer.startswith(b"HTTP/1.1 403 ")
    bare = host.strip("[]").encode()
    assert b"\r\n\r\nci-agent: " + bare in exchange.answer
    assert exchange.answer.count(b"\n", exchange.answer.index(b"\r\n\r\n") + 4) == 1
    assert (exchange.looked_up, exchange.dialled) == ([], [])
    assert exchange.decisions[0][0] == bare.decode()


def test_whoever_is_refused_hears_what_to_do() -> None:
    reason = b"evil.example is not allowed, add it to sandbox.hosts"
    answer = Exchange(b"CONNECT evil.example:443 HTTP/1.1\r\n\r\n").answer
    assert answer.startswith(b"HTTP/1.1 403 " + reason + b"\r\n")
    assert answer.endswith(b"\r\n\r\nci-agent: " + reason + b"\n")


def test_an_allowed_name_with_addresses_inside_is_not_connected_to() -> None:
    exchange = Exchange(b"CONNECT inside.example:443 HTTP/1.1\r\n\r\n")
    assert b"403 inside.example has no address on the public network" in exchange.answer
    assert exchange.dialled == []
    assert Exchange(b"CONNECT mirror.example:8081 HTTP/1.1\r\n\r\n").dialled == [("10.0.0.2", 8081)]


GET = b"GET http://good.example/ HTTP/1.1\r\n"


@pytest.mark.parametrize(
    "head",
    [
        GET + b"Host: evil.example\r\n\r\n",
        GET + b"Host: good.example\r\nHost: evil.example\r\n\r\n",
        GET + b"Host:\r\n\r\n",
        GET + b"Host: good.example:81\r\n\r\n",
        GET + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        GET + b"Content-Length: 1\r\ncontent-length: 1\r\n\r\na",
        GET + b"Content-Length: 1, 1\r\n\r\na",
        GET + b"Content-Length: +1\r\n\r\na",
        GET + b"Content-Length: -1\r\n\r\na",
        GET + b"Content-Length:\r\n\r\na",
        GET + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        GET + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        GET + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        GET + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
        GET + b"X: a\r\n Host: evil.example\r\n\r\n",
        GET + b"X: a\nHost: evil.example\r\n\r\n",
        GET + b"X: a\rHost: evil.example\r\n\r\n",
        GET + b"X: a\0b\r\n\r\n",
        GET + b" X: a\r\n\r\n",
        GET + b": a\r\n\r\n",
        GET + b"no header\r\n\r\n",
        b"GET http://good.example/\nHost: evil.example HTTP/1.1\r\n\r\n",
        b"GET http://good.example/ HTTP/1.1 HTTP/1.1\r\n\r\n",
        b"GET  http://good.example/ HTTP/1.1\r\n\r\n",
        b"GET http://good.example/ HTTP/2.0\r\n\r\n",
        b"GET http://good.example/\r\n\r\n",
        b"GET http://good.example/#a HTTP/1.1\r\n\r\n",
        b"GET http://good.example\\@evil.example/ HTTP/1.1\r\n\r\n",
        b"GET http://good.example@evil.example/ HTTP/1.1\r\n\r\n",
        b"GET http://user:password@good.example/ HTTP/1.1\r\n\r\n",
        b"GET http://evil.example:80@good.example/ HTTP/1.1\r\n\r\n",
        b"GET http://good.example%00.evil/ HTTP/1.1\r\n\r\n",
        b"GET http:///good.example/ HTTP/1.1\r\n\r\n",
        b"GET http://good.example:/ HTTP/1.1\r\n\r\n",
        b"GET http://good.example:0/ HTTP/1.1\r\n\r\n",
        b"GET http://good.example:65536/ HTTP/1.1\r\n\r\n",
        b"GET https://good.example/ HTTP/1.1\r\n\r\n",
        b"GET ftp://good.example/ HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: good.example\r\n\r\n",
        b"CONNECT good.example HTTP/1.1\r\n\r\n",
        b"CONNECT user@good.example:443 HTTP/1.1\r\n\r\n",
        b"CONNECT http://good.example:443 HTTP/1.1\r\n\r\n",
        b"CONNECT good.example:443:80 HTTP/1.1\r\n\r\n",
        "CONNECT good.example:٤٤٣ HTTP/1.1\r\n\r\n".encode(),
        b"\r\n\r\n",
        b"connect good.example:443 HTTP/1.1\r\n\r\n",
        "GET http://góod.example/ HTTP/1.1\r\n\r\n".encode(),
        GET + b"X: y\r\n" * (HEADER_LIMIT + 1) + b"\r\n",
        GET + b"X: " + b"y" * HEAD_LIMIT,
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(head: bytes) -> None:
    exchange = Exchange(head)
    assert exchange.answer.startswith(b"HTTP/1.1 400 the request ")
    assert (exchange.looked_up, exchange.dialled) == ([], [])
    assert [decision[:2] for decision in exchange.decisions] == [("(no host)", 0)]


def test_who_only_connects_is_not_reported() -> None:
    exchange = Exchange(b"")
    assert (exchange.answer, exchange.decisions) == (b"", [])


_host = st.sampled_from(
    [
        *(
            "good.example",
            "GOOD.example.",
            "a.cdn.example",
            "inside.example",
            "mirror.example",
            "evil.example",
        ),
        *(
            "good.example.evil",
            "evil@good.example",
            "good.example@evil",
            "127.0.0.1",
            "0x7f.1",
            "[::1]",
            "",
            "good\0.example",
        ),
    ]
)
_authority = st.tuples(_host, st.sampled_from(["", ":80", ":443", ":8081", ":22", ":0", ":x"])).map("".join)
_target = st.one_of(
    _authority,
    st.tuples(
        st.sampled_from(["http://", "https://", "HTTP://", "//"]),
        _authority,
        st.sampled_from(["", "/", "/a b", "?q", "/#f", "/\r\nX: y"]),
    ).map("".join),
)
_ending = st.sampled_from(["\r\n"] * 8 + ["\n", "\r", "\r\n ", "\0", ""])
_header = st.one_of(
    _authority.map("Host: {}".format),
    st.sampled_from(
        ["Content-Length: 0", "Content-Length: 30", "Content-Length: 3", "Transfer-Encoding: chunked"]
    ),
    st.sampled_from(
        ["Connection: host, content-length", "Connection: close", "Expect: 100-continue", "Upgrade: h2c"]
    ),
    st.text(max_size=20),
)
_lines = st.lists(st.tuples(_header, _ending).map("".join), max_size=4).map("".join)
_head = st.builds(
    "{} {} HTTP/1.{}{}{}\r\n\r\n".format,
    st.sampled_from(["GET", "POST", "CONNECT", "get", "GET "]),
    _target,
    st.sampled_from(["0", "1", "1 "]),
    st.just("\r\n") | _ending,
    _lines,
).map(lambda text: text.encode(errors="replace"))
_bytes = st.one_of(st.binary(max_size=200), st.lists(_head, min_size=1, max_size=3).map(b"".join))


@given(_bytes)
@example(GET + b"Content-Length: 3\r\n\r\n" + GET.replace(b"good", b"evil") + b"\r\n")
def test_whatever_comes_in_servers_are_those_that_were_judged_and_hear_the_name_that_was(sent: bytes) -> None:
    exchange = Exchange(sent)
    assert set(exchange.looked_up) <= {"good.example", "a.cdn.example", "inside.example", "mirror.example"}
    allowed = {
        "good.example": "93.184.216.34",
        "a.cdn.example": "2606:4700::1111",
        "mirror.example": "10.0.0.2",
    }
    assert len(exchange.dialled) <= 1
    if not exchange.dialled:
        assert exchange.received == b""
        return
    host, port, why = exchange.decisions[-1]
    assert (allowed[host], port) == exchange.dialled[0]
    assert why == ""
    if not sent.startswith(b"CONNECT"):
        _is_one_request_to(exchange.received, host, port)


def _is_one_request_to(received: bytes, host: str, port: int) -> None:
    head, _, body = received.partition(b"\r\n\r\n")
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n|\0", head)
    headers = [line.split(b":", 1) for line in head.split(b"\r\n")[1:]]
    named = {name.lower(): value.strip() for name, value in headers}
    assert len([name for name, _ in headers if name.lower() == b"host"]) == 1
    assert named[b"host"] == (host if port == 80 else f"{host}:{port}").encode()
    assert named[b"connection"] == b"close"
    assert b"transfer-encoding" not in named
    assert len([name for name, _ in headers if name.lower() == b"content-length"]) <= 1
    assert len(body) <= int(named.get(b"content-length", b"0"))


@given(st.binary(max_size=300) | _head)
def test_the_parser_gives_a_request_or_says_what_is_wrong(head: bytes) -> None:
    try:
        request = parse(head)
    except BadRequestError as error:
        assert str(error)
        return
    assert request.host
    assert 0 < request.port < 65536
