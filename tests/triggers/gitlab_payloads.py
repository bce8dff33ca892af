"""GitLab's webhook payloads.

Source: GitLab's documentation, "Webhook events" (doc/user/project/integrations/webhook_events.md), the examples of
"Work item events", "Comment on a commit", "Comment on a merge request", "Comment on an issue" and "Comment on a
code snippet", without the addresses of pictures and the repeated descriptions of the project.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

Payload = dict[str, Any]

USER: Payload = {"id": 1, "name": "Administrator", "username": "root", "email": "admin@example.com"}
PROJECT: Payload = {
    "id": 5,
    "name": "Gitlab Test",
    "web_url": "http://example.com/gitlab-org/gitlab-test",
    "git_http_url": "http://example.com/gitlab-org/gitlab-test.git",
    "namespace": "Gitlab Org",
    "visibility_level": 10,
    "path_with_namespace": "gitlab-org/gitlab-test",
    "default_branch": "master",
}


def label(title: str, number: int = 206) -> Payload:
    return {
        "id": number,
        "title": title,
        "color": "#ffffff",
        "project_id": 14,
        "created_at": "2013-12-03T17:15:43Z",
        "updated_at": "2013-12-03T17:15:43Z",
        "template": False,
        "description": "API related issues",
        "type": "ProjectLabel",
        "group_id": 41,
    }


ISSUE: Payload = {
    "object_kind": "issue",
    "event_type": "issue",
    "user": USER,
    "project": PROJECT,
    "object_attributes": {
        "id": 301,
        "title": "New API: create/update/delete file",
        "assignee_ids": [51],
        "assignee_id": 51,
        "author_id": 51,
        "project_id": 14,
        "created_at": "2013-12-03T17:15:43Z",
        "updated_at": "2013-12-03T17:15:43Z",
        "updated_by_id": 1,
        "last_edited_at": None,
        "last_edited_by_id": None,
        "description": "Create new API for manipulations with repository",
        "milestone_id": None,
        "state_id": 1,
        "confidential": False,
        "discussion_locked": True,
        "type": "Issue",
        "iid": 23,
        "url": "http://example.com/diaspora/issues/23",
        "state": "opened",
        "action": "open",
        "severity": "high",
        "labels": [label("API")],
    },
    "assignees": [{"name": "User1", "username": "user1"}],
    "assignee": {"name": "User1", "username": "user1"},
    "labels": [label("API")],
    "changes": {
        "updated_by_id": {"previous": None, "current": 1},
        "updated_at": {"previous": "2017-09-15 16:50:55 UTC", "current": "2017-09-15 16:52:00 UTC"},
        "labels": {"previous": [label("API")], "current": [label("Platform", 205)]},
    },
}


def _note(number: int, text: str, on: str, created: str, **more: Any) -> Payload:
    return {
        "object_kind": "note",
        "event_type": "note",
        "user": USER,
        "project_id": 5,
        "project": PROJECT,
        "object_attributes": {
            "id": number,
            "note": text,
            "noteable_type": on,
            "author_id": 1,
            "created_at": created,
            "updated_at": created,
            "project_id": 5,
            "attachment": None,
            "line_code": None,
            "commit_id": "",
            "noteable_id": 92,
            "system": False,
            "st_diff": None,
            "action": "create",
            "url": f"http://example.com/gitlab-org/gitlab-test/issues/17#note_{number}",
        },
        **more,
    }


ON_COMMIT = _note(
    1243,
    "This is a commit comment. How does this work?",
    "Commit",
    "2015-05-17 18:08:09 UTC",
    commit={
        "id": "cfe32cf61b73a0d5e9f13e774abde7ff789b1660",
        "message": "Add submodule\n\nSigned-off-by: Example User <user@example.com.com>\n",
        "timestamp": "2014-02-27T10:06:20+02:00",
    },
)
ON_REQUEST = _note(
    1244,
    "This MR needs work.",
    "MergeRequest",
    "2015-05-17 18:21:36 UTC",
    merge_request={
        "id": 7,
        "target_branch": "markdown",
        "source_branch": "master",
        "source_project_id": 5,
        "author_id": 8,
        "title": "Tempora et eos debitis quae laborum et.",
        "created_at": "2015-03-01 20:12:53 UTC",
        "state": "opened",
        "target_project_id": 5,
        "iid": 1,
        "labels": [label("Afterpod", 25), label("Element", 86)],
    },
)
ON_ISSUE = _note(
    1241,
    "Hello world",
    "Issue",
    "2015-05-17 17:06:40 UTC",
    issue={
        "id": 92,
        "title": "test",
        "assignee_ids": [],
        "author_id": 1,
        "project_id": 5,
        "created_at": "2015-04-12 14:53:17 UTC",
        "updated_at": "2015-04-26 08:28:42 UTC",
        "description": "test",
        "state": "closed",
        "iid": 17,
        "labels": [label("Afterpod", 25), label("Element", 86)],
    },
)
ON_SNIPPET = _note(
    1245,
    "Is this snippet doing what it's supposed to be doing?",
    "Snippet",
    "2015-05-17 18:35:50 UTC",
    snippet={"id": 53, "title": "test", "content": "puts 'Hello world'", "file_name": "test.rb"},
)
ALL = (ISSUE, ON_COMMIT, ON_REQUEST, ON_ISSUE, ON_SNIPPET)


def relabelled(before: list[str], now: list[str], action: str = "update") -> Payload:
    """The documentation's issue after a change of its labels."""
    payload = deepcopy(ISSUE)
    payload["object_attributes"]["action"] = action
    payload["labels"] = [label(title) for title in now]
    if before != now:
        payload["changes"]["labels"] = {
            "previous": [label(title) for title in before],
            "current": [label(title) for title in now],
        }
    else:
        del payload["changes"]["labels"]
    return payload


def said(text: str, example: Payload = ON_ISSUE, **attributes: Any) -> Payload:
    """The documentation's comment with these words; `attributes` of the comment are overruled, None takes one away."""
    payload = deepcopy(example)
    payload["object_attributes"] |= {"note": text, **attributes}
    for name in [name for name, value in attributes.items() if value is None]:
        del payload["object_attributes"][name]
    return payload
