"""What is answered to a command that is no work: help, status, stop, and words nobody waits for."""

from __future__ import annotations

from ci_agent.errors import CiAgentError
from ci_agent.job.case import Case
from ci_agent.job.claim import at_work, run_of, sessions
from ci_agent.platforms import Issue, MergeRequest
from ci_agent.reporting import replies
from ci_agent.session.endings import WAITING
from ci_agent.triggers import Verb, commands

AT_ONCE = (Verb.HELP, Verb.UNKNOWN)  # need no issue
_NEED_WAITING = (Verb.ANSWER, Verb.APPROVE, Verb.REJECT)  # a session that waits for a person


def at_once(case: Case) -> str:
    """The answer to a command that is about no issue."""
    command = case.trigger.command
    known = [(entry.usage, entry.does) for entry in commands.LIST]
    options = [(entry.usage, entry.does) for entry in commands.OPTIONS]
    if command.verb is Verb.UNKNOWN:
        return replies.unknown(command.problem, known, options, platform=case.forge.name)
    return replies.help_text(known, options, platform=case.forge.name)


def about(case: Case, issue: Issue, request: MergeRequest | None) -> str | None:
    """The answer to a command about an issue that is no work; None: it asks for work."""
    verb = case.trigger.command.verb
    if verb is Verb.STATUS:
        return _status(case, issue, request)
    if verb is Verb.STOP:
        return _stop(case, issue)
    if verb in _NEED_WAITING and WAITING.name.casefold() not in map(str.casefold, issue.labels):
        return replies.nothing_waits(str(verb))
    return None


def _status(case: Case, issue: Issue, request: MergeRequest | None) -> str:
    begun = sessions(case.forge.comments(issue.number))
    running = [one for one in at_work(begun) if not case.forge.job_ended(run_of(one), one.changed)]
    last = (running or begun)[-1] if begun else None
    return replies.status(
        working=bool(running),
        progress=last.url if last else "",
        runs=len(begun),
        merge_request=request.url if request else "",
        said=last.text if last and (running or last not in at_work([last])) else "",
        platform=case.forge.name,
    )


def _stop(case: Case, issue: Issue) -> str:
    """Cancel the CI jobs that are at work on the issue, as far as the platform lets us."""
    stopped, refused = 0, list[str]()
    for comment in at_work(list(case.forge.comments(issue.number))):
        run = run_of(comment)
        if run == case.host.job.run or case.forge.job_ended(run, comment.changed):
            continue
        try:
            case.forge.cancel_job(run)
        except CiAgentError as error:
            refused.append(replies.not_stopped(str(error), comment.url))
        else:
            stopped += 1
    if refused:
        return "\n\n".join(refused)
    return replies.stopping() if stopped else replies.nothing_to_stop()
