"""seccomp: which system calls a process and all that it starts may do, and which of them we answer ourselves.

The filter is a program of the classic Berkeley packet filter, put together here: see seccomp(2), and
include/uapi/linux/{seccomp,filter,bpf_common}.h. Calls that are refused give EPERM, as without privileges, or what
makes the C library take another way.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ci_agent.sandbox.kernel.calls import AUDIT, MACHINE, call, number

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN, _AND = 0x20, 0x15, 0x35, 0x45, 0x06, 0x54
_ALLOW, _NOTIFY, _ERRNO = 0x7FFF0000, 0x7FC00000, 0x00050000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in `struct seccomp_data`

_MODE_FILTER, _NEW_LISTENER, _WAIT_KILLABLE = 1, 1 << 3, 1 << 5  # operation and flags of seccomp(2)
_WAITS_KILLABLE_SINCE = (5, 19)  # of Linux
_X32 = 0x40000000  # x86-64 calls with short pointers, under numbers of their own

# Whole worlds of their own, ways around the rules below, and parts of the kernel that no build needs.
_REFUSED: Final = (
    *("unshare", "setns", "mount", "umount2", "pivot_root", "fsopen", "fsconfig", "fsmount", "fspick"),
    *("open_tree", "move_mount", "mount_setattr", "open_by_handle_at", "pidfd_getfd"),
    *("io_uring_setup", "io_uring_enter", "io_uring_register", "bpf", "perf_event_open", "userfaultfd"),
    *(
        "mq_open",
        "keyctl",
        "add_key",
        "request_key",
        "kexec_load",
        "kexec_file_load",
        "init_module",
        "finit_module",
    ),
    *("delete_module", "acct", "swapon", "swapoff", "quotactl", "quotactl_fd", "iopl", "ioperm"),
)
_OTHERS_MEMORY: Final = ("ptrace", "process_vm_readv", "process_vm_writev")
_NEW_NAMESPACES = 0x7E020000  # CLONE_NEW*, include/uapi/linux/sched.h
_TYPED_FOR_ANOTHER = (0x5412, 0x541C)  # TIOCSTI and TIOCLINUX: input for whoever reads the terminal

_UNIX, _INET, _INET6, _NETLINK = 1, 2, 10, 16  # address families
_STREAM, _DATAGRAM, _SEQPACKET = 1, 2, 5
_TYPE = 0xFF  # the rest of the argument is flags
_TCP, _UDP = 6, 17
_NETLINK_ROUTE = 0
_FAST_OPEN = 0x20000000  # MSG_FASTOPEN: connects without connect(2)
# Options that lead out, by their level; include/uapi/linux/in.h and in6.h. First routes by way of another machine, some
# of which newer kernels let root alone set; then joining a group, whose address the kernel tells the whole network:
# IP_OPTIONS, IP_ADD_MEMBERSHIP, IP_ADD_SOURCE_MEMBERSHIP; IPV6_RTHDR, IPV6_2292PKTOPTIONS, IPV6_JOIN_GROUP,
# IPV6_JOIN_ANYCAST; of both MCAST_JOIN_GROUP and MCAST_JOIN_SOURCE_GROUP.
_LEADING_OUT: Final = ((0, (4, 35, 39, 42, 46)), (41, (57, 6, 20, 27, 42, 46)))


@dataclass(frozen=True, slots=True)
class Filter:
    """What is let through.

    `supervised`: connect(2) and new datagram sockets are asked about, see `install`; with `sockets_made` all new
    sockets are, and when they are bound or listen. `open_network`: every kind of socket of the internet is allowed;
    else TCP alone. `others_memory`: ptrace and the like, which Landlock keeps from everything outside the sandbox.
    """

    supervised: bool
    sockets_made: bool = False
    open_network: bool = False
    others_memory: bool = True

    def program(self, machine: str = MACHINE) -> bytes:
        """As the kernel takes it, for `machine`."""
        assembly = _Assembly(machine)
        assembly.begin()
        refused = _REFUSED if self.others_memory else (*_REFUSED, *_OTHERS_MEMORY)
        for name in refused:
            assembly.on(name, [_give(errno.EPERM)])
        assembly.on(
            "clone3", [_give(errno.ENOSYS)]
        )  # its flags are in memory; the C library takes `clone` then
        assembly.on("clone", [*_argument(0), *_if_any(_NEW_NAMESPACES, errno.EPERM)])
        assembly.on(
            "ioctl",
            [*_argument(1), *[part for code in _TYPED_FOR_ANOTHER for part in _if(code, errno.EPERM)]],
        )
        assembly.on("prlimit64", [*_argument(0), *_let(0), _give(errno.EPERM)])  # limits of others, ours too
        if self.supervised:
            for name in ("connect", "bind", "listen") if self.sockets_made else ("connect",):
                assembly.on(name, [(_RETURN, 0, 0, _NOTIFY)])
        if not self.open_network:
            for name, flags in (("sendto", 3), ("sendmsg", 2), ("sendmmsg", 3)):
                assembly.on(name, [*_argument(flags), *_if_any(_FAST_OPEN, errno.EPERM)])
            assembly.on("setsockopt", _leading_out())
        assembly.on("socket", self._sockets())
        assembly.on("socketpair", _pairs())
        return assembly.end()

    def _sockets(self) -> list[_Instruction]:
        """Which kinds may be made. Unix datagrams are sent without connect(2), so nobody could be asked about them."""
        made = self.supervised and self.sockets_made
        stream = (_RETURN, 0, 0, _NOTIFY if made else _ALLOW)
        datagram = (_RETURN, 0, 0, _NOTIFY) if self.supervised else _give(errno.EPROTONOSUPPORT)
        local = [*_kind(), *_if_return(_STREAM, stream), *_if_return(_SEQPACKET, stream), _give(errno.EPERM)]
        return [
            *_argument(0),
            *_where(_UNIX, local),
            *_where(_NETLINK, [*_argument(2), *_let(_NETLINK_ROUTE), _give(errno.EPERM)]),
            *_where(_INET, self._internet(stream, datagram)),
            *_where(_INET6, self._internet(stream, datagram)),
            _give(errno.EAFNOSUPPORT),
        ]

    def _internet(self, stream: _Instruction, datagram: _Instruction) -> list[_Instruction]:
        if self.open_network:
            return [stream]
        tcp = [*_if_return(0, stream), *_if_return(_TCP, stream), _give(errno.EPROTONOSUPPORT)]
        udp = [*_if_return(0, datagram), *_if_return(_UDP, datagram), _give(errno.EPERM)]
        return [
            *_kind(),
            *_where(_STREAM, [*_argument(2), *tcp]),
            *_where(_DATAGRAM, [*_argument(2), *udp]),
            _give(errno.EPERM),
        ]


def _pairs() -> list[_Instruction]:
    """Connected sockets. One for datagrams could send to any other name as well, without connect(2)."""
    return [*_kind(), *_let(_STREAM), *_let(_SEQPACKET), _give(errno.EPROTONOSUPPORT)]


def _leading_out() -> list[_Instruction]:
    block = _argument(1)
    for level, options in _LEADING_OUT:
        refused = [part for option in options for part in _if(option, errno.EPERM)]
        block += _where(level, [*_argument(2), *refused, (_RETURN, 0, 0, _ALLOW)])
    return block


def install(program: bytes, *, listener: bool) -> int:
    """Put this process, and all that it will start, under the filter. Takes `no_new_privileges`.

    With `listener` gives the descriptor on which the calls arrive that are asked about; else 0. Raises `OSError`;
    EBUSY where somebody around us listens already.
    """
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HxxxxxxP", len(program) // 8, ctypes.addressof(code))  # struct sock_fprog
    if not listener:
        return call("seccomp", _MODE_FILTER, 0, header)
    try:  # only a deadly signal interrupts a call that we have begun to answer; Linux 5.19
        return call("seccomp", _MODE_FILTER, _NEW_LISTENER | _WAIT_KILLABLE, header)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    return call("seccomp", _MODE_FILTER, _NEW_LISTENER, header)


def interruptible() -> bool:
    """Whether any signal may interrupt a call that the listener has begun to answer: before Linux 5.19."""
    release = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return not _WAIT_KILLABLE or release is None or (int(release[1]), int(release[2])) < _WAITS_KILLABLE_SINCE


# --- the program ------------------------------------------------------------------------------------------

_Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, operand: `struct sock_filter`


class _Assembly:
    """A filter as it grows: one block after the other, each for one call."""

    def __init__(self, machine: str) -> None:
        self._machine = machine
        self._code: list[_Instruction] = []

    def begin(self) -> None:
        self._code += [
            (_LOAD, 0, 0, _ARCHITECTURE),
            (_EQUAL, 1, 0, AUDIT[self._machine]),
            _give(errno.ENOSYS),  # a call of another kind of machine, such as one of 32 bits
            (_LOAD, 0, 0, _NUMBER),
        ]
        if self._machine == "x86_64":
            self._code += [(_AT_LEAST, 0, 1, _X32), _give(errno.ENOSYS)]

    def on(self, name: str, block: Sequence[_Instruction]) -> None:
        """What is done about a call. A block that comes to its end lets it go on."""
        which = number(name, self._machine)
        if which is not None:
            whole = [*block, (_RETURN, 0, 0, _ALLOW)]
            self._code += [(_EQUAL, 0, len(whole), which), *whole]

    def end(self) -> bytes:
        return b"".join(struct.pack("HBBI", *one) for one in [*self._code, (_RETURN, 0, 0, _ALLOW)])


def _give(error: int) -> _Instruction:
    return (_RETURN, 0, 0, _ERRNO | error)


def _argument(index: int) -> list[_Instruction]:
    """Load the lower half of an argument; both machines keep it first."""
    return [(_LOAD, 0, 0, _ARGUMENTS + 8 * index)]


def _kind() -> list[_Instruction]:
    """Load what kind of socket is asked for, without the flags."""
    return [*_argument(1), (_AND, 0, 0, _TYPE)]


def _if(value: int, error: int) -> list[_Instruction]:
    return _if_return(value, _give(error))


def _if_any(bits: int, error: int) -> list[_Instruction]:
    return [(_ANY_BIT, 0, 1, bits), _give(error)]


def _if_return(value: int, end: _Instruction) -> list[_Instruction]:
    return [(_EQUAL, 0, 1, value), end]


def _let(value: int) -> list[_Instruction]:
    return _if_return(value, (_RETURN, 0, 0, _ALLOW))


def _where(value: int, block: list[_Instruction]) -> list[_Instruction]:
    """Run `block`, which always returns, when the value that is loaded is this one."""
    return [(_EQUAL, 0, len(block), value), *block]
