"""The fields of GitLab's answers that we rely on, with their types, as the REST API documentation shows them
(docs.gitlab.com: issues, notes, merge_requests, members, labels, branches, repository_files, jobs, projects,
users, commits, resource_label_events). Checked with jsonschema on every answer of the stand-in.
"""

from __future__ import annotations

import re
from typing import Any

_TEXT, _NUMBER, _TIME = (
    {"type": "string"},
    {"type": "integer"},
    {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT.*Z$"},
)
_TEXT_OR_NONE, _YES_NO = {"type": ["string", "null"]}, {"type": "boolean"}


def _object(**fields: Any) -> dict[str, Any]:
    return {"type": "object", "required": sorted(fields), "properties": fields}


_USER = _object(
    id=_NUMBER, username=_TEXT, name=_TEXT, state={"enum": ["active", "blocked", "awaiting"]}, web_url=_TEXT
)
_LABELS = {"type": "array", "items": _TEXT}
_ISSUE = _object(
    id=_NUMBER,
    iid=_NUMBER,
    project_id=_NUMBER,
    title=_TEXT,
    description=_TEXT_OR_NONE,
    state={"enum": ["opened", "closed"]},
    labels=_LABELS,
    author=_USER,
    confidential=_YES_NO,
    discussion_locked={"type": ["boolean", "null"]},
    web_url=_TEXT,
    created_at=_TIME,
    updated_at=_TIME,
)
_NOTE = _object(
    id=_NUMBER,
    body=_TEXT,
    author=_USER,
    created_at=_TIME,
    updated_at=_TIME,
    system=_YES_NO,
    noteable_type={"enum": ["Issue", "MergeRequest"]},
    noteable_iid=_NUMBER,
    confidential=_YES_NO,
    internal=_YES_NO,
)
_REQUEST = _object(
    id=_NUMBER,
    iid=_NUMBER,
    title=_TEXT,
    description=_TEXT_OR_NONE,
    state={"enum": ["opened", "closed", "merged", "locked"]},
    draft=_YES_NO,
    source_branch=_TEXT,
    target_branch=_TEXT,
    source_project_id=_NUMBER,
    target_project_id=_NUMBER,
    labels=_LABELS,
    author=_USER,
    reviewers={"type": "array", "items": _USER},
    assignees={"type": "array", "items": _USER},
    web_url=_TEXT,
)
_PATHS = (
    (r"/user", _USER),
    (r"/users", [_USER]),
    (r"/personal_access_tokens/self", _object(scopes=_LABELS, active=_YES_NO, expires_at=_TEXT_OR_NONE)),
    (r".*/variables", [_object(key=_TEXT, masked=_YES_NO, protected=_YES_NO)]),
    (r".*/triggers", _object(id=_NUMBER, token=_TEXT, description=_TEXT)),
    (
        r"/projects/[^/]+",
        _object(
            id=_NUMBER,
            path_with_namespace=_TEXT,
            web_url=_TEXT,
            http_url_to_repo=_TEXT,
            default_branch=_TEXT,
            visibility={"enum": ["private", "internal", "public"]},
        ),
    ),
    (r".*/issues/\d+", _ISSUE),
    (r".*/merge_requests/\d+", _REQUEST),
    (r".*/notes/\d+", _NOTE),
    (r".*/members/all/\d+", _object(id=_NUMBER, username=_TEXT, state=_TEXT, access_level=_NUMBER)),
    (r".*/branches/.+", _object(name=_TEXT, protected=_YES_NO, commit=_object(id=_TEXT))),
    (r".*/files/.+", _object(file_path=_TEXT, encoding={"const": "base64"}, content=_TEXT, ref=_TEXT)),
    (
        r".*/jobs/\d+(/cancel)?",
        _object(
            id=_NUMBER,
            status=_TEXT,
            name=_TEXT,
            created_at=_TIME,
            pipeline=_object(id=_NUMBER, created_at=_TIME),
        ),
    ),
    (r".*/statuses/.+", _object(id=_NUMBER, sha=_TEXT, status=_TEXT, name=_TEXT)),
    (r".*/award_emoji", _object(id=_NUMBER, name=_TEXT, user=_USER)),
    (
        r".*/resource_label_events",
        [_object(id=_NUMBER, action={"enum": ["add", "remove"]}, user=_USER, created_at=_TIME)],
    ),
)
_HOOK = _object(
    id=_NUMBER, url=_TEXT, issues_events=_YES_NO, note_events=_YES_NO, push_events=_YES_NO, alert_status=_TEXT
)
_LISTS = (
    (r".*/hooks", _HOOK),
    (r".*/issues", _ISSUE),
    (r".*/merge_requests", _REQUEST),
    (r".*/notes", _NOTE),
    (r".*/labels", _object(id=_NUMBER, name=_TEXT, color=_TEXT, description=_TEXT_OR_NONE)),
)


def violations(method: str, path: str, answer: Any) -> list[str]:
    """What is wrong with an answer to `method` at `path`."""
    import jsonschema

    path = path.removeprefix("/api/v4")
    checker = jsonschema.Draft202012Validator(_schema(method, path))
    return [f"{method} {path}: {error.json_path}: {error.message}" for error in checker.iter_errors(answer)]


def _schema(method: str, path: str) -> Any:
    for pattern, schema in _LISTS:
        if re.fullmatch(pattern, path):
            return schema if method == "POST" else {"type": "array", "items": schema}
    for pattern, found in _PATHS:
        if re.fullmatch(pattern, path):
            return {"type": "array", "items": found[0]} if isinstance(found, list) else found
    raise LookupError(f"no schema for {path}")
