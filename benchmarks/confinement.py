"""What the confinement of commands costs: per command, and once per session."""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ci_agent.config import SandboxSettings
from ci_agent.sandbox import Command, Sandbox
from ci_agent.sandbox.confinement import Confinement
from ci_agent.sandbox.plain import Plain


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds. `level` is what the self-test found."""

    confined: float
    plain: float
    self_test: float
    level: str


def costs(runs: int) -> Costs:
    """The median of `runs` runs of /bin/true in either sandbox, in turn; and the median of five self-tests."""
    with tempfile.TemporaryDirectory(prefix="b-", dir="/tmp") as name:
        folder = Path(name)
        tests = []
        for _ in range(5):
            confinement = Confinement(SandboxSettings(network="off"), folder)
            tests.append(confinement.proof.seconds)
            level = str(confinement.proof.level)
            if len(tests) < 5:
                confinement.close()
        assert level == "full", f"only the level {level} could be reached, so these would be no figures"
        (folder / "work").mkdir()
        plain: Sandbox = Plain(folder / "plain-home", folder / "plain-tmp")
        confined = confinement.sandbox(folder / "work", folder / "home", folder / "tmp")
        seconds: dict[Sandbox, list[float]] = {plain: [], confined: []}
        for _ in range(runs):
            for sandbox, taken in seconds.items():
                started = time.perf_counter()
                completed = sandbox.run(Command(["/bin/true"], folder / "work", 20, folder / "output", {}))
                taken.append(time.perf_counter() - started)
                assert completed.exit_code == 0
        confinement.close()
        return Costs(median(seconds[confined]), median(seconds[plain]), median(tests), level)
