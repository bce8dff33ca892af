"""Answers the calls of a command that its filter asks about: connect(2), and new datagram sockets.

The answer to connect(2) is never "go on": between our look and the kernel's the address could be changed. The address
is copied, judged, and the keeper connects the command's own socket to the copy, so that all that was set on the socket
before stays. Datagram sockets are made here and silenced: programs look up the machine's own addresses with them, and
nothing can be sent. Where sockets can't be taken from a command, all are made here, see `sockets.py`. See
seccomp_unotify(2).
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import math
import os
import select
import socket
import struct
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from ci_agent.sandbox.keeper.judge import Judge
from ci_agent.sandbox.keeper.sockets import Made, Taken, inode
from ci_agent.sandbox.kernel import seccomp
from ci_agent.sandbox.kernel.calls import libc, number

# include/uapi/linux/seccomp.h: the requests, and the layouts of seccomp_notif, _notif_resp and _notif_addfd.
_RECEIVE, _ANSWER, _STILL_THERE, _PUT = 0xC0502100, 0xC0182101, 0x40082102, 0x40182103
_NOTICE: Final = struct.Struct(
    "=QIIiIQ6Q"
)  # id, process, flags, number, architecture, instruction, arguments
_REPLY: Final = struct.Struct("=QqiI")  # id, value, error, flags
_DESCRIPTOR: Final = struct.Struct("=QIIII")  # id, flags, ours, theirs, flags of theirs
_GO_ON = 1  # SECCOMP_USER_NOTIF_FLAG_CONTINUE
_ADDRESS_LENGTH = 128  # bytes of struct sockaddr_storage
_KIND = 0xF  # SOCK_TYPE_MASK of include/linux/net.h

_DIALLING = 60.0  # seconds a connection may take to come about
_FULL_QUEUE = 0.02  # seconds until a local server whose queue is full is asked again
_MOST_PENDING = 256  # two descriptors each
_MOST_UNHEARD = 256
_BEGINS_AGAIN = 1.0  # seconds within which an interrupted call is begun again: after the signal's handler


@dataclass(slots=True)
class _Unheard:
    """A connection that came about, of a call that may not have heard so."""

    asked: bytes  # the address that the call names
    until: float  # it may be begun again, on the clock of `time.monotonic`


@dataclass(slots=True)
class _Pending:
    """A connection that has not come about yet, of a call that waits for it."""

    id: int
    ours: int  # our copy of the socket
    inode: int
    asked: bytes  # the address that the call names
    address: bytes = b""  # the same place, as we connect to it
    place: int = -1  # what the address refers to, kept open until then; -1: nothing
    flags: int = 0  # of the socket, to be put back
    kind: int = 0
    until: float = field(default_factory=lambda: time.monotonic() + _DIALLING)

    @property
    def local(self) -> bool:
        """It waits for room in a server's queue, which no descriptor tells of."""
        return self.place >= 0

    def close(self) -> None:
        for descriptor in (self.ours, self.place):
            if descriptor >= 0:
                os.close(descriptor)


