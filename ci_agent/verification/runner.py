"""What a test runner is to us: one entry of data. The entries are in `ci_agent/verification/ecosystems/`.

Pure data and the types of its functions; nothing is looked at or run here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ci_agent.verification.project import Project

Narrow = Callable[[str, Sequence[str]], str]
"""Takes a command and what to narrow it to, gives the command that does only that. The words come from
strangers and are quoted by it. What it can't narrow it gives back unchanged."""


def _unchanged(command: str, _folder: Path) -> str:
    return command


def _nothing(_folder: Path) -> Mapping[str, str]:
    return {}


def _always(_project: Project, _command: str) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One way in which a run leaves something to be read: results by test case, or which lines were run.

    `format` is a name of `reading.FORMATS` (results) or `coverage.FORMATS` (lines). What is read is what
    matches `files` in the folder of the project and is newer than the run, what the command prints where it
    is `printed`, and every file that was written to a folder of ours, which `command` and `environment` get.
    """

    format: str
    files: str = ""  # a glob pattern relative to the project's folder
    printed: bool = False
    command: Callable[[str, Path], str] = _unchanged  # how the command has to be changed for it
    environment: Callable[[Path], Mapping[str, str]] = _nothing  # variables it needs
    here: Callable[[Project, str], bool] = _always  # whether this project, with this command, can report so


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """One way to run tests: how to tell that a project uses it, how it is called, and what it tells."""

    name: str  # as people call it
    language: str
    why: str  # goes on with the file that `sign` gives
    sign: Callable[[Project], str]  # the file that shows it is used, or nothing
    command: Callable[[Project], str]
    called: re.Pattern[str]  # commands of a person or of a CI that run it
    setup: Callable[[Project], tuple[str, str]] = field(default=lambda _project: ("", ""))
    """The command that prepares a fresh checkout, and why it is needed here; empty: nothing is needed."""
    tests: str  # a pattern (full match) of the paths, relative to the project, where tests live
    wraps: bool = False  # it starts one of the others, and counts only where none of them shows itself
    inline: bool = False  # tests live in the files of the source as well
    reports: tuple[Report, ...] = ()  # the first that this project can give is used
    coverage: tuple[tuple[str, Report], ...] = ()  # the tool's name and what it leaves, likewise
    select: Narrow | None = None  # by words of the runner's own, as a person would write them
    files: Narrow | None = None  # to test files, by paths relative to the project
    cases: Narrow | None = None  # to test cases, by ids as results have them
    related: Narrow | None = None  # to the tests reached from changed files, by paths relative to the project
    related_files: Callable[[Project, Sequence[str]], Sequence[str]] | None = None
    """The test files to run for changed files, where the tool itself has no `related`."""
    seeds: tuple[str, ...] = ()  # variables by which the tool is told the seed of its random numbers
    manifest: str = ""
    """A pattern (full match) of names of files that make a folder a project of its own; empty: the file that
    `sign` gives does, where it lies in the folder itself."""
    covers: Callable[[Project, str], bool] = field(default=lambda _project, _folder: False)
    """Whether this command of this project runs the tests of a project in a folder below as well."""
