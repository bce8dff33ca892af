"""The proxy of a session, of which there is only a listening socket until somebody connects to it.

Most sessions never use the network. In those nothing is started and no package manager is asked anything.
"""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ci_agent.sandbox.network import BACKLOG, Gateway, Refused, Rule, open_gateway
from ci_agent.sandbox.network.registries import Registry, ask

_PATIENCE = 1.0  # seconds for package managers that are being asked when it is closed; they end by themselves
# A name that never is one (RFC 2606): without any rule the network counts as off.
_NOTHING = Rule("nothing.invalid")


class ProxyOnDemand:
    """Listens on `port` of 127.0.0.1. It will allow `rules`, and the registries of those of `programs` that this machine
    has; they are asked in `folder`. Shut at first, see `let`."""

    def __init__(
        self, rules: Sequence[Rule], programs: Collection[str], folder: Path, environment: Mapping[str, str]
    ) -> None:
        self._rules = tuple(rules)
        self._programs = programs
        self._folder = folder
        self._environment = environment
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        self.port: int = self._listener.getsockname()[1]
        self.registries: tuple[Registry, ...] = ()
        self._lock = threading.Lock()
        self._open = False
        self._gateway: Gateway | None = None
        self._ending, self._end = os.pipe()
        self._waiter = threading.Thread(target=self._wait, daemon=True)
        self._waiter.start()

    def let(self, may: bool) -> None:
        """From now on connections are allowed to where they are, or nowhere."""
        with self._lock:
            if self._open != may and self._gateway:
                self._gateway.allow(self._allowed(may))
            self._open = may

    def refused(self) -> tuple[Refused, ...]:
        """Where connections were refused to."""
        with self._lock:
            return self._gateway.refused() if self._gateway else ()

    def close(self) -> None:
        """End it. May be called again."""
        with self._lock:
            if self._end >= 0:
                os.close(self._end)
                self._end = -1
        self._waiter.join(_PATIENCE)
        self._listener.close()
        if self._gateway:
            self._gateway.close()

    def _wait(self) -> None:
        """Until somebody connects, who then waits for us."""
        try:
            if self._first_of_all():
                self._start()
        except OSError:  # then nothing leads to the network, and who tries is told so at once
            self._listener.close()
        finally:
            os.close(self._ending)

    def _first_of_all(self) -> bool:
        """Whether somebody has connected, and not the end has come."""
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        poll.register(self._ending, select.POLLHUP)
        return all(descriptor != self._ending for descriptor, _ in poll.poll())

    def _start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):  # where they can't be asked, what the settings name is allowed
            self.registries = ask(self._programs, self._folder, self._environment)
        with self._lock:
            if self._end >= 0:  # it was not closed meanwhile
                self._gateway = open_gateway(
                    self._allowed(self._open), self._environment, listener=self._listener
                )

    def _allowed(self, may: bool) -> tuple[Rule, ...]:
        return (_NOTHING, *self._rules, *(one.rule for one in self.registries)) if may else ()
