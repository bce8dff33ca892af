"""What comes onto a machine with an agent: ci-agent installed from this tree, and what each installation takes."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent

# Run by the Python of a virtual environment: the files of a distribution and of all that it needs, directly or not.
_CLOSURE = """
import json, sys
from importlib.metadata import distribution
from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.utils import canonicalize_name
waiting, found = [Requirement(sys.argv[1])], {}
while waiting:
    wanted = waiting.pop()
    name = canonicalize_name(wanted.name)
    extras = {"", *wanted.extras} - found.get(name, set())
    if extras:
        found[name] = found.get(name, set()) | extras
        for line in distribution(name).requires or ():
            needed = Requirement(line)
            if any(needed.marker is None or needed.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(needed)
files = {file.locate() for name in found for file in distribution(name).files or ()}
print(json.dumps([len(found), sum(file.stat().st_size for file in files if file.is_file())]))
"""


@dataclass(frozen=True, slots=True)
class Installed:
    """A package with all that it needs. `size` in bytes."""

    distributions: int
    size: int


def fresh(venv: Path) -> Path:
    """Install ci-agent into a new virtual environment, as a wheel made from this tree; the command."""
    pip = (str(venv / "bin/pip"), "--quiet", "--disable-pip-version-check")
    subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
    with tempfile.TemporaryDirectory(prefix="ci-agent-bench-") as wheels:
        subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", wheels, _ROOT], check=True)
        subprocess.run([*pip, "install", *Path(wheels).glob("*.whl")], check=True)
    return venv / "bin/ci-agent"


def installed(venv: Path, package: str) -> Installed:
    """What `package` takes in `venv`, less pip and whatever else is there for other reasons."""
    words = [str(venv / "bin/python"), "-c", _CLOSURE, package]
    counted = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout)
    return Installed(*counted)
