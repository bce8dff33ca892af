"""Connections of commands: those that may be are as without anybody between, the others don't come about.

Both ways in which the keeper gets at a command's socket are tried: `taken` from the command, and `made` for it, as
where the container's filter refuses to take any.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ci_agent.sandbox.keeper.messages import Plan
from tests.sandbox.confining import Ground, ground, kept_open, needs_landlock, python
from tests.support.profiles import Profile, entering, missing

pytestmark = needs_landlock
HERE = "127.0.0.1"
ELSEWHERE = "127.0.0.2"  # an address of this machine that is not the one that is allowed


@pytest.fixture
def place() -> Iterator[Ground]:
    with ground() as made:
        yield made


@contextmanager
def listening(
    address: str = HERE, family: int = socket.AF_INET, backlog: int = 128
) -> Iterator[socket.socket]:
    """A server that accepts nothing yet."""
    with socket.socket(family) as server:
        server.bind((address, 0) if family != socket.AF_UNIX else address)
        server.listen(backlog)
        server.setblocking(False)
        yield server


def heard(server: socket.socket) -> bool:
    try:
        server.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def port(server: socket.socket) -> int:
    return int(server.getsockname()[1])


def _run(place: Ground, program: str, *arguments: object, plan: Plan | None = None) -> str:
    sandbox = place.sandbox(plan) if plan else place.sandbox()
    return python(sandbox, place.folder, _FIRST + program, *arguments).strip()


_FIRST = """
import asyncio, ctypes, errno, fcntl, os, select, socket, struct, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
arguments = sys.argv[1:]
def tried(what):
    try:
        what()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"
def connected(address, family=socket.AF_INET):
    with socket.socket(family) as one:
        one.settimeout(5)
        one.connect(address)
"""


# --- connections that may be -------------------------------------------------------------------------------


@pytest.mark.parametrize("blocking", [True, False])
def test_a_connection_comes_about_or_is_refused(blocking: bool, place: Ground) -> None:
    program = """
        for port in map(int, arguments):
            with socket.socket() as one:
                one.setblocking(not %r)
                error = one.connect_ex(("127.0.0.1", port))
                if error == errno.EINPROGRESS:
                    select.select([], [one], [], 5)
                    error = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                print(error, one.getblocking())
    """
    with listening() as server, socket.create_server((HERE, 0)) as closed:
        unused = port(closed)
        closed.close()
        said = _run(place, textwrap.dedent(program % (not blocking)), port(server), unused)
        assert said.splitlines() == [f"0 {blocking}", f"{111} {blocking}"]
        assert heard(server)


def test_hundreds_of_connections_at_a_time(place: Ground) -> None:
    said = _run(
        place,
        """
async def main():
    async def answer(reader, writer):
        writer.write(await reader.read(9)); writer.close()
    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=512)
    port = server.sockets[0].getsockname()[1]
    async def ask(number):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"%d" % number); writer.write_eof()
        answer = int(await reader.read()); writer.close()
        return answer
    print(sorted(await asyncio.gather(*map(ask, range(200)))) == list(range(200)))
asyncio.run(main())
""",
    )
    assert said == "True"


@pytest.mark.parametrize("family", ["AF_INET", "AF_UNIX"])
def test_a_server_with_a_full_queue_is_waited_for(family: str, place: Ground) -> None:
    said = _run(
        place,
        """
family = getattr(socket, arguments[0])
server = socket.socket(family)
server.bind("full" if family == socket.AF_UNIX else ("127.0.0.1", 0))
server.listen(0)
address = server.getsockname()
def ask():
    with socket.socket(family) as one:
        one.connect(address); one.sendall(b"x"); one.recv(1)
threads = [threading.Thread(target=ask) for _ in range(8)]
for thread in threads: thread.start()
got = 0
for _ in range(8):
    with server.accept()[0] as peer: got += len(peer.recv(1)); peer.sendall(b"y")
for thread in threads: thread.join()
print(got)
""",
        family,
    )
    assert said == "8"


def test_what_was_set_on_a_socket_before_stays(place: Ground) -> None:
    program = """
