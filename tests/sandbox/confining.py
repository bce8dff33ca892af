"""A confined sandbox of a test's own, around a folder with a short name."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from ci_agent.sandbox import Command, Completed, Sandbox
from ci_agent.sandbox.confined import Confined, World
from ci_agent.sandbox.environment import build
from ci_agent.sandbox.home import prepare
from ci_agent.sandbox.keeper.messages import Bounds, Plan
from ci_agent.sandbox.keeping import Keeper
from ci_agent.sandbox.kernel import calls, landlock
from ci_agent.sandbox.places import machine_places

SOURCE = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
FULL = Plan(landlock=True, filter=True, supervised=True)
BOUNDS = Bounds(memory=8 << 30, processes=4_096, file_size=4 << 30, open_files=65_536, free_disk=1 << 20)

needs_landlock = pytest.mark.skipif(
    not calls.SUPPORTED or not landlock.version(), reason="this kernel has no Landlock"
)


@dataclass
class Ground:
    """A keeper, and a sandbox in which commands may change `folder`. `refused` is what they tried to reach in vain."""

    folder: Path
    keeper: Keeper
    refused: dict[str, int] = field(default_factory=dict)

    def sandbox(self, plan: Plan = FULL, **bounds: int) -> Confined:
        """One by this plan, with other bounds where they are given."""
        home, temporary = self.folder / "home", self.folder / "tmp"
        prepare(home, temporary)
        environment = build(SOURCE, home, temporary)
        places = machine_places(environment, SOURCE).adding(
            [Path(sys.prefix), Path(sys.base_prefix)], [self.folder]
        )
        world = World(environment, places.readable, (), places.writable, (self.folder,))
        keeper, refused = self.keeper, self.refused
        return Confined(keeper, plan, replace(BOUNDS, **bounds), world, lambda _: {}, refused.update)


@contextmanager
def ground() -> Iterator[Ground]:
    """A new one; its name is short, since the address of a socket has 108 bytes."""
    with tempfile.TemporaryDirectory(prefix="k-", dir="/tmp", ignore_cleanup_errors=True) as name:
        made = Ground(Path(name), Keeper())
        try:
            yield made
        finally:
            made.keeper.close()


def run(
    sandbox: Sandbox, folder: Path, script: str, *, timeout: float = 20, limit: int = 1_000_000
) -> tuple[Completed, str]:
    """Run a script in `folder`: how it ended, and what it wrote."""
    return run_words(sandbox, folder, *sandbox.shell(script), timeout=timeout, limit=limit)


def python(sandbox: Sandbox, folder: Path, program: str, *arguments: object, timeout: float = 30) -> str:
    """What a Python program writes, which must not fail."""
    words = map(str, (sys.executable, "-c", program, *arguments))
    completed, text = run_words(sandbox, folder, *words, timeout=timeout)
    assert completed.exit_code == 0, text
    return text


def run_words(
    sandbox: Sandbox, folder: Path, *words: str, timeout: float = 30, limit: int = 1_000_000
) -> tuple[Completed, str]:
    """Run a program with its arguments likewise."""
    output = folder / "output"
    completed = sandbox.run(Command(words, folder, timeout, output, {}, limit))
    return completed, output.read_text(errors="replace")


def is_gone(pid: str) -> bool:
    """Whether the process has ended, collected by its parent or not."""
    stat = Path("/proc", pid.strip(), "stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] in "ZX"


def running(mark: str) -> list[int]:
    """The processes that have this among their arguments."""
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if mark.encode() in line.read_bytes().split(b"\0"):
                found.append(int(line.parent.name))
        except OSError:
            continue
    return found


def kept_open(process: int | str) -> int:
    """How many descriptors a process keeps, but for rules that the keeper makes ready for the next command when there is
    time, and the places that it opens for that, one after the other."""
    kept = 0
    for link in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            what = str(link.readlink())
            kept += what[0] != "/" and "landlock-ruleset" not in what
    return kept
