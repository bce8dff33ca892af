"""What commands leave in memory that all processes share: when it is deleted, and when it is told."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from ci_agent.sandbox.presence import Presence
from ci_agent.sandbox.shared_memory import SharedMemory
from tests.sandbox.confining import ground, needs_landlock, python, run
from tests.support.namespaces import lacking, unshared
from tests.support.ticks import pass_a_tick

pytestmark = pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="there is no shared memory in files")


@pytest.fixture
def files() -> Iterator[Path]:
    """A folder in shared memory that commands may write to. We have it open, so that no session beside us tells of it."""
    folder = Path(tempfile.mkdtemp(prefix="test-", dir="/dev/shm"))
    opened = os.open(folder, os.O_RDONLY)
    yield folder
    os.close(opened)
    shutil.rmtree(folder)


@contextmanager
def memory(files: Path, place: Path, *, clears: bool = True) -> Iterator[SharedMemory]:
    """Of a session that is alone in its own world, in which nobody has made objects of System V."""
    presence = Presence(place / "lock")
    with closing(SharedMemory(clears=clears, files=files, objects=place / "none", presence=presence)) as made:
        pass_a_tick()
        yield made


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


_LEFT = {
    "a file": "echo solution > left",
    "a file closed to its owner": "echo solution > left; chmod 0 left",
    "a folder": "mkdir -p left/in; echo solution > left/in/file",
    "a folder closed to its owner": "mkdir -p left/in; echo solution > left/in/file; chmod 0 left/in left",
    "a pipe": "mkfifo left",
    "a link": "ln -s before left",
    "a socket": "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"left\")'",
    "a name in bytes that are no text": "touch $'left\\xff\\n'",
}
# Each is run in the folder: more levels than Python calls functions, and a shut folder whose path is too long to be named.
_DEEP = {
    "deep": "for _ in range(3000): os.mkdir('left'); os.chdir('left')",
    "far and shut": "for _ in range(30): os.mkdir('l' * 200); os.chdir('l' * 200)\n"
    "os.mkdir('in'); open('in/solution', 'w').close(); os.chmod('in', 0)",
}


@needs_landlock
@pytest.mark.parametrize("how", _LEFT)
def test_what_commands_leave_is_deleted_where_the_session_is_alone(
    how: str, files: Path, tmp_path: Path
) -> None:
    (files / "before").write_text("somebody's\n")
    with memory(files, tmp_path) as shared, ground() as place:
        completed, text = run(place.sandbox(), place.folder, f"cd {files} && {_LEFT[how]}")
        assert (completed.exit_code, text) == (0, "")
        assert len(names(files)) == 2
        assert shared.clear() == []
        assert names(files) == {"before"}
    assert (files / "before").read_text() == "somebody's\n"


@needs_landlock
@pytest.mark.parametrize("how", _DEEP)
def test_however_deep_it_is_deleted(how: str, files: Path, tmp_path: Path) -> None:
    with memory(files, tmp_path) as shared, ground() as place:
        python(place.sandbox(), place.folder, f"import os; os.chdir({str(files)!r})\n{_DEEP[how]}")
        assert len(names(files)) == 1
        assert shared.clear() == []
        assert names(files) == set()


def test_what_is_left_at_the_end_is_deleted_with_it(files: Path, tmp_path: Path) -> None:
    with memory(files, tmp_path):
        (files / "left").touch()
    assert names(files) == set()
    with memory(files, tmp_path, clears=False):
        (files / "left").touch()
    assert names(files) == {"left"}


def test_what_was_there_before_is_kept_and_named_when_it_was_changed(files: Path, tmp_path: Path) -> None:
    for name in ("changed", "unchanged"):
        (files / name).write_text("before\n")
    with memory(files, tmp_path) as shared:
        (files / "changed").write_text("after\n")
        assert shared.clear() == [f"{files}/changed"]
        assert shared.clear() == []  # named once
    assert names(files) == {"changed", "unchanged"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_is_somebody_elses_is_kept_and_not_named(files: Path, tmp_path: Path) -> None:
    with memory(files, tmp_path) as shared:
        (files / "theirs").touch()
        os.chown(files / "theirs", 1, 1)
        assert shared.clear() == []
    assert names(files) == {"theirs"}


def test_on_a_persons_machine_it_is_kept_and_named(files: Path, tmp_path: Path) -> None:
    with memory(files, tmp_path, clears=False) as shared:
        (files / "left").touch()
        assert shared.clear() == [f"{files}/left"]
        (files / "more").touch()
        assert shared.clear() == [f"{files}/more"]
    assert names(files) == {"left", "more"}


def test_beside_another_session_it_is_kept_and_named(files: Path, tmp_path: Path) -> None:
    with memory(files, tmp_path) as shared:
        (files / "left").touch()
        with closing(Presence(tmp_path / "lock")):
            assert shared.clear() == [f"{files}/left"]
            assert names(files) == {"left"}
        assert shared.clear() == []
        assert names(files) == set()


# What another program does in the folder, and has in use until it is told to end.
_USES = {
    "open": "file = open('used', 'w')",
    "open for reading": "open('used', 'w').close(); file = open('used')",
    "mapped": "f = open('used', 'w+b'); f.truncate(9); m = mmap.mmap(f.fileno(), 0); os.closerange(3, 99)",
    "bound": "server = socket.socket(socket.AF_UNIX); server.bind('used')",
    "its folder": "os.makedirs('used/in'); os.chdir('used/in')",
    "open in a folder": "os.mkdir('used'); file = open('used/file', 'w')",
    "mapped in a folder": "os.mkdir('used'); f = open('used/f', 'w+b'); f.truncate(9); m = mmap.mmap(f.fileno(), 0); os.closerange(3, 99)",
}


@pytest.mark.parametrize("how", _USES)
def test_what_another_program_uses_is_kept_and_not_named(how: str, files: Path, tmp_path: Path) -> None:
    program = f"import mmap, os, socket, sys\n{_USES[how]}\nprint(flush=True); sys.stdin.read()"
    words = [sys.executable, "-c", program]
    with memory(files, tmp_path) as shared:
        with subprocess.Popen(words, cwd=files, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            assert shared.clear() == []
            assert names(files) == {"used"}
            process.communicate()
        assert shared.clear() == []
        assert names(files) == set()


def test_a_file_that_nobody_uses_can_be_opened_again_at_once(files: Path, tmp_path: Path) -> None:
    with memory(files, tmp_path, clears=False) as shared:
        (files / "left").touch()
        shared.clear()
        os.close(os.open(files / "left", os.O_RDWR | os.O_NONBLOCK))  # would fail while we keep a lease


# --- in a world of its own, where objects of System V are nobody else's ------------------------------------

_OBJECTS = """
import ctypes, subprocess, sys
from pathlib import Path
from ci_agent.sandbox.presence import Presence
from ci_agent.sandbox.shared_memory import SharedMemory