one = socket.socket(type=socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
poll = select.epoll()
poll.register(one, select.EPOLLOUT | select.EPOLLET)
poll.poll(0)
one.connect_ex(("127.0.0.1", int(arguments[0])))
[(ready, events)] = poll.poll(5)
print(ready == one.fileno(), bool(events & select.EPOLLOUT), one.getpeername()[1] == int(arguments[0]))
print(one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), one.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
print(fcntl.fcntl(one, fcntl.F_GETFD), bool(fcntl.fcntl(one, fcntl.F_GETFL) & os.O_NONBLOCK))
"""
    with listening() as server:
        assert _run(place, program, port(server)) == "True True True\n1 1\n1 True"


def test_addresses_of_this_machine(place: Ground) -> None:
    program = """
port = int(arguments[0])
print(tried(lambda: connected(("127.0.0.1", port))), tried(lambda: connected(("0.0.0.0", port))))
if socket.has_ipv6:
    print(tried(lambda: connected(("::ffff:127.0.0.1", port), socket.AF_INET6)))
    print(tried(lambda: connected(("::ffff:127.0.0.2", port), socket.AF_INET6)))
"""
    with listening() as server:
        assert _run(place, program, port(server)) == "done done\ndone\nENETUNREACH"


def test_a_server_of_the_commands_own_over_ipv6(place: Ground) -> None:
    program = """
server = socket.create_server(("::1", 0), family=socket.AF_INET6)
port = server.getsockname()[1]
print(tried(lambda: connected(("::1", port), socket.AF_INET6)), tried(lambda: connected(("::", port), socket.AF_INET6)))
print(tried(lambda: connected(("::2", port), socket.AF_INET6)))
"""
    assert _run(place, program) == "done done\nENETUNREACH"


def test_the_services_of_the_settings_may_be_reached(place: Ground) -> None:
    with listening(ELSEWHERE) as server:
        plan = Plan(True, True, True, services=((ELSEWHERE, port(server)),))
        program = "print(tried(lambda: connected(('127.0.0.2', int(arguments[0])))))"
        assert _run(place, program, port(server), plan=plan) == "done"
        assert _run(place, program, port(server)) == "ENETUNREACH"
    assert list(place.refused.values()) == [1]


# --- names in the file system ------------------------------------------------------------------------------


def test_sockets_are_known_by_all_their_names(place: Ground) -> None:
    program = """
os.makedirs("deep/er"); os.symlink("deep", "link")
server = socket.socket(socket.AF_UNIX); server.bind("deep/s"); server.listen()
os.chdir("deep/er")
folder = os.open("..", os.O_PATH)
names = ["../s", os.path.abspath("../s"), "../../link/s", f"/proc/self/fd/{folder}/s", "/proc/self/cwd/../s"]
print(*[tried(lambda: connected(name, socket.AF_UNIX)) for name in names])
print(tried(lambda: connected("nothing", socket.AF_UNIX)))
"""
    assert _run(place, program) == "done done done done done\nENOENT"


def test_sockets_of_others_are_closed_whatever_they_are_called(place: Ground, tmp_path: Path) -> None:
    outside = place.folder.with_name(place.folder.name + "o")
    outside.mkdir()
    try:
        with listening(str(outside / "s"), socket.AF_UNIX) as server:
            (place.folder / "link").symlink_to(outside / "s")
            (place.folder / "folder").symlink_to(outside)
            program = """
outside = arguments[0]
names = [outside, "link", "folder/s", "../" + outside.split("/", 2)[2], f"/proc/self/root{outside}"]
print({tried(lambda: connected(name, socket.AF_UNIX)) for name in names})
"""
            assert _run(place, program, outside / "s") == "{'EACCES'}"
            assert not heard(server)
        assert place.refused == {str(outside / "s"): 5}
    finally:
        (outside / "s").unlink()
        outside.rmdir()


def test_what_is_told_of_refused_sockets_is_plain_text(place: Ground) -> None:
    program = r"""
libc.memfd_create.restype = ctypes.c_int
odd = libc.memfd_create(b"\xff\n<b>@all</b>" + b"x" * 150, 0)
print(tried(lambda: connected(f"/proc/self/fd/{odd}", socket.AF_UNIX)))
print(tried(lambda: connected("\0abstract", socket.AF_UNIX)))
"""
    assert _run(place, program) == "EACCES\nEACCES"
    name, abstract = place.refused
    assert abstract == "a socket without a file"
    assert name == "/memfd:???b??all?/b?" + "x" * 150 + "??deleted?"


# --- what must not be ---------------------------------------------------------------------------------------

_SWAPPING = """
good = struct.pack("=H", 2) + struct.pack("!H", int(arguments[0])) + socket.inet_aton("127.0.0.1") + bytes(8)
evil = struct.pack("=H", 2) + struct.pack("!H", int(arguments[0])) + socket.inet_aton("127.0.0.2") + bytes(8)
address = ctypes.create_string_buffer(good, 16)
ended = False
def swap():
    while not ended:
        ctypes.memmove(address, evil, 16); ctypes.memmove(address, good, 16)
thread = threading.Thread(target=swap); thread.start()
came = refused = 0
for _ in range(400):
    with socket.socket() as one:
        if libc.connect(one.fileno(), address, 16) == 0:
            came += 1
            assert one.getpeername()[0] == "127.0.0.1", one.getpeername()
        else:
            refused += ctypes.get_errno() == errno.ENETUNREACH
ended = True; thread.join()
print(came > 0, refused > 0, came + refused)
"""


def test_an_address_that_changes_while_it_is_looked_at_leads_nowhere_else(place: Ground) -> None:
    with listening(HERE, backlog=1024) as good, socket.socket() as evil:
        evil.bind((ELSEWHERE, port(good)))
        evil.listen(1024)
        evil.setblocking(False)
        came, refused, together = _run(place, _SWAPPING, port(good)).split()
        assert (came, together) == ("True", "400")
        assert refused == "True"  # else nothing was swapped
        assert not heard(evil)


@pytest.mark.parametrize("where", ["0", "8", "-1", "2**63", "2**64 - 1", "2**47"])
def test_a_pointer_to_nowhere_is_an_error_and_no_end_of_the_keeper(where: str, place: Ground) -> None:
    program = f"""
one = socket.socket()
print(libc.connect(one.fileno(), ctypes.c_void_p({where}), 16), errno.errorcode[ctypes.get_errno()])
"""
    assert _run(place, program) == "-1 EFAULT"
    assert _run(place, "print('on')") == "on"


def test_garbage_is_answered_and_costs_nothing(place: Ground) -> None:
    """Addresses of every length and kind, on every kind of socket and on what is none."""
    program = """
import random
random.seed(1)
def made():
    yield socket.socket(); yield socket.socket(socket.AF_INET6); yield socket.socket(socket.AF_UNIX)
    yield socket.socket(type=socket.SOCK_DGRAM); yield socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    yield open("/dev/null")
answers = set()
for turn in range(60):
    for one in made():
        for length in (0, 1, 2, 3, 7, 15, 16, 23, 24, 28, 110, 111, 128, 129, 2**31 - 1, 2**32 - 1):
            body = struct.pack("=H", random.choice([0, 1, 2, 10, 16, 40, 65535])) + random.randbytes(200)
            libc.connect(one.fileno(), body, ctypes.c_uint(length))
            answers.add(ctypes.get_errno())
        one.close()
for descriptor in (-1, 99999, 2**31 - 1):
    print(libc.connect(descriptor, bytes(16), 16), errno.errorcode[ctypes.get_errno()])
"""
    before = _descriptors(place)
    assert _run(place, program).split() == ["-1", "EBADF"] * 3
    assert _descriptors(place) == before


def test_a_command_that_dies_while_it_connects_leaves_nothing(place: Ground) -> None:
    program = """
server = socket.socket(socket.AF_UNIX); server.bind("full"); server.listen(0)
for _ in range(20):
    child = os.fork()
    if child == 0:
        for _ in range(9):
            threading.Thread(target=lambda: socket.socket(socket.AF_UNIX).connect("full")).start()
        socket.socket(socket.AF_UNIX).connect("full")
    time.sleep(0.01)
    os.kill(child, 9); os.waitpid(child, 0)
print("done")
"""
    before = _descriptors(place)
    assert _run(place, program) == "done"
    assert _descriptors(place) == before


def test_who_waits_for_thousands_of_connections_does_not_outlive_the_command(place: Ground) -> None:
    program = """
server = socket.socket(socket.AF_UNIX); server.bind("full"); server.listen(0)
def hang():
    try: socket.socket(socket.AF_UNIX).connect("full")
    except OSError: time.sleep(60)
threading.stack_size(65536)
for _ in range(1000): threading.Thread(target=hang, daemon=True).start()
child = os.fork()
if child == 0:
    os.setsid(); time.sleep(60)
print(child); sys.stdout.flush(); os._exit(0)
"""
    child = _run(place, program)
    assert not Path("/proc", child, "exe").exists()
    assert _run(place, "print('on')") == "on"


def _descriptors(place: Ground) -> int:
    _run(place, "")
    [worker] = Path(f"/proc/{place.keeper.process}/task/{place.keeper.process}/children").read_text().split()
    try:
        return kept_open(worker)
    except PermissionError:
        pytest.skip("only root can look into the keeper")


# --- datagrams ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6"])
def test_datagram_sockets_can_be_asked_and_say_nothing(family: str, place: Ground) -> None:
    program = """
family = getattr(socket, arguments[0]); port = int(arguments[1])
here = "127.0.0.1" if family == socket.AF_INET else "::1"
def fresh(): return socket.socket(family, socket.SOCK_DGRAM)
one = fresh(); one.bind((here, 0)); print(one.getsockname()[1] > 0)
one = fresh(); one.connect((here, port)); print(one.getsockname()[0] == here)
def unconnected():
    one = fresh(); one.connect((here, port))
    libc.connect(one.fileno(), struct.pack("=H14x", 0), 16)
    one.sendto(b"leak", (here, port))
def later():
    one = fresh(); one.connect((here, port)); one.send(b"leak")
def corked():
    one = fresh(); one.connect((here, port)); one.send(b"leak", socket.MSG_MORE); one.send(b"s")
def written():
    one = fresh(); one.connect((here, port)); os.write(one.fileno(), b"leak")
def again():
    one = fresh(); one.bind((here, 0)); one.sendto(b"leak", (here, port))
ways = [lambda: fresh().sendto(b"leak", (here, port)), lambda: fresh().sendmsg([b"leak"], [], 0, (here, port)),
        unconnected, later, corked, written, again]
print({tried(way) for way in ways})
if family == socket.AF_INET:
    print(fcntl.ioctl(fresh(), 0x8912, struct.pack("iP", 0, 0))[:4] != bytes(4))
print(fresh().get_inheritable(), tried(lambda: socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK).recv(1)))
"""
    number = getattr(socket, family)
    with socket.socket(number, socket.SOCK_DGRAM) as ear:
        ear.bind((HERE if number == socket.AF_INET else "::1", 0))
        ear.setblocking(False)
        said = _run(place, program, family, port(ear)).splitlines()
        assert said[:3] == ["True", "True", "{'EPIPE'}"]
        assert said[-1] == "False EAGAIN"
        with pytest.raises(BlockingIOError):
            ear.recv(1)


def test_pairs_of_sockets_can_not_be_used_to_send_to_others(place: Ground) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(place.folder / "ear"))
        ear.setblocking(False)
        program = "print(tried(lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendto(b'x', 'ear')))"
        assert _run(place, program) == "EPROTONOSUPPORT"
        with pytest.raises(BlockingIOError):
            ear.recv(1)


# --- before Linux 5.19 --------------------------------------------------------------------------------------

# Calls that we have begun to answer are interrupted there by any signal, and begun again: Go sends itself many.
_INTERRUPTED = """
import os, select, signal, socket, sys, threading, time
from ci_agent.sandbox.keeper.judge import Judge
from ci_agent.sandbox.keeper.messages import Plan
from ci_agent.sandbox.keeper.sockets import Made, Taken, can_take
from ci_agent.sandbox.keeper.supervisor import Supervisor
from ci_agent.sandbox.kernel import privileges, seccomp
seccomp._WAIT_KILLABLE = 0
takes = can_take()
ours, theirs = socket.socketpair()
privileges.no_new_privileges()
family, folder = getattr(socket, sys.argv[1]), sys.argv[2]
with socket.socket(family) as server:
    server.bind(f"{folder}/s" if family == socket.AF_UNIX else ("127.0.0.1", 0))
    server.listen(0 if family == socket.AF_UNIX else 512)
    server.setblocking(False)
    if os.fork() == 0:
        listener = seccomp.install(seccomp.Filter(supervised=True, sockets_made=not takes).program(), listener=True)
        socket.send_fds(theirs, [b"l"], [listener])
        os.close(listener)
        count = [0]
        def hear(*_): count[0] += 1
        signal.signal(signal.SIGALRM, hear)
        signal.siginterrupt(signal.SIGALRM, False)
        signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
        answers = set()
        for _ in range(400):
            with socket.socket(family) as one:
                answers.add(one.connect_ex(server.getsockname()))
                answers.add(os.get_blocking(one.fileno()))
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(answers, count[0] > 20, flush=True)
        os._exit(0)
    listener = socket.recv_fds(ours, 1, 1)[1][0]
    judge, sockets = Judge(Plan(True, True, True), [folder]), Taken() if takes else Made()
    supervisor = Supervisor(listener, judge, sockets, open_network=False)
    going, accepted = True, time.monotonic()
    while going:
        poll = select.poll()
        for descriptor, events in supervisor.watched():
            poll.register(descriptor, events)
        for descriptor, events in poll.poll(20):
            going = supervisor.ready(descriptor, events)
        supervisor.tick()
        if time.monotonic() > accepted + 0.002:
            accepted = time.monotonic()
            try: server.accept()[0].close()
            except BlockingIOError: pass
    supervisor.close()
    os.wait()
