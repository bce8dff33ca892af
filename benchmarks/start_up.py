"""How long small commands take, and what they import."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

# Runs an entry point as the shell would, then prints what it imported that Python does not bring along.
_IMPORTED = """
import json, runpy, sys
before = set(sys.modules)
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit:
    pass
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print("\\n" + json.dumps(sorted(new - sys.stdlib_module_names - {"ci_agent"})))
"""


def medians(commands: Mapping[str, Sequence[str]], runs: int) -> dict[str, float]:
    """The median of `runs` runs of each command, in seconds. They take turns; the first turn does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(runs + 1):
        for name, words in commands.items():
            taken = _timed(words)
            if turn:
                seconds[name].append(taken)
    return {name: median(taken) for name, taken in seconds.items()}


def imported(executable: Path, argument: str) -> list[str]:
    """The packages beyond the standard library and ci-agent's own that a Python entry point imports."""
    words = [str(executable.parent / "python"), "-c", _IMPORTED, str(executable), argument]
    output = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
    names: list[str] = json.loads(output.splitlines()[-1])
    return names


def _timed(words: Sequence[str]) -> float:
    started = time.monotonic()
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return time.monotonic() - started
