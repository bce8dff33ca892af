"""The keeper against what commands do to it, to each other and to the machine; and its own end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ci_agent.sandbox import Command, End
from ci_agent.sandbox.keeper import descendants
from ci_agent.sandbox.keeping import KeeperError
from ci_agent.sandbox.kernel import landlock
from tests.sandbox.confining import (
    Ground,
    ground,
    is_gone,
    kept_open,
    needs_landlock,
    python,
    run,
    run_words,
    running,
)

pytestmark = needs_landlock


@pytest.fixture
def place() -> Iterator[Ground]:
    with ground() as made:
        yield made


def worker(place: Ground) -> int:
    """The process that does the work; its parent watches over it."""
    run(place.sandbox(), place.folder, "true")
    parent = place.keeper.process
    return int(Path(f"/proc/{parent}/task/{parent}/children").read_text())


def ended(mark: str) -> bool:
    """Whether nobody is left who has this among the arguments; waits a little for those that were killed."""
    until = time.monotonic() + 10
    while running(mark) and time.monotonic() < until:
        time.sleep(0.01)
    return not running(mark)


# --- who gets away ------------------------------------------------------------------------------------------

_DAEMON = """
import os, sys, time
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
open("daemon", "w").write(str(os.getpid()))
time.sleep(60)
"""

# Each generation lives for as long as a fork takes, in a session and group of its own.
_RESPAWNING = """
import os, sys, time
until = time.time() + 30
if os.fork():
    while not os.path.exists("going"): pass
    os._exit(0)
generation = 0
while time.time() < until:
    if generation == 3: open("going", "w").close()
    os.setsid()
    if os.fork(): os._exit(0)
    generation += 1
"""


def test_a_daemon_does_not_outlive_the_command(place: Ground) -> None:
    (place.folder / "daemon.py").write_text(_DAEMON)
    script = f"{sys.executable} daemon.py; while [ ! -s daemon ]; do :; done"
    completed, _ = run(place.sandbox(), place.folder, script)
    assert (completed.exit_code, completed.left_behind) == (0, True)
    assert is_gone((place.folder / "daemon").read_text())


@pytest.mark.parametrize("how_many", [1, 8])
def test_what_forks_faster_than_it_can_be_stopped_does_not_get_away(how_many: int, place: Ground) -> None:
    mark = f"respawning-{place.folder.name}"
    (place.folder / "respawning.py").write_text(_RESPAWNING)
    script = f"for i in $(seq {how_many}); do {sys.executable} respawning.py {mark} & done; wait"
    completed, _ = run(place.sandbox(), place.folder, script)
    assert completed.left_behind
    assert completed.seconds < 25
    assert not running(mark)


def test_a_fork_bomb_is_ended(place: Ground) -> None:
    mark = f"bomb-{place.folder.name}"
    bomb = "import os, time\nwhile True:\n  try: os.fork()\n  except OSError: pass\n"
    words = (sys.executable, "-c", bomb, mark)
    completed, _ = run_words(place.sandbox(processes=100), place.folder, *words, timeout=60)
    assert completed.ended is End.PROCESSES
    assert not running(mark)
    assert run(place.sandbox(), place.folder, "echo on")[1] == "on\n"


def test_threads_count_as_processes(place: Ground) -> None:
    program = """
import threading, time
for _ in range(150): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
time.sleep(60)
"""
    completed, _ = run_words(place.sandbox(processes=100), place.folder, sys.executable, "-c", program)
    assert completed.ended is End.PROCESSES


@pytest.mark.parametrize("enclosed", [True, False])
def test_the_sweep_ends_a_tree_by_either_way(enclosed: bool) -> None:
    """With signals that reach nobody else, and one process at a time, as before Landlock could keep signals."""
    if enclosed and landlock.version() < 6:
        pytest.skip("this kernel can't keep signals")
    program = f"""
import os, sys, time
from ci_agent.sandbox.kernel import landlock, privileges
from ci_agent.sandbox.keeper import descendants
privileges.no_new_privileges(); privileges.adopt_orphans()
if {enclosed}: assert landlock.keep_signals()
for _ in range(5):
    if os.fork() == 0:
        os.setsid()
        if os.fork(): os._exit(0)
        os.fork(); time.sleep(60)
