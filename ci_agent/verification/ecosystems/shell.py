"""Shell: Bats.

Entries of data and the pure functions in them; nothing is run here. Flags: `bats --help`; the JUnit formatter is
there from Bats 1.2 (https://bats-core.readthedocs.io). Tests run in the order of their files; there is no seed,
and no coverage.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ci_agent.verification.ecosystems.words import any_of, appended, call, into, last_call
from ci_agent.verification.project import Project
from ci_agent.verification.runner import Report, Runner

_BATS = r"(?:\S*/)?bats"
_FILES = r"(.*/)?[^/]+\.bats"
_OWN = "test/bats/bin/bats"  # where the tutorial of Bats has people put it, as a submodule
_OF_BATS = re.compile(r"(.*/)?(bats|test_helper)/.*")  # tests of Bats itself and of its libraries


def _files_of(project: Project) -> list[str]:
    return [path for path in project.matching(_FILES) if not _OF_BATS.fullmatch(path)]


def _command(project: Project) -> str:
    """On the folders that hold tests; Bats goes into folders below only when asked to."""
    folders = dict.fromkeys(str(PurePosixPath(path).parent) for path in _files_of(project))
    bats = _OWN if project.has(_OWN) else "bats"
    return appended(bats, [f"./{folder}" if folder.startswith("-") else folder for folder in folders])


def _only(command: str, paths: Sequence[str]) -> str:
    """In place of the files and folders of the call."""
    before, last = last_call(command)
    words = last.split()
    while words and not words[-1].startswith("-") and not re.fullmatch(_BATS, words[-1]):
        words.pop()
    return appended(before + " ".join(words), paths)


def _cases(command: str, ids: Sequence[str]) -> str:
    """Ids are `file::name`; `--filter` takes an expression over the names."""
    parts = [case.rpartition("::") for case in ids]
    return into(command, _BATS, shlex.join(["--filter", any_of([name for _, _, name in parts])]))


def _select(command: str, words: Sequence[str]) -> str:
    if all(word.endswith(".bats") for word in words):
        return _only(command, words)
    return into(command, _BATS, shlex.join(["--filter", "|".join(words)]))


def _with_report(command: str, folder: Path) -> str:
    """Bats does not wait for the program that writes its report (bats-core issue 690), so we do, ten seconds at most."""
    report = shlex.quote(str(folder / "report.xml"))
    run = into(command, _BATS, f"--report-formatter junit --output {shlex.quote(str(folder))}")
    return (
        f"{run}\ncode=$?; left=100; while [ -e {report} ] && [ $left -gt 0 ] && ! grep -q '</testsuites>' {report}; "
        "do sleep 0.1; left=$((left - 1)); done; exit $code"
    )


RUNNERS = (
    Runner(
        name="bats",
        language="Shell",
        why="there are tests for Bats",
        sign=lambda project: next(iter(_files_of(project)), ""),
        command=_command,
        called=call(_BATS),
        tests=_FILES,
        reports=(Report(format="junit", command=_with_report),),
        select=_select,
        files=_only,
        cases=_cases,
        covers=lambda _project, _folder: True,  # every folder with tests is named
    ),
)
