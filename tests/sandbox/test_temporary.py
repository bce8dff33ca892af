"""TMPDIR of commands."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import closing
from pathlib import Path

import pytest

from ci_agent.config import load
from ci_agent.sandbox import Command
from ci_agent.sandbox.confinement import Confinement
from ci_agent.sandbox.deleting import scratch
from ci_agent.sandbox.temporary import TemporaryFolders


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    """A folder with a name so long that no socket has an address in it."""
    folder = tmp_path / ("a" * 60) / ("b" * 60)
    folder.mkdir(parents=True)
    return folder


def test_a_socket_with_a_long_name_fits_however_deep_the_session_lies(deep: Path) -> None:
    with closing(TemporaryFolders()) as folders:
        place = folders.new(deep / "tmp")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(place / ("x" * 60)))
            assert (deep / "tmp" / ("x" * 60)).is_socket()
        assert (place.stat().st_mode & 0o777) == 0o700
    assert not place.exists()


def test_a_new_one_holds_nothing_of_the_one_before(deep: Path) -> None:
    with closing(TemporaryFolders()) as folders:
        first = folders.new(deep / "tmp")
        (first / "left").touch()
        second = folders.new(deep / "tmp")
        assert not first.exists()
        assert list((deep / "tmp").iterdir()) == []
    assert not second.exists()


def test_one_whose_name_is_gone_goes_with_the_next(deep: Path) -> None:
    with closing(TemporaryFolders()) as folders:
        first = folders.new(deep / "room" / "tmp")
        second = folders.new(deep / "tmp")
        (deep / "room" / "tmp").unlink()
        folders.new(deep / "other")
        assert (first.exists(), second.exists()) == (False, True)


def test_however_deep_a_command_made_it_nothing_is_left(deep: Path) -> None:
    with closing(TemporaryFolders()) as folders:
        place = folders.new(deep / "tmp")
        _dig(place)
        folders.new(deep / "tmp")
        assert not place.exists()
    with scratch("deep-") as folder:
        _dig(folder)
    assert not folder.exists()


def _dig(folder: Path) -> None:
    """Folders in folders, more than Python calls functions in functions."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(sys.getrecursionlimit() + 100):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)


def test_commands_make_sockets_in_their_own(deep: Path) -> None:
    settings = load(file=None, environment={}, flags={}).config.sandbox
    work = deep / "work"
    work.mkdir()
    script = 'python3 -c "import multiprocessing as m; print(m.Manager().list([1]))"; echo $TMPDIR'
    with closing(Confinement(settings, deep)) as confinement:
        sandbox = confinement.sandbox(work, deep / "home", deep / "tmp")
        sandbox.run(Command(sandbox.shell(script), work, 60, deep / "output", {}))
        first, place = (deep / "output").read_text().splitlines()
    assert first == "[1]"
    assert not Path(place).exists()