while len(descendants.living()) < 10: pass
left = descendants.end_all(enclosed={enclosed})
print(left, descendants.living())
"""
    words = [sys.executable, "-c", program]
    assert subprocess.run(words, capture_output=True, text=True, timeout=30, check=True).stdout == "0 []\n"


def test_descendants_are_found_without_the_kernels_list_of_children(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen(["sh", "-c", "sleep 60 & wait"]) as shell:
        try:
            while len(_below(shell.pid)) < 1:
                pass
            listed = _below(shell.pid)
            monkeypatch.setattr(descendants, "_LISTED", False)
            assert set(_below(shell.pid)) == set(listed)
        finally:
            for one in (*listed, shell.pid):
                os.kill(one, signal.SIGKILL)


def _below(process: int) -> list[int]:
    return list(descendants._children(process))


# --- what it may use ----------------------------------------------------------------------------------------


def test_too_much_memory_ends_a_command(place: Ground) -> None:
    program = "held = []\nwhile True: held.append(b'x' * 10_000_000)"
    completed, _ = run_words(place.sandbox(memory=200_000_000), place.folder, sys.executable, "-c", program)
    assert completed.ended is End.MEMORY


def test_memory_of_many_processes_is_added_up(place: Ground) -> None:
    program = """
import os, time
for _ in range(5):
    if os.fork() == 0: break
held = os.urandom(1_000_000) * 60
time.sleep(60)
"""
    completed, _ = run_words(place.sandbox(memory=200_000_000), place.folder, sys.executable, "-c", program)
    assert completed.ended is End.MEMORY


def test_a_file_has_a_largest_size(place: Ground) -> None:
    script = "head -c 3000000 /dev/zero > big; echo $?; wc -c < big"
    completed, text = run(place.sandbox(file_size=1_000_000), place.folder, script)
    assert completed.ended is None
    assert text.split()[-2:] == ["153", "1000000"]  # SIGXFSZ


def test_some_room_is_left_on_the_disk(place: Ground) -> None:
    disk = os.statvfs(place.folder)
    nearly_all = disk.f_bavail * disk.f_frsize + 1_000_000_000
    completed, _ = run(place.sandbox(free_disk=nearly_all), place.folder, "sleep 60")
    assert completed.ended is End.DISK


def test_limits_can_not_be_raised_again(place: Ground) -> None:
    script = (
        "ulimit -n; ulimit -n 200000; ulimit -c unlimited; ulimit -f unlimited; ulimit -u 1000000; echo end"
    )
    text = run(place.sandbox(open_files=64), place.folder, script)[1]
    assert text.startswith("64\n")
    assert text.count("not permitted") + text.count("cannot modify limit") >= 4
    assert text.endswith("end\n")


# --- what it gets -------------------------------------------------------------------------------------------


def test_no_descriptor_but_the_three(place: Ground) -> None:
    assert run(place.sandbox(), place.folder, "ls /proc/self/fd")[1].split() == ["0", "1", "2", "3"]


def test_its_output_can_be_opened_again(place: Ground) -> None:
    assert run(place.sandbox(), place.folder, "echo one > /dev/stdout; echo two >&2")[1] == "one\ntwo\n"


def test_a_megabyte_of_script_and_of_environment_arrives(place: Ground) -> None:
    output = place.folder / "output"
    variables = {f"V{number}": "x" * 100_000 for number in range(10)}
    script = "#" * 100_000 + "\nenv | wc -c"
    sandbox = place.sandbox()
    completed = sandbox.run(Command(sandbox.shell(script), place.folder, 20, output, variables))
    assert completed.exit_code == 0
    assert int(output.read_text()) > 1_000_000


def test_no_command_costs_a_descriptor(place: Ground) -> None:
    process = worker(place)
    ours, theirs = kept_open("self"), kept_open(process)
    sandbox = place.sandbox()
    for _ in range(100):
        run(sandbox, place.folder, "true")
    program = (
        "import socket; s = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname())"
    )
    for _ in range(5):
        python(sandbox, place.folder, program)
    run_words(sandbox, place.folder, "no-such-program")
    assert (kept_open("self"), kept_open(process)) == (ours, theirs)
    assert Path(f"/proc/{process}/task/{process}/children").read_text() == ""


# --- what it can do to others -------------------------------------------------------------------------------

_AT_ITS_PARENTS = """
import ctypes, json, os, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
def attempts(process):
    yield "kill", lambda: os.kill(process, 0)
    yield "stop", lambda: os.kill(process, signal.SIGCONT)
    for name in ("environ", "maps"):
        yield name, lambda: open(f"/proc/{process}/{name}", "rb").read(1)
    yield "memory", lambda: open(f"/proc/{process}/mem", "r+b")
    yield "descriptors", lambda: [os.readlink(f"/proc/{process}/fd/{one}") for one in range(9)][0]
    yield "working directory", lambda: os.readlink(f"/proc/{process}/cwd")
    yield "kill its group", lambda: os.kill(-process, 0)
    yield "trace", lambda: checked(libc.ptrace(0x4206, process, 0, 0))
    yield "limits", lambda: checked(libc.prlimit64(process, 0, ctypes.create_string_buffer(b"\\xff" * 16), 0))
def checked(result):
    if result < 0: raise OSError(ctypes.get_errno(), "")
