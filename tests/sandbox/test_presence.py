"""Whether a session is the only one of its user."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from ci_agent.sandbox.presence import Presence
from tests.sandbox.confining import ground, needs_landlock, run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the locks are Linux'")

# Says when it is there, and stays until it is told to go.
_OTHER = """
import sys
from pathlib import Path
from ci_agent.sandbox.presence import Presence
here = Presence(Path(sys.argv[1]))
print("here", flush=True)
sys.stdin.read()
"""


@contextmanager
def another(file: Path) -> Iterator[subprocess.Popen[str]]:
    """A session of the same user in another process, which begins."""
    words = [sys.executable, "-c", _OTHER, str(file)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process


def is_alone(presence: Presence) -> bool:
    with presence.alone() as alone:
        return alone


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_who_is_alone_is_so_until_another_one_comes_and_when_that_one_is_gone(tmp_path: Path) -> None:
    with closing(Presence(tmp_path / "lock")) as presence:
        assert is_alone(presence)
        with another(tmp_path / "lock") as process:
            assert said(process) == "here\n"
            assert not is_alone(presence)
            process.kill()  # it had no time to say good-bye
        assert is_alone(presence)
    assert not is_alone(presence)


def test_sessions_of_one_process_see_each_other(tmp_path: Path) -> None:
    with closing(Presence(tmp_path / "lock")) as one:
        with closing(Presence(tmp_path / "lock")) as other:
            assert not is_alone(one)
            assert not is_alone(other)  # the vain attempt of the first one has not given up its place
            assert not is_alone(one)
        assert is_alone(one)
        other.close()
        assert is_alone(one)


def test_nobody_begins_while_somebody_is_alone(tmp_path: Path) -> None:
    with closing(Presence(tmp_path / "lock")) as presence, ExitStack() as ending:
        with presence.alone() as alone:
            assert alone
            process = ending.enter_context(another(tmp_path / "lock"))
            inode = f":{(tmp_path / 'lock').stat().st_ino} "
            while not any("->" in line and inode in line for line in locks()):
                assert process.poll() is None
        assert said(process) == "here\n"


def locks() -> list[str]:
    """Those of all processes, and the attempts that wait for one, see proc(5)."""
    return Path("/proc/locks").read_text().splitlines()


@pytest.mark.parametrize("what", ["link", "open to others", "somebody else's", "folder", "nowhere"])
def test_a_file_that_is_not_ours_alone_proves_nothing(what: str, tmp_path: Path) -> None:
    file = tmp_path / "lock"
    if what == "link":
        (tmp_path / "ours").touch(0o600)
        file.symlink_to("ours")
    elif what == "folder":
        file.mkdir(0o700)
    elif what == "nowhere":
        file = tmp_path / "missing" / "lock"
    else:
        file.touch(0o666 if what == "open to others" else 0o600)
        if what == "somebody else's":
            if os.geteuid():
                pytest.skip("only root can give a file away")
            os.chown(file, 1, 1)
    with closing(Presence(file)) as presence:
        assert not is_alone(presence)


@needs_landlock
def test_commands_can_not_open_the_file(tmp_path: Path) -> None:
    file = Path(f"/var/tmp/ci-agent-{os.geteuid()}.lock")
    with closing(Presence()), ground() as place:
        assert (file.stat().st_mode & 0o777, file.stat().st_uid) == (0o600, os.geteuid())
        _, text = run(place.sandbox(), place.folder, f"exec < {file} || rm -f {file}; echo $?")
    assert text.count("ermission denied") == 2, text
    assert file.exists()
