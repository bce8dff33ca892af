"""What is answered to a command that is no work: help, status, stop, and words nobody waits for."""

from __future__ import annotations

from ci_agent.errors import CiAgentError
from ci_agent.job.admission import may_ask, same
from ci_agent.job.case import Case
from ci_agent.job.progress import comment_of, sessions
from ci_agent.job.roster import Entry, roster_of
from ci_agent.job.stopping import stop
from ci_agent.platforms import Issue, MergeRequest
from ci_agent.reporting import replies
from ci_agent.reporting.progress import WORKING
from ci_agent.session.endings import WAITING
from ci_agent.triggers import Kind, Verb, commands

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
    """The answer to a command about an issue that is no work, empty where nothing is said; None: it asks for work."""
    verb, reply = case.trigger.command.verb, case.trigger.kind is Kind.REPLY
    if verb is Verb.STATUS:
        return _status(case, issue, request)
    if verb is Verb.STOP:
        return stop(case, issue)
    if verb in _NEED_WAITING and WAITING.name.casefold() not in map(str.casefold, issue.labels):
        return replies.too_late() if reply else replies.nothing_waits(str(verb))
    if not reply:
        return None
    asked = case.forge.labelled(issue.number, WAITING.name)
    # Who may not ask for work may still set labels, and would make a request of anybody's words.
    if asked and not (same(asked.by, case.forge.me()) or may_ask(case, asked.by)):
        return ""
    return replies.too_late() if asked and asked.at > case.trigger.at else None


def asked_since(case: Case, issue: Issue) -> bool:
    """Whether what the issue waits with was asked after the comment was written: then that is about something earlier. By the
    platform's own clock: the label comes with what is asked."""
    asked = case.forge.labelled(issue.number, WAITING.name)
    return asked is not None and asked.at > case.trigger.at


def _status(case: Case, issue: Issue, request: MergeRequest | None) -> str:
    comments = case.forge.comments(issue.number)
    begun = sessions(comments)
    there = begun[-1] if begun else None
    try:
        now = _there(case, issue.number)
    except CiAgentError as error:
        print(f"Nobody can say who is at work: {error}", file=case.host.output.log, flush=True)
        now, working = [], there is not None and there.text.startswith(WORKING)
    else:
        working = any(one.working for one in now)
    there = next(filter(None, (comment_of(comments, one.session) for one in now)), there)
    over = there is not None and not now and there.text.startswith(WORKING)  # without a last word
    return replies.status(
        working=working,
        waiting=bool(now) and not working,
        progress=there.url if there else "",
        runs=len(begun),
        merge_request=request.url if request else "",
        said=there.text if there and (working or not over) else "",
        platform=case.forge.name,
    )


def _there(case: Case, issue: str) -> list[Entry]:
    """The other jobs that are at work on the issue, or wait for their turn."""
    return roster_of(case.host, case.forge, case.settings).sessions(issue, but=case.host.job.run)
