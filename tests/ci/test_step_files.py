"""The files by which a step steers what runs after it: nobody but us writes there."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ci_agent.ci.output import GitHubOutput
from ci_agent.ci.step_files import NOT_OURS, unsteered
from ci_agent.guard import Guard


def appended(file: Path) -> None:
    with file.open("a") as more:
        more.write("NODE_OPTIONS=--require /tmp/evil.js\n")


def replaced(file: Path) -> None:
    size = file.stat().st_size
    file.write_text("X" * size)


def removed(file: Path) -> None:
    file.unlink()
    file.write_text("BASH_ENV=/tmp/evil\n")


ATTACKS = [appended, replaced, removed]


@pytest.mark.parametrize("name", NOT_OURS)
@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("before", ["", "FROM=an earlier step\n"])
def test_what_a_command_wrote_is_taken_out_and_told(
    tmp_path: Path, name: str, attack: Callable[[Path], None], before: str
) -> None:
    file, log = tmp_path / "file", io.StringIO()
    file.write_text(before)
    with unsteered({name: str(file)}, log):
        attack(file)
        changed = file.read_text() != before
    assert file.read_text() == before
    assert (f"Something else than ci-agent wrote into {name}" in log.getvalue()) is changed


def test_what_nobody_touched_is_not_spoken_of(tmp_path: Path) -> None:
    log = io.StringIO()
    (tmp_path / "env").write_text("A=1\n")
    with unsteered({"GITHUB_ENV": str(tmp_path / "env"), "GITHUB_PATH": str(tmp_path / "none")}, log):
        pass
    assert log.getvalue() == ""
    assert sorted(tmp_path.iterdir()) == [tmp_path / "env"]


def test_a_link_or_a_pipe_in_its_place_is_neither_followed_nor_waited_for(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("mine")
    for put in (lambda file: file.symlink_to(target), os.mkfifo):
        file, log = tmp_path / "env", io.StringIO()
        file.write_text("A=1\n")
        with unsteered({"GITHUB_ENV": str(file)}, log):
            file.unlink()
            put(file)
        assert "Something else" in log.getvalue()
        assert "can't be written" in log.getvalue()
        file.unlink()
    assert target.read_text() == "mine"


@pytest.mark.parametrize("attack", ATTACKS)
def test_our_outputs_hold_what_we_said_and_nothing_else(
    tmp_path: Path, attack: Callable[[Path], None]
) -> None:
    file, log = tmp_path / "output", io.StringIO()
    file.touch()
    output = GitHubOutput({"GITHUB_OUTPUT": str(file)}, log, Guard())
    output.values({"status": "failed"})
    attack(file)
    output.values({"answer": "EOF\nx=1"})
    lines = file.read_text().splitlines()
    (first, second) = [line for line in lines if "<<end-" in line]
    assert lines == [
        *(first, "failed", first.partition("<<")[2]),
        *(second, "EOF", "x=1", second.partition("<<")[2]),
    ]
    assert first.partition("<<")[2] != second.partition("<<")[2]
    assert "Something else than ci-agent wrote into GITHUB_OUTPUT" in log.getvalue()
