"""`ci-agent poll`: the issues that wait, for the CI's own scheduler to spread over its runners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from ci_agent import config
from ci_agent.job.decide import settings_of
from ci_agent.job.forges import open_forge
from ci_agent.job.pipeline import open_host
from ci_agent.job.routing import hand_on
from ci_agent.session.endings import END_LABELS, RUNNING
from ci_agent.task import Thread
from ci_agent.triggers import Command, Kind, Trigger, Verb

MOST = 200  # issues at a time: a matrix of GitHub's has room for 256 jobs ("Usage limits")


def some(numbers: Sequence[str], now: datetime) -> Sequence[str]:
    """As many as go at a time, others with each hour: those that are refused again and again must not keep out the
    rest."""
    if len(numbers) <= MOST:
        return numbers
    first = int(now.timestamp() // 3600) * MOST % len(numbers)
    return [*numbers[first:], *numbers[:first]][:MOST]


def poll(environment: Mapping[str, str], child_pipeline: Path | None) -> int:
    """Find the open issues with the label and no session, oldest first, and tell the CI; the exit code."""
    host = open_host(environment)
    forge = open_forge(host, config.load(file=None, environment=environment, flags={}).config)
    label = settings_of(forge, environment, {}).trigger.label
    taken = {other.name.casefold() for other in (RUNNING, *END_LABELS.values())}
    free = [
        issue.number
        for issue in forge.open_issues(label)
        if not taken.intersection(name.casefold() for name in issue.labels)
    ]
    numbers = some(free, host.job.happening.at)
    if len(numbers) < len(free):
        print(f"{len(free) - len(numbers)} more wait for another time.", file=host.output.log, flush=True)
    print(f"{len(numbers)} issues wait: {', '.join(numbers) or 'none'}.", file=host.output.log, flush=True)
    at = host.job.happening.at
    waiting = [
        (number, Trigger(Kind.POLL, Thread(number), None, at, Command(Verb.RUN))) for number in numbers
    ]
    hand_on(host, environment, waiting, child_pipeline, "no issue waits")
    return 0
