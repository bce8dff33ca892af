"""What the agent is told when it begins, gathered from the platform and the repository."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Literal

from ci_agent import verification
from ci_agent.agent import Brief, Earlier, Quote, definitions
from ci_agent.agent.context import issue
from ci_agent.agent.hidden import Seen, as_seen
from ci_agent.agent.resuming import Break
from ci_agent.agent.rules import Rules, find_rules
from ci_agent.journal.events import ChangeProposed
from ci_agent.platforms import Comment, Permission
from ci_agent.reporting.summary import Summary
from ci_agent.session.approval import agreed, needs
from ci_agent.session.conversation import Conversation
from ci_agent.session.heard import digest, left_out
from ci_agent.session.parts import Parts, Resumption
from ci_agent.session.proof import Proof
from ci_agent.triggers import commands

_SHOWN = 12  # digits of a commit
_MOST_SEARCHED = 20_000  # files that are looked through for definitions; that many take about a second


def rules_of(parts: Parts) -> Rules:
    """What the project's own files say, as the base branch has them."""
    workspace = parts.workspace
    rules = find_rules(workspace.control.files(parts.task.base_sha), workspace.source.file)
    for rule in rules.told:
        for fact in left_out(rule.path, Seen("", rule.hidden)):
            parts.journal.append(fact)
    return rules


def brief(parts: Parts, proof: Proof, head: str, said: Sequence[Comment], rules: Rules) -> Brief:
    """What is known before the work on top of `head` begins. `said` is what people said on the issue."""
    task, workspace = parts.task, parts.workspace
    earlier = None
    if proof.before is not None:
        tests = verification.ran_facts(proof.before, None)
    elif proof.has_tests:
        tests = "The tests were not run on the base; after your hand-in, those that your change reaches are."
    else:
        tests = "There are no tests that the harness could find. Say in your summary how to check the change."
    if head != task.base_sha:  # there may be a merge request of an earlier attempt
        files = [change.path for change in workspace.control.changes(head)]
        earlier = Earlier(files, workspace.control.messages(task.base_sha, head))
        request = parts.platform.find_merge_request(task.branch)
        said = [*said, *(parts.platform.discussion(request.number) if request else ())]
    writers, others = _quotes(parts, said, task.hint)
    files_now = workspace.control.files(head)
    return Brief(
        task=task,
        files=files_now,
        definitions=_definitions(parts, head) if len(files_now) <= _MOST_SEARCHED else "",
        set_up=proof.set_up_with,
        rules=rules,
        tests=tests,
        comments=writers,
        others=others,
        earlier=earlier,
        planned=needs(parts.config, task.labels).plan,
        plan=agreed(Summary.of(parts.journal.events)),
    )


def news(
    parts: Parts, said: Sequence[Comment], resumed: Resumption, conversation: Conversation, waits: str
) -> Break:
    """What happened since the model that goes on in `conversation` was told last. `said` is what people said on the
    issue, `waits` the tool whose call still waits for an answer."""
    request = parts.platform.find_merge_request(parts.task.branch)
    said = [*said, *(parts.platform.discussion(request.number) if request else ())]
    events = parts.journal.events
    known = events[: conversation.events]
    then = Summary.of(known)
    since = (then.started.asked_at if then.started else None) or known[-1].at
    new = [comment for comment in said if comment.created > since and not _only_asks(parts, comment)]
    writers, _ = _quotes(parts, new, resumed.said)
    ended_so = Summary.of(events[: resumed.events]).ended
    asked = then.asked
    ended = ended_so.sentence if resumed.over and ended_so else ""
    now = Summary.of(events)
    proposed = _proposed(now, waits)
    decision = now.decision if proposed else None
    task, work, control = parts.task, resumed.carried, parts.workspace.control
    return Break(
        ended=f"The job before ended: {ended}" if ended else "",
        asked=asked.question if asked else "",
        choices=asked.choices if asked else (),
        said=resumed.said if resumed.approves is None else "",
        by=resumed.by,
        issue=issue(parts.task) if then.issue and then.issue.digest not in ("", digest(parts.task)) else "",
        proposed=proposed,
        decision=decision,
        planned=now.agreed.files if now.agreed else (),
        comments=writers,
        base=work.said,
        files=work.files,
        changed=control.differing(control.tree_of(task.base_sha), work.tree),
        since=task.base_sha[:_SHOWN] if work.head != task.base_sha else "",
    )


def _proposed(now: Summary, waits: str) -> Literal["", "plan", "change"]:
    """What it is on which the model waits for a person's word."""
    if waits == "propose_plan":
        return "plan"
    return "change" if waits == "submit" and isinstance(now.proposal, ChangeProposed) else ""


def _only_asks(parts: Parts, comment: Comment) -> bool:
    """Whether it is the comment that has the session go on, with no line but the command."""
    return comment.created == parts.task.asked_at and "\n" not in comment.text.strip()


def _definitions(parts: Parts, head: str) -> str:
    """Where what the issue names is defined."""
    task = parts.task
    names = definitions.mentioned(f"{task.title}\n{task.text}\n{task.hint}")
    lines = parts.workspace.control.lines_like(head, definitions.pattern(names)) if names else []
    return definitions.told(lines, names)


def _quotes(parts: Parts, said: Sequence[Comment], asked: str) -> tuple[list[Quote], list[Quote]]:
    """What people said on the issue and on its merge request before the trigger: those who may write, and the
    others, as far as the configuration wants them. `asked` is what is asked for now, which is told by itself.

    What others changed after the trigger is left out: whoever asked for the work had not read it. For those who may
    write the date of a change says nothing, since on GitLab anybody's reaction changes it. A bot is one of the
    others, whatever it may do, unless it may ask for work.
    """
    platform, wanted, until = parts.platform, parts.config.context.comments, parts.task.asked_at
    writers: list[Quote] = []
    others: list[Quote] = []
    told: list[tuple[str, Seen]] = []
    for comment in said:
        if comment.ours or wanted == "none" or (until is not None and comment.created > until):
            continue
        seen = as_seen(comment.text)
        text = _without(asked, seen.text)
        if (
            comment.created == until
            and parts.task.account
            and comment.author.login == parts.task.account.login
        ):
            text = _before_command(
                text, parts.config.trigger.account
            )  # what it asks for is told in another place
        if not text:
            continue
        quote = Quote(comment.author.login, text)
        author = comment.author
        heard = not author.bot or author.id in parts.config.trigger.bots
        changed_late = until is not None and comment.changed > until
        if heard and platform.permission(author) >= Permission.WRITE:
            writers.append(quote)
            told.append((author.login, seen))
        elif wanted == "all" and not author.bot and not changed_late:
            others.append(quote)
            told.append((author.login, seen))
    for login in dict.fromkeys(login for login, _ in told):
        for fact in left_out(f"comments by {login}", *(seen for who, seen in told if who == login)):
            parts.journal.append(fact)
    return writers, others


def _before_command(text: str, account: str | None) -> str:
    """What stands in a comment above the command in it."""
    return "\n".join(takewhile(lambda line: commands.parse(line, account) is None, text.split("\n"))).strip()


def _without(hint: str, text: str) -> str:
    """A comment without the command that asked for this work: its words are told as what is asked for now."""
    text = text.strip()
    return text[: -len(hint)].rpartition("\n")[0].strip() if hint and text.endswith(hint) else text
