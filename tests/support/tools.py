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

from tests.support import act, ci_local, packages
from tests.support.junit_schema import junit_schema

_PACKAGES = {
    "node": "nodejs",
    "npm": "npm",
    "go": "golang",
    "cargo": "cargo",
    "make": "make",
    "git": "git",
    "rsync": "rsync",
}


def main() -> int:
    junit_schema()
    if not _system_packages():
        return 1
    packages.prepare()
    ci_local.install()
    act.install()
    return 0


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
