"""The table of system calls against the headers of the C library on this machine."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import pytest

from ci_agent.sandbox.kernel.calls import MACHINES, TABLE, call, number

_HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


@pytest.mark.parametrize("machine", MACHINES)
def test_the_numbers_are_those_of_the_headers(machine: str) -> None:
    if not _HEADERS[machine].exists():
        pytest.skip(f"this machine has no {_HEADERS[machine]}; Debian's linux-libc-dev installs it")
    # 3264: one name for the call of machines with either length of pointers
    defined = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)$", _HEADERS[machine].read_text(), re.MULTILINE)
    known = {name: int(value) for name, value in defined}
    assert len(known) > 250
    newer = {"landlock_create_ruleset", "quotactl_fd", "mount_setattr", "landlock_add_rule"} - set(known)
    ours = {name: number(name, machine) for name in TABLE if name not in newer}
    assert ours == {name: known.get(name) for name in ours}


def test_a_call_that_fails_says_which_and_why() -> None:
    with pytest.raises(OSError, match="pidfd_getfd: Bad file descriptor") as raised:
        call("pidfd_getfd", -1, 0, 0)
    assert raised.value.errno == errno.EBADF
