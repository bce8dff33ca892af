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
from ci_agent.triggers.dispatch import dispatched
from ci_agent.triggers.payload import (
    OURS,
    account,
    at_path,
    lacking,
    moment,
    number,
    same_name,
    shown,
    text,
    waits,
)


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
        return dispatched(payload, given, at, _actor(payload, "sender") or actor)
    if name == "schedule":
        return Ignored("a schedule runs `ci-agent poll`, and then a job for each issue with --issue")
    if name in ("pull_request_review", "pull_request_review_comment", "commit_comment", "discussion_comment"):
        return Ignored(
            f"a {name} asks for nothing; comments on issues and in a pull request's conversation do"
        )
    return Ignored(f"events of the kind {shown(name) or '(none)'} ask for nothing")


def _issue(payload: Mapping[str, Any], settings: TriggerSettings) -> Trigger | Ignored:
    action = text(payload, "action")
    if action == "labeled":
        label = text(payload, "label.name")
        if label.casefold() != settings.label.casefold():  # GitHub tells labels apart by their letters alone
            return Ignored(f"the label {shown(label) or '(none)'} is not {settings.label}")
        return _about_issue(payload, Kind.LABEL, settings)
    if action == "assigned":
        assignee = text(payload, "assignee.login")
        if not same_name(assignee, settings.account):
            return Ignored(f"it was assigned to {shown(assignee) or 'nobody'}, not to us (trigger.account)")
        return _about_issue(payload, Kind.ASSIGNMENT, settings)
    return Ignored(f"an issue that was {shown(action) or 'changed'} asks for nothing")


def _about_issue(payload: Mapping[str, Any], kind: Kind, settings: TriggerSettings) -> Trigger | Ignored:
    issue, at = number(payload, "issue.number"), moment(payload, "issue.updated_at")
    who, snapshot = _actor(payload, "sender"), _snapshot(payload)
    if not issue or at is None or who is None or snapshot is None:
        return lacking(
            {
                "issue.number": issue,
                "issue.updated_at": at,
                "sender.login": who,
                "issue.title and issue.body": snapshot,
            }
        )
    if at_path(payload, "issue.pull_request") is not None:
        return Ignored(f"{issue} is a pull request, not an issue")
    if text(payload, "issue.state") == "closed":
        return Ignored(f"issue {issue} is closed")
    if same_name(who.login, settings.account):
        return Ignored("it was our own doing")
    return Trigger(kind, Thread(issue), who, at, Command(Verb.RUN), issue=snapshot)


def _comment(payload: Mapping[str, Any], settings: TriggerSettings) -> Trigger | Ignored:
    action = text(payload, "action")
    if action != "created":
        return Ignored(f"a comment that was {shown(action) or 'changed'} asks for nothing")
    said, who = text(payload, "comment.body"), _actor(payload, "comment.user")
    if said.startswith(OURS) or (who and same_name(who.login, settings.account)):
        return Ignored("it is a comment of ours")
    on_request = at_path(payload, "issue.pull_request") is not None
    waiting = not on_request and waits(payload, "issue.labels", "name", "issue.state", who)
    asked = commands.asked(said, settings.account, waiting=waiting)
    if asked is None:
        return Ignored("the comment holds no command")
    issue, comment = number(payload, "issue.number"), number(payload, "comment.id")
    at, snapshot = moment(payload, "comment.created_at"), None if on_request else _snapshot(payload)
    if not issue or not comment or at is None or who is None or not (snapshot or on_request):
        return lacking(
            {
                "issue.number": issue,
                "comment.id": comment,
                "comment.created_at": at,
                "comment.user.login": who,
                "issue.title and issue.body": snapshot,
            }
        )
    kind, command = asked
    return Trigger(kind, Thread(issue, on_request), who, at, command, comment, snapshot)


def _actor(payload: Mapping[str, Any], path: str) -> Account | None:
    bot = text(payload, f"{path}.type") == "Bot" or text(payload, f"{path}.login").endswith("[bot]")
    return account(payload, path, "login", bot)


def _snapshot(payload: Mapping[str, Any]) -> Snapshot | None:
    """Title and text; None where the payload does not have both. An issue without a text has `null` there."""
    issue = at_path(payload, "issue")
    if not isinstance(issue, Mapping) or not isinstance(issue.get("body", 0), str | None):
        return None
    title = text(payload, "issue.title")
    return Snapshot(title, text(payload, "issue.body")) if title else None
