"""Installs what the tests need beyond Python packages: `python -m tests.support.tools`.

The JUnit schema, and the runners of other languages whose projects the tests work on. What is there is left as
it is; what is missing comes from Debian's packages, where this is a Debian that lets us.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from tests.support.junit_schema import junit_schema

_PACKAGES = {"node": "nodejs", "npm": "npm", "go": "golang", "cargo": "cargo", "make": "make", "git": "git"}


def main() -> int:
    junit_schema()
    missing = {tool: package for tool, package in _PACKAGES.items() if shutil.which(tool) is None}
    if not missing:
        return 0
    if shutil.which("apt-get") is None:
        print(f"the tests need {', '.join(missing)}; please install them", file=sys.stderr)
        return 1
    sudo = ["sudo"] if os.geteuid() else []
    for words in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *missing.values()]):
        done = subprocess.run([*sudo, "apt-get", *words], check=False, stdout=subprocess.DEVNULL)
        if done.returncode:
            print(f"apt-get {words[0]} failed; please install {', '.join(missing)}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
