"""`ci-agent poll`: the issues that wait, for the CI's own scheduler to spread over its runners."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ci_agent import config
from ci_agent.job.decide import settings_of
from ci_agent.job.forges import open_forge
from ci_agent.job.pipeline import open_host
from ci_agent.session.endings import END_LABELS, RUNNING
from ci_agent.task import Thread
from ci_agent.triggers import Command, Kind, Trigger, Verb
from ci_agent.triggers.travel import packed


def poll(environment: Mapping[str, str], child_pipeline: Path | None) -> int:
    """Find the open issues with the label and no session, oldest first, and tell the CI; the exit code."""
    host = open_host(environment)
    forge = open_forge(host, config.load(file=None, environment=environment, flags={}).config)
    label = settings_of(forge, environment, {}).trigger.label
    taken = {other.name for other in (RUNNING, *END_LABELS.values())}
    numbers = [issue.number for issue in forge.open_issues(label) if not taken.intersection(issue.labels)]
    print(f"{len(numbers)} issues wait: {', '.join(numbers) or 'none'}.", file=host.output.log, flush=True)
    host.output.values({"issues": json.dumps([int(number) for number in numbers])})
    if child_pipeline:
        from ci_agent.ci.child_pipeline import child_pipeline as pipeline

        at = host.job.happening.at
        waiting = [
            (number, packed(Trigger(Kind.POLL, Thread(number), None, at, Command(Verb.RUN))))
            for number in numbers
        ]
        child_pipeline.write_text(pipeline(waiting, environment, why="no issue waits"), encoding="utf-8")
    return 0
