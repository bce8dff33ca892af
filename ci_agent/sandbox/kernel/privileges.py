"""What a process gives up for itself and all that it starts, for good."""

from __future__ import annotations

import ctypes
import errno
import struct

from ci_agent.sandbox.kernel.calls import call, failed, libc

# include/uapi/linux/prctl.h
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_CAPBSET_DROP = 24
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4

_CAPABILITY_VERSION_3 = 0x20080522  # include/uapi/linux/capability.h
_CAPABILITIES = 64  # more than there are


def no_new_privileges() -> None:
    """From now on no program gains anything by being set-uid or by its file's capabilities. Raises `OSError`."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def not_dumpable() -> None:
    """From now on other processes of this user can't look into this one: its environment, memory and descriptors.
    Raises `OSError`."""
    _prctl(_PR_SET_DUMPABLE, 0)


def adopt_orphans() -> None:
    """From now on processes below this one whose parent ends become its own children. Raises `OSError`."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(signal: int) -> None:
    """Get `signal` when the parent ends. Raises `OSError`."""
    _prctl(_PR_SET_PDEATHSIG, signal)


def drop_capabilities() -> None:
    """Give up all capabilities, and the way to get them back by starting a program as root.

    Where the bounding set can't be changed, which takes a capability itself, `no_new_privileges` has to do.
    Raises `OSError`.
    """
    for capability in range(_CAPABILITIES):
        try:
            _prctl(_PR_CAPBSET_DROP, capability)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.EPERM):  # there are no more; or not ours to drop
                break
            raise
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    call("capset", header, struct.pack("6I", 0, 0, 0, 0, 0, 0))


def _prctl(option: int, argument: int) -> None:
    rest = (ctypes.c_ulong(0),) * 3
    if libc.prctl(option, ctypes.c_ulong(argument), *rest) < 0:
        raise failed(f"prctl {option}")
