"""The filter as a program: what it says about each call, on both machines, whatever this one is."""

from __future__ import annotations

import errno
import itertools
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.sandbox.kernel.calls import AUDIT, MACHINES, TABLE, number
from ci_agent.sandbox.kernel.seccomp import Filter
from tests.sandbox.kernel.bpf import Data, called, verdict

ALLOW, NOTIFY = 0x7FFF0000, 0x7FC00000  # include/uapi/linux/seccomp.h

CLOSED = Filter(supervised=True)
MADE = Filter(supervised=True, sockets_made=True)
OPEN = Filter(supervised=False, open_network=True)
WITHOUT_LANDLOCK = Filter(supervised=True, others_memory=False)
EVERY = (CLOSED, MADE, OPEN, WITHOUT_LANDLOCK, Filter(supervised=True, open_network=True))

_NEVER = (
    *("unshare", "setns", "mount", "umount2", "pivot_root", "fsopen", "fsconfig", "fsmount", "fspick"),
    *("open_tree", "move_mount", "mount_setattr", "open_by_handle_at", "pidfd_getfd", "io_uring_setup"),
    *(
        "io_uring_enter",
        "io_uring_register",
        "bpf",
        "perf_event_open",
        "userfaultfd",
        "mq_open",
        "keyctl",
        "add_key",
    ),
    *("request_key", "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "acct"),
    *("swapon", "swapoff", "quotactl", "quotactl_fd", "iopl", "ioperm"),
)
_MEMORY = ("ptrace", "process_vm_readv", "process_vm_writev")
_UNTOUCHED = ("landlock_restrict_self", "seccomp", "capset")
_SOMETIMES = (
    *("clone", "clone3", "connect", "bind", "listen", "ioctl", "sendto", "sendmsg", "sendmmsg", "setsockopt"),
    *("prlimit64", "socket", "socketpair"),
)

machines = pytest.mark.parametrize("machine", MACHINES)


def refused(error: int) -> int:
    return 0x00050000 | error


def test_the_calls_of_the_table_are_all_looked_at_below() -> None:
    landlock = ("landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self")
    assert {*_NEVER, *_MEMORY, *_UNTOUCHED, *_SOMETIMES, *landlock} == set(TABLE)


@machines
@pytest.mark.parametrize("name", _NEVER)
def test_what_opens_other_worlds_is_refused(machine: str, name: str) -> None:
    if number(name, machine) is None:
        pytest.skip(f"{machine} has no {name}")
    for each in EVERY:
        assert verdict(each.program(machine), called(machine, name)) == refused(errno.EPERM)


@machines
@pytest.mark.parametrize("name", _MEMORY)
def test_the_memory_of_others_is_closed_by_landlock_or_else_by_the_filter(machine: str, name: str) -> None:
    assert verdict(CLOSED.program(machine), called(machine, name)) == ALLOW
    assert verdict(WITHOUT_LANDLOCK.program(machine), called(machine, name)) == refused(errno.EPERM)


@machines
@pytest.mark.parametrize("name", _UNTOUCHED)
def test_what_only_gives_up_more_is_allowed(machine: str, name: str) -> None:
    assert verdict(CLOSED.program(machine), called(machine, name)) == ALLOW


@machines
@pytest.mark.parametrize("bit", range(32))
def test_clone_makes_processes_and_threads_and_no_namespaces(machine: str, bit: int) -> None:
    namespaces = {17, 25, 26, 27, 28, 29, 30}  # CLONE_NEWNS, NEWCGROUP, UTS, IPC, USER, PID, NET
    expected = refused(errno.EPERM) if bit in namespaces else ALLOW
    for others in (0, 0x3D0F00):  # what a thread has besides
        assert verdict(CLOSED.program(machine), called(machine, "clone", 1 << bit | others)) == expected


@machines
def test_clone3_is_not_there_so_that_clone_is_taken(machine: str) -> None:
    assert verdict(CLOSED.program(machine), called(machine, "clone3")) == refused(errno.ENOSYS)


@machines
def test_nothing_is_typed_into_somebodys_terminal(machine: str) -> None:
    program = CLOSED.program(machine)
    for code in (0x5412, 0x541C, 0x541C | 7 << 32):  # TIOCSTI, TIOCLINUX; the kernel drops the upper half
        assert verdict(program, called(machine, "ioctl", 0, code)) == refused(errno.EPERM)
    for code in (0x5401, 0x5413, 0x8912):  # TCGETS, TIOCGWINSZ, SIOCGIFCONF
        assert verdict(program, called(machine, "ioctl", 0, code)) == ALLOW


@machines
@pytest.mark.parametrize("rules", EVERY)
def test_nobody_else_gets_limits(machine: str, rules: Filter) -> None:
    program = rules.program(machine)
    for process in (0, 1 << 32):  # oneself; the kernel drops the upper half
        assert verdict(program, called(machine, "prlimit64", process, 7, 4096)) == ALLOW
    for process in (1, 4711, 2**32 - 1):
        assert verdict(program, called(machine, "prlimit64", process, 7, 4096)) == refused(errno.EPERM)


@machines
def test_calls_of_other_kinds_of_machines_are_not_there(machine: str) -> None:
    for each in EVERY:
        program = each.program(machine)
        other = next(AUDIT[name] for name in MACHINES if name != machine)
        for architecture in (0x40000003, 0x40000028, other, 0):  # i386, arm
            assert verdict(program, Data(1, architecture)) == refused(errno.ENOSYS)


def test_calls_with_short_pointers_are_not_there() -> None:
    for which in (0x40000000, 0x40000000 + 42, 0x40000000 + 520, 0x7FFFFFFF, 0xFFFFFFFF):
        assert verdict(CLOSED.program("x86_64"), Data(which, AUDIT["x86_64"])) == refused(errno.ENOSYS)


@machines
def test_limits_are_a_process_s_own(machine: str) -> None:
    for each in EVERY:
        program = each.program(machine)
        assert verdict(program, called(machine, "prlimit64", 0, 7, 4096, 4096)) == ALLOW
        for process in (1, 4096, 0xFFFFFFFF):
            assert verdict(program, called(machine, "prlimit64", process, 7, 4096)) == refused(errno.EPERM)


_FAMILIES = (0, 1, 2, 4, 10, 15, 16, 17, 21, 29, 30, 38, 40, 43, 44, 1 << 31)
_KINDS = range(16)
_PROTOCOLS = (0, 1, 6, 15, 17, 58, 132, 136, 255, 262)
_FLAGS = (0, socket.SOCK_CLOEXEC, socket.SOCK_NONBLOCK, socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)


def _expected(rules: Filter, family: int, kind: int, protocol: int) -> int:
    """What is to be said about socket(2), in other words than the filter's."""
    made = NOTIFY if rules.sockets_made else ALLOW
    asked = NOTIFY if rules.supervised else refused(errno.EPROTONOSUPPORT)
    if family == socket.AF_UNIX:
        return made if kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET) else refused(errno.EPERM)
    if family == socket.AF_NETLINK:
        return ALLOW if protocol == 0 else refused(errno.EPERM)
    if family not in (socket.AF_INET, socket.AF_INET6):
        return refused(errno.EAFNOSUPPORT)
    if rules.open_network:
        return made
    if kind == socket.SOCK_STREAM:
        return made if protocol in (0, 6) else refused(errno.EPROTONOSUPPORT)
    if kind == socket.SOCK_DGRAM and protocol in (0, 17):
        return asked
    return refused(errno.EPERM)


