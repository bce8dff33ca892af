"""Commands that fail, hang, flood, hide and fork: real processes, all of them."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from ci_agent.errors import Interrupted
from ci_agent.sandbox import Command, Completed, Sandbox, open_sandbox
from ci_agent.sandbox.plain import Plain


@pytest.fixture
def plain(tmp_path: Path) -> Plain:
    return Plain(tmp_path / "home", tmp_path / "temporary")


def run(
    sandbox: Sandbox, folder: Path, script: str, *, timeout: float = 20, limit: int = 1_000_000
) -> tuple[Completed, str]:
    """Run a script in `folder`: how it ended, and what it wrote."""
    output = folder / "output"
    command = Command(sandbox.shell(script), folder, timeout, output, {}, limit)
    completed = sandbox.run(command)
    return completed, output.read_text(errors="replace")


def is_gone(pid: str) -> bool:
    """Whether the process has ended, collected by its parent or not."""
    stat = Path("/proc", pid.strip(), "stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] in "ZX"


# --- how commands end --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "code"), [("true", 0), ("exit 3", 3), ("kill -9 $$", 137), ("kill $$", 143)]
)
def test_the_exit_code_is_what_a_shell_would_say(
    plain: Plain, tmp_path: Path, script: str, code: int
) -> None:
    completed, _ = run(plain, tmp_path, script)
    assert completed.exit_code == code
    assert not completed.timed_out
    assert not completed.left_behind


def test_both_streams_arrive_mixed_in_the_order_they_were_written(plain: Plain, tmp_path: Path) -> None:
    assert run(plain, tmp_path, "echo one; echo two >&2; echo three")[1] == "one\ntwo\nthree\n"


def test_a_command_has_nothing_to_read_from(plain: Plain, tmp_path: Path) -> None:
    (tmp_path / "ours").write_text("for us\n")
    kept = os.dup(0)
    with (tmp_path / "ours").open() as ours:
        os.dup2(ours.fileno(), 0)
    try:
        completed, text = run(plain, tmp_path, "cat; echo read", timeout=10)
    finally:
        os.dup2(kept, 0)
        os.close(kept)
    assert (completed.exit_code, text) == (0, "read\n")


def test_a_command_has_a_session_of_its_own_and_so_no_terminal_to_ask_at(
    plain: Plain, tmp_path: Path
) -> None:
    _, text = run(plain, tmp_path, "echo $$; cat /proc/$$/stat")
    pid, stat = text.split("\n")[:2]
    assert stat.rpartition(")")[2].split()[3] == pid


def test_a_command_that_hangs_is_ended_and_its_output_kept(plain: Plain, tmp_path: Path) -> None:
    completed, text = run(plain, tmp_path, "echo started; sleep 60", timeout=0.2)
    assert completed.timed_out
    assert completed.exit_code is None
    assert completed.seconds < 2
    assert text == "started\n"


def test_a_command_may_clean_up_when_its_time_is_over(plain: Plain, tmp_path: Path) -> None:
    completed, text = run(plain, tmp_path, "trap 'echo cleaned; exit' TERM; sleep 60 & wait", timeout=0.3)
    assert completed.timed_out
    assert text == "cleaned\n"


def test_a_command_that_ignores_the_request_to_end_is_ended(plain: Plain, tmp_path: Path) -> None:
    plain.grace = 0.2
    completed, text = run(plain, tmp_path, "trap '' TERM; echo $$; while :; do sleep 60; done", timeout=0.3)
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
def test_what_a_command_leaves_running_is_ended(plain: Plain, tmp_path: Path, script: str) -> None:
    completed, text = run(plain, tmp_path, script)
    assert completed.exit_code == 0
    assert completed.left_behind
    assert completed.seconds < 3
    assert is_gone(text)


def test_a_process_that_forked_twice_is_still_ended(plain: Plain, tmp_path: Path) -> None:
    daemon = "import os, time\nif os.fork(): os._exit(0)\nif os.fork(): os._exit(0)\n"
    daemon += "print(os.getpid(), flush=True)\ntime.sleep(60)"
    (tmp_path / "daemon.py").write_text(daemon)
    script = f"{sys.executable} daemon.py; while [ ! -s output ]; do :; done"
    completed, text = run(plain, tmp_path, script)
    assert completed.left_behind
    assert is_gone(text)


def test_a_flood_is_ended_and_cut_to_its_limit(plain: Plain, tmp_path: Path) -> None:
    completed, text = run(plain, tmp_path, "yes", limit=100_000)
    assert completed.flooded
    assert not completed.timed_out
    assert completed.exit_code is None
    assert len(text) == 100_000


def test_a_short_flood_that_ended_by_itself_is_cut_too(plain: Plain, tmp_path: Path) -> None:
    completed, text = run(plain, tmp_path, "head -c 200000 /dev/zero; exit 3", limit=100_000)
    assert (completed.exit_code, completed.flooded, len(text)) == (3, True, 100_000)


def test_a_hundred_megabytes_of_output_cost_no_memory(tmp_path: Path) -> None:
    program = f"""
