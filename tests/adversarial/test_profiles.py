"""The imitated profiles are what they say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.support.profiles import TRAITS, Profile, entering, missing

# What a process finds out about the place it runs in.
LOOK = """\
import ctypes, errno, json, os, subprocess
from pathlib import Path

libc = ctypes.CDLL(None, use_errno=True)
status = dict(line.split(":\\t", 1) for line in Path("/proc/self/status").read_text().splitlines())

def error(number, *arguments):
    ctypes.set_errno(0)
    return errno.errorcode.get(ctypes.get_errno(), "") if libc.syscall(number, *arguments) < 0 else ""

def works(*words):
    return subprocess.run(words, capture_output=True).returncode == 0

print(json.dumps({
    "uid": os.getuid(),
    "may": status["CapEff"],
    "bound": status["CapBnd"],
    "filters": status["Seccomp_filters"],
    "namespaces": works("unshare", "--user", "true"),
    "sudo": works("sudo", "-n", "true"),
    "first": b"DEPLOY_KEY=canary" in Path("/proc/1/environ").read_bytes(),
    "docker.sock": Path("/run/docker.sock").is_socket(),
    "settings": not os.statvfs("/proc/sys").f_flag & os.ST_RDONLY,
    "landlock": error(444, None, 0, 1),  # numbers that all architectures share
    "clone3": error(435, None, 0),
    "pidfd_getfd": error(438, -1, 0, 0),
    "io_uring": error(425, 1, None),
}))
"""
DOCKERS, NONE = (
    "00000000a80425fb",
    "0000000000000000",
)  # what `grep Cap /proc/self/status` says in a container
SEEN: dict[Profile, dict[str, Any]] = {
    Profile.DOCKER_ROOT: {"uid": 0, "may": DOCKERS, "bound": DOCKERS},
    Profile.DOCKER_UID: {"uid": 1000, "may": NONE, "bound": DOCKERS},
    Profile.DOCKER_CAPLESS: {"uid": 0, "may": NONE, "bound": NONE},
    Profile.HOSTED: {"uid": 1001, "may": NONE},
}
DOCKER: dict[str, Any] = {"filters": "1", "namespaces": False, "settings": False, "landlock": ""} | {
    "clone3": "ENOSYS",
    "pidfd_getfd": "EPERM",
    "io_uring": "EPERM",
}
VIRTUAL_MACHINE: dict[str, Any] = {"filters": "0", "namespaces": True, "settings": True, "landlock": ""} | {
    "clone3": "EINVAL",
    "pidfd_getfd": "EBADF",
    "io_uring": "EFAULT",
}


def look(profile: Profile, *, old_kernel: bool = False) -> dict[str, Any]:
    if reason := missing(profile):
        pytest.skip(reason)
    done = subprocess.run(
        [*entering(profile, old_kernel=old_kernel), sys.executable, "-c", LOOK],
        env={"PATH": os.environ["PATH"], "DEPLOY_KEY": "canary"},
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("profile", list(Profile))
def test_a_profile_is_what_it_says(profile: Profile) -> None:
    found = look(profile)
    assert found | SEEN[profile] == found
    assert found | (DOCKER if TRAITS[profile].docker else VIRTUAL_MACHINE) == found
    assert found["sudo"] == (profile in {Profile.DOCKER_ROOT, Profile.HOSTED})
    assert found["first"], "the first process does not hold the job's variables"


def test_an_old_kernel_has_no_landlock() -> None:
    found = look(Profile.DOCKER_ROOT, old_kernel=True)
    assert (found["landlock"], found["filters"]) == ("ENOSYS", "2")
