"""The proxy as a process: what it carries, what it withstands, and that it ends with its owner."""

from __future__ import annotations

import os
import select
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ci_agent.sandbox.network import OTHERS, Gateway, Refused, open_gateway, rule
from ci_agent.sandbox.network.policy import Policy
from ci_agent.sandbox.network.proxy import Proxy
from ci_agent.sandbox.network.request import HEAD_LIMIT
from tests.sandbox.network.origins import asked, head_of, here, origin, rest_of, saying, through

NOT_ALLOWED = "is not allowed, add it to sandbox.hosts"


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    opened = open_gateway([], {})
    yield opened
    opened.close()


def _echo(peer: socket.socket) -> None:
    """Gives everything back, once the other side has said that this was all."""
    peer.sendall(rest_of(peer))


def _tunnel(gateway: Gateway, port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", gateway.port), 20)
    client.sendall(f"CONNECT localhost:{port} HTTP/1.1\r\n\r\n".encode())
    assert head_of(client).startswith(b"HTTP/1.1 200 ")
    return client


def test_what_was_refused_is_counted_with_the_reason(gateway: Gateway) -> None:
    gateway.allow([rule("files.example.org")])
    for host in ("example.org", "127.0.0.1", "example.org"):
        assert asked(gateway.port, f"CONNECT {host}:443 HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 403 ")
    asked(gateway.port, "GET / HTTP/1.1\r\n\r\n")
    gateway.close()
    assert gateway.refused() == (
        Refused("example.org", 2, NOT_ALLOWED),
        Refused("127.0.0.1", 1, "is an address of numbers, only names can be allowed"),
        Refused("(no host)", 1, "is neither CONNECT nor for a whole address that begins with http://"),
    )
    assert gateway.reached() == ()


def test_of_many_refused_hosts_some_are_named_and_the_rest_is_counted(gateway: Gateway) -> None:
    gateway.allow([rule("files.example.org")])
    for number in range(203):
        asked(gateway.port, f"CONNECT {number}.example.org:443 HTTP/1.1\r\n\r\n")
    gateway.close()
    refused = gateway.refused()
    assert len(refused) == 201
    assert refused[199].host == "199.example.org"
    assert refused[200] == Refused(OTHERS, 3, "there were more than 200")


def test_what_is_allowed_can_be_changed_and_ends_what_was_open(gateway: Gateway) -> None:
    with origin(_echo) as port:
        assert b"the network is off" in asked(gateway.port, f"CONNECT localhost:{port} HTTP/1.1\r\n\r\n")
        gateway.allow([here(port)])
        client = _tunnel(gateway, port)
        gateway.allow([rule("files.example.org")])
        assert client.recv(1) == b""  # without a word of ours: nobody else would have ended it
        client.close()
        assert NOT_ALLOWED.encode() in asked(gateway.port, f"CONNECT localhost:{port} HTTP/1.1\r\n\r\n")


def test_a_tunnel_can_be_closed_one_way(gateway: Gateway) -> None:
    with origin(_echo) as port:
        gateway.allow([here(port)])
        with _tunnel(gateway, port) as client:
            sent = os.urandom(3_000_000)
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            assert rest_of(client) == sent


def test_two_hundred_connections_at_a_time(gateway: Gateway) -> None:
    with origin(_echo) as port:
        gateway.allow([here(port)])
        clients = [_tunnel(gateway, port) for _ in range(200)]
        for number, client in enumerate(clients):
            client.sendall(b"%d" % number)
            client.shutdown(socket.SHUT_WR)
        assert [rest_of(client) for client in clients] == [b"%d" % number for number in range(200)]
        for client in clients:
            client.close()


def test_a_giant_head_is_refused_and_the_answer_arrives(gateway: Gateway) -> None:
    answer = asked(gateway.port, "GET http://a.example/ HTTP/1.1\r\nX: " + "y" * 2 * HEAD_LIMIT)
    assert answer.startswith(b"HTTP/1.1 400 the request has a head of more than")


def test_who_dawdles_is_cut_off_however_steadily_they_send() -> None:
    client, ours = socket.socketpair()
    proxy = Proxy(lambda *_: None, head_seconds=0.2)
    over = threading.Event()

    def dawdle() -> None:
        while not over.wait(0.02):
            client.send(b"x")

    thread = threading.Thread(target=dawdle)
    with client, ours:
        thread.start()
        proxy.answer(ours)
        over.set()
        thread.join()
        assert client.recv(100).startswith(b"HTTP/1.1 400 the request did not come in time")


def test_a_name_whose_address_changes_is_dialled_where_it_was_judged() -> None:
    answers = iter([["93.184.216.34"], ["127.0.0.1"]])
    dialled = []

    def dial(address: str, port: int) -> socket.socket:
        dialled.append(address)
        raise ConnectionRefusedError

    proxy = Proxy(lambda *_: None, lambda *_: next(answers), dial)
    proxy.policy = Policy((rule("rebinding.example.org"),))
    for _ in range(2):
        client, ours = socket.socketpair()
        with client, ours:
            client.sendall(b"CONNECT rebinding.example.org:443 HTTP/1.1\r\n\r\n")
            client.shutdown(socket.SHUT_WR)
            proxy.answer(ours)
    assert dialled == ["93.184.216.34"]


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_a_redirect_is_followed_by_the_client_and_judged_anew(gateway: Gateway, tmp_path: Path) -> None:
    with origin(saying("", "302 Found\r\nLocation: http://elsewhere.example.org/")) as port:
        gateway.allow([here(port)])
        done = through(gateway.port, ["curl", "-sSL", f"http://localhost:{port}/"], tmp_path)
    assert done.stdout == f"ci-agent: elsewhere.example.org {NOT_ALLOWED}\n"


def test_a_host_that_is_down_is_said_to_be(gateway: Gateway) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    gateway.allow([here(port)])
    answer = asked(gateway.port, f"CONNECT localhost:{port} HTTP/1.1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 502 localhost can't be reached: Connection refused")
    gateway.close()
    assert gateway.refused() == ()


def test_with_a_password_only_who_knows_it_is_served() -> None:
    with origin(saying("hello")) as port:
        gateway = open_gateway([here(port)], {}, "xyz")
        request = f"GET http://localhost:{port}/ HTTP/1.1\r\n"
        for wrong in ("", "Proxy-Authorization: Basic eDp4\r\n", "Proxy-Authorization: Basic =\r\n"):
            assert asked(gateway.port, f"{request}{wrong}\r\n").startswith(b"HTTP/1.1 407 ")
        assert asked(gateway.port, f"{request}Proxy-Authorization: Basic Y2ktYWdlbnQ6eHl6\r\n\r\n").endswith(
            b"hello"
        )
        gateway.close()


def test_its_arguments_and_its_environment_tell_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_KEY", "canary-in-environment")
    gateway = open_gateway(
        [], {"https_proxy": "http://user:canary-of-proxy@proxy.example.org:3128"}, "canary-password"
    )
    gateway.allow([])
    asked(gateway.port, "GET / HTTP/1.1\r\n\r\n")
    own = Path("/proc", str(gateway._process.pid))
    told = (own / "cmdline").read_bytes()
    try:
        told += (own / "environ").read_bytes()
    except PermissionError:  # it is not for us either
        told += b""
    gateway.close()
    assert b"canary" not in told


_OWNER = """
import sys
from ci_agent.sandbox.network import open_gateway
gateway = open_gateway([], {})
print(gateway._process.pid, gateway.port, flush=True)
sys.stdin.read()
"""


def test_it_ends_when_its_owner_is_killed() -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", _OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout
    assert owner.stdin
    pid, port = (int(word) for word in owner.stdout.readline().split())
    proxy = os.pidfd_open(pid)
    owner.kill()
    owner.wait()
    poll = select.poll()
    poll.register(proxy, select.POLLIN)
    assert poll.poll(20_000)
    os.close(proxy)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 20)
    owner.stdin.close()
    owner.stdout.close()


def test_it_can_be_closed_twice_and_told_something_after_its_end(gateway: Gateway) -> None:
    gateway._process.kill()
    gateway._process.wait()
    gateway.allow([rule("files.example.org")])
    gateway.close()
    gateway.close()
