"""The process that the proxy is: a listening socket in, what is allowed on standard input, decisions on standard output.

It is started without site-packages, so that nothing but the standard library is there, and without the harness's
environment. It ends when its standard input does, so with the harness, however that ends.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import sys
import threading

from ci_agent.sandbox.network.policy import Policy
from ci_agent.sandbox.network.proxy import Proxy

_PR_SET_DUMPABLE = 4  # linux/prctl.h
_LONGEST_HOST = 253


def main() -> None:
    """Answer requests until standard input ends. The first policy has to be there before the first request."""
    # Processes of the same user then can't read our memory, where the password of an upstream proxy may be.
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    proxy = Proxy(_report)
    listener: socket.socket | None = socket.socket(fileno=int(sys.argv[2]))
    for line in sys.stdin.buffer:
        proxy.change(Policy.read(line))
        if listener is not None:
            threading.Thread(target=proxy.listen, args=(listener,), daemon=True).start()
            listener = None
        os.write(1, b"null\n")  # from here on it holds
    os._exit(0)  # threads may be in the middle of anything


def _report(host: str, port: int, why: str) -> None:
    """One write, shorter than a pipe's atomic 4096 bytes, so that threads don't mix theirs."""
    os.write(1, json.dumps([host[:_LONGEST_HOST], port, why]).encode() + b"\n")
