"""How the keeper gets at a command's socket, in order to connect it."""

from __future__ import annotations

import errno
import os
from collections import OrderedDict

from ci_agent.sandbox.kernel.calls import call

_MOST_KEPT = 256  # sockets that a command made and did nothing with


class Taken:
    """The keeper takes a copy of the descriptor when it is needed, by pidfd_getfd(2)."""

    made_here = False

    def copy(self, process: int, descriptor: int) -> int:
        """A copy of a descriptor; `process` may be a thread. Raises `OSError` as connect(2) would."""
        with open(f"/proc/{process}/status", "rb") as status:
            leader = next(int(line.split()[1]) for line in status if line.startswith(b"Tgid:"))
        whole = os.pidfd_open(leader)
        try:
            return call("pidfd_getfd", whole, descriptor, 0)
        finally:
            os.close(whole)

    def keep(self, made: int) -> None:
        """Nothing has to be kept."""

    def drop(self, copy: int) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Nothing is kept."""


class Made:
    """Where the container's own filter refuses pidfd_getfd(2), as Docker's does: sockets are made by the keeper, which
    keeps a copy of each until it is connected, bound or listens. Then the copy has to go, or else it would keep the
    connection or the port alive. So what was bound can't be connected any more, which hardly anybody does; it is
    answered like a second connect(2) on a connected socket.
    """

    made_here = True

    def __init__(self) -> None:
        self._kept: OrderedDict[int, int] = OrderedDict()  # by the socket's inode

    def copy(self, process: int, descriptor: int) -> int:
        """As above."""
        kept = self._kept.get(inode(process, descriptor))
        if kept is None:
            raise OSError(errno.EISCONN, "")
        return os.dup(kept)

    def keep(self, made: int) -> None:
        """Keep a copy of a socket that was made for a command, or of the most recent ones."""
        self._kept[os.fstat(made).st_ino] = os.dup(made)
        if len(self._kept) > _MOST_KEPT:
            os.close(self._kept.popitem(last=False)[1])

    def drop(self, copy: int) -> None:
        """Keep this one no longer."""
        kept = self._kept.pop(os.fstat(copy).st_ino, None)
        if kept is not None:
            os.close(kept)

    def close(self) -> None:
        """Keep none any longer."""
        while self._kept:
            os.close(self._kept.popitem()[1])


def can_take() -> bool:
    """Whether `Taken` works here."""
    own = os.pidfd_open(os.getpid())
    try:
        os.close(call("pidfd_getfd", own, 0, 0))
    except OSError:
        return False
    finally:
        os.close(own)
    return True


def inode(process: int, descriptor: int) -> int:
    """That of the file behind a descriptor of a process. Raises `OSError` where there is none."""
    try:
        return os.stat(f"/proc/{process}/fd/{descriptor}").st_ino
    except FileNotFoundError:
        raise OSError(errno.EBADF, "") from None
