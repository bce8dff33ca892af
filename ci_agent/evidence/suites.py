"""A repository's tests as one run, though there may be several projects in it. Pure functions of runs."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from ci_agent.journal.events import TestsChosen, TestsRan


def command_of(suites: Sequence[TestsChosen]) -> str:
    """All commands, a line each."""
    return "\n".join(
        f"(cd {shlex.quote(suite.folder)} && {suite.command})" if suite.folder else suite.command
        for suite in suites
        if suite.command
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
