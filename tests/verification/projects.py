"""Small real projects for the tests of this folder, and what is needed to run them."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ci_agent.journal.events import Moment, TestsChosen, TestsRan
from ci_agent.sandbox import Sandbox
from ci_agent.sandbox.caches import Caches, private_caches
from ci_agent.sandbox.plain import Plain
from ci_agent.verification import choose, run_tests


def sandbox(tmp_path: Path) -> Sandbox:
    return Plain(tmp_path / "home", tmp_path / "temporary", caches=_caches())


@cache
def _caches() -> Caches:
    """What this machine has fetched already, so that nothing asks the network; one for all tests."""
    folder = Path(tempfile.mkdtemp(prefix="caches-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return private_caches(folder, os.environ, ("cargo", "go", "maven", "npm"))


def project(tmp_path: Path, files: Mapping[str, str], *, pytest: bool = True, plugins: bool = False) -> Path:
    """A project of `files` whose Python is the one that runs these tests, with or without pytest.

    `plugins`: whether pytest loads the plugins it finds; loading them takes longer than the tests.
    """
    root = tmp_path / "project"
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    python = root / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    options = "" if pytest else "-S "  # no site-packages
    quick = "" if plugins else "export PYTEST_DISABLE_PLUGIN_AUTOLOAD=1"
    python.write_text(f'#!/bin/sh\n{quick}\nexec "{sys.executable}" {options}"$@"\n')
    python.chmod(0o755)
    return root


def run(tmp_path: Path, root: Path, chosen: TestsChosen | str = "", **options: object) -> TestsRan:
    """Run the tests of `root`: those detected, those of a command line, or those chosen."""
    if not isinstance(chosen, TestsChosen):
        chosen = choose(root, chosen, sandbox(tmp_path))
    arguments: dict[str, Any] = {"moment": Moment.BEFORE, "timeout": 60.0, **options}
    return run_tests(
        chosen, root=root, tree="t" * 40, sandbox=sandbox(tmp_path), logs=tmp_path / "logs", **arguments
    )


def results(ran: TestsRan) -> dict[str, str]:
    return {case.id: str(case.result) for case in ran.cases}
