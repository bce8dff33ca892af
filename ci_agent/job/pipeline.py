"""The job of `ci-agent job`, in a CI: from an event to an outcome, top to bottom.

Most events are none of our business, and are over before anything heavy is imported. The rest is decided in
this order: is it for us, who asked, may they, does it still stand, is it ours to do; then the session.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping

from ci_agent import ci, config, triggers
from ci_agent.ci import Host
from ci_agent.ci.detect import here
from ci_agent.ci.output import output
from ci_agent.ci.step_files import unsteered
from ci_agent.config import Config
from ci_agent.errors import ConfigError, UsageError
from ci_agent.guard import Guard, of_environment
from ci_agent.job.promise import promised
from ci_agent.job.request import Request
from ci_agent.job.routing import hand_on
from ci_agent.task import Thread
from ci_agent.triggers import Command, Ignored, Kind, Trigger, Verb


def work(request: Request, environment: Mapping[str, str]) -> int:
    """Do what the CI's event asks for; the exit code.

    Raises `UsageError` outside of a CI, and others of the family `CiAgentError` when the job can't be done.
    """
    host = open_host(environment)
    with unsteered(environment, host.output.log):
        return _worked(host, request, environment)


def _worked(host: Host, request: Request, environment: Mapping[str, str]) -> int:
    if request.final_word:
        left = promised(host.job.scratch)
        if left is None:
            print("Everything has been said.", file=host.output.log, flush=True)
            return 0
        from ci_agent.job.last import final_word

        return final_word(left, host, environment, request.flags)
    with host.output.section("trigger", "What this is about"):
        found = _trigger(host.job, request, environment)
        print(_introduced(found), file=host.output.log, flush=True)
    if isinstance(found, Ignored):
        if request.route:
            hand_on(host, environment, [], request.child_pipeline, found.why)
        return 0
    from ci_agent.job.decide import decide

    return decide(host, found, environment, request)


def open_host(environment: Mapping[str, str]) -> Host:
    """The CI we run in. Raises `UsageError` where there is none."""
    job = here(environment)
    if job is None:
        raise UsageError(
            "this is no job of GitHub Actions or GitLab CI that I can see; on your own machine use `ci-agent run`"
        )
    guard = Guard(of_environment(environment))
    return Host(job, output(environment, sys.stdout, job.platform, guard), guard)


def _trigger(job: ci.Job, request: Request, environment: Mapping[str, str]) -> Trigger | Ignored:
    if request.issue is None and request.intent is None:
        seen, settings = job.happening, _settings(job, request, environment)
        return triggers.read(job.platform, seen.name, seen.payload, seen.at, job.actor, settings.trigger)
    if request.issue is not None and not re.fullmatch(r"[1-9]\d{0,9}", request.issue):
        raise UsageError(f"--issue wants the number of an issue, not {request.issue!r}")
    scheduled = job.happening.name == "schedule"
    return Trigger(
        kind=Kind.POLL if scheduled else Kind.DISPATCH,
        thread=Thread(request.issue) if request.issue else None,
        actor=None if scheduled else job.actor,
        at=job.happening.at,
        command=Command(Verb.RUN, (request.intent or "").strip()),
    )


def _settings(job: ci.Job, request: Request, environment: Mapping[str, str]) -> Config:
    """The settings that say what is for us. A file that can't be used is left for `decide`, which tells people."""
    try:
        return config.load(file=_file(job), environment=environment, flags=request.flags).config
    except ConfigError:
        return config.load(file=None, environment=environment, flags=request.flags).config


def _file(job: ci.Job) -> tuple[str, bytes] | None:
    """The configuration as the CI checked it out, to see what is for us at all. Who may do what is looked up
    again in the default branch's file, on the platform."""
    path = job.checkout / config.FILE_NAME if job.checkout else None
    if path is None or not path.is_file():
        return None
    return config.FILE_NAME, path.read_bytes()


def _introduced(found: Trigger | Ignored) -> str:
    if isinstance(found, Ignored):
        return f"Nothing to do: {found.why}."
    where = (
        f" on {'merge request' if found.thread.merge_request else 'issue'} {found.thread.number}"
        if found.thread
        else ""
    )
    who = f" by {found.actor.login}" if found.actor else ""
    return f"Asked for: {found.command.verb}{where}, by a {found.kind}{who}."
