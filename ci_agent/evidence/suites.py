"""A repository's tests as one run, though there may be several projects in it. Pure functions."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from ci_agent.journal.events import TestsChosen, TestsRan


def command_of(suites: Sequence[TestsChosen]) -> str:
    """All commands, a line each."""
    return "\n".join(from_top(suite, suite.command) for suite in suites if suite.command)


def from_top(suite: TestsChosen, command: str) -> str:
    """A command of the project of `suite` as it is called from the top of the repository."""
    return f"(cd {shlex.quote(suite.folder)} && {command})" if suite.folder and command else command


def paths_of(suite: TestsChosen, suites: Sequence[TestsChosen], paths: Sequence[str]) -> list[str]:
    """Those of `paths` that the project of `suite` is the nearest one to."""
    return [path for path in paths if _nearest(path, suites, "/") == suite.folder]


def cases_of(suite: TestsChosen, suites: Sequence[TestsChosen], ids: Sequence[str]) -> list[str]:
    """The ids of the cases that are of the project of `suite`: `folder/file::case` or `folder: case`."""
    return [name for name in ids if _nearest(name, suites, "/", ": ") == suite.folder]


def _nearest(name: str, suites: Sequence[TestsChosen], *ends: str) -> str:
    folders = sorted((suite.folder for suite in suites if suite.folder), key=len, reverse=True)
    return next(
        (folder for folder in folders if name.startswith(tuple(f"{folder}{end}" for end in ends))), ""
    )


def merged(runs: Sequence[TestsRan]) -> TestsRan:
    """Several runs of the same moment as one: the first that failed gives the exit code, the first that did not
    reach its end the problem. Their logs are to be one, that of the first run."""
    if len(runs) == 1:
        return runs[0]
    first = runs[0]
    codes = [run.exit_code for run in runs]
    return TestsRan(
        moment=first.moment,
        command="\n".join(run.command for run in runs),
        tree=first.tree,
        exit_code=next((code for code in codes if code != 0), 0),
        seconds=sum(run.seconds for run in runs),
        timed_out=any(run.timed_out for run in runs),
        problem=next((f"{run.command}: {run.problem}" for run in runs if run.problem), ""),
        by_case=any(run.by_case for run in runs),
        cases=tuple(case for run in runs for case in run.cases),
        log=first.log,
        tail="\n".join(run.tail for run in runs if run.exit_code != 0) or runs[-1].tail,
        some=next((run.some for run in runs if run.some), ""),
        reused=all(run.reused for run in runs),
    )
