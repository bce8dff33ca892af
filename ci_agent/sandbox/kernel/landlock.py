"""Landlock: an allowlist of files, for a process and all that it starts. Linux 5.13 and newer.

See Documentation/userspace-api/landlock.rst and include/uapi/linux/landlock.h. What is not listed can't be opened,
made, removed or executed; looking at names and attributes (`stat`), and changing modes, stays possible. A confined
process also can't look into the memory, environment and descriptors of one that is not.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from typing import Final

from ci_agent.sandbox.kernel.calls import call

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV  # all others are of folders only
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # version: how many rights it knows, from bit 0 on
_WITH_SCOPES: Final = 6  # the first version that knows them
_WITH_PORTS: Final = 4
_ABSTRACT_SOCKETS, _SIGNALS = 1 << 0, 1 << 1

_VERSION = 1  # LANDLOCK_CREATE_RULESET_VERSION
_BENEATH = 1  # LANDLOCK_RULE_PATH_BENEATH

READ: Final = _EXECUTE | _READ_FILE | _READ_DIR


def version() -> int:
    """Which version the kernel has; 0: none, or it is switched off."""
    try:
        return call("landlock_create_ruleset", None, 0, _VERSION)
    except OSError:
        return 0


def ruleset(readable: Iterable[str], writable: Iterable[str]) -> int:
    """The descriptor of a new set of rules: below `readable` reading and executing is allowed, below `writable`
    everything. Paths that are not there are left out. Signals and abstract sockets reach no process outside, where
    the version knows that. Raises `OSError` where there is no Landlock."""
    known = version()
    every = (1 << _RIGHTS[min(known, max(_RIGHTS))]) - 1 if known else 0
    scopes = _ABSTRACT_SOCKETS | _SIGNALS if known >= _WITH_SCOPES else 0
    length = 24 if known >= _WITH_SCOPES else 16 if known >= _WITH_PORTS else 8
    attributes = struct.pack("QQQ", every, 0, scopes)[:length]  # files, ports, scopes
    rules = call("landlock_create_ruleset", attributes, length, 0)  # closes itself with an exec
    try:
        allow(rules, readable, writable)
    except BaseException:
        os.close(rules)
        raise
    return rules


def allow(rules: int, readable: Iterable[str], writable: Iterable[str]) -> None:
    """Add to rules that nobody is under yet. Raises `OSError`."""
    every = (1 << _RIGHTS[min(version(), max(_RIGHTS))]) - 1
    for path in readable:
        _allow(rules, path, READ & every)
    for path in writable:
        _allow(rules, path, every)


def keep_signals() -> bool:
    """From now on signals of this process reach itself and what it starts, and nobody else: `kill(-1, …)` too.
    False: this version can't do that. Takes `no_new_privileges`. Raises `OSError`."""
    if version() < _WITH_SCOPES:
        return False
    # Files that move from one folder to another are refused by any rules that do not allow it, whatever they are
    # about (landlock.rst, on LANDLOCK_ACCESS_FS_REFER).
    rules = call("landlock_create_ruleset", struct.pack("QQQ", _REFER, 0, _SIGNALS), 24, 0)
    try:
        _allow(rules, "/", _REFER)
        restrict(rules)
    finally:
        os.close(rules)
    return True


def restrict(rules: int) -> None:
    """Put this process, and all that it will start, under the rules. Takes `no_new_privileges`. Raises `OSError`."""
    call("landlock_restrict_self", rules, 0)


def _allow(rules: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # not there, or not for us to see
        return
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= _OF_FILES
        call(
            "landlock_add_rule",
            rules,
            _BENEATH,
            ctypes.create_string_buffer(struct.pack("=Qi", rights, place)),
            0,
        )
    finally:
        os.close(place)
