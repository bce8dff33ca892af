"""How strong the confinement is: found by trying, inside of it, at the beginning of each session.

A program of ours (`probe.py`) runs as a command would and tries to get at things laid out for it. What it got, or what
arrived here from it, is open. What could not be tried counts as open as well.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from ci_agent.sandbox import Command, Sandbox

_SECONDS: Final = 10.0  # for the probe, which takes a tenth of one
_ELSEWHERE: Final = (
    "127.0.0.2"  # an address of this machine's own, and not the one that commands may connect to
)
_OUTPUT: Final = 100_000  # bytes


class Level(StrEnum):
    """What is out of a command's reach, from nothing to everything."""

    NONE = "none"
    SECRETS = "secrets"
    FILES = "secrets+files"
    FULL = "full"

    @property
    def rank(self) -> int:
        return list(Level).index(self)


# Attempt: the level that needs it to fail, and what it means in words when it succeeds.
_MEANING: Final[Mapping[str, tuple[Level, str]]] = {
    "harness environment": (Level.SECRETS, "the environment of ci-agent's own process"),
    "harness memory": (Level.SECRETS, "the memory of ci-agent's own process"),
    "harness trace": (Level.SECRETS, "ci-agent's own process, as a debugger"),
    "other environments": (Level.SECRETS, "the environment of other processes, such as the runner's"),
    "descriptors": (Level.SECRETS, "files that ci-agent has open"),
    "capabilities": (Level.SECRETS, "rights of the administrator (capabilities)"),
    "new privileges": (Level.SECRETS, "programs that run as another user (sudo)"),
    "read": (Level.FILES, "reading files outside of the workspace"),
    "home": (Level.FILES, "the home folder"),
    "write": (Level.FILES, "changing files outside of the workspace"),
    "make": (Level.FILES, "making files outside of the workspace"),
    "tcp": (Level.FULL, "connections to other machines"),
    "fast open": (Level.FULL, "connections to other machines"),
    "mptcp": (Level.FULL, "connections to other machines"),
    "udp": (Level.FULL, "connections to other machines"),
    "local sockets": (Level.FULL, "services of this machine that listen on a file, such as Docker's"),
    "local datagrams": (Level.FULL, "services of this machine that listen on a file, such as Docker's"),
    "abstract sockets": (Level.FULL, "services of this machine that listen on an abstract name"),
    # Names no level: it can end us, and the next step of the job says so, but it gets nothing.
    "signals": (Level.NONE, "ending other processes of this user, ci-agent's own too"),
}
_WORKS: Final = "works: "


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found. `open` are the ways that are open, in words; `broken` what commands could not do although they
    must; `lacking` which means this machine does not have, and why; `seconds` is how long it took."""

    level: Level
    open: tuple[str, ...]
    broken: tuple[str, ...]
    seconds: float
    lacking: tuple[str, ...] = ()


def prove(sandbox: Sandbox, root: Path, outside: Path, home: Path) -> Proof:
    """Try `sandbox`, whose workspace is `root`, on things laid out in `outside`, a new folder that commands have no
    business in. `home` is the user's real home folder."""
    started = time.monotonic()
    with ExitStack() as stack:
        canaries = stack.enter_context(_laid_out(outside))
        results = _tried(sandbox, root, outside, {**canaries.given, "home": str(home)})
        if results is not None:
            results |= canaries.heard()
    seconds = time.monotonic() - started
    return (
        unproved("the self-test could not be run", seconds) if results is None else _judged(results, seconds)
    )


def unproved(why: str, seconds: float = 0.0) -> Proof:
    """Nothing could be tried, so all counts as open."""
    return Proof(Level.NONE, tuple(dict.fromkeys(words for _, words in _MEANING.values())), (why,), seconds)


def _judged(results: Mapping[str, bool], seconds: float) -> Proof:
    succeeded = [name for name in _MEANING if results.get(name, True)]
    failed = [name for name, worked in results.items() if name.startswith(_WORKS) and not worked]
    needed_to_fail = [_MEANING[name][0] for name in succeeded if _MEANING[name][0] is not Level.NONE]
    weakest = min((level.rank for level in needed_to_fail), default=len(Level))
    return Proof(
        level=list(Level)[weakest - 1],
        open=tuple(dict.fromkeys(_MEANING[name][1] for name in succeeded)),
        broken=tuple(name.removeprefix(_WORKS) for name in failed),
        seconds=seconds,
    )


def _tried(sandbox: Sandbox, root: Path, outside: Path, given: Mapping[str, Any]) -> dict[str, bool] | None:
    """What the probe says; None: it said nothing that could be understood."""
    output = outside / "output"
    words = (sys.executable, "-I", "-S", str(_PROBE), json.dumps(given))
    interpreter = tuple(Path(prefix) for prefix in {sys.prefix, sys.base_prefix, sys.exec_prefix})
    sandbox.run(
        Command(words, root, _SECONDS, output, {}, _OUTPUT, readable=(*interpreter, *_reached(), _PROBE))
    )
    try:
        results = json.loads(output.read_bytes().splitlines()[-1])
    except (ValueError, IndexError):
        return None
    return {str(name): bool(got) for name, got in results.items()} if isinstance(results, dict) else None


def _reached() -> Iterator[Path]:
    """The folder of the interpreter that stands behind a virtual environment's links."""
    yield Path(sys.executable).resolve().parent


@dataclass(frozen=True, slots=True)
class _Canaries:
    """What is laid out, and who listens."""

    given: Mapping[str, Any]
    listeners: Mapping[str, tuple[socket.socket, ...]]

    def heard(self) -> dict[str, bool]:
        """Who heard something, whatever the probe says."""
        return {name: True for name, ears in self.listeners.items() if any(_heard(ear) for ear in ears)}


def _heard(ear: socket.socket) -> bool:
    try:
        if ear.type == socket.SOCK_DGRAM:
            ear.recv(1)
        else:
            ear.accept()[0].close()
    except OSError:
        return False
    return True


@contextmanager
def _laid_out(outside: Path) -> Iterator[_Canaries]:
    outside.mkdir(mode=0o700, parents=True)
    (outside / "file").write_bytes(b"canary")
    abstract = secrets.token_hex(8)
    with ExitStack() as stack:
        folder = os.open(outside, os.O_PATH)
        stack.callback(os.close, folder)
        short = f"/proc/self/fd/{folder}"  # an address of more than 107 bytes is none, unix(7)

        def ear(family: int, kind: int, address: Any) -> socket.socket:
            made = stack.enter_context(socket.socket(family, kind))
            made.setblocking(False)
            made.bind(address)
            if kind == socket.SOCK_STREAM:
                made.listen(16)
            return made

        tcp = ear(socket.AF_INET, socket.SOCK_STREAM, (_ELSEWHERE, 0))
        port = tcp.getsockname()[1]
        listeners = {
            "tcp": (tcp,),
            "udp": (ear(socket.AF_INET, socket.SOCK_DGRAM, (_ELSEWHERE, port)),),
            "local sockets": (ear(socket.AF_UNIX, socket.SOCK_STREAM, f"{short}/stream"),),
            "local datagrams": (ear(socket.AF_UNIX, socket.SOCK_DGRAM, f"{short}/datagram"),),
            "abstract sockets": (ear(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + abstract),),
        }
        loopback = ear(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0))
        given = {
            "harness": os.getpid(),
            "outside": str(outside),
            "elsewhere": _ELSEWHERE,
            "port": port,
            "abstract": abstract,
            "loopback": loopback.getsockname()[1],
        }
        yield _Canaries(given, listeners)


_PROBE: Final = Path(__file__).with_name("probe.py")