MAKE = '''
import ctypes, sys
libc = ctypes.CDLL(None)
libc.shmat.restype = ctypes.c_void_p
made = [libc.shmget(0, 4096, 0o1600)]
assert made[0] >= 0
if "all" in sys.argv: made += [libc.semget(0, 1, 0o1600), libc.msgget(0, 0o1600)]
if "attach" in sys.argv: libc.shmat(made[0], None, 0)
print(made, flush=True)
if "stay" in sys.argv: sys.stdin.read()
'''

def make(*how):
    words = [sys.executable, "-c", MAKE, *how]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    made = process.stdout.readline()
    if "stay" not in how:
        process.communicate()
    return process

def there():
    return [len(Path("/proc/sysvipc", kind).read_text().splitlines()) - 1 for kind in ("shm", "sem", "msg")]

make("all")
lock = Path(sys.argv[1], "lock")
shared = SharedMemory(clears=True, files=Path(sys.argv[1]), presence=Presence(lock))
print(shared.clear(), there())
make("all")
creator, user = make("stay"), make("stay", "attach")
other = Presence(lock)
print(len(shared.clear()), there())
other.close()
print(shared.clear(), there())
creator.communicate()
print(shared.clear(), there())
user.communicate()
shared.close()
print(there())
"""

_READ_ONLY = """
import subprocess, sys
from pathlib import Path
from ci_agent.sandbox.presence import Presence
from ci_agent.sandbox.shared_memory import SharedMemory
from tests.support.ticks import pass_a_tick
place = Path(sys.argv[1])
files = place / "files"
files.mkdir()
subprocess.run(["mount", "-t", "tmpfs", "none", files], check=True)
shared = SharedMemory(clears=True, files=files, presence=Presence(place / "lock"))
pass_a_tick()
(files / "folder").mkdir()
(files / "folder/file").touch()
(files / "file").touch()
subprocess.run(["mount", "-o", "remount,ro", files], check=True)
print(*shared.clear())
"""

in_a_world_of_its_own = pytest.mark.skipif(lacking() is not None, reason=lacking() or "")


def alone(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run it there."""
    root = str(Path(__file__).parents[2])
    return subprocess.run(
        [*unshared(), sys.executable, "-c", program, str(folder)],
        env=os.environ | {"PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@in_a_world_of_its_own
def test_objects_of_system_v_are_deleted_unless_their_maker_lives_or_somebody_has_them(
    tmp_path: Path,
) -> None:
    done = alone(_OBJECTS, tmp_path)
    assert done.stdout.splitlines() == [
        "[] [1, 1, 1]",  # from before
        "3 [4, 2, 2]",  # not alone
        "[] [3, 1, 1]",
        "[] [2, 1, 1]",  # the maker is gone
        "[1, 1, 1]",  # the last clearing
    ], done.stdout + done.stderr


@in_a_world_of_its_own
def test_what_can_not_be_deleted_is_named_and_raises_nothing(tmp_path: Path) -> None:
    done = alone(_READ_ONLY, tmp_path)
    assert done.stdout.split() == [f"{tmp_path}/files/file", f"{tmp_path}/files/folder"], done.stderr


_QUEUE = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
name = f"/ci-agent-{os.getpid()}".encode()
made = libc.mq_open(name, os.O_RDWR | os.O_CREAT, 0o600, None)
print(errno.errorcode[ctypes.get_errno()] if made < 0 else "made")
libc.mq_unlink(name)
"""


@needs_landlock
def test_commands_make_no_message_queues(tmp_path: Path) -> None:
    bare = subprocess.run([sys.executable, "-c", _QUEUE], capture_output=True, text=True, check=True)
    if bare.stdout != "made\n":
        pytest.skip(f"nobody makes message queues here: {bare.stdout}")
    with ground() as place:
        assert python(place.sandbox(), place.folder, _QUEUE) == "EPERM\n"
