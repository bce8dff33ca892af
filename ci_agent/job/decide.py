"""Whether there is work, and whose: from a trigger to an answer, a refusal, a child pipeline or a session."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from ci_agent import config
from ci_agent.ci import Host
from ci_agent.config import Config
from ci_agent.errors import ConfigError, UsageError
from ci_agent.guard import of_config
from ci_agent.job import answers
from ci_agent.job.admission import Admitted, admit, edited_by_strangers, still_wanted
from ci_agent.job.approving import not_apart
from ci_agent.job.case import Case, Refused, turn_away
from ci_agent.job.deadline import deadline_of
from ci_agent.job.engage import engage
from ci_agent.job.forges import open_forge
from ci_agent.job.leftovers import without_leftovers
from ci_agent.job.more import told
from ci_agent.job.request import Request
from ci_agent.job.routing import hand_on
from ci_agent.job.split.apart import work_apart
from ci_agent.job.split.publish import publish
from ci_agent.job.telling import tell_why_not
from ci_agent.platforms import Forge, Issue, MergeRequest
from ci_agent.reporting import replies
from ci_agent.reporting.text import one_line, plain
from ci_agent.session.endings import ENDINGS
from ci_agent.task import Ending, Thread, titled
from ci_agent.triggers import Command, Kind, Trigger

_, _WAITS = ENDINGS[Ending.NEEDS_INPUT]


def decide(host: Host, trigger: Trigger, environment: Mapping[str, str], request: Request) -> int:
    """Do what the trigger asks for, as far as it may be done; the exit code."""
    case = _opened(host, trigger, environment, request)
    outcome = _decided(case)
    if isinstance(outcome, Refused):
        turn_away(case, outcome)
        if request.route:
            hand_on(host, environment, [], request.child_pipeline, outcome.why)
        return 0
    case, issue = outcome
    if request.route:
        going = replace(case.trigger, thread=case.trigger.thread or Thread(issue.number))
        hand_on(host, environment, [(issue.number, going)], request.child_pipeline, "")
        return 0
    refused = not_apart(case, issue) if request.publish or request.hold else None
    if refused:
        turn_away(case, refused)
        return 0
    code = _done(case, issue, environment, request)
    if code == _WAITS and request.waiting_is_success:
        print(
            f"The session is suspended (exit code {code}): issue {issue.number} waits for an answer. To the CI this is a "
            "success.",
            file=host.output.log,
            flush=True,
        )
        return 0
    return code


def _done(case: Case, issue: Issue, environment: Mapping[str, str], request: Request) -> int:
    """Work on `issue`, publish, or both; the session's exit code."""
    if request.publish:
        return publish(case, issue, request.publish)
    case = without_leftovers(case, environment)
    case = replace(case, deadline=deadline_of(case.host, case.forge, case.now()))
    return work_apart(case, issue, request.hold) if request.hold else engage(case, issue)


def _opened(host: Host, trigger: Trigger, environment: Mapping[str, str], request: Request) -> Case:
    """The platform, and the settings as the default branch's file and the command's options have them.

    Raises `ConfigError`, after whoever may ask for work was told of it.
    """
    flags, silent = request.flags, request.hold is not None
    first = config.load(file=None, environment=environment, flags=flags).config
    case = Case(host, open_forge(host, first, reading=silent), first, trigger, silent)
    if trigger.kind is Kind.DISPATCH:  # the job may have waited long since it was asked for
        case = replace(case, trigger=replace(trigger, at=case.forge.asked_at(host.job.run) or trigger.at))
    try:
        settings = settings_of(case.forge, environment, {**flags, **_options(trigger.command)})
    except ConfigError as error:
        _complain(case, error)
        raise
    host.guard.learn(of_config(settings))
    return replace(case, settings=settings)


def _complain(case: Case, error: ConfigError) -> None:
    if case.silent:
        return
    admitted = admit(case)
    if isinstance(admitted, Admitted) and admitted.trigger.thread:
        text = replies.could_not_begin(str(error), case.host.job.url)
        tell_why_not(case.host.output, text)
        case.forge.reply(admitted.trigger.thread, replace(case, trigger=admitted.trigger).answer, text)


def settings_of(forge: Forge, environment: Mapping[str, str], flags: Mapping[str, object]) -> Config:
    """The settings of a job: the file counts only as the default branch has it."""
    content = forge.file(config.FILE_NAME, forge.repository().default_branch)
    file = (config.FILE_NAME, content) if content is not None else None
    given = {"git.push": True, **flags}
    return config.load(file=file, environment=environment, flags=given, trusted=True).config


def _options(command: Command) -> dict[str, object]:
    given = {"model.name": command.model, "limits.max_cost": command.budget, "git.base": command.base}
    return {key: value for key, value in given.items() if value is not None}


def _decided(case: Case) -> tuple[Case, Issue] | Refused:
    """The case with all that is known now, and the issue to work on; or what else there is to say."""
    admitted = admit(case)
    if isinstance(admitted, Refused):
        return admitted
    case = replace(case, trigger=admitted.trigger)
    command = case.trigger.command
    if command.verb in answers.AT_ONCE:
        return Refused(f"answered: {command.verb}", case.answer, answers.at_once(case))
    found = _issue(case)
    if isinstance(found, Refused):
        return found
    issue, request = found
    if refused := told(case, issue):
        return refused
    said = answers.about(case, issue, request)
    if said is not None:
        return Refused(f"answered: {command.verb}", case.answer, said)
    return still_wanted(case, issue) or edited_by_strangers(case, issue.number) or (case, issue)


def _issue(case: Case) -> tuple[Issue, MergeRequest | None] | Refused:
    """The issue that is meant, and the merge request on which it was said, if it was."""
    thread = case.trigger.thread
    if thread is None:
        return _made(case), None
    try:
        return _meant(case, thread)
    except UsageError as error:  # deleted or moved meanwhile: there is nobody to tell
        return Refused(str(error))


def _meant(case: Case, thread: Thread) -> tuple[Issue, MergeRequest | None] | Refused:
    if not thread.merge_request:
        return case.forge.issue(thread.number), None
    request = case.forge.merge_request(thread.number)
    if request.foreign:
        return Refused("the merge request is from a fork", case.answer, replies.from_fork(case.forge.name))
    number = issue_of(request.source, case.settings.git.branch)
    if number is None:
        return Refused("the merge request is none of ours", case.answer, replies.not_ours(case.forge.name))
    return case.forge.issue(number), request


def issue_of(branch: str, template: str) -> str | None:
    """The number of the issue that a work branch is for; None: it is no work branch."""
    before, _, after = template.partition("{issue}")
    match = re.fullmatch(rf"{re.escape(before)}([1-9]\d*){re.escape(after)}", branch)
    return match[1] if match else None


def _made(case: Case) -> Issue:
    """An issue for an intent that came without one: the place for progress, questions and the last word."""
    words = case.trigger.command.text.strip()
    if not words:
        raise UsageError("neither an issue nor an intent was given, so there is nothing to do")
    title, text = titled(words)
    title = one_line(plain(title)) or "What was asked for by hand"
    return case.forge.ensure_issue(f"intent {case.host.job.pipeline}", title, text).item