@machines
@pytest.mark.parametrize("rules", [*EVERY, Filter(supervised=False)], ids=repr)
def test_sockets_are_those_that_can_be_looked_after(machine: str, rules: Filter) -> None:
    program = rules.program(machine)
    for family, kind, protocol in itertools.product(_FAMILIES, _KINDS, _PROTOCOLS):
        for flags in _FLAGS:
            found = verdict(program, called(machine, "socket", family, kind | flags, protocol))
            assert found == _expected(rules, family, kind, protocol), (family, kind, protocol, flags)


@machines
@pytest.mark.parametrize("kind", _KINDS)
def test_pairs_of_sockets_can_not_send_to_a_third(machine: str, kind: int) -> None:
    streams = (socket.SOCK_STREAM, socket.SOCK_SEQPACKET)
    for each, flags in itertools.product(EVERY, _FLAGS):
        found = verdict(each.program(machine), called(machine, "socketpair", socket.AF_UNIX, kind | flags))
        assert found == (ALLOW if kind in streams else refused(errno.EPROTONOSUPPORT))


@machines
@pytest.mark.parametrize(("name", "flags"), [("sendto", 3), ("sendmsg", 2), ("sendmmsg", 3)])
def test_nothing_connects_by_sending(machine: str, name: str, flags: int) -> None:
    for value, expected in (
        (0x20000000, refused(errno.EPERM)),
        (0x20004000, refused(errno.EPERM)),
        (0x4000, ALLOW),
    ):
        arguments = [3, *[0] * 5]
        arguments[flags] = value
        assert verdict(CLOSED.program(machine), called(machine, name, *arguments)) == expected
        assert verdict(OPEN.program(machine), called(machine, name, *arguments)) == ALLOW