import resource
from pathlib import Path
from ci_agent.sandbox import Command, open_sandbox
folder = Path({str(tmp_path)!r})
sandbox = open_sandbox(folder / "home", folder / "temporary")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
words = sandbox.shell("head -c 100000000 /dev/zero")
assert sandbox.run(Command(words, folder, 60, folder / "output", {{}})).exit_code == 0
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    grown = int(subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout)
    assert (tmp_path / "output").stat().st_size == 100_000_000
    assert grown < 10_000  # kilobytes


# --- commands that can't be started ------------------------------------------------------------------------


def test_a_program_that_does_not_exist_is_127_with_the_reason(plain: Plain, tmp_path: Path) -> None:
    completed = plain.run(Command(["no-such-program"], tmp_path, 5, tmp_path / "output", {}))
    assert completed.exit_code == 127
    assert (tmp_path / "output").read_text() == "no-such-program: command not found\n"


@pytest.mark.parametrize(
    "words", [["./plain.txt"], ["echo", "a\0b"], ["echo", "x" * 3_000_000], ["echo", "\ud800"]]
)
def test_what_can_not_be_run_is_126_with_the_reason(plain: Plain, tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "plain.txt").write_text("no program")
    completed = plain.run(Command(words, tmp_path, 5, tmp_path / "output", {}))
    assert completed.exit_code == 126
    assert "can't be run" in (tmp_path / "output").read_text()


def test_a_missing_folder_is_said(plain: Plain, tmp_path: Path) -> None:
    completed = plain.run(Command(["true"], tmp_path / "gone", 5, tmp_path / "output", {}))
    assert completed.exit_code == 126
    assert f"no folder {tmp_path / 'gone'}" in (tmp_path / "output").read_text()


def test_an_output_that_is_a_link_is_not_followed(plain: Plain, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "output").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic links"):
        run(plain, tmp_path, "echo gotcha")
    assert (tmp_path / "precious").read_text() == "precious"


@pytest.mark.parametrize(("there", "used"), [(["bash", "sh"], "bash"), (["sh"], "sh")])
def test_scripts_run_in_bash_or_else_in_sh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: list[str], used: str
) -> None:
    for name in there:
        (tmp_path / name).symlink_to(f"/bin/{name}")
    monkeypatch.setenv("PATH", str(tmp_path))
    sandbox = Plain(tmp_path / "home", tmp_path / "temporary")
    assert Path(sandbox.shell("true")[0]).name == used
    assert run(sandbox, tmp_path, "echo ran")[1] == "ran\n"


