"""Filters that refuse system calls, as Docker's default profile does and as an older kernel would.

The facts about Docker are from https://github.com/moby/profiles, seccomp/default.json (Apache-2.0): it lists what is
allowed; here stands what that leaves out for a container without further capabilities. The numbers of system calls
come from the C compiler's headers.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import platform
import struct
import subprocess
from collections.abc import Iterable, Sequence

_REFUSED_BY_DOCKER = """
    _sysctl acct add_key afs_syscall bpf clock_settime create_module delete_module fanotify_init finit_module fsconfig
    fsmount fsopen fspick get_kernel_syms get_mempolicy getpmsg init_module io_uring_enter io_uring_register
    io_uring_setup ioperm iopl kcmp kexec_file_load kexec_load keyctl lookup_dcookie mbind migrate_pages mount
    mount_setattr move_mount move_pages nfsservctl open_by_handle_at open_tree perf_event_open pidfd_getfd pivot_root
    process_madvise putpmsg query_module quotactl quotactl_fd reboot request_key security set_mempolicy
    set_mempolicy_home_node setdomainname sethostname setns settimeofday swapoff swapon sysfs syslog tuxcall umount2
    unshare uselib userfaultfd ustat vhangup vserver
"""
_NAMESPACES = 0x7E020000  # CLONE_NEW*, see clone(2)
_AF_ALG, _AF_VSOCK = 38, 40
_NEW_LISTENER = 8  # SECCOMP_FILTER_FLAG_NEW_LISTENER, seccomp(2)

# BPF and the answers of a filter: <linux/bpf_common.h>, <linux/seccomp.h>, <linux/audit.h>
_LOAD, _EQUAL, _ABOVE, _ANY_BIT, _RETURN = 0x20, 0x15, 0x25, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2

Instruction = tuple[int, int, int, int]


def docker() -> bytes:
    """The filter of a container that was started without further words."""
    known = _numbers()
    return _program(
        [
            *_newer_than(max(known.values())),
            *_refused(_REFUSED_BY_DOCKER.split(), errno.EPERM),
            *_refused(["clone3"], errno.ENOSYS),
            *_refused_if("clone", 0, [(_ANY_BIT, _NAMESPACES)]),
            *_refused_if("socket", 0, [(_EQUAL, _AF_ALG), (_EQUAL, _AF_VSOCK)]),
        ]
    )


def old_kernel() -> bytes:
    """A filter under which the kernel has no Landlock and no user notification, as before 5.0 and 5.13."""
    landlock = [name for name in _numbers() if name.startswith("landlock_")]
    return _program(
        [
            *_refused(landlock, errno.ENOSYS),
            *_refused_if("seccomp", 1, [(_ANY_BIT, _NEW_LISTENER)], errno.EINVAL),
        ]
    )


def load(program: bytes) -> None:
    """Put the calling process, and all it starts, under the filter; for good. Only root may, as no promise to gain no
    privileges is made. Raises `OSError`."""

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))

    libc = ctypes.CDLL(None, use_errno=True)
    filled = Program(len(program) // 8, program)
    if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(filled), 0, 0):
        raise OSError(ctypes.get_errno(), "the kernel refuses the filter")


def _program(rules: Iterable[Instruction]) -> bytes:
    """Instructions for the machine's own architecture; `rules` find the call's number loaded."""
    start = [
        (_LOAD, 0, 0, 4),
        (_EQUAL, 1, 0, _ARCHITECTURES[platform.machine()]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),
    ]
    return b"".join(struct.pack("=HBBI", *each) for each in (*start, *rules, (_RETURN, 0, 0, _ALLOW)))


def _refused(names: Iterable[str], error: int) -> list[Instruction]:
    numbers = [_numbers()[name] for name in names if name in _numbers()]  # each machine has some of them
    return [rule for number in numbers for rule in ((_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | error))]


def _refused_if(
    name: str, argument: int, tests: Sequence[tuple[int, int]], error: int = errno.EPERM
) -> list[Instruction]:
    """Refuses the call where the lower half of the argument passes any of the tests."""
    checks = [rule for test, k in tests for rule in ((test, 0, 1, k), (_RETURN, 0, 0, _ERRNO | error))]
    body = [(_LOAD, 0, 0, 16 + 8 * argument), *checks, (_LOAD, 0, 0, 0)]
    return [(_EQUAL, 0, len(body), _numbers()[name]), *body]


def _newer_than(number: int) -> list[Instruction]:
    """What the profile can't know of does not exist: that is what runc makes of it."""
    return [(_ABOVE, 0, 1, number), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]


@functools.cache
def _numbers() -> dict[str, int]:
    """The numbers of the system calls here."""
    words = ["cc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"]
    lines = subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()
    defined = [line.split() for line in lines if line.startswith("#define __NR_")]
    return {name.removeprefix("__NR_"): int(number) for _, name, number in defined if number.isdigit()}
