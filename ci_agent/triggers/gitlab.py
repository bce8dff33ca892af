"""GitLab's pipelines: what a webhook, a person or a schedule started, as variables and payload say it.

The forms are those of GitLab's documentation, "Webhook events": work item events and comment events. Whoever has
the trigger's token can send any payload, so of its words only ids, times and names are taken; the rest is read by
the API.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ci_agent.config.definitions import TriggerSettings
from ci_agent.task import Account, Thread, is_bot_name
from ci_agent.triggers import Command, Ignored, Kind, Trigger, Verb, commands
from ci_agent.triggers.dispatch import dispatched
from ci_agent.triggers.payload import (
    OURS,
    account,
    at_path,
    items,
    lacking,
    moment,
    number,
    same_name,
    shown,
    text,
    waits,
)
from ci_agent.triggers.travel import unpacked

_DONE = {"close": "closed", "reopen": "reopened", "update": "changed"}


def read(
    source: str, payload: Mapping[str, Any], at: datetime, actor: Account | None, settings: TriggerSettings
) -> Trigger | Ignored:
    """What a pipeline with the CI_PIPELINE_SOURCE `source` is asked for.

    `payload` is the webhook's; beside its own fields it may hold, from other variables of the pipeline, `inputs`
    with `issue` and `intent`, what a routing job handed on as `travelled`, and our own project's path as `here`.
    Only a pipeline that was started with a trigger's token has a webhook's payload: by the other ways people
    act in their own name, and the payload would name another.
    """
    travelled = text(payload, "travelled")
    if source == "parent_pipeline" and travelled:
        return unpacked(travelled)
    kind = text(payload, "object_kind")
    if source == "trigger" and kind:
        return _hook(kind, payload, settings)
    if source in ("trigger", "web", "api"):
        return dispatched(payload, "inputs", at, actor)
    return Ignored(f"pipelines started by {shown(source) or '(nothing)'} ask for nothing")


def _hook(kind: str, payload: Mapping[str, Any], settings: TriggerSettings) -> Trigger | Ignored:
    where, here = text(payload, "project.path_with_namespace"), text(payload, "here")
    if where and here and where.casefold() != here.casefold():
        return Ignored(f"it happened in {shown(where)}, and this is {here}")
    if kind == "issue":
        return _issue(payload, settings)
    if kind == "note":
        return _note(payload, settings)
    return Ignored(f"webhooks of the kind {shown(kind)} ask for nothing")


def _issue(payload: Mapping[str, Any], settings: TriggerSettings) -> Trigger | Ignored:
    action = text(payload, "object_attributes.action")
    if action not in ("open", "update"):
        return Ignored(f"an issue that was {_DONE.get(action, shown(action)) or 'changed'} asks for nothing")
    kind = _asked_by(payload, action, settings)
    if isinstance(kind, Ignored):
        return kind
    issue, who = number(payload, "object_attributes.iid"), _actor(payload, "user")
    at = moment(payload, "object_attributes.updated_at") or moment(payload, "object_attributes.created_at")
    if not issue or at is None or who is None:
        return lacking(
            {"object_attributes.iid": issue, "object_attributes.updated_at": at, "user.username": who}
        )
    if text(payload, "object_attributes.state") == "closed":
        return Ignored(f"issue {issue} is closed")
    if same_name(who.login, settings.account):
        return Ignored("it was our own doing")
    return Trigger(kind, Thread(issue), who, at, Command(Verb.RUN))


def _asked_by(payload: Mapping[str, Any], action: str, settings: TriggerSettings) -> Kind | Ignored:
    """How the change asks for work. An issue that is opened brings its labels along, and GitLab sends nothing more
    about them: whoever opened it put them there."""
    labels = _added(payload, "labels", "title", opened=action == "open")
    if settings.label in labels:
        return Kind.LABEL
    people = _added(payload, "assignees", "username", opened=action == "open")
    if any(same_name(person, settings.account) for person in people):
        return Kind.ASSIGNMENT
    if action == "open":
        return Ignored(f"the issue was opened without the label {settings.label}")
    if not labels and not people:
        return Ignored("no label was added by this change, and nobody was assigned")
    return Ignored(f"the label {settings.label} was not added by this change, and it was not assigned to us")


def _added(payload: Mapping[str, Any], field: str, name: str, *, opened: bool) -> set[str]:
    """The names of what the change brought."""
    before = {text(item, name) for item in items(payload, f"changes.{field}.previous")}
    now = {text(item, name) for item in items(payload, f"changes.{field}.current")}
    if opened:
        now |= {text(item, name) for item in items(payload, field)}
    return now - before - {""}


def _note(payload: Mapping[str, Any], settings: TriggerSettings) -> Trigger | Ignored:
    who, on = _actor(payload, "user"), text(payload, "object_attributes.noteable_type")
    waiting = on == "Issue" and waits(payload, "issue.labels", "title", "issue.state", who)
    asked = commands.asked(_said(payload), settings.account, waiting=waiting)
    not_for_us = _not_for_us(payload, who, settings)
    if not_for_us or asked is None:
        return Ignored(not_for_us or "the comment holds no command")
    field = {"Issue": "issue", "MergeRequest": "merge_request"}.get(on)
    if field is None:
        return Ignored(f"comments on a {shown(on) or 'thing without a name'} ask for nothing")
    thread, comment = number(payload, f"{field}.iid"), number(payload, "object_attributes.id")
    at = moment(payload, "object_attributes.created_at")
    if not thread or not comment or at is None or who is None:
        return lacking(
            {
                f"{field}.iid": thread,
                "object_attributes.id": comment,
                "object_attributes.created_at": at,
                "user.username": who,
            }
        )
    kind, command = asked
    return Trigger(kind, Thread(thread, field == "merge_request"), who, at, command, comment)


def _said(payload: Mapping[str, Any]) -> str:
    return text(payload, "object_attributes.note")


def _not_for_us(payload: Mapping[str, Any], who: Account | None, settings: TriggerSettings) -> str:
    """Why a note asks for nothing, whatever it says; empty: it may."""
    if at_path(payload, "object_attributes.system") is True:
        return "it is a note of GitLab's own"
    action = text(payload, "object_attributes.action")
    if action not in ("create", ""):  # GitLab before 16.11 says nothing, and sends no changes of comments
        return "a comment that was changed asks for nothing"
    if _said(payload).startswith(OURS) or (who and same_name(who.login, settings.account)):
        return "it is a comment of ours"
    if _internal(payload):
        return "it is an internal note, and what comes of it would be seen by everybody"
    return ""


def _internal(payload: Mapping[str, Any]) -> bool:
    """Whether only members see the note. Older versions of GitLab tell it by the event alone, which they also send for any
    comment on a confidential issue."""
    if at_path(payload, "object_attributes.internal") is True:
        return True
    secret = at_path(payload, "issue.confidential") is True
    return text(payload, "event_type") == "confidential_note" and not secret


def _actor(payload: Mapping[str, Any], path: str) -> Account | None:
    return account(payload, path, "username", is_bot_name(text(payload, f"{path}.username")))
