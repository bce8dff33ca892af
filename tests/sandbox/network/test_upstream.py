"""Runners that reach the network through a proxy of their own, with a password or without."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from ci_agent.sandbox.network import Rule, open_gateway, rule
from ci_agent.sandbox.network.policy import Policy
from ci_agent.sandbox.network.upstream import Upstream, Upstreams, upstreams
from tests.sandbox.network.origins import asked, head_of, here, origin, saying


def test_no_variables_no_proxy() -> None:
    assert upstreams({}) == Upstreams()


def test_what_the_variables_say() -> None:
    found = upstreams(
        {
            "HTTP_PROXY": "http://proxy.example.org",
            "https_proxy": "http://us%40er:p%3Ass@[fd00::1]:3128/",
            "HTTPS_PROXY": "http://other.example.org:1",
            "NO_PROXY": "localhost, .Corp.Example,*.lan.example,10.0.0.5",
        }
    )
    assert found.plain == Upstream("proxy.example.org", 80, "")
    assert found.tunnel == Upstream("fd00::1", 3128, "Basic dXNAZXI6cDpzcw==")
    for direct in ("localhost", "corp.example", "a.corp.example", "b.lan.example", "10.0.0.5"):
        assert found.towards(direct, is_tunnel=True) is None
    assert found.towards("evilcorp.example", is_tunnel=True) == found.tunnel
    assert found.towards("evilcorp.example", is_tunnel=False) == found.plain


@pytest.mark.parametrize(
    "url", ["socks5://proxy.example.org:1080", "https://proxy.example.org", "http://", "::"]
)
def test_a_proxy_we_can_t_go_through_is_passed_over(url: str) -> None:
    assert upstreams({"HTTPS_PROXY": url, "HTTP_PROXY": url}) == Upstreams()


def test_for_all_of_them_and_for_none() -> None:
    assert upstreams({"all_proxy": "proxy:8080"}).towards("a.example", is_tunnel=True) == Upstream(
        "proxy", 8080, ""
    )
    assert (
        upstreams({"all_proxy": "proxy:8080", "no_proxy": "*"}).towards("a.example", is_tunnel=True) is None
    )


def test_a_policy_is_read_as_it_was_written() -> None:
    through = Upstreams(None, Upstream("proxy", 8080, "Basic eDp5"), ("localhost",))
    policy = Policy((rule("*.example.org"), Rule("x", frozenset())), through, 'pass"word\n')
    assert policy.written().count(b"\n") == 1
    assert Policy.read(policy.written()) == policy


@contextmanager
def _upstream(answer: Callable[[socket.socket], None]) -> Iterator[tuple[dict[str, str], list[bytes]]]:
    """A proxy that notes the heads it gets and then does `answer`; gives the runner's environment, and the heads."""
    heads: list[bytes] = []
    lock = threading.Lock()

    def note(peer: socket.socket) -> None:
        head = head_of(peer)
        with lock:
            heads.append(head)
        answer(peer)

    with origin(note) as port:
        url = f"http://user:word@127.0.0.1:{port}"
        yield {"HTTP_PROXY": url, "HTTPS_PROXY": url, "NO_PROXY": "localhost"}, heads


def test_allowed_hosts_are_asked_of_it_by_name_and_with_its_password() -> None:
    with _upstream(lambda peer: peer.sendall(b"HTTP/1.1 200 OK\r\n\r\nfrom afar")) as (environment, heads):
        gateway = open_gateway([rule("a.example")], environment)
        tunnelled = asked(
            gateway.port, "CONNECT a.example:443 HTTP/1.1\r\nProxy-Authorization: Basic eDp5\r\n\r\n"
        )
        plain = asked(gateway.port, "GET http://a.example/b HTTP/1.1\r\nAccept: */*\r\n\r\n")
        refused = asked(gateway.port, "CONNECT b.example:443 HTTP/1.1\r\n\r\n")
        gateway.close()
    assert tunnelled == b"HTTP/1.1 200 Connection established\r\n\r\nfrom afar"
    assert plain == b"HTTP/1.1 200 OK\r\n\r\nfrom afar"
    assert refused.startswith(b"HTTP/1.1 403 ")
    word = b"Proxy-Authorization: Basic dXNlcjp3b3Jk\r\n"
    assert heads == [
        b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n" + word + b"\r\n",
        b"GET http://a.example/b HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n"
        + word
        + b"Accept: */*\r\n\r\n",
    ]


def test_its_refusal_is_told_and_its_password_is_not() -> None:
    with _upstream(lambda peer: peer.sendall(b"HTTP/1.1 403 Ask\x1b[2J IT\r\n\r\n")) as (environment, _):
        gateway = open_gateway([rule("a.example")], environment)
        answer = asked(gateway.port, "CONNECT a.example:443 HTTP/1.1\r\n\r\n")
        gateway.close()
    assert answer.startswith(b"HTTP/1.1 502 the proxy of this runner would not connect to a.example: ")
    assert b"403 Ask?[2J IT" in answer
    assert b"dXNl" not in answer


def test_hosts_it_is_not_for_are_connected_to_directly() -> None:
    with origin(saying("near")) as port, _upstream(saying("afar")) as (environment, heads):
        gateway = open_gateway([here(port)], environment)
        assert asked(gateway.port, f"GET http://localhost:{port}/ HTTP/1.1\r\n\r\n").endswith(b"near")
        gateway.close()
    assert heads == []
