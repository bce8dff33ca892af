"""The keeper's program: takes one request after the other, until the harness is gone.

Started as `python -I -S -c …` with the descriptor of its socket to the harness. It has one thread: a fork copies
nothing half done.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import socket
from typing import Final

from ci_agent.sandbox.keeper import descendants
from ci_agent.sandbox.keeper.messages import receive_request, send
from ci_agent.sandbox.keeper.rules import Rules
from ci_agent.sandbox.keeper.run import Powers, Run
from ci_agent.sandbox.keeper.sockets import can_take
from ci_agent.sandbox.kernel import landlock, privileges

_ENDING: Final = 7.0  # seconds for the end of all processes, when the harness lets go


def main(harness: int) -> None:
    """Serve the harness at the other end of the descriptor. The process that this is called in watches over the one
    that does the work, and ends what that one leaves behind should somebody kill it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # they are the harness's; it says what is to be ended
    privileges.drop_capabilities()
    privileges.no_new_privileges()
    privileges.not_dumpable()
    enclosed = _take_charge()
    keeper = os.fork()
    if keeper == 0:
        _serve(harness, enclosed=_take_charge())
        return
    os.close(harness)  # so that the harness notices when the other end is gone
    _watch_over(keeper)
    descendants.end_all(enclosed=enclosed)


def _take_charge() -> bool:
    """Adopt orphans, and keep our signals to what is below us. Whether that is sure."""
    privileges.adopt_orphans()
    if not landlock.keep_signals():
        return False
    try:
        os.kill(os.getppid(), 0)
    except PermissionError:
        return True
    return False


def _watch_over(keeper: int) -> None:
    """Wait until the keeper has ended, or the harness has let go of our standard input, and then some time more."""
    whole = os.pidfd_open(keeper)
    poll = select.poll()
    poll.register(whole, select.POLLIN)
    poll.register(0, select.POLLIN)
    if all(descriptor != whole for descriptor, _ in poll.poll()):
        poll.unregister(0)
        poll.poll(1000 * _ENDING)


def _serve(harness: int, *, enclosed: bool) -> None:
    """Do what the harness asks for until it is gone."""
    os.dup2(nothing := os.open(os.devnull, os.O_RDONLY), 0)
    os.close(nothing)
    _allow_many_descriptors()
    with socket.socket(fileno=harness) as link:
        link.set_inheritable(False)
        powers = Powers(link, _woken_by_children(), enclosed, can_take(), Rules())
        while (received := receive_request(link)) is not None:
            request, output = received
            try:
                reply = Run(request, output, powers).whole()
            finally:
                os.close(output)
            try:
                send(link, reply)
                powers.rules.prepare()
            except OSError:
                return


def _allow_many_descriptors() -> None:
    """Connections that commands wait for take some."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _woken_by_children() -> int:
    """A descriptor that can be read from when a child has ended."""
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    return reading
