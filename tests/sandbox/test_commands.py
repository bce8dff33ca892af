"""Commands that fail, hang, flood, hide and fork: real processes, all of them, in both sandboxes."""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from ci_agent.errors import Interrupted
from ci_agent.sandbox import Command, End, Sandbox
from ci_agent.sandbox.plain import Plain
from tests.sandbox.confining import Ground, ground, is_gone, needs_landlock, run


@pytest.fixture
def place() -> Iterator[Ground]:
    with ground() as made:
        yield made


@pytest.fixture
def tmp_path(place: Ground) -> Path:
    return place.folder


@pytest.fixture(params=["plain", pytest.param("confined", marks=needs_landlock)])
def sandbox(request: pytest.FixtureRequest, place: Ground) -> Sandbox:
    if request.param == "plain":
        return Plain(place.folder / "home", place.folder / "tmp")
    return place.sandbox()


# --- how commands end --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "code"), [("true", 0), ("exit 3", 3), ("kill -9 $$", 137), ("kill $$", 143)]
)
def test_the_exit_code_is_what_a_shell_would_say(
    sandbox: Sandbox, tmp_path: Path, script: str, code: int
) -> None:
    completed, _ = run(sandbox, tmp_path, script)
    assert completed.exit_code == code
    assert not completed.timed_out
    assert not completed.left_behind


def test_both_streams_arrive_mixed_in_the_order_they_were_written(sandbox: Sandbox, tmp_path: Path) -> None:
    assert run(sandbox, tmp_path, "echo one; echo two >&2; echo three")[1] == "one\ntwo\nthree\n"


def test_a_command_has_nothing_to_read_from(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "ours").write_text("for us\n")
    kept = os.dup(0)
    with (tmp_path / "ours").open() as ours:
        os.dup2(ours.fileno(), 0)
    try:
        completed, text = run(sandbox, tmp_path, "cat; echo read", timeout=10)
    finally:
        os.dup2(kept, 0)
        os.close(kept)
    assert (completed.exit_code, text) == (0, "read\n")


