"""What the harness and its keeper say to each other, over a pair of stream sockets.

Each message is its length in four bytes and JSON. A request comes with the descriptor of the command's output.
"""

from __future__ import annotations

import array
import dataclasses
import json
import socket
import struct
from dataclasses import dataclass, field
from typing import Any, Final

_LENGTH: Final = struct.Struct("!I")
_ONE_DESCRIPTOR = socket.CMSG_LEN(array.array("i").itemsize)


@dataclass(frozen=True, slots=True)
class Plan:
    """Which means of confinement are used, and for what. `loopback_only`: commands connect to this machine alone, and to
    `services`, each an address and a port."""

    landlock: bool
    filter: bool
    supervised: bool
    loopback_only: bool = True
    services: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one command may use: bytes, and processes with their threads."""

    memory: int
    processes: int
    file_size: int
    open_files: int
    free_disk: int  # that is left on each disk


@dataclass(frozen=True, slots=True)
class Request:
    """One command, in full. `timeout` and `grace` are in seconds, `grace` between SIGTERM and the end. `disks` are the
    folders on whose disks some room is to be left."""

    words: list[str]
    cwd: str
    environment: dict[str, str]
    system: list[str]  # to be read as well: places that stay the same from one command to the next
    readable: list[str]
    writable: list[str]
    disks: list[str]
    plan: Plan
    bounds: Bounds
    timeout: float
    grace: float
    output_limit: int


@dataclass(frozen=True, slots=True)
class Reply:
    """How it ended.

    `problem`: it was not started, and why; `stage` says which means of confinement failed, empty where it was the
    program itself, then `exit_code` is that of a shell. `ended` is what made us end it: `time`, `output`, `memory`,
    `processes`, `disk`, `asked`. `refused` counts the addresses it tried to connect to in vain.
    """

    exit_code: int = 0
    ended: str = ""
    left_behind: bool = False
    survivors: int = 0  # processes that could not be ended
    problem: str = ""
    stage: str = ""
    refused: dict[str, int] = field(default_factory=dict)


def send(to: socket.socket, message: Request | Reply, descriptor: int | None = None) -> None:
    """Raises `OSError` where nobody is there any more."""
    body = json.dumps(dataclasses.asdict(message), separators=(",", ":")).encode("utf-8", "surrogateescape")
    head = _LENGTH.pack(len(body))
    if descriptor is None:
        to.sendall(head + body)
    else:
        socket.send_fds(to, [head], [descriptor])
        to.sendall(body)


def receive_request(origin: socket.socket) -> tuple[Request, int] | None:
    """The next request and the descriptor of its output; None: the harness is gone."""
    head, control, _, _ = origin.recvmsg(
        _LENGTH.size, socket.CMSG_SPACE(_ONE_DESCRIPTOR), socket.MSG_CMSG_CLOEXEC
    )
    descriptors = array.array("i")
    for level, kind, data in control:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    if not head or not descriptors:
        return None
    tree = _body(origin, head)
    if tree is None:
        return None
    services = tuple((str(address), int(port)) for address, port in tree["plan"].pop("services"))
    tree |= {"plan": Plan(**tree["plan"], services=services), "bounds": Bounds(**tree["bounds"])}
    return Request(**tree), descriptors[0]


def receive_reply(origin: socket.socket) -> Reply | None:
    """The reply; None: the keeper is gone. Raises `TimeoutError` as the socket says."""
    head = origin.recv(_LENGTH.size)
    tree = _body(origin, head) if head else None
    return None if tree is None else Reply(**tree)


def _body(origin: socket.socket, head: bytes) -> dict[str, Any] | None:
    head += _exactly(origin, _LENGTH.size - len(head))
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    body = _exactly(origin, length)
    if len(body) < length:
        return None
    tree: dict[str, Any] = json.loads(body.decode("utf-8", "surrogateescape"))
    return tree


def _exactly(origin: socket.socket, length: int) -> bytes:
    parts = []
    while length:
        part = origin.recv(min(length, 1 << 20))
        if not part:
            break
        parts.append(part)
        length -= len(part)
    return b"".join(parts)
