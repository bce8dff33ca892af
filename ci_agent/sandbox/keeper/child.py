"""The first moments of a command: from the fork to the program, one confinement after the other.

Runs in a copy of the keeper, before the program takes its place. What fails is told to the keeper by its name, and
nothing is run.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
from contextlib import suppress
from functools import lru_cache
from typing import NoReturn

from ci_agent.sandbox.keeper.messages import Bounds, Plan, Request
from ci_agent.sandbox.kernel import landlock, seccomp
from ci_agent.sandbox.kernel.privileges import die_with_parent

NOT_FOUND, NOT_RUN = 127, 126  # exit codes, as in a shell
_IGNORED = (
    signal.SIGPIPE,
    signal.SIGXFSZ,
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
)  # by Python, or the keeper


def become(
    request: Request,
    output: int,
    rules: int | None,
    told: int,
    listeners: socket.socket,
    *,
    program: bytes,
) -> NoReturn:
    """Become the command. The listener of its filter, `program`, is sent over `listeners`; what goes wrong is written to
    `told` as `stage|exit code|reason`."""
    stage = "start"
    try:
        os.setsid()
        die_with_parent(signal.SIGKILL)
        for number in (*_IGNORED, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        _descriptors(output, told, listeners.fileno(), *([] if rules is None else [rules]))
        _limit(request.bounds)
        stage = ""
        os.chdir(request.cwd)
        stage = "landlock"
        if rules is not None:
            landlock.restrict(rules)
        stage = "filter"
        _filter(request.plan, listeners, program)
        stage = ""
        os.execvpe(request.words[0], request.words, request.environment)  # noqa: S606 - this is the command
    except BaseException as error:  # noqa: BLE001 - whatever it is, this copy must not go on
        code = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_RUN
        reason = (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__
        os.write(told, f"{stage}|{code}|{reason}".encode("utf-8", "replace"))
    finally:
        os._exit(NOT_RUN)


def _descriptors(output: int, *kept: int) -> None:
    """Nothing in, everything out, and no other door left open; those `kept` close by themselves with the exec."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    for name in os.listdir("/proc/self/fd"):
        if (descriptor := int(name)) > 2 and descriptor not in kept:  # noqa: PLR2004
            with suppress(OSError):  # that of the list itself
                os.close(descriptor)


def _limit(bounds: Bounds) -> None:
    _set(resource.RLIMIT_CORE, 0)
    _set(resource.RLIMIT_FSIZE, bounds.file_size)
    _set(resource.RLIMIT_NOFILE, bounds.open_files)
    _set(
        resource.RLIMIT_NPROC, 2 * bounds.processes
    )  # counts all of this user; the keeper counts the command's own


def _set(which: int, value: int) -> None:
    hard = resource.getrlimit(which)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (value, value))


@lru_cache(maxsize=8)
def program_of(plan: Plan, *, sockets_made: bool) -> bytes:
    """The filter by a plan, which the keeper needs for every command; empty where there is none. For `sockets_made` see
    `seccomp.Filter`."""
    if not plan.filter:
        return b""
    return seccomp.Filter(
        supervised=plan.supervised,
        sockets_made=sockets_made,
        open_network=not plan.loopback_only,
        others_memory=plan.landlock,
    ).program()


def _filter(plan: Plan, listeners: socket.socket, program: bytes) -> None:
    if not plan.filter:
        return
    listener = seccomp.install(program, listener=plan.supervised)
    if plan.supervised:
        socket.send_fds(listeners, [b"l"], [listener])
        os.close(listener)