def test_a_command_has_a_session_of_its_own_and_so_no_terminal_to_ask_at(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    _, text = run(sandbox, tmp_path, "echo $$; cat /proc/$$/stat")
    pid, stat = text.split("\n")[:2]
    assert stat.rpartition(")")[2].split()[3] == pid


def test_a_command_that_hangs_is_ended_and_its_output_kept(sandbox: Sandbox, tmp_path: Path) -> None:
    completed, text = run(sandbox, tmp_path, "echo started; sleep 60", timeout=0.2)
    assert completed.timed_out
    assert completed.exit_code is None
    assert completed.seconds < 2
    assert text == "started\n"


def test_a_command_may_clean_up_when_its_time_is_over(sandbox: Sandbox, tmp_path: Path) -> None:
    completed, text = run(sandbox, tmp_path, "trap 'echo cleaned; exit' TERM; sleep 60 & wait", timeout=0.3)
    assert completed.timed_out
    assert text == "cleaned\n"


def test_a_command_that_ignores_the_request_to_end_is_ended(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.grace = 0.2  # type: ignore[attr-defined] # both have it
    completed, text = run(sandbox, tmp_path, "trap '' TERM; echo $$; while :; do sleep 60; done", timeout=0.3)
    assert completed.timed_out
    assert completed.seconds < 3
    assert is_gone(text)


@pytest.mark.parametrize(
    "script",
    [
        "sleep 60 & echo $!",
        "(trap '' TERM HUP; sleep 60) & echo $!",
        "nohup sleep 60 >/dev/null 2>&1 & echo $!",
        "(sleep 60 & echo $!)",
    ],
)
def test_what_a_command_leaves_running_is_ended(sandbox: Sandbox, tmp_path: Path, script: str) -> None:
    completed, text = run(sandbox, tmp_path, script)
    assert completed.exit_code == 0
    assert completed.left_behind
    assert completed.seconds < 3
    assert is_gone(text)


def test_a_process_that_forked_twice_is_still_ended(sandbox: Sandbox, tmp_path: Path) -> None:
    daemon = "import os, time\nif os.fork(): os._exit(0)\nif os.fork(): os._exit(0)\n"
    daemon += "print(os.getpid(), flush=True)\ntime.sleep(60)"
    (tmp_path / "daemon.py").write_text(daemon)
    script = f"{sys.executable} daemon.py; while [ ! -s output ]; do :; done"
    completed, text = run(sandbox, tmp_path, script)
    assert completed.left_behind
    assert is_gone(text)


def test_a_flood_is_ended_and_cut_to_its_limit(sandbox: Sandbox, tmp_path: Path) -> None:
    completed, text = run(sandbox, tmp_path, "yes", limit=100_000)
    assert completed.ended is End.OUTPUT
    assert not completed.timed_out
    assert completed.exit_code is None
    assert len(text) == 100_000


def test_a_short_flood_that_ended_by_itself_is_cut_too(sandbox: Sandbox, tmp_path: Path) -> None:
    completed, text = run(sandbox, tmp_path, "head -c 200000 /dev/zero; exit 3", limit=100_000)
    assert (completed.exit_code, completed.ended, len(text)) == (3, End.OUTPUT, 100_000)


# --- commands that can't be started ------------------------------------------------------------------------


def test_a_program_that_does_not_exist_is_127_with_the_reason(sandbox: Sandbox, tmp_path: Path) -> None:
    completed = sandbox.run(Command(["no-such-program"], tmp_path, 5, tmp_path / "output", {}))
    assert completed.exit_code == 127
    assert (tmp_path / "output").read_text() == "no-such-program: command not found\n"


@pytest.mark.parametrize(
    "words", [["./plain.txt"], ["echo", "a\0b"], ["echo", "x" * 3_000_000], ["echo", "\ud800"]]
)
def test_what_can_not_be_run_is_126_with_the_reason(
    sandbox: Sandbox, tmp_path: Path, words: list[str]
) -> None:
    (tmp_path / "plain.txt").write_text("no program")
    completed = sandbox.run(Command(words, tmp_path, 5, tmp_path / "output", {}))
    assert completed.exit_code == 126
    assert "can't be run" in (tmp_path / "output").read_text()


def test_a_missing_folder_is_said(sandbox: Sandbox, tmp_path: Path) -> None:
    completed = sandbox.run(Command(["true"], tmp_path / "gone", 5, tmp_path / "output", {}))
    assert completed.exit_code == 126
    assert f"no folder {tmp_path / 'gone'}" in (tmp_path / "output").read_text()


def test_an_output_that_is_a_link_is_not_followed(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "output").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic links"):
        run(sandbox, tmp_path, "echo gotcha")
    assert (tmp_path / "precious").read_text() == "precious"


# --- what commands get -------------------------------------------------------------------------------------


def test_the_commands_own_variables_are_added(sandbox: Sandbox, tmp_path: Path) -> None:
    command = Command(
        sandbox.shell("echo $ONE $CI"), tmp_path, 5, tmp_path / "output", {"ONE": "1", "CI": "mine"}
    )
    sandbox.run(command)
    assert (tmp_path / "output").read_text() == "1 mine\n"


def test_open_files_of_ours_are_closed_to_a_command(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "open").write_text("canary")
    descriptor = os.open(tmp_path / "open", os.O_RDONLY)
    try:
        os.set_inheritable(descriptor, True)
        assert "canary" not in run(sandbox, tmp_path, f"cat <&{descriptor}")[1]
    finally:
        os.close(descriptor)


def test_a_command_can_commit_and_a_repositorys_own_identity_wins(sandbox: Sandbox, tmp_path: Path) -> None:
    script = """
        git init -q repository && cd repository && git commit -q --allow-empty -m one && git log --format=%an
        git -c user.name=Somebody commit -q --allow-empty -m two && git log -1 --format=%an
    """
    assert run(sandbox, tmp_path, script)[1] == "ci-agent sandbox\nSomebody\n"


def test_a_command_writes_no_core_file_and_our_own_limit_stays(sandbox: Sandbox, tmp_path: Path) -> None:
    _, hard = before = resource.getrlimit(resource.RLIMIT_CORE)
    ours = (min(4096, hard) if hard >= 0 else 4096, hard)
    resource.setrlimit(resource.RLIMIT_CORE, ours)
    try:
        assert run(sandbox, tmp_path, "ulimit -c")[1] == "0\n"
        assert resource.getrlimit(resource.RLIMIT_CORE) == ours
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)


def test_pipes_break_quietly_as_they_do_in_a_shell(sandbox: Sandbox, tmp_path: Path) -> None:
    assert run(sandbox, tmp_path, "yes | head -n 1; echo ${PIPESTATUS[0]}")[1] == "y\n141\n"


# --- interruptions -----------------------------------------------------------------------------------------


@contextmanager
def _interrupted_after(seconds: float, by: signal.Signals = signal.SIGTERM) -> Iterator[None]:
    """Raise `Interrupted` in the body so many seconds from now, as the signal would."""

    def interrupt(number: int, _: FrameType | None) -> None:
        raise Interrupted(number)

    before = signal.signal(by, interrupt)
    alarm = signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(by))
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, alarm)
        signal.signal(by, before)


def test_an_interruption_ends_the_command_before_it_goes_on(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(Interrupted), _interrupted_after(0.2):
        run(sandbox, tmp_path, "trap '' TERM; echo $$; sleep 60")
    assert is_gone((tmp_path / "output").read_text())


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGHUP])
def test_an_interruption_at_any_moment_leaves_no_process_behind(
    by: signal.Signals, sandbox: Sandbox, tmp_path: Path
) -> None:
    steps, apart = (
        (150, 0.00003) if isinstance(sandbox, Plain) else (50, 0.0004)
    )  # the keeper is started anew
    interruptions = 0
    for step in range(steps):
        try:
            with _interrupted_after(0.0001 + step * apart, by):
                run(sandbox, tmp_path, "echo $$ >> started; sleep 0.004")
        except Interrupted:
            interruptions += 1
        assert not _working_in(tmp_path)
    assert interruptions > 20
    assert run(sandbox, tmp_path, "echo still")[1] == "still\n"


def _working_in(folder: Path) -> list[str]:
    """Processes that have it as their working directory."""
    found = []
    for working in Path("/proc").glob("[0-9]*/cwd"):
        try:
            found += [working.parent.name] if working.readlink() == folder else []
        except OSError:
            continue
    return found