class Supervisor:
    """Answers what arrives on `listener`, as `judge` says, with the descriptors of `sockets`. With `open_network`
    datagrams may be sent."""

    def __init__(self, listener: int, judge: Judge, sockets: Taken | Made, *, open_network: bool) -> None:
        self.listener = listener
        self._judge = judge
        self._sockets = sockets
        self._open_network = open_network
        self._pending: dict[int, _Pending] = {}  # by our copy's descriptor
        self._unheard: OrderedDict[int, _Unheard] = OrderedDict()  # by inodes, see `_finish`
        self._interruptible = seccomp.interruptible()
        self._connect, self._socket = number("connect"), number("socket")

    def close(self) -> None:
        """Forget everything; calls that still wait fail."""
        for pending in self._pending.values():
            pending.close()
        self._sockets.close()
        os.close(self.listener)

    def watched(self) -> Iterator[tuple[int, int]]:
        """The descriptors to wait for, with what for."""
        yield self.listener, select.POLLIN
        for descriptor, pending in self._pending.items():
            if not pending.local:
                yield descriptor, select.POLLOUT

    def ready(self, descriptor: int, events: int) -> bool:
        """Something happened on a descriptor. False: nobody is left who could ask."""
        if descriptor != self.listener:
            self._came_about(descriptor)
        elif events & select.POLLIN:
            self._asked()
        else:
            return False
        return True

    def tick(self) -> None:
        """Try those again that have to be, and give up those that took too long. To be called every now and then."""
        now = time.monotonic()
        for pending in list(self._pending.values()):
            if now > pending.until:
                self._finish(pending, errno.ETIMEDOUT)
            elif pending.local:
                self._dial(pending)

    @property
    def impatient(self) -> float | None:
        """Seconds until the next `tick` is due. None: it can wait."""
        return _FULL_QUEUE if self._pending else None

    # --- one call -----------------------------------------------------------------------------------------

    def _asked(self) -> None:
        notice = bytearray(_NOTICE.size)
        try:
            fcntl.ioctl(self.listener, _RECEIVE, notice)
        except OSError:  # it was interrupted or killed before we got to it
            return
        id_, process, _, which, _, _, *arguments = _NOTICE.unpack(notice)
        try:
            if which == self._connect:
                self._connection(id_, process, *arguments[:3])
            elif which == self._socket:
                self._new_socket(id_, *(argument & 0xFFFFFFFF for argument in arguments[:3]))
            else:  # it listens, or has a port of its own
                self._let_go(process, arguments[0])
                self._answer(id_, 0, flags=_GO_ON)
        except OSError as error:
            self._answer(id_, error.errno or errno.EACCES)

    def _connection(self, id_: int, process: int, descriptor: int, where: int, length: int) -> None:
        if len(self._pending) >= _MOST_PENDING:
            raise OSError(errno.EAGAIN, "")
        address = _memory(process, where, length & 0xFFFFFFFF)
        try:
            ours = self._sockets.copy(process, descriptor & 0xFFFFFFFF)
        except OSError as error:
            connected = error.errno == errno.EISCONN
            if not connected or not self._is_begun_again(inode(process, descriptor & 0xFFFFFFFF), address):
                raise
            self._answer(id_, 0)
            return
        pending = _Pending(id_, ours, os.fstat(ours).st_ino, address)
        try:
            # It is still the process we looked at.
            self._check_still_there(id_)
            self._forget_the_first_of(pending.inode)
            with _as_socket(pending.ours) as own:
                pending.kind = own.type
                pending.place, pending.address = self._judge.judged(process, own, address)
            pending.flags = fcntl.fcntl(pending.ours, fcntl.F_GETFL)
            if not pending.flags & os.O_NONBLOCK:
                fcntl.fcntl(pending.ours, fcntl.F_SETFL, pending.flags | os.O_NONBLOCK)
        except OSError:
            pending.close()
            raise
        self._dial(pending)

    def _dial(self, pending: _Pending) -> None:
        failed = libc.connect(pending.ours, pending.address, len(pending.address)) != 0
        error = ctypes.get_errno() if failed else 0
        if error == errno.EISCONN and self._is_begun_again(pending.inode, pending.asked):
            error = 0
        waits = error in (errno.EINPROGRESS, errno.EALREADY) or (error == errno.EAGAIN and pending.local)
        if waits and not pending.flags & os.O_NONBLOCK:
            self._pending[pending.ours] = pending
        else:
            self._finish(pending, error)

    def _came_about(self, descriptor: int) -> None:
        if descriptor not in self._pending:  # forgotten, since it was waited for
            return
        with _as_socket(descriptor) as copy:
            error = copy.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            try:
                copy.getpeername()
            except OSError:
                if not error:  # it was another one's number, a moment ago
                    return
        pending = self._pending[descriptor]
        if (
            not error
        ):  # to the kernel it is not over before somebody asks: the command's next call would succeed as well
            libc.connect(pending.ours, pending.address, len(pending.address))
        self._finish(pending, error)

    def _finish(self, pending: _Pending, error: int) -> None:
        """Tell how it went. A signal may have interrupted the call meanwhile, before Linux 5.19; then it is begun
        again, and must hear what this one did not. The kernel takes an answer, too, that a signal which came just before
        keeps from being heard (`seccomp_do_user_notification` in kernel/seccomp.c)."""
        self._pending.pop(pending.ours, None)
        self._put_back(pending)
        heard = self._answer(pending.id, error)
        if heard and error in (0, errno.EINPROGRESS) and pending.kind != socket.SOCK_DGRAM:
            self._sockets.drop(pending.ours)
        pending.close()
        if not error and pending.kind != socket.SOCK_DGRAM:
            self._remember(pending, heard=heard)

    def _remember(self, pending: _Pending, *, heard: bool) -> None:
        """What a call has to hear that is begun again; as often as that may be, but not for longer."""
        until = time.monotonic() + _BEGINS_AGAIN if heard else math.inf
        known = self._unheard.pop(pending.inode, None)
        if known is not None and known.asked == pending.asked:
            until = min(until, known.until)
        if heard and not self._interruptible:
            return
        self._unheard[pending.inode] = _Unheard(pending.asked, until)
        if len(self._unheard) > _MOST_UNHEARD:
            self._unheard.popitem(last=False)

    def _is_begun_again(self, connected: int, asked: bytes) -> bool:
        """Whether the call for this socket may be one that came about and did not hear so, a moment ago and with the same
        address. Nothing tells it from a second call on purpose, which hears of success once more then."""
        there = self._unheard.get(connected)
        return there is not None and there.asked == asked and time.monotonic() < there.until

    def _forget_the_first_of(self, inode: int) -> None:
        """Of a call that a signal interrupted while its connection came about; this is its second beginning."""
        for pending in [one for one in self._pending.values() if one.inode == inode]:
            try:
                self._check_still_there(pending.id)
            except OSError:
                del self._pending[pending.ours]
                self._put_back(pending)
                pending.close()

    def _check_still_there(self, id_: int) -> None:
        """Raises `OSError` where nobody waits for the answer to this call any more."""
        fcntl.ioctl(self.listener, _STILL_THERE, struct.pack("=Q", id_))

    def _put_back(self, pending: _Pending) -> None:
        with suppress(OSError):
            fcntl.fcntl(pending.ours, fcntl.F_SETFL, pending.flags)

    def _new_socket(self, id_: int, family: int, kind: int, protocol: int) -> None:
        """One of the kinds that the filter asks about. Those for datagrams can be asked and bound, and nothing can be
        sent on them."""
        with socket.socket(family, kind & _KIND, protocol) as made:
            if made.type == socket.SOCK_DGRAM and not self._open_network:
                with suppress(OSError):  # ENOTCONN, and yet it is shut
                    made.shutdown(socket.SHUT_WR)
            if kind & socket.SOCK_NONBLOCK:
                made.setblocking(False)
            flags = os.O_CLOEXEC if kind & socket.SOCK_CLOEXEC else 0
            put = bytearray(_DESCRIPTOR.pack(id_, 0, made.fileno(), 0, flags))
            theirs = fcntl.ioctl(self.listener, _PUT, put)
            self._sockets.keep(made.fileno())
        self._answer(id_, 0, theirs)

    def _let_go(self, process: int, descriptor: int) -> None:
        with suppress(OSError):  # not one of those we have, or no socket at all; the kernel will say so
            copy = self._sockets.copy(process, descriptor & 0xFFFFFFFF)
            self._sockets.drop(copy)
            os.close(copy)

    def _answer(self, id_: int, error: int, value: int = 0, flags: int = 0) -> bool:
        """Whether it was heard; who asked may have been killed, or interrupted."""
        try:
            fcntl.ioctl(self.listener, _ANSWER, bytearray(_REPLY.pack(id_, value, -error, flags)))
        except OSError:
            return False
        return True


def _as_socket(descriptor: int) -> socket.socket:
    """A copy of a descriptor. Raises `OSError` where it is no socket."""
    copy = os.dup(descriptor)
    try:
        return socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        raise


def _memory(process: int, where: int, length: int) -> bytes:
    """The bytes of an address. Raises `OSError` as connect(2) would."""
    if length > _ADDRESS_LENGTH:
        raise OSError(errno.EINVAL, "")
    descriptor = os.open(f"/proc/{process}/mem", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(descriptor, length, where)
    except (OSError, OverflowError):
        raise OSError(errno.EFAULT, "") from None
    finally:
        os.close(descriptor)
