"""Where a command may connect to: this machine's own address, the services that the settings name, and sockets of the
file system below the places it may change."""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import socket
import struct
from collections import Counter
from collections.abc import Sequence
from typing import Final

from ci_agent.sandbox.keeper.messages import Plan

_LOOPBACK: Final = (ipaddress.IPv4Address("127.0.0.1"), ipaddress.IPv6Address("::1"))
_ABSTRACT: Final = "a socket without a file"
_ITS_OWN: Final = "/proc/self/"
_MOST_REFUSED = 50  # different addresses that are told
_LONGEST_NAME = 200  # characters of one
_ODD: Final = re.compile(r"[^\w./:\[\]-]", re.ASCII)  # a command chooses names, and people read them


class Judge:
    """`plan` says which addresses are allowed, `writable` are the places. `refused` counts what was not."""

    def __init__(self, plan: Plan, writable: Sequence[str]) -> None:
        self.refused: Counter[str] = Counter()
        self._loopback_only = plan.loopback_only
        self._services = {(ipaddress.ip_address(address), port) for address, port in plan.services}
        self._places = tuple(os.path.realpath(place).rstrip("/") + "/" for place in writable)

    def judged(self, process: int, own: socket.socket, address: bytes) -> tuple[int, bytes]:
        """The address that `own`, a socket of `process`, may be connected to instead of `address`, and a descriptor to
        be kept open until then; -1: none. Raises `OSError` with what the command is told."""
        family = _family(address)
        internet = (socket.AF_INET, socket.AF_INET6)
        if family in internet and own.family in internet:
            return -1, self._of_internet(address, own.type, own.proto)
        if family == socket.AF_UNIX == own.family:
            return self._at_its_place(process, address)
        if family != socket.AF_UNSPEC and own.family != socket.AF_NETLINK:
            raise OSError(errno.EAFNOSUPPORT, "")
        # It lets go of a connection, or talks to the kernel; the filter has seen to what it may talk about.
        return -1, address

    def _of_internet(self, address: bytes, kind: int, protocol: int) -> bytes:
        if not self._loopback_only or kind == socket.SOCK_DGRAM:  # what is a datagram socket here is silent
            return address
        host, port = _host(address)
        if host.is_unspecified:  # Linux takes it for this machine
            return _with_host(address, _LOOPBACK[host.version == 6])  # noqa: PLR2004
        allowed = host in _LOOPBACK or (host, port) in self._services
        if kind != socket.SOCK_STREAM or protocol != socket.IPPROTO_TCP or not allowed:
            self._note(f"[{host}]:{port}" if host.version == 6 else f"{host}:{port}")  # noqa: PLR2004
            raise OSError(errno.ENETUNREACH, "")
        return address

    def _at_its_place(self, process: int, address: bytes) -> tuple[int, bytes]:
        """What the name of a socket in the file system stands for now, if it may be talked to: a descriptor, and an
        address that means just this."""
        name = address[2:].split(b"\0", 1)[0]
        if not name:  # an abstract one: it belongs to nobody's folder
            self._note(_ABSTRACT)
            raise OSError(errno.EACCES, "")
        whole = os.path.join(os.readlink(f"/proc/{process}/cwd"), os.fsdecode(name))
        if whole.startswith(_ITS_OWN):  # whose own is meant, not ours
            whole = f"/proc/{process}/" + whole.removeprefix(_ITS_OWN)
        place = os.open(whole, os.O_PATH | os.O_CLOEXEC)
        real = os.readlink(f"/proc/self/fd/{place}")
        if not real.startswith(self._places):
            os.close(place)
            self._note(_ODD.sub("?", real)[:_LONGEST_NAME])
            raise OSError(errno.EACCES, "")
        return place, struct.pack("=H", socket.AF_UNIX) + f"/proc/self/fd/{place}".encode() + b"\0"

    def _note(self, what: str) -> None:
        if what in self.refused or len(self.refused) < _MOST_REFUSED:
            self.refused[what] += 1


def _family(address: bytes) -> int:
    if len(address) < 2:  # noqa: PLR2004 - sa_family_t
        raise OSError(errno.EINVAL, "")
    return int(struct.unpack_from("=H", address)[0])


def _host(address: bytes) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]:
    """The address and port of a struct sockaddr_in or sockaddr_in6."""
    if len(address) < (16 if _family(address) == socket.AF_INET else 24):
        raise OSError(errno.EINVAL, "")
    (port,) = struct.unpack_from("!H", address, 2)
    if _family(address) == socket.AF_INET:
        return ipaddress.IPv4Address(address[4:8]), port
    host = ipaddress.IPv6Address(address[8:24])
    return host.ipv4_mapped or host, port


def _with_host(address: bytes, host: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bytes:
    """The same struct for another host, which is mapped where the family needs it."""
    if _family(address) == socket.AF_INET:
        return address[:4] + host.packed + address[8:]
    packed = host.packed if len(host.packed) == 16 else b"\0" * 10 + b"\xff\xff" + host.packed  # noqa: PLR2004
    return address[:8] + packed + address[24:]
