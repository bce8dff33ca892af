"""When the CI ends this job, as far as that can be known, and what that leaves of a session's time.

The end is a moment, so what passed before the session counts by itself: the queue of our own, the installation, the
set-up of the runner. Where something is not known the log says so, and nothing is stopped for it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from ci_agent.ci import Host, Job
from ci_agent.ci.worker import worker_began
from ci_agent.ci.workflow import timeout_minutes
from ci_agent.errors import CiAgentError
from ci_agent.platforms import Forge
from ci_agent.task import Limits

LAST_SECONDS: Final = 90.0  # of a job: for saving the work, the last word and the report


@dataclass(frozen=True, slots=True)
class Deadline:
    """The end of this job."""

    ends: datetime
    minutes: float  # that the job may take


def deadline_of(host: Host, forge: Forge, now: datetime) -> Deadline | None:
    """When the CI ends this job; None: nobody says. Asks the platform twice at most, and raises nothing."""
    minutes = _allowed(host, forge)
    if minutes is None:
        return None
    began = host.job.began or _began(host, forge, now)
    if began is None:
        _say(
            host,
            "When this job began is not known, so its end is not, either; keep limits.timeout well below it.",
        )
        return None
    return Deadline(min(began, now) + timedelta(minutes=minutes), minutes)


def in_time(limits: Limits, deadline: Deadline | None, now: datetime, worked: float = 0.0) -> Limits:
    """The limits of a session on which earlier jobs `worked` so many seconds, with a limit of time, these seconds
    included, that ends before the job does."""
    if deadline is None:
        return limits
    left = max(0.0, (deadline.ends - now).total_seconds() - LAST_SECONDS)
    minutes = (worked + left) / 60
    if minutes >= limits.minutes:
        return limits
    return replace(limits, minutes=minutes, job_minutes=deadline.minutes)


def _allowed(host: Host, forge: Forge) -> float | None:
    """How many minutes the job may take."""
    job, definition = host.job, host.job.definition
    if definition is None or job.minutes is None:
        return job.minutes
    try:
        content = forge.file(definition.path, definition.sha)
    except CiAgentError as error:
        content = None
        _say(host, f"The workflow could not be read: {error}")
    written = timeout_minutes(content, definition.job) if content is not None else None
    if written is None:
        _say(
            host,
            f"{definition.path} does not say how long this job may take; {job.minutes:g} minutes are assumed.",
        )
        return job.minutes
    return written if definition.longer else min(written, job.minutes)


def _began(host: Host, forge: Forge, now: datetime) -> datetime | None:
    """When the job began: by the platform's word, else by the runner's process for it, which is as old but for the
    moment that it takes to start."""
    job: Job = host.job
    try:
        found = forge.began(job.run, job.runner)
    except CiAgentError as error:
        found = None
        _say(host, f"When this job began could not be looked up: {error}")
    return found or worker_began(now)


def _say(host: Host, line: str) -> None:
    print(line, file=host.output.log, flush=True)
