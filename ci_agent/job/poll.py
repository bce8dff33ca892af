"""`ci-agent poll`: looks after what jobs left undone, and finds the issues that wait, for the CI's own scheduler to spread
over its runners.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from ci_agent import config
from ci_agent.ci import Host
from ci_agent.config import Config
from ci_agent.errors import CiAgentError
from ci_agent.job.case import Case
from ci_agent.job.checkpoints import key_of
from ci_agent.job.decide import settings_of
from ci_agent.job.forges import open_forge, remote_of
from ci_agent.job.pipeline import open_host
from ci_agent.job.repairing import repair
from ci_agent.job.roster import roster_of
from ci_agent.job.routing import hand_on
from ci_agent.job.sessions import history_at
from ci_agent.job.waiting import look_after
from ci_agent.platforms import Forge
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
    """Find the open issues with the label and no session, oldest first, and tell the CI; the exit code.

    Before that, sessions whose job is gone are repaired, so that they are found, and questions are looked after that nobody
    answers.
    """
    host = open_host(environment)
    forge = open_forge(host, config.load(file=None, environment=environment, flags={}).config)
    settings = settings_of(forge, environment, {})
    _look_after(host, forge, settings)
    label = settings.trigger.label
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
    _prune(host, forge, settings)
    return 0


def _look_after(host: Host, forge: Forge, settings: Config) -> None:
    nobody = Trigger(Kind.POLL, None, None, host.job.happening.at, Command(Verb.RUN))
    case = Case(host, forge, settings, nobody)
    try:
        repair(case, roster_of(host, forge, settings))
        look_after(case)
    except CiAgentError as error:
        print(f"Nobody looked after what jobs left: {error}", file=host.output.log, flush=True)


def _prune(host: Host, forge: Forge, settings: Config) -> None:
    """Delete checkpoints that are too old. It is tidying up: what goes wrong is in the log."""
    key, log = key_of(settings), host.output.log
    if key is None:
        print(
            "Old sessions are not looked for: there is no key that they are signed with.",
            file=log,
            flush=True,
        )
        return
    try:
        with history_at(remote_of(forge), key) as found:
            gone = found.prune(host.job.happening.at - timedelta(days=settings.checkpoint.retention))
    except (CiAgentError, OSError) as error:
        print(f"Old sessions could not be looked for: {error}", file=log, flush=True)
        return
    if gone:
        print(f"Deleted what was kept of old sessions: {', '.join(gone)}.", file=log, flush=True)
