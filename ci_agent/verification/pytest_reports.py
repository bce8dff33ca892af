"""A pytest plugin that gives every run of pytest a report of its own; run by the project's own Python, 3.8 or later.

The standard library only, nothing of ci-agent. It is copied into a folder below the one for the reports, and
that folder is put on `PYTHONPATH`. pytest finds it there by its entry point; where the variable does not
arrive, or pytest loads no plugins by itself, it goes on without, and all runs write the one report that
`PYTEST_ADDOPTS` names. What tests start is no part of the project's tests, so it gets no report.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import sys
import time
from pathlib import Path
from typing import Any

OPTIONS = "PYTEST_ADDOPTS"
REPORTS = Path(__file__).absolute().parent.parent


def pytest_configure(config: Any) -> None:
    """Rename the report, before pytest's own plugin, which was loaded earlier and is therefore asked later."""
    path = Path(getattr(config.option, "xmlpath", None) or "")
    # A worker of pytest-xdist writes none; a path of the project's own is left alone.
    if path.parent != REPORTS or hasattr(config, "workerinput"):
        return
    config.option.xmlpath = str(path.with_name(f"{path.stem}-{_run()}.xml"))
    before = os.environ.get(OPTIONS, "")
    words = [word for word in shlex.split(before) if not word.startswith(f"--junitxml={REPORTS}")]
    os.environ[OPTIONS] = " ".join(map(shlex.quote, words))
    # A process can run pytest a second time.
    config.add_cleanup(lambda: os.environ.update({OPTIONS: before}))


def _run() -> str:
    """A name that no other run has; the names sort in the same way whatever runs first, at another time too."""
    call = repr((Path.cwd(), sys.argv[1:])).encode("utf-8", "replace")
    return f"{hashlib.sha256(call).hexdigest()[:12]}-{time.time_ns()}-{os.getpid()}"