@machines
def test_no_route_leads_by_way_of_another_machine(machine: str) -> None:
    program = CLOSED.program(machine)
    for level, option in ((0, 4), (41, 57), (41, 6)):
        assert verdict(program, called(machine, "setsockopt", 3, level, option)) == refused(errno.EPERM)
    for level, option in ((1, 4), (6, 57), (0, 57), (41, 4), (6, 1), (1, 2), (41, 26)):
        assert verdict(program, called(machine, "setsockopt", 3, level, option)) == ALLOW


@machines
def test_no_name_of_a_group_is_told_the_network(machine: str) -> None:
    joining = [(0, option) for option in (35, 39, 42, 46)] + [(41, option) for option in (20, 27, 42, 46)]
    for level, option in joining:
        call = called(machine, "setsockopt", 3, level, option)
        assert verdict(CLOSED.program(machine), call) == refused(errno.EPERM)
        assert verdict(OPEN.program(machine), call) == ALLOW


@machines
def test_who_is_asked_about_connections(machine: str) -> None:
    asked = {
        each: [
            name
            for name in ("connect", "bind", "listen")
            if verdict(each.program(machine), called(machine, name)) == NOTIFY
        ]
        for each in EVERY
    }
    assert asked[CLOSED] == ["connect"]
    assert asked[MADE] == ["connect", "bind", "listen"]
    assert asked[OPEN] == []


_ARGUMENTS = st.tuples(*[st.integers(0, 2**64 - 1) | st.integers(0, 300)] * 6)
_NUMBERS = st.sampled_from([one for pair in TABLE.values() for one in pair if one is not None])


@given(
    st.sampled_from(MACHINES),
    st.sampled_from(EVERY),
    st.builds(
        Data,
        _NUMBERS | st.integers(0, 2**32 - 1),
        st.sampled_from([*AUDIT.values(), 0x40000003]) | st.integers(0, 2**32 - 1),
        _ARGUMENTS,
        st.integers(0, 2**64 - 1),
    ),
)
def test_whatever_is_called_gets_one_of_four_answers(machine: str, rules: Filter, data: Data) -> None:
    found = verdict(rules.program(machine), data)
    errors = (errno.EPERM, errno.ENOSYS, errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT)
    assert found in (ALLOW, NOTIFY, *map(refused, errors))


@pytest.mark.parametrize("machine", MACHINES)
def test_the_upper_half_of_an_argument_says_nothing(machine: str) -> None:
    """The kernel takes these arguments as `int`, and so must the filter."""
    program, upper = CLOSED.program(machine), 0xDEADBEEF << 32
    for family, kind, protocol in ((2, 1, 0), (2, 1, 262), (1, 2, 0), (17, 3, 0)):
        plain = verdict(program, called(machine, "socket", family, kind, protocol))
        assert (
            verdict(program, called(machine, "socket", family | upper, kind | upper, protocol | upper))
            == plain
        )
