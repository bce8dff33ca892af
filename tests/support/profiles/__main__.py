"""Runs a command in an imitated profile: `python -m tests.support.profiles NAME [--old-kernel] [--socket PATH] [--host LINE] -- COMMAND…`.

Needs root. All it changes it changes in mount and process namespaces of its own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.support.profiles import TRAITS, Profile, Traits, seccomp

_NAMESPACES = ("--pid", "--fork", "--kill-child", "--mount", "--ipc", "--uts", "--propagation", "private")
# What Docker hides and what it shows for reading only: https://docs.docker.com/reference/cli/docker/container/run/
_MASKED = ("kcore", "keys", "timer_list", "interrupts", "latency_stats", "sched_debug")
_EMPTY = ("/proc/acpi", "/proc/scsi", "/sys/firmware")
_READ_ONLY = ("bus", "fs", "irq", "sys", "sysrq-trigger")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("profile", type=Profile)
    parser.add_argument("--old-kernel", action="store_true")
    parser.add_argument("--socket", type=Path)
    parser.add_argument("--host")
    parser.add_argument("--inside", action="store_true")
    parser.add_argument("command", nargs="+")
    told = parser.parse_args()
    if not told.inside:
        here = [sys.executable, __file__, "--inside", *sys.argv[1:]]
        os.execvp("unshare", ["unshare", *_NAMESPACES, *here])
    traits = TRAITS[told.profile]
    _furnish(traits, told.socket)
    if told.host:
        _rewrite("/etc/hosts", Path("/etc/hosts").read_text() + told.host + "\n")
    if traits.docker:
        seccomp.load(seccomp.docker())
    if told.old_kernel:
        seccomp.load(seccomp.old_kernel())
    # The shell stays the first process, with the job's variables in its environment, as in GitLab's containers.
    first = ["sh", "-c", '"$@"; exit $?', "sh"]
    os.execvp("setpriv", ["setpriv", *_rights(traits), *first, *told.command])


def _rights(traits: Traits) -> list[str]:
    user = ["--reuid", str(traits.user), "--regid", str(traits.user), "--clear-groups"] if traits.user else []
    if traits.capabilities is None:
        return user
    kept = ",".join(("-all", *(f"+{name}" for name in traits.capabilities)))
    return ["--bounding-set", kept, "--inh-caps", "-all", *user]


def _furnish(traits: Traits, socket: Path | None) -> None:
    _mount("-t", "proc", "proc", "/proc")
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    if socket:
        Path("/run/docker.sock").touch()
        _mount("--bind", str(socket), "/run/docker.sock")
    if traits.user:
        for place in (Path(sys.base_prefix), Path(sys.prefix), Path(__file__).parents[3]):
            _open_the_way(place)
    if traits.docker:
        _as_docker_has_it()
    else:
        _account(traits.user)


def _as_docker_has_it() -> None:
    for path in (Path("/proc", name) for name in _MASKED):
        if path.exists():
            _mount("--bind", "/dev/null", str(path))
    for folder in _EMPTY:
        if Path(folder).is_dir():
            _mount("-t", "tmpfs", "-o", "ro,size=0", "tmpfs", folder)
    for path in (Path("/proc", name) for name in _READ_ONLY):
        if path.exists():
            _mount("--bind", str(path), str(path))
            _mount("-o", "remount,bind,ro,nosuid,nodev,noexec", str(path))
    _mount("-o", "remount,bind,ro", "/sys")


def _open_the_way(place: Path) -> None:
    """Where only its owner may enter a folder above `place`, such as root's home: a folder of the same name, for all to
    enter, in which nothing else is."""
    for above in reversed(place.resolve().parents):
        if above.stat().st_mode & 0o001:
            continue
        child = place.resolve().relative_to(above).parts[0]
        aside = tempfile.mkdtemp()
        _mount("--bind", str(above / child), aside)
        _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(above))
        (above / child).mkdir()
        _mount("--move", aside, str(above / child))
        Path(aside).rmdir()


def _account(user: int) -> None:
    """Somebody called runner, who may become root by sudo."""
    for name, entry, mode in (
        ("passwd", f"runner:x:{user}:{user}::/tmp:/bin/bash\n", 0o644),
        ("group", f"runner:x:{user}:\n", 0o644),
        ("shadow", "runner:*:19000:0:99999:7:::\n", 0o640),
    ):
        path = f"/etc/{name}"
        _rewrite(path, Path(path).read_text() + entry, mode)
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/etc/sudoers.d")
    allowed = Path("/etc/sudoers.d/runner")
    allowed.write_text("runner ALL=(ALL) NOPASSWD:ALL\n")
    allowed.chmod(0o440)


def _rewrite(path: str, content: str, mode: int = 0o644) -> None:
    """The file has other content, here."""
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(content)
        file.flush()
        os.fchmod(file.fileno(), mode)
        _mount("--bind", file.name, path)


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


if __name__ == "__main__":
    main()
