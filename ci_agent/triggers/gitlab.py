"""GitLab's pipelines: what a webhook, a person or a schedule started, as variables and payload say it.

The forms are those of GitLab's documentation, "Webhook events": Issue Hook and Note Hook. Whoever has the trigger's
token can send any payload, so of its words only ids, times and names are taken; the rest is read by the API.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ci_agent.config.definitions import TriggerSettings
from ci_agent.task import Account, Thread
from ci_agent.triggers import Command, Ignored, Kind, Trigger, Verb, commands
from ci_agent.triggers.payload import account, at_path, items, moment, number, text
from ci_agent.triggers.travel import unpacked

_OURS = "<!-- ci-agent:"  # begins every note that we write
_BOT = re.compile(r"(?:project|group)_\d+_bot\w*")  # names GitLab gives to the users of access tokens


def read(
    source: str, payload: Mapping[str, Any], at: datetime, actor: Account | None, settings: TriggerSettings
) -> Trigger | Ignored:
    """What a pipeline with the CI_PIPELINE_SOURCE `source` is asked for.

    `payload` is the webhook's; beside its own fields it may hold `issue` and `intent` (the variables
    CI_AGENT_ISSUE and CI_AGENT_INTENT) under `inputs`, and what a routing job handed on under `travelled`.
    """
    travelled = text(payload, "travelled")
    if source == "parent_pipeline" and travelled:
        return unpacked(travelled)
    kind = text(payload, "object_kind")
    if source == "trigger" and kind == "issue":
        return _issue(payload, settings)
    if source == "trigger" and kind == "note":
        return _note(payload, settings)
    if source in ("trigger", "web", "api"):
        issue, intent = number(payload, "inputs.issue"), text(payload, "inputs.intent").strip()
        if issue or intent:
            command = Command(Verb.RUN, intent[: commands.HINT])
            return Trigger(Kind.DISPATCH, Thread(issue) if issue else None, actor, at, command)
        what = (
            f"webhooks of the kind {kind}"
            if kind
            else "a pipeline without CI_AGENT_ISSUE and CI_AGENT_INTENT"
        )
        return Ignored(f"{what} ask for nothing")
    return Ignored(f"pipelines started by {source or '(nothing)'} ask for nothing")


def _issue(payload: Mapping[str, Any], settings: TriggerSettings) -> Trigger | Ignored:
    action = text(payload, "object_attributes.action")
    if action not in ("open", "reopen", "update"):
        return Ignored(f"an issue that was {action or 'changed'} asks for nothing")
    kind = _asked_by(payload, action, settings)
    if isinstance(kind, Ignored):
        return kind
    issue = number(payload, "object_attributes.iid")
    at = moment(payload, "object_attributes.updated_at") or moment(payload, "object_attributes.created_at")
    who = _actor(payload, "user")
    if not issue or at is None or who is None:
        return Ignored(f"the payload lacks {'an iid' if not issue else 'a time' if at is None else 'a user'}")
    if text(payload, "object_attributes.state") == "closed":
        return Ignored(f"issue {issue} is closed")
    return Trigger(kind, Thread(issue), who, at, Command(Verb.RUN))


def _asked_by(payload: Mapping[str, Any], action: str, settings: TriggerSettings) -> Kind | Ignored:
    """How the change asks for work. An issue that is opened brings its labels along, and GitLab says no more of
    it: whoever opened it put them there."""
    now = {text(label, "title") for label in items(payload, "changes.labels.current")}
    before = {text(label, "title") for label in items(payload, "changes.labels.previous")}
    if action == "open":
        now |= {text(label, "title") for label in items(payload, "labels")}
    if settings.label in now - before:
        return Kind.LABEL
    names = {text(person, "username").casefold() for person in items(payload, "changes.assignees.current")}
    names -= {text(person, "username").casefold() for person in items(payload, "changes.assignees.previous")}
    if action == "open":
        names |= {text(person, "username").casefold() for person in items(payload, "assignees")}
    if settings.account and settings.account.casefold() in names:
        return Kind.ASSIGNMENT
    return Ignored(f"the label {settings.label} was not added by this change")


def _note(payload: Mapping[str, Any], settings: TriggerSettings) -> Trigger | Ignored:
    if at_path(payload, "object_attributes.system") is True:
        return Ignored("it is a note of GitLab's own")
    action = text(payload, "object_attributes.action")
    if action not in ("create", ""):  # before GitLab 16.11 notes had no action
        return Ignored(f"a comment that was changed ({action}) asks for nothing")
    said = text(payload, "object_attributes.note")
    if said.startswith(_OURS):
        return Ignored("it is a comment of ours")
    asked = commands.asked(said, settings.account)
    if asked is None:
        return Ignored("the comment holds no command")
    kind, command = asked
    thread = _thread(payload)
    comment, at = number(payload, "object_attributes.id"), moment(payload, "object_attributes.created_at")
    who = _actor(payload, "user")
    if thread is None:
        return Ignored(
            f"comments on {text(payload, 'object_attributes.noteable_type') or 'nothing'} ask for nothing"
        )
    if not comment or at is None or who is None:
        return Ignored("the payload lacks the comment's id, time or author")
    return Trigger(kind, thread, who, at, command, comment)


def _thread(payload: Mapping[str, Any]) -> Thread | None:
    on = text(payload, "object_attributes.noteable_type")
    field = {"Issue": "issue", "MergeRequest": "merge_request"}.get(on, "")
    found = number(payload, f"{field}.iid") if field else ""
    return Thread(found, on == "MergeRequest") if found else None


def _actor(payload: Mapping[str, Any], path: str) -> Account | None:
    return account(payload, path, "username", bool(_BOT.fullmatch(text(payload, f"{path}.username"))))