"""


@pytest.mark.parametrize("family", ["AF_INET", "AF_UNIX"])
def test_a_connection_whose_call_is_interrupted_comes_about_once(family: str, place: Ground) -> None:
    """At once, and after waiting for room in a full queue."""
    words = [sys.executable, "-c", _INTERRUPTED, family, str(place.folder)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "{0, True} True\n"


def test_who_is_connected_already_hears_so(place: Ground) -> None:
    """At the latest by the second time: the first one may be a call that a signal made begin again."""
    program = """
        here, other = (("127.0.0.1", int(port)) for port in arguments)
        with socket.socket() as one:
            one.connect(here)
            print(tried(lambda: one.connect(other)), one.getpeername() == here)
        with socket.socket() as one:
            one.connect(here)
            print({tried(lambda: one.connect(here)) for _ in range(5)} - {"done"}, tried(lambda: one.connect(here)))
    """
    with listening() as server, listening() as other:
        said = _run(place, textwrap.dedent(program), port(server), port(other), plan=Plan(True, True, True))
    assert said.splitlines() == ["EISCONN True", "{'EISCONN'} EISCONN"]


# --- where sockets can't be taken ---------------------------------------------------------------------------


@pytest.mark.slow
def test_all_of_this_holds_where_the_container_lets_nobody_take_a_socket() -> None:
    """The tests above once more, in a container as Docker makes it."""
    if "IN_A_CONTAINER" in os.environ:
        pytest.skip("this is one")
    if reason := missing(Profile.DOCKER_ROOT):
        pytest.skip(reason)
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(
        [*entering(Profile.DOCKER_ROOT), *words],
        env={**os.environ, "IN_A_CONTAINER": "1"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:]
