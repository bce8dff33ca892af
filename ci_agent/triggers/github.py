"""GitHub's events: what a workflow is started by, as its payload says it.

The forms are those of GitHub's documentation, "Events that trigger workflows" and "Webhook events and payloads".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ci_agent.config.definitions import TriggerSettings
from ci_agent.task import Account, Thread
from ci_agent.triggers import Command, Ignored, Kind, Snapshot, Trigger, Verb, commands
from ci_agent.triggers.payload import account, at_path, moment, number, text

_OURS = "<!-- ci-agent:"  # begins every comment that we write


def read(
    name: str, payload: Mapping[str, Any], at: datetime, actor: Account | None, settings: TriggerSettings
) -> Trigger | Ignored:
    """What the event asks for."""
    if name == "issues":
        return _issue(payload, settings)
    if name == "issue_comment":
        return _comment(payload, settings)
    if name in ("workflow_dispatch", "repository_dispatch"):
        given = "inputs" if name == "workflow_dispatch" else "client_payload"
        return _dispatch(name, payload, given, at, actor)
    if name == "schedule":
        return Ignored("a schedule runs `ci-agent poll`, and then a job for each issue with --issue")
    return Ignored(f"events of the kind {name or '(none)'} ask for nothing")


def _issue(payload: Mapping[str, Any], settings: TriggerSettings) -> Trigger | Ignored:
    action = text(payload, "action")
    if action == "labeled":
        label = text(payload, "label.name")
        if label != settings.label:
            return Ignored(f"the label {label or '(none)'} is not {settings.label}")
        return _about_issue(payload, Kind.LABEL, Command(Verb.RUN))
    if action == "assigned":
        assignee = text(payload, "assignee.login")
        if not settings.account or assignee.casefold() != settings.account.casefold():
            return Ignored(f"it was assigned to {assignee or 'nobody'}, not to us (trigger.account)")
        return _about_issue(payload, Kind.ASSIGNMENT, Command(Verb.RUN))
    return Ignored(f"an issue that was {action or 'changed'} asks for nothing")


def _about_issue(payload: Mapping[str, Any], kind: Kind, command: Command) -> Trigger | Ignored:
    issue, at = number(payload, "issue.number"), moment(payload, "issue.updated_at")
    who = _actor(payload, "sender")
    if at_path(payload, "issue.pull_request") is not None:
        return Ignored("it is a pull request, not an issue")
    if not issue or at is None or who is None:
        return Ignored(
            f"the payload lacks {'a number' if not issue else 'a time' if at is None else 'a sender'}"
        )
    if text(payload, "issue.state") == "closed":
        return Ignored(f"issue {issue} is closed")
    return Trigger(kind, Thread(issue), who, at, command, issue=_snapshot(payload))


def _comment(payload: Mapping[str, Any], settings: TriggerSettings) -> Trigger | Ignored:
    action = text(payload, "action")
    if action != "created":
        return Ignored(f"a comment that was {action or 'changed'} asks for nothing")
    said = text(payload, "comment.body")
    if said.startswith(_OURS):
        return Ignored("it is a comment of ours")
    asked = commands.asked(said, settings.account)
    if asked is None:
        return Ignored("the comment holds no command")
    kind, command = asked
    issue, comment = number(payload, "issue.number"), number(payload, "comment.id")
    at, who = moment(payload, "comment.created_at"), _actor(payload, "comment.user")
    if not (issue and comment) or at is None or who is None:
        return Ignored("the payload lacks the comment's number, time or author")
    on_request = at_path(payload, "issue.pull_request") is not None
    snapshot = None if on_request else _snapshot(payload)
    return Trigger(kind, Thread(issue, on_request), who, at, command, comment, snapshot)


def _dispatch(
    name: str, payload: Mapping[str, Any], given: str, at: datetime, actor: Account | None
) -> Trigger | Ignored:
    issue, intent = number(payload, f"{given}.issue"), text(payload, f"{given}.intent").strip()
    if not issue and not intent:
        return Ignored(f"the {name} names neither an issue nor an intent")
    who = _actor(payload, "sender") or actor
    command = Command(Verb.RUN, intent[: commands.HINT])
    return Trigger(Kind.DISPATCH, Thread(issue) if issue else None, who, at, command)


def _actor(payload: Mapping[str, Any], path: str) -> Account | None:
    bot = text(payload, f"{path}.type") == "Bot" or text(payload, f"{path}.login").endswith("[bot]")
    return account(payload, path, "login", bot)


def _snapshot(payload: Mapping[str, Any]) -> Snapshot:
    return Snapshot(text(payload, "issue.title"), text(payload, "issue.body"))
