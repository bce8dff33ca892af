"""Installs what the tests need beyond Python packages: `python -m tests.support.tools`.

The JUnit schema, the runners of other languages whose projects the tests work on, and what runs our workflows and
pipelines. What is there is left as it is; what is missing comes from Debian's packages, where this is a Debian that
lets us, and from the registries of the languages.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support import act, ci_local, packages, real_projects
from tests.support.junit_schema import junit_schema
from tests.verification.ecosystem_projects import MAVEN, laid_out

_PACKAGES = {
    "node": "nodejs",
    "npm": "npm",
    "go": "golang",
    "cargo": "cargo",
    "javac": "default-jdk-headless",
    "mvn": "maven",
    "cc": "gcc",
    "ctest": "cmake",
    "bats": "bats",
    "make": "make",
    "git": "git",
    "rsync": "rsync",
    "sudo": "sudo",  # a hosted runner has it; the tests for attacks imitate one
}


def main() -> int:
    junit_schema()
    if not _system_packages():
        return 1
    packages.prepare()
    _maven_plugins()
    ci_local.install()
    act.install()
    real_projects.prepare()
    return 0


def _maven_plugins() -> None:
    """Maven fetches its plugins and JUnit when it first needs them; the tests find them in its repository."""
    with tempfile.TemporaryDirectory() as folder:
        root = laid_out(Path(folder), MAVEN)
        words = ["mvn", "-B", "-q", "test", "-Dmaven.test.failure.ignore=true"]
        subprocess.run(words, cwd=root, check=True, stdout=subprocess.DEVNULL)


def _system_packages() -> bool:
    missing = {tool: package for tool, package in _PACKAGES.items() if shutil.which(tool) is None}
    if not missing:
        return True
    if shutil.which("apt-get") is None:
        print(f"the tests need {', '.join(missing)}; please install them", file=sys.stderr)
        return False
    sudo = ["sudo"] if os.geteuid() else []
    for words in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *missing.values()]):
        done = subprocess.run([*sudo, "apt-get", *words], check=False, stdout=subprocess.DEVNULL)
        if done.returncode:
            print(f"apt-get {words[0]} failed; please install {', '.join(missing)}", file=sys.stderr)
            return False
    return True


if __name__ == "__main__":
    sys.exit(main())