open_to_us = []
for process in map(int, sys.argv[1:]):
    for name, attempt in attempts(process):
        try:
            attempt()
        except (OSError, IndexError):
            continue
        open_to_us.append((process, name))
print(json.dumps(open_to_us))
"""


def test_keeper_and_harness_are_out_of_a_commands_reach(place: Ground) -> None:
    if landlock.version() < 6:
        pytest.skip("this kernel can't keep signals")
    process = worker(place)
    text = python(place.sandbox(), place.folder, _AT_ITS_PARENTS, process, place.keeper.process, os.getpid())
    assert json.loads(text) == []


def test_one_signal_to_everybody_reaches_only_the_command(place: Ground) -> None:
    if landlock.version() < 6:
        pytest.skip("this kernel can't keep signals")
    program = "import os, signal; os.fork(); os.kill(-1, signal.SIGKILL)"
    with subprocess.Popen(["sleep", "60"]) as bystander:
        completed, _ = run_words(place.sandbox(), place.folder, sys.executable, "-c", program)
        assert completed.exit_code in (0, 137)
        assert bystander.poll() is None
        bystander.kill()
    assert run(place.sandbox(), place.folder, "echo on")[1] == "on\n"


def test_nothing_of_the_harness_is_in_the_keepers_environment(
    place: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_API_KEY", "sk-canary")
    process = worker(place)
    if os.geteuid():
        pytest.skip("only root can look into the keeper")
    for one in (process, place.keeper.process):
        assert b"canary" not in Path(f"/proc/{one}/environ").read_bytes()
        assert b"CapPrm:\t0000000000000000" in Path(f"/proc/{one}/status").read_bytes()


# --- its own end --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("whose", ["worker", "parent"])
def test_a_keeper_that_is_killed_is_missed_and_leaves_nothing(whose: str, place: Ground) -> None:
    mark = f"orphan-{place.folder.name}"
    script = f"setsid sh -c 'sleep 60 & sleep 61' {mark} & echo > going; wait"
    process = worker(place)
    victim = process if whose == "worker" else place.keeper.process
    killer = threading.Thread(target=_kill_when_there, args=(place.folder / "going", mark, victim))
    killer.start()
    if whose == "worker":
        with pytest.raises(KeeperError, match="is gone; was it killed"):
            run(place.sandbox(), place.folder, script)
    else:  # nobody misses the one that watches, until the command has ended
        run(place.sandbox(), place.folder, script, timeout=1)
    killer.join()
    assert ended(mark)
    assert run(place.sandbox(), place.folder, "echo on")[1] == "on\n"


def _kill_when_there(sign: Path, mark: str, process: int) -> None:
    while not sign.exists() or not running(mark):
        time.sleep(0.01)
    os.kill(process, signal.SIGKILL)


@pytest.mark.slow
def test_a_keeper_that_hangs_is_given_up(place: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ci_agent.sandbox.keeping._SLACK", 0.5)
    sandbox = place.sandbox()
    sandbox.grace = 0.1
    process = worker(place)
    os.kill(process, signal.SIGSTOP)
    with pytest.raises(KeeperError, match="does not answer"):
        run(sandbox, place.folder, "true", timeout=0.1)
    assert is_gone(str(process))
    assert run(sandbox, place.folder, "echo on")[1] == "on\n"


def test_when_the_harness_is_killed_its_commands_end(tmp_path: Path) -> None:
    mark = f"left-{os.getpid()}"
    program = f"""
from tests.sandbox.confining import ground, run, kept_open
with ground() as place:
    run(place.sandbox(), place.folder, "setsid sh -c 'sleep 60 & sleep 61' {mark} & sleep 62")
"""
    with subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parents[3]) as harness:
        until = time.monotonic() + 20
        while not running(mark) and time.monotonic() < until:
            time.sleep(0.01)
        assert running(mark)
        harness.kill()
    assert ended(mark)


def test_a_second_command_waits_for_the_first(place: Ground) -> None:
    sandbox = place.sandbox()
    outputs = [place.folder / f"output-{number}" for number in range(4)]
    script = "echo >> busy; [ $(wc -l < busy) = 1 ] && echo alone; sleep 0.05; rm busy"
    commands = [Command(sandbox.shell(script), place.folder, 20, output, {}) for output in outputs]
    threads = [threading.Thread(target=sandbox.run, args=(command,)) for command in commands]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [output.read_text() for output in outputs] == ["alone\n"] * 4


def test_a_command_ends_although_the_plan_has_no_filter(place: Ground) -> None:
    for plan in (
        replace(place.sandbox()._plan, filter=False, supervised=False),
        replace(place.sandbox()._plan, landlock=False),
    ):
        assert run(place.sandbox(plan), place.folder, "echo on")[1] == "on\n"