def test_without_any_shell_a_script_is_127(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    completed, text = run(Plain(tmp_path / "home", tmp_path / "temporary"), tmp_path, "echo ran")
    assert completed.exit_code == 127
    assert text == "sh: command not found\n"


# --- what commands get -------------------------------------------------------------------------------------


def test_secrets_of_the_job_are_not_visible_to_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    monkeypatch.setenv("DATABASE_URL", "sqlite://named")
    sandbox = open_sandbox(tmp_path / "home", tmp_path / "temporary", ["DATABASE_URL"])
    _, text = run(sandbox, tmp_path, "env; cat /proc/self/environ; set")
    assert "sk-canary" not in text
    assert "DATABASE_URL=sqlite://named" in text


def test_the_commands_own_variables_are_added(plain: Plain, tmp_path: Path) -> None:
    command = Command(
        plain.shell("echo $ONE $CI"), tmp_path, 5, tmp_path / "output", {"ONE": "1", "CI": "mine"}
    )
    plain.run(command)
    assert (tmp_path / "output").read_text() == "1 mine\n"


def test_open_files_of_ours_are_closed_to_a_command(plain: Plain, tmp_path: Path) -> None:
    (tmp_path / "open").write_text("canary")
    descriptor = os.open(tmp_path / "open", os.O_RDONLY)
    try:
        os.set_inheritable(descriptor, True)
        assert "canary" not in run(plain, tmp_path, f"cat <&{descriptor}")[1]
    finally:
        os.close(descriptor)


def test_a_command_can_commit_and_a_repositorys_own_identity_wins(plain: Plain, tmp_path: Path) -> None:
    script = """
        git init -q repository && cd repository && git commit -q --allow-empty -m one && git log --format=%an
        git -c user.name=Somebody commit -q --allow-empty -m two && git log -1 --format=%an
    """
    assert run(plain, tmp_path, script)[1] == "ci-agent sandbox\nSomebody\n"


def test_git_finds_no_repository_above_the_ceiling(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path / "real"], check=True)
    session = tmp_path / "real" / "session"
    (session / "work" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(session)
    sandbox = open_sandbox(session / "home", session / "tmp", ceiling=tmp_path / "link")
    completed, text = run(sandbox, session / "work", "git rev-parse --show-toplevel")
    assert completed.exit_code == 128
    assert "not a git repository" in text
    script = "git init -q && cd deep && git rev-parse --show-toplevel"
    assert run(sandbox, session / "work", script)[1] == f"{session.resolve() / 'work'}\n"


def test_a_command_writes_no_core_file_and_our_own_limit_stays(plain: Plain, tmp_path: Path) -> None:
    _, hard = before = resource.getrlimit(resource.RLIMIT_CORE)
    ours = (min(4096, hard) if hard >= 0 else 4096, hard)
    resource.setrlimit(resource.RLIMIT_CORE, ours)
    try:
        assert run(plain, tmp_path, "ulimit -c")[1] == "0\n"
        assert resource.getrlimit(resource.RLIMIT_CORE) == ours
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)


def test_pipes_break_quietly_as_they_do_in_a_shell(plain: Plain, tmp_path: Path) -> None:
    assert run(plain, tmp_path, "yes | head -n 1; echo ${PIPESTATUS[0]}")[1] == "y\n141\n"


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


def test_an_interruption_ends_the_command_before_it_goes_on(plain: Plain, tmp_path: Path) -> None:
    with pytest.raises(Interrupted), _interrupted_after(0.2):
        run(plain, tmp_path, "trap '' TERM; echo $$; sleep 60")
    assert is_gone((tmp_path / "output").read_text())


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGHUP])
def test_an_interruption_at_any_moment_leaves_no_process_behind(
    by: signal.Signals, plain: Plain, tmp_path: Path
) -> None:
    interruptions = 0
    for step in range(150):
        try:
            with _interrupted_after(0.0001 + step * 0.00003, by):
                run(plain, tmp_path, "echo $$ >> started; sleep 0.004")
        except Interrupted:
            interruptions += 1
        assert not _sessions_below_us()
    assert interruptions > 20


def _sessions_below_us() -> list[str]:
    """Our children that lead a session of their own, as every command does."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent, _, session = stat.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(parent) == os.getpid() and session == stat.parent.name and state not in "ZX":
            found.append(session)
    return found
