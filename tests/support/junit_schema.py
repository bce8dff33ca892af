"""Gets the JUnit schema that pytest ships in its source distribution, and keeps it under `.cache/`.

`python tests/support/junit_schema.py` prints where it is. The schema is Jenkins' own (`junit-10.xsd`, MIT).
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PYTEST = "9.2.0"  # any version from 4.6 on has the same file
INSIDE = f"pytest-{PYTEST}/testing/example_scripts/junit-10.xsd"
SCHEMA = Path(__file__).parents[2] / ".cache" / "junit-10.xsd"


def junit_schema() -> Path:
    """The schema's path; downloaded with pip when it is not there yet. Raises `RuntimeError` without one."""
    if SCHEMA.exists():
        return SCHEMA
    SCHEMA.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=SCHEMA.parent) as folder:
        words = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "pytest"]
        got = subprocess.run(
            [*words, "--dest", folder, f"pytest=={PYTEST}"], capture_output=True, text=True, check=False
        )
        if got.returncode:
            raise RuntimeError(
                f"pip could not get pytest's source, which has the JUnit schema:\n{got.stderr}"
            )
        with tarfile.open(Path(folder, f"pytest-{PYTEST}.tar.gz")) as archive:
            member = archive.extractfile(INSIDE)
            assert member is not None
            part = Path(folder, SCHEMA.name)
            part.write_bytes(member.read())
        part.replace(SCHEMA)  # at once, for those who fetch it at the same time
    return SCHEMA


if __name__ == "__main__":
    print(junit_schema())
