"""A pytest plugin that gives every run of pytest a report of its own; run by the project's own Python, 3.8 or later.

The standard library only, nothing of ci-agent. It is copied into a folder below the one for the reports, and
that folder is put on `PYTHONPATH`. pytest finds it there by its entry point; where the variable does not
arrive, or pytest loads no plugins by itself, it goes on without, and all runs write the one report that
`PYTEST_ADDOPTS` names. What tests start is no part of the project's tests, so it gets no report.

Where they are asked for, it also hands on a seed to pytest-randomly, and says which lines are run.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import shlex
import sys
import time
from pathlib import Path
from typing import Any

OPTIONS = "PYTEST_ADDOPTS"
SEED = "CI_AGENT_SEED"
LINES = "CI_AGENT_LINES"
REPORTS = Path(__file__).absolute().parent.parent


def pytest_load_initial_conftests(early_config: Any) -> None:
    """Before anything of the project is imported: lines that run on import count too.

    pytest-cov decides by the same option whether it measures; where it does, it is left alone.
    """
    if LINES not in os.environ:
        return
    if getattr(early_config.known_args_namespace, "cov_source", None):
        why = "the project measures its coverage itself, by pytest-cov"
        Path(os.environ[LINES], "problem.txt").write_text(why, encoding="utf-8")
    else:
        early_config.add_cleanup(importlib.import_module("ci_agent_lines").start())


def pytest_configure(config: Any) -> None:
    """Rename the report, before pytest's own plugin, which was loaded earlier and is therefore asked later."""
    if getattr(config.option, "randomly_seed", None) == "default" and SEED in os.environ:
        config.option.randomly_seed = int(os.environ[SEED])
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


def pytest_collection_modifyitems(items: Any) -> None:
    """In the report stands the file in which a test is collected, by which it can be run again. pytest would name the
    one that defines it, which for inherited tests is another."""
    for item in items:
        file, found, rest = item.nodeid.partition("::")
        if found and rest and item.location[0] != file:
            item.__dict__["location"] = (file, None, item.location[2])  # a cached property


# Asked first, or pytest-randomly has chosen a seed already. This is what `pytest.hookimpl(tryfirst=True)` notes on
# the function, without importing pytest: https://pluggy.readthedocs.io/en/stable/.
pytest_configure.pytest_impl = {"tryfirst": True}  # type: ignore[attr-defined]


def _run() -> str:
    """A name that no other run has; the names sort in the same way whatever runs first, at another time too."""
    call = repr((Path.cwd(), sys.argv[1:])).encode("utf-8", "replace")
    return f"{hashlib.sha256(call).hexdigest()[:12]}-{time.time_ns()}-{os.getpid()}"
