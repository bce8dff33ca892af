"""The way to the network that commands have: a proxy on loopback, which lets them reach what is allowed and no more.

That commands have no other way is up to the confinement, which lets them connect to loopback only.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from ci_agent.sandbox.network.hosts import Reach, Rule, rule
from ci_agent.sandbox.network.policy import Policy
from ci_agent.sandbox.network.upstream import upstreams

if TYPE_CHECKING:
    import subprocess

__all__ = ["Gateway", "Reach", "Refused", "Rule", "open_gateway", "rule"]

NAMES = 200  # of hosts that are remembered; what is asked for beyond is counted under OTHERS
OTHERS = "(others)"
BACKLOG = 512  # connections that wait to be accepted
_SECONDS = 10.0  # for the proxy to do as it is told


@dataclass(frozen=True, slots=True)
class Refused:
    """A host that commands may not connect to, how often they tried, and why not, the last time.

    `host` holds letters, digits and `.:_-`; or it is `(no host)`, where a request named none, or `(others)`.
    """

    host: str
    count: int
    why: str


class Gateway:
    """A running proxy. `port` is where it listens, on 127.0.0.1."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, policy: Policy) -> None:
        self.port = port
        self._process = process
        self._policy = policy
        self._input = cast("IO[bytes]", process.stdin)  # both are pipes
        self._lock = threading.Condition()
        self._told = self._heard = 0  # policies written, and those that the proxy says hold
        self._reached: dict[tuple[str, int], None] = {}
        self._refused: dict[str, Refused] = {}
        self._reader = threading.Thread(
            target=self._read, args=(cast("IO[bytes]", process.stdout),), daemon=True
        )
        self._reader.start()
        self._tell()

    def allow(self, rules: Iterable[Rule]) -> None:
        """From now on this is allowed and nothing else. With no rules the network is off. Open connections to what
        is no longer allowed are ended. A proxy that does not say that it has understood is killed.
        """
        self._policy = Policy(tuple(rules), self._policy.upstreams, self._policy.password)
        self._tell()
        with self._lock:
            if not self._lock.wait_for(lambda: self._heard >= self._told, _SECONDS):
                self._process.kill()

    def reached(self) -> tuple[tuple[str, int], ...]:
        """The hosts and ports that connections were allowed to, the first 200 of them, in that order."""
        with self._lock:
            return tuple(self._reached)

    def refused(self) -> tuple[Refused, ...]:
        """The hosts that connections were refused to, in the order in which they were first asked for."""
        with self._lock:
            return tuple(self._refused.values())

    def close(self) -> None:
        """End the proxy. What it said until then is in `refused` afterwards. May be called again."""
        import subprocess

        with suppress(OSError):
            self._input.close()
        try:
            self._process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(_SECONDS)

    def _tell(self) -> None:
        with self._lock:
            self._told += 1
        with suppress(BrokenPipeError):  # it is dead, so that commands reach nothing
            self._input.write(self._policy.written())
            self._input.flush()

    def _read(self, decisions: IO[bytes]) -> None:
        with decisions:
            for line in decisions:
                decision = json.loads(line)
                with self._lock:
                    if decision is None:
                        self._heard += 1
                        self._lock.notify_all()
                    else:
                        self._count(*decision)
        with self._lock:
            self._heard = sys.maxsize  # nothing holds more than the end
            self._lock.notify_all()

    def _count(self, host: str, port: int, why: str) -> None:
        if not why:
            if len(self._reached) < NAMES:
                self._reached[host, port] = None
            return
        if host not in self._refused and len(self._refused) >= NAMES:
            host, why = OTHERS, f"there were more than {NAMES}"
        known = self._refused.get(host)
        self._refused[host] = Refused(host, known.count + 1 if known else 1, why)


def open_gateway(
    rules: Iterable[Rule],
    environment: Mapping[str, str],
    password: str = "",
    listener: socket.socket | None = None,
) -> Gateway:
    """Start a proxy that allows this, and return at once: who connects early waits for it to be up. It listens where
    `listener` does, which is the caller's to close.

    `environment` is the runner's, for the proxy it has to go through itself. With a `password` it serves only
    those who know it. Raises `OSError` where it can't be started.
    """
    import subprocess

    with listener.dup() if listener else socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as ours:
        source = str(Path(__file__).parents[3])
        number = ours.fileno()
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _START, source, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            cwd="/",
            pass_fds=(number,),
            start_new_session=True,  # Ctrl-C is for the harness, which ends it in good order
        )
        return Gateway(process, ours.getsockname()[1], Policy(tuple(rules), upstreams(environment), password))


# Its arguments are the folder that `ci_agent` is in and the listener's descriptor.
_START = (
    "import sys; sys.path.append(sys.argv[1]); from ci_agent.sandbox.network import process; process.main()"
)
_ENVIRONMENT = ("LD_LIBRARY_PATH",)  # without which a Python may not start
