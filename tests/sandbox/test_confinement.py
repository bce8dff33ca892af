"""The strongest confinement that a machine has, what is said about it, and what happens where it is too weak."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ci_agent.config import SandboxSettings
from ci_agent.sandbox import Command
from ci_agent.sandbox.confinement import Confinement, ConfinementError
from ci_agent.sandbox.home import prepare
from ci_agent.sandbox.proof import Level
from tests.sandbox.confining import needs_landlock
from tests.support.profiles import Profile, entering, missing

# Prints the level, what is open, what is lacking, and what becomes of a command.
_PROGRAM = """
import json, sys, tempfile
from pathlib import Path
from ci_agent.config import SandboxSettings
from ci_agent.sandbox import Command
from ci_agent.sandbox.confinement import Confinement, ConfinementError
with tempfile.TemporaryDirectory(prefix="c-", dir="/tmp") as name:
    folder = Path(name)
    confinement = Confinement(SandboxSettings(allow=sys.argv[1]), folder)
    refusal = ""
    try:
        confinement.require()
    except ConfinementError as error:
        refusal = str(error)
    (folder / "work").mkdir()
    sandbox = confinement.sandbox(folder / "work", folder / "home", folder / "tmp")
    output = folder / "output"
    completed = sandbox.run(Command(sandbox.shell("echo ran"), folder / "work", 20, output, {}))
    confinement.close()
    proof = confinement.proof
    print(json.dumps([proof.level, proof.open, proof.lacking, refusal, output.read_text()]))
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="c-", dir="/tmp") as name:
        yield Path(name)


def within(profile: Profile, allow: str, *, old_kernel: bool) -> tuple[str, list[str], list[str], str, str]:
    if reason := missing(profile):
        pytest.skip(reason)
    words = [*entering(profile, old_kernel=old_kernel), sys.executable, "-c", _PROGRAM, allow]
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        words, capture_output=True, text=True, check=True, timeout=60, env={**os.environ, "PYTHONPATH": root}
    )
    level, opened, lacking, refusal, ran = json.loads(done.stdout.splitlines()[-1])
    return level, opened, lacking, refusal, ran


@needs_landlock
@pytest.mark.parametrize("profile", Profile)
def test_every_place_where_jobs_run_has_the_full_level(profile: Profile) -> None:
    level, opened, lacking, refusal, ran = within(profile, "full", old_kernel=False)
    assert (level, opened, lacking, refusal, ran) == ("full", [], [], "", "ran\n")


@pytest.mark.parametrize("profile", [Profile.DOCKER_ROOT, Profile.DOCKER_UID])
def test_an_old_kernel_is_told_apart_and_refused(profile: Profile) -> None:
    level, opened, lacking, refusal, ran = within(profile, "full", old_kernel=True)
    assert level in ("none", "secrets")
    assert "reading files outside of the workspace" in opened
    assert "connections to other machines" in opened
    assert len(lacking) == 2
    assert lacking[0].startswith("Landlock, which closes files")
    assert lacking[1].startswith("seccomp, which closes the network")
    assert f"the level is `{level}`, at least `full` is wanted, so nothing was run" in refusal
    assert f"set `sandbox.allow: {level}`" in refusal
    assert "Missing: Landlock" in refusal
    assert ran == "ran\n"  # for who asks all the same


def test_with_allow_none_commands_run_on_an_old_kernel() -> None:
    _, _, _, refusal, ran = within(Profile.DOCKER_CAPLESS, "none", old_kernel=True)
    assert (refusal, ran) == ("", "ran\n")


def test_where_nothing_can_be_started_nothing_is_proved(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(Exception, match="can't be started"):
        Confinement(SandboxSettings(), folder)


@needs_landlock
@pytest.mark.parametrize(("network", "reaches"), [("off", False), ("allowlist", False), ("open", True)])
def test_the_setting_of_the_network_decides_what_is_proved(network: str, reaches: bool, folder: Path) -> None:
    confinement = Confinement(SandboxSettings(network=network), folder)
    try:
        assert ("connections to other machines" in confinement.proof.open) is reaches
        assert confinement.proof.level is (Level.FILES if reaches else Level.FULL)
        assert confinement.refused() == ()  # the self-test's own attempts are no wish of the work
    finally:
        confinement.close()


@needs_landlock
def test_the_self_test_leaves_nothing_behind(folder: Path) -> None:
    before = {thread.name for thread in Path("/proc/self/task").iterdir()}
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    confinement = Confinement(SandboxSettings(network="off"), folder)
    confinement.require()
    confinement.close()
    confinement.close()
    assert list(folder.iterdir()) == []
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
    assert {thread.name for thread in Path("/proc/self/task").iterdir()} <= before


@needs_landlock
def test_what_is_readable_for_one_command_is_not_for_the_next(folder: Path) -> None:
    confinement = Confinement(SandboxSettings(network="off"), folder)
    try:
        for name in ("work", "outputs"):
            (folder / name).mkdir()
        (folder / "outputs/first").write_text("said before\n")
        sandbox = confinement.sandbox(folder / "work", folder / "home", folder / "tmp")
        words = sandbox.shell("cat ../outputs/first; echo >> ../outputs/first")
        log = folder / "log"
        sandbox.run(Command(words, folder / "work", 20, log, {}, readable=(folder / "outputs",)))
        assert log.read_text().startswith("said before\n")
        assert "ermission denied" in log.read_text()
        sandbox.run(Command(words, folder / "work", 20, log, {}))
        assert "said before" not in log.read_text()
    finally:
        confinement.close()


def test_a_link_that_a_command_put_in_its_home_is_not_written_through(folder: Path) -> None:
    (folder / "home").mkdir()
    (folder / "home/.gitconfig").symlink_to(folder / "made")
    prepare(folder / "home", folder / "tmp")
    assert not (folder / "made").exists()


def test_a_weak_machine_is_refused_with_the_remedy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ci_agent.sandbox.kernel.calls.SUPPORTED", False)
    confinement = Confinement(SandboxSettings(), folder)
    with pytest.raises(ConfinementError, match="Use a runner whose kernel has what is missing") as raised:
        confinement.require()
    assert "set `sandbox.allow: none`" in str(raised.value)
    assert confinement.proof.level is Level.NONE
    allowed = Confinement(SandboxSettings(allow="none"), folder)
    allowed.require()


def downloads_kept(folder: Path) -> list[str]:
    """What a room's caches have, where something was downloaded into the session's before and after they were kept."""
    with closing(Confinement(SandboxSettings(network="off"), folder)) as confinement:
        for number, name in enumerate(("first", "second"), 1):
            confinement.sandbox(folder / "work", folder / "home", folder / "tmp")
            (folder / "caches/pip" / name).write_text(name)
            confinement.keep_downloads()
            room = folder / f"room-{number}"
            confinement.sandbox(room / "work", room / "home", room / "tmp", caches=room / "caches")
        return sorted(path.name for path in (folder / "room-2/caches/pip").iterdir())


@needs_landlock
def test_what_was_kept_first_is_found_by_all_that_follow_and_nothing_later(folder: Path) -> None:
    assert downloads_kept(folder) == ["first"]


def test_where_commands_could_change_it_nothing_is_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ci_agent.sandbox.kernel.calls.SUPPORTED", False)
    assert downloads_kept(folder) == []
