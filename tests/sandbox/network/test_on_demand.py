"""The proxy of a session: nothing is started for those that never ask, and nothing is left of it."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from ci_agent.sandbox.network import Rule
from ci_agent.sandbox.network.on_demand import ProxyOnDemand
from tests.sandbox.network.origins import asked, head_of, here, origin, rest_of, saying


@contextmanager
def proxy(
    folder: Path, *rules: Rule, programs: tuple[str, ...] = (), environment: Mapping[str, str] | None = None
) -> Iterator[ProxyOnDemand]:
    """One that is closed at the end, and of which then no process, thread or port is left."""
    made = ProxyOnDemand(rules, programs, folder / "registries", environment or dict(os.environ))
    try:
        yield made
    finally:
        made.close()
        made.close()
    assert _children() == ""
    assert not made._waiter.is_alive()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", made.port), 20)


def _children() -> str:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text()


def _open() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _asked(made: ProxyOnDemand, port: int) -> bytes:
    return asked(made.port, f"GET http://localhost:{port}/ HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n")


def test_nothing_is_started_until_somebody_connects(tmp_path: Path) -> None:
    with proxy(tmp_path) as made:
        made.let(True)
        made.let(False)
        assert _children() == ""
        assert made.refused() == ()
    assert not (tmp_path / "registries").exists()


def test_who_connects_first_is_served(tmp_path: Path) -> None:
    with origin(saying("hello")) as port, proxy(tmp_path, here(port)) as made:
        made.let(True)
        assert _asked(made, port).endswith(b"hello")


def test_what_is_shut_is_shut_before_the_start_and_after(tmp_path: Path) -> None:
    with origin(saying("hello")) as port, proxy(tmp_path, here(port)) as made:
        assert b" 403 " in _asked(made, port)  # shut at first
        made.let(True)
        assert _asked(made, port).endswith(b"hello")
        made.let(False)
        assert b" 403 " in _asked(made, port)
        assert [one.host for one in made.refused()] == ["localhost"]


def test_a_connection_that_is_open_ends_when_it_is_shut(tmp_path: Path) -> None:
    with origin(lambda peer: peer.sendall(rest_of(peer))) as port, proxy(tmp_path, here(port)) as made:
        made.let(True)
        with socket.create_connection(("127.0.0.1", made.port), 20) as client:
            client.sendall(f"CONNECT localhost:{port} HTTP/1.1\r\n\r\n".encode())
            assert head_of(client).startswith(b"HTTP/1.1 200 ")
            made.let(False)
            assert client.recv(1) == b""


@pytest.mark.parametrize("connections", [0, 1, 20])
def test_it_can_be_closed_before_the_start_and_during_it(connections: int, tmp_path: Path) -> None:
    before = _open()
    with proxy(tmp_path) as made:
        for _ in range(connections):
            socket.create_connection(("127.0.0.1", made.port), 20).close()
    assert _open() == before


@pytest.mark.slow
def test_closing_does_not_wait_for_a_package_manager_that_hangs(tmp_path: Path) -> None:
    asking = tmp_path / "asking"
    os.mkfifo(asking)
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "npm").write_text(f"#!/bin/sh\necho > {asking}\nexec sleep 60\n")
    (programs / "npm").chmod(0o755)
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    made = ProxyOnDemand((), ("npm",), tmp_path / "registries", environment)
    with socket.create_connection(("127.0.0.1", made.port), 20):
        asking.read_text()
        started = time.monotonic()
        made.close()
        assert time.monotonic() - started < 5
    made._waiter.join(60)  # the manager's own time is over
    assert made._gateway is None


def test_where_it_can_not_be_started_who_connects_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "registries").write_text("in the way")
    with proxy(tmp_path) as made:
        for _ in range(2):
            with (
                pytest.raises(ConnectionError),
                socket.create_connection(("127.0.0.1", made.port), 20) as client,
            ):
                client.recv(1)
