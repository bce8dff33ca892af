"""Bytes carried between two sockets, both ways at once, until both ends have finished or nothing moves any more."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterable
from contextlib import suppress

CHUNK = 64 * 1024


class _Lane:
    """One direction. At most one chunk is held, and at most `budget` bytes are carried; the rest is dropped."""

    def __init__(
        self, source: socket.socket, sink: socket.socket, pending: bytes, budget: int | None, finish: bool
    ) -> None:
        self.source, self.sink, self.finish = source, sink, finish
        self.budget = budget
        self.pending = self._counted(pending)
        self.is_open = True  # there may be more to read
        self.is_finished = False  # nothing will be written any more

    def _counted(self, data: bytes) -> bytes:
        if self.budget is None:
            return data
        data = data[: self.budget]
        self.budget -= len(data)
        return data

    def read(self) -> None:
        data = self.source.recv(CHUNK)
        self.is_open = bool(data)
        self.pending += self._counted(data)

    def write(self) -> None:
        """Send what is pending; where that was the last of it, tell the other side."""
        if self.pending:
            with suppress(BlockingIOError):  # it takes nothing just now
                self.pending = self.pending[self.sink.send(self.pending) :]
        if not self.pending and not self.is_open and not self.is_finished:
            self.is_finished = True
            if self.finish:
                self.sink.shutdown(socket.SHUT_WR)


def relay(
    client: socket.socket,
    server: socket.socket,
    first: bytes,
    budget: int | None,
    idle: float,
    back: bytes = b"",
) -> None:
    """Carry bytes until both sides have ended, or until none has moved for `idle` seconds.

    `first` has arrived from the client already, `back` from the server. With a `budget`, no more than that many
    bytes go to the server: the body of one request. Raises `OSError` when a connection breaks.
    """
    client.setblocking(False)
    server.setblocking(False)
    up = _Lane(client, server, first, budget, finish=budget is None)
    down = _Lane(server, client, back, None, finish=True)
    while not (down.is_finished and (up.is_finished or budget is not None)):
        if not _turn((up, down), idle):
            return


def _turn(lanes: Iterable[_Lane], idle: float) -> bool:
    """Wait for something to do and do it. False when nothing happened in time."""
    waiting: dict[socket.socket, int] = {}
    for lane in lanes:
        if lane.pending:
            waiting[lane.sink] = waiting.get(lane.sink, 0) | select.POLLOUT
        elif lane.is_open:
            waiting[lane.source] = waiting.get(lane.source, 0) | select.POLLIN
    poll = select.poll()
    for end, events in waiting.items():
        poll.register(end, events)
    ready = dict(poll.poll(idle * 1000))
    for lane in lanes:
        if lane.pending and ready.get(lane.sink.fileno(), 0):
            lane.write()
        elif not lane.pending and lane.is_open and ready.get(lane.source.fileno(), 0) & ~select.POLLOUT:
            lane.read()
            lane.write()
    return bool(ready)
