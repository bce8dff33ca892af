"""What the CI left within reach of commands, taken away before the first of them runs; the log says what."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ci_agent.ci.file_variables import withdraw
from ci_agent.errors import GitError
from ci_agent.job.case import Case
from ci_agent.workspace import remove_credentials


def without_leftovers(case: Case, environment: Mapping[str, str]) -> Case:
    """Take away credentials in the CI's checkout and files of variables. Gives the case with what the settings lack:
    the files that commands may go on reading."""
    job, settings = case.host.job, case.settings
    if job.checkout:
        temporary = environment.get("RUNNER_TEMP", "")
        try:
            kinds = remove_credentials(job.checkout, Path(temporary) if temporary else None)
        except (GitError, OSError) as error:
            _say(case, f"The CI's checkout could not be searched for credentials: {error}")
        else:
            if kinds:
                _say(case, f"Taken out of the CI's checkout, because they let in: {', '.join(kinds)}.")
    found = withdraw(environment, settings.sandbox.env, job.scratch / "private")
    os.environ.update(found.changed)
    if found.removed:
        _say(case, f"Files of variables taken away from commands: {', '.join(found.removed)}.")
    if found.left:
        _say(case, f"Files of variables that can't be taken away: {', '.join(found.left)}.")
    sandbox = settings.sandbox
    readable = (*sandbox.readable, *map(str, found.readable))
    return replace(case, settings=replace(settings, sandbox=replace(sandbox, readable=readable)))


def _say(case: Case, line: str) -> None:
    print(line, file=case.host.output.log, flush=True)
