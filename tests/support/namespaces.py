"""Worlds in which nobody else has shared memory: namespaces of the kernel for mounts and for System V's objects."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache


def unshared() -> Sequence[str]:
    """The words before a command that run it there."""
    return ["unshare", "--mount", "--ipc", *(["--user", "--map-root-user"] if os.geteuid() else [])]


def with_memory() -> Sequence[str]:
    """The same, with new and empty folders for shared memory and for the locks of sessions."""
    script = 'for place in /dev/shm /var/tmp; do mount -t tmpfs -o mode=1777 none $place || exit 99; done; exec "$@"'
    return [*unshared(), "sh", "-c", script, "sh"]


@cache
def lacking() -> str | None:
    """Why this machine has none; None where it has."""
    if shutil.which("unshare") is None:
        return "this machine has no unshare"
    done = subprocess.run([*with_memory(), "true"], capture_output=True, text=True, check=False)
    return f"namespaces can't be made here: {done.stderr.strip()}" if done.returncode else None
