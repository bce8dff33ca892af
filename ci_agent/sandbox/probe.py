"""The self-test's program: runs inside the sandbox as a command would, and tries what a thief would try.

Prints one JSON object: the name of each attempt, and whether it succeeded. It imports nothing of ours, since the
sandbox may not let it; each attempt that fails with an `OSError` was prevented. What it gets as its argument is
described in `proof.py`.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

_FAST_OPEN, _MPTCP = 0x20000000, 262
_PTRACE_SEIZE, _PTRACE_DETACH = 0x4206, 17
_SECONDS = 0.5
_STANDARD = (0, 1, 2)  # descriptors


def attempts(given: dict[str, Any]) -> dict[str, Callable[[], object]]:
    """What is tried, by its name. True, or anything that is true: it can be done."""
    harness, outside, port = given["harness"], Path(given["outside"]), given["port"]
    elsewhere = (given["elsewhere"], port)
    return {
        "harness environment": lambda: Path(f"/proc/{harness}/environ").read_bytes(),
        "harness memory": lambda: _opened(Path(f"/proc/{harness}/mem"), "rb"),
        "harness trace": lambda: _traced(harness),
        "other environments": _environments,
        "descriptors": lambda: [name for name in os.listdir("/proc/self/fd") if _inherited(int(name))],  # noqa: PTH208
        "capabilities": lambda: int(_status("CapPrm"), 16),
        "new privileges": lambda: not _no_new_privileges(),
        "read": (outside / "file").read_bytes,
        "home": lambda: os.listdir(given["home"]),  # noqa: PTH208
        "write": lambda: _opened(outside / "file", "ab"),
        "make": lambda: (outside / "made").write_bytes(b"x"),
        "tcp": lambda: socket.create_connection(elsewhere, _SECONDS),
        "fast open": lambda: socket.socket().sendto(b"x", _FAST_OPEN, elsewhere),
        "mptcp": lambda: _connected(socket.socket(socket.AF_INET, socket.SOCK_STREAM, _MPTCP), elsewhere),
        "udp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", elsewhere),
        "local sockets": lambda: _connected(socket.socket(socket.AF_UNIX), _in(outside, "stream")),
        "local datagrams": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(
            b"x", _in(outside, "datagram")
        ),
        "abstract sockets": lambda: _connected(socket.socket(socket.AF_UNIX), "\0" + given["abstract"]),
        "signals": lambda: _signalled(harness),
        # What must go on working.
        "works: programs": lambda: os.system("exit 3") == 3 << 8,  # noqa: S605
        "works: workspace": lambda: Path("made-by-the-self-test").write_bytes(b"x"),
        "works: loopback": lambda: socket.create_connection(("127.0.0.1", given["loopback"]), _SECONDS),
        "works: own sockets": _own_socket,
    }


def _in(folder: Path, name: str) -> str:
    """A short address of a socket: one of more than 107 bytes is none (unix(7))."""
    return f"/proc/self/fd/{os.open(folder, os.O_PATH)}/{name}"


def _opened(path: Path, how: str) -> bool:
    path.open(how).close()
    return True


def _signalled(process: int) -> bool:
    os.kill(process, 0)
    return True


def _status(field: str) -> str:
    lines = Path("/proc/self/status").read_text("utf-8", "replace").splitlines()
    return next((line.split()[1] for line in lines if line.startswith(f"{field}:")), "0")


def _no_new_privileges() -> bool:
    return _status("NoNewPrivs") == "1"


def _environments() -> bool:
    """Whether the environment of any process but this one can be read."""
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit() and int(name) != os.getpid():
            with suppress(OSError):
                if Path(f"/proc/{name}/environ").read_bytes():
                    return True
    return False


def _traced(process: int) -> bool:
    libc = ctypes.CDLL(None)
    if libc.ptrace(_PTRACE_SEIZE, process, 0, 0) != 0:
        return False
    libc.ptrace(_PTRACE_DETACH, process, 0, 0)
    return True


def _inherited(descriptor: int) -> bool:
    """Whether it was there before this program opened anything: neither a standard one nor the list of them."""
    with suppress(OSError):
        return descriptor not in _STANDARD and not os.readlink(f"/proc/self/fd/{descriptor}").endswith("/fd")  # noqa: PTH115
    return False


def _connected(made: socket.socket, address: Any) -> bool:
    made.settimeout(_SECONDS)
    made.connect(address)
    return True


def _own_socket() -> bool:
    address = _in(Path(os.environ["TMPDIR"]), "self-test")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        return _connected(socket.socket(socket.AF_UNIX), address)


def main() -> None:
    results = {}
    for name, attempt in attempts(json.loads(sys.argv[1])).items():
        try:
            results[name] = bool(attempt())
        except OSError:
            results[name] = False
    print(json.dumps(results))  # noqa: T201


if __name__ == "__main__":
    main()
