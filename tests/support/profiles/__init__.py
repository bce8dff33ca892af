"""Where CI jobs run, imitated on one machine: Docker's containers and a hosted runner with sudo.

    subprocess.run([*entering(Profile.DOCKER_UID), "ci-agent", "job"], env=...)

What is imitated is what the kernel lets a process do there: capabilities, Docker's own seccomp filter, the user, a tree
of processes whose first one holds the job's variables, a masked /proc, an empty /run, sudo. Images, cgroups and
devices are not. `python -m tests.support.profiles NAME -- COMMAND…` tries it by hand.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

ROOT = Path(__file__).parents[3]


class Profile(StrEnum):
    """A place where jobs run. The value is its name on the command line and in recorded results."""

    DOCKER_ROOT = "docker-root"
    DOCKER_UID = "docker-uid"
    DOCKER_CAPLESS = "docker-capless"
    HOSTED = "hosted"


@dataclass(frozen=True, slots=True)
class Traits:
    """What makes a profile. `capabilities` bounds what root may do; None leaves it as it is."""

    title: str
    user: int
    capabilities: Sequence[str] | None
    docker: bool  # Docker's seccomp filter and /proc


# https://github.com/moby/profiles: what Docker gives a container by default.
_DOCKERS = """
    chown dac_override fsetid fowner mknod net_raw setgid setuid setfcap setpcap net_bind_service sys_chroot kill
    audit_write
"""

TRAITS = {
    Profile.DOCKER_ROOT: Traits("Docker, root", 0, _DOCKERS.split(), docker=True),
    Profile.DOCKER_UID: Traits("Docker, uid 1000", 1000, _DOCKERS.split(), docker=True),
    Profile.DOCKER_CAPLESS: Traits("Docker, root without capabilities", 0, (), docker=True),
    Profile.HOSTED: Traits("hosted runner, sudo", 1001, None, docker=False),
}


def entering(
    profile: Profile, *, old_kernel: bool = False, socket: Path | None = None, host: str = ""
) -> Sequence[str]:
    """The words before a command that run it there. The environment goes along; the first process of the profile holds
    it as well. `old_kernel`: one without Landlock and without seccomp's user notification. `socket` is seen there
    as /run/docker.sock. `host` is one more line of /etc/hosts.
    """
    words = [sys.executable, str(ROOT / "tests/support/profiles/__main__.py"), profile]
    words += ["--old-kernel"] if old_kernel else []
    words += ["--socket", str(socket)] if socket else []
    words += ["--host", host] if host else []
    return (*words, "--")


def missing(profile: Profile) -> str | None:
    """Why this machine can't imitate the profile; None where it can."""
    if sys.platform != "linux":
        return "profiles need Linux"
    programs = ("unshare", "setpriv", "mount", "cc", *(() if TRAITS[profile].docker else ("sudo",)))
    absent = [name for name in programs if shutil.which(name) is None]
    if absent:
        return (
            f"{profile}: this machine has no {', '.join(absent)}; `make test-tools` installs what Debian has"
        )
    if os.geteuid() or not _is_powerful():
        return f"{profile}: only root with all its capabilities can imitate it"
    return None


def _is_powerful() -> bool:
    """Whether we may mount and make namespaces, which root in a container may not."""
    lines = Path("/proc/self/status").read_text().splitlines()
    [effective] = [line.split()[1] for line in lines if line.startswith("CapEff:")]
    return bool(int(effective, 16) >> 21 & 1)  # CAP_SYS_ADMIN, see capabilities(7)
