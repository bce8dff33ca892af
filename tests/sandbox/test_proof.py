"""The self-test finds out what is open, believes nobody's word alone, and takes what it can't find out for open."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from ci_agent.sandbox import Command, Completed, Sandbox
from ci_agent.sandbox.keeper.messages import Plan
from ci_agent.sandbox.plain import Plain
from ci_agent.sandbox.proof import Level, Proof, prove, unproved
from tests.sandbox.confining import FULL, Ground, ground, needs_landlock


@pytest.fixture
def place() -> Iterator[Ground]:
    with ground() as made:
        yield made


def proved(sandbox: Sandbox, place: Ground) -> Proof:
    home = place.folder.with_name(place.folder.name + "h")
    home.mkdir()
    try:
        return prove(sandbox, place.folder, home / "outside", home)
    finally:
        shutil.rmtree(home)


@dataclass
class Instead:
    """A sandbox in which another program runs in the probe's place; the real one before it, when it is `after`."""

    sandbox: Sandbox
    program: str
    after: bool = False

    def run(self, command: Command) -> Completed:
        if self.after:
            self.sandbox.run(command)
        words = (sys.executable, "-c", self.program, *command.words[-1:])
        return self.sandbox.run(
            Command(words, command.cwd, 2, command.output, {}, command.output_limit, command.readable)
        )

    def within(self, environment: Path) -> Sandbox:
        raise NotImplementedError

    def shell(self, script: str) -> Sequence[str]:
        raise NotImplementedError


@needs_landlock
@pytest.mark.parametrize(
    ("plan", "level", "closed"),
    [
        (FULL, Level.FULL, {"read", "tcp", "harness"}),
        (Plan(True, True, False, loopback_only=False), Level.FILES, {"read", "harness"}),
        (Plan(True, False, False, loopback_only=False), Level.FILES, {"read", "harness"}),
    ],
)
def test_each_plan_has_its_level(plan: Plan, level: Level, closed: set[str], place: Ground) -> None:
    proof = proved(place.sandbox(plan), place)
    assert (proof.level, proof.broken) == (level, ())
    words = {
        "read": "reading files outside of the workspace",
        "tcp": "connections to other machines",
        "harness": "the memory of ci-agent's own process",
    }
    assert {name for name in words if words[name] not in proof.open} == closed


def test_without_any_confinement_all_that_this_machine_shows_is_open(place: Ground) -> None:
    proof = proved(Plain(place.folder / "home", place.folder / "tmp"), place)
    assert proof.level is Level.NONE
    assert {"reading files outside of the workspace", "connections to other machines"} <= set(proof.open)


def test_what_cannot_be_understood_proves_nothing(place: Ground) -> None:
    sandbox = Plain(place.folder / "home", place.folder / "tmp")
    for program in (
        "raise SystemExit(3)",
        "print('garbage')",
        "print('[1, 2]')",
        "print('\\xff')",
        "import os; os.kill(os.getpid(), 9)",
        "pass",
        "print('{' * 200000)",
    ):
        proof = proved(Instead(sandbox, program), place)
        assert proof.level is Level.NONE
        assert proof.open == unproved("").open
        assert proof.broken == ("the self-test could not be run",)


def test_a_probe_that_hangs_proves_nothing(place: Ground) -> None:
    proof = proved(
        Instead(Plain(place.folder / "home", place.folder / "tmp"), "import time; time.sleep(60)"), place
    )
    assert (proof.level, proof.broken) == (Level.NONE, ("the self-test could not be run",))


@pytest.mark.parametrize("said", ["{}", '{"read": false}', '{"works: programs": true}'])
def test_what_was_not_tried_counts_as_open(said: str, place: Ground) -> None:
    proof = proved(Instead(Plain(place.folder / "home", place.folder / "tmp"), f"print({said!r})"), place)
    assert proof.level is Level.NONE


_LYING = """
import json
from ci_agent.sandbox.proof import _MEANING
print(json.dumps({name: False for name in _MEANING}))
"""


def test_a_lying_probe_is_believed_less_than_what_was_heard_outside(place: Ground) -> None:
    sandbox = Plain(place.folder / "home", place.folder / "tmp")
    path = f"import sys; sys.path[:] = {sys.path!r}\n"
    assert proved(Instead(sandbox, path + _LYING), place).level is Level.FULL  # nobody did anything
    proof = proved(Instead(sandbox, path + _LYING, after=True), place)
    assert proof.level is Level.FILES
    assert set(proof.open) >= {
        "connections to other machines",
        "services of this machine that listen on a file, such as Docker's",
        "services of this machine that listen on an abstract name",
    }


def test_what_commands_could_not_do_is_told(place: Ground) -> None:
    said: Mapping[str, bool] = {"works: workspace": False, "works: programs": True}
    program = f"import json; print(json.dumps({said!r}))"
    proof = proved(Instead(Plain(place.folder / "home", place.folder / "tmp"), program), place)
    assert proof.broken == ("workspace",)
