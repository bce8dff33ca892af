"""A stand-in for GitLab: one project with its members, tokens, issues and merge requests, over HTTP on loopback.

It keeps state, checks tokens and scopes, and answers with the fields, errors and pages that GitLab's REST API
documentation (version 4) names; every answer is held against `gitlab_schemas`.
"""

from __future__ import annotations

import base64
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tests.forges.gitlab_schemas import violations
from tests.forges.http import Answer, Request, Server, serving

Raw = dict[str, Any]
NAME = "acme/tools/widget"
PAGE = "https://gitlab.example/acme/tools/widget"
READ = ("read_api", "read_repository")  # the scopes of a job that publishes nothing
_LEVELS = {"guest": 10, "reporter": 20, "developer": 30, "maintainer": 40, "owner": 50}


@dataclass
class Token:
    """Whose it is and what it may do. `job` is the kind that a job gets by itself."""

    login: str
    scopes: tuple[str, ...] = ("api", "write_repository")
    kind: str = "project"
    revoked: bool = False
    expires_at: str | None = "2099-01-01"


class NotHereError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, message: object, headers: dict[str, str] | None = None) -> None:
        self.answer = Answer(status, {"message": message}, headers or {})


class FakeGitLab:
    """The state, and what people do. Each of their deeds gives the webhook that GitLab would send."""

    def __init__(self, git_url: str = f"{PAGE}.git", git_dir: Path | None = None) -> None:
        self.git_url = git_url
        self.git_dir = git_dir  # a bare repository whose branches are those of the project
        self.default_branch = "main"
        self.visibility = "private"
        self.files: dict[str, bytes] = {}
        self.protected: set[str] = set()
        self.people: dict[str, Raw] = {}
        self.members: dict[str, int] = {}
        self.tokens: dict[str, Token] = {}
        self.issues: dict[int, Raw] = {}
        self.requests: dict[int, Raw] = {}
        self.notes: dict[int, Raw] = {}
        self.labels: dict[str, Raw] = {}
        self.label_events: list[tuple[int, Raw]] = []
        self.awards: list[tuple[str, str, str]] = []  # place, name, username
        self.statuses: list[tuple[str, Raw]] = []
        self.jobs: dict[int, str] = {}
        self.created: dict[int, str] = {}  # when the pipeline of a job was
        self.began: dict[int, str] = {}  # when a job did; now, where it is not here
        self.variables_role = "developer"
        self.variables: list[Raw] = []
        self.hooks: list[Raw] = []
        self.triggers: list[Raw] = []
        self.server: Server | None = None
        self._now = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
        self._ids = 5000
        for username, role in (("dana", "owner"), ("robin", "developer"), ("guest", "reporter")):
            self.person(username, role)
        self.person("project_7_bot_a1b2", "developer")
        self.tokens["glpat-bot"] = Token("project_7_bot_a1b2")
        self.person("project_7_bot_c3d4", "reporter")
        self.tokens["glpat-reading"] = Token("project_7_bot_c3d4", READ)

    # --- what people do -----------------------------------------------------------------------------------

    def person(self, username: str, role: str | None = None) -> None:
        """Somebody joins, with a role in the project or none."""
        number = self._id()
        self.people[username] = {
            "id": number,
            "username": username,
            "name": username.title(),
            "state": "active",
            "avatar_url": None,
            "web_url": f"https://gitlab.example/{username}",
        }
        if role:
            self.members[username] = _LEVELS[role]

    def write_issue(self, title: str, text: str | None, by: str = "dana", **more: Any) -> int:
        """Somebody writes an issue; its number."""
        return int(self._issue(title, text, by, **more)["iid"])

    def label(self, number: int, name: str, by: str = "dana") -> Raw:
        """Somebody adds a label; the Issue Hook."""
        before = list(self.issues[number]["labels"])
        self._labels(self.issues[number], [*before, name], by)
        return self._label_hook(number, by, before)

    def unlabel(self, number: int, name: str, by: str = "dana") -> Raw:
        before = list(self.issues[number]["labels"])
        self._labels(self.issues[number], [label for label in before if label != name], by)
        return self._label_hook(number, by, before)

    def assign(self, number: int, username: str, by: str = "dana") -> Raw:
        """Somebody assigns an issue to somebody; the Issue Hook."""
        issue, before = self.issues[number], [raw["username"] for raw in self.issues[number]["assignees"]]
        issue |= {"assignees": [self.people[username]], "updated_at": self.now()}
        changed = {"previous": list(map(self._hook_user, before)), "current": [self._hook_user(username)]}
        return self._issue_hook(number, by, {"assignees": changed})

    def say(
        self,
        number: int,
        text: str,
        by: str = "dana",
        *,
        on_request: bool = False,
        internal: bool = False,
    ) -> Raw:
        """Somebody comments, for everybody or as an internal note; the Note Hook."""
        note = self._note("MergeRequest" if on_request else "Issue", number, text, by)
        note |= {"internal": internal, "confidential": internal}
        field = "merge_request" if on_request else "issue"
        about = self.requests[number] if on_request else self.issues[number]
        return {
            "object_kind": "note",
            "event_type": "confidential_note" if internal else "note",
            "user": self._hook_user(by),
            "project_id": 7,
            "project": {"id": 7, "path_with_namespace": NAME, "default_branch": self.default_branch},
            "object_attributes": {
                "id": note["id"],
                "note": text,
                "noteable_type": note["noteable_type"],
                "author_id": note["author"]["id"],
                "created_at": _hook_time(note["created_at"]),
                "updated_at": _hook_time(note["updated_at"]),
                "system": False,
                "internal": internal,
                "action": "create",
                "url": f"{PAGE}/-/issues/{number}#note_{note['id']}",
            },
            field: {
                "id": about["id"],
                "iid": number,
                "title": about["title"],
                "state": about["state"],
                "labels": [{"title": name} for name in about["labels"]],
            },
        }

    def edit_issue(
        self, number: int, by: str = "dana", *, title: str | None = None, text: str | None = None
    ) -> None:
        issue = self.issues[number]
        if text is not None:
            for told in _ticked(issue["description"] or "", text) or ["changed the description"]:
                self._note("Issue", number, told, by, system=True)
            issue["description"] = text
        if title is not None:
            self._note(
                "Issue", number, f"changed title from **{issue['title']}** to **{title}**", by, system=True
            )
            issue["title"] = title
        issue["updated_at"] = self.now()

    def award(self, note: int, name: str = "thumbsup", by: str = "dana") -> None:
        """Somebody puts an emoji on a note, which is changed by that, as `Note#bump_updated_at` has it."""
        self.awards.append((f"note {note}", name, by))
        self.notes[note]["updated_at"] = self.now()

    def edit_note(self, note: int, text: str) -> None:
        self.notes[note] |= {"body": text, "updated_at": self.now()}

    def delete_note(self, note: int) -> None:
        del self.notes[note]

    def close(self, number: int) -> None:
        self.issues[number]["state"] = "closed"

    def close_request(self, number: int) -> None:
        self.requests[number]["state"] = "closed"

    def delete(self, number: int) -> None:
        del self.issues[number]

    def move(self, number: int) -> None:
        self.issues[number] |= {"state": "closed", "moved_to_id": 4711}

    def today(self) -> None:
        """From now on the platform's clock is about right; before, it stands in the past."""
        self._now = datetime.now(UTC)

    def now(self) -> str:
        """The time; it goes on by a few seconds with each look."""
        self._now += timedelta(seconds=3)
        return self._now.strftime("%Y-%m-%dT%H:%M:%S.000Z")

    def thread(self, number: int, *, on_request: bool = False) -> list[tuple[str, str]]:
        """Who said what, without GitLab's own notes."""
        found = self._notes_on("MergeRequest" if on_request else "Issue", number)
        return [(note["author"]["username"], note["body"]) for note in found if not note["system"]]

    # --- the API ------------------------------------------------------------------------------------------

    @contextmanager
    def serve(self) -> Iterator[Server]:
        """Answers over HTTP."""
        with serving(self._answer) as server:
            self.server = server
            yield server

    def _answer(self, request: Request) -> Answer:
        try:
            token = self._token(request)
            answer = self._rest(request, token)
        except NotHereError as error:
            answer = error.answer
        if self.server is not None and answer.status < 400:
            self.server.broken += violations(request.method, request.path, answer.body)
        return answer

    def _token(self, request: Request) -> Token:
        headers = {name.lower(): value for name, value in request.headers.items()}
        token = self.tokens.get(headers.get("private-token", ""))
        if token is None or token.revoked or token.kind == "job":
            raise NotHereError(401, "401 Unauthorized")
        if token.scopes == READ and request.method != "GET" and self.server is not None:
            self.server.broken.append(f"a write with a token for reading: {request.method} {request.path}")
        if "api" not in token.scopes and not (request.method == "GET" and "read_api" in token.scopes):
            answer = {
                "error": "insufficient_scope",
                "error_description": "The request requires higher privileges than provided by the access token.",
                "scope": "api",
            }
            error = NotHereError(403, "")
            error.answer = Answer(403, answer)
            raise error
        return token

    def _rest(self, request: Request, token: Token) -> Answer:
        path = request.path.removeprefix("/api/v4")
        if path == "/user":
            return Answer(200, self.people[token.login])
        if path == "/personal_access_tokens/self":
            scopes = list(token.scopes)
            return Answer(200, {"id": 1, "scopes": scopes, "active": True, "expires_at": token.expires_at})
        if path == "/users":
            wanted = request.query.get("username", "").casefold()
            return Answer(200, [raw for name, raw in self.people.items() if name.casefold() == wanted])
        match = re.match(r"/projects/([^/]+)", path)
        if match is None or unquote(match[1]) not in (NAME, "7"):
            raise NotHereError(404, "404 Project Not Found")
        rest = path[match.end() :]
        for method, pattern, level, handler in self._routes():
            found = re.fullmatch(pattern, rest)
            if found and method == request.method:
                if self.members.get(token.login, 0) < level:
                    raise NotHereError(403, "403 Forbidden")
                return handler(request, token, *(unquote(part) for part in found.groups()))
        raise NotHereError(404, "404 Not Found")

    def _routes(self) -> list[tuple[str, str, int, Callable[..., Answer]]]:
        n, kind = r"(\d+)", "(issues|merge_requests)"
        return [
            ("GET", "", 10, self._get_project),
            ("GET", "/issues", 10, self._list_issues),
            ("POST", "/issues", 10, self._post_issue),
            ("GET", f"/{kind}/{n}", 10, self._get_subject),
            ("PUT", f"/issues/{n}", 20, self._put_issue),
            ("GET", f"/{kind}/{n}/notes", 10, self._list_notes),
            ("POST", f"/{kind}/{n}/notes", 10, self._post_note),
            ("GET", f"/{kind}/{n}/notes/{n}", 10, self._get_note),
            ("PUT", f"/{kind}/{n}/notes/{n}", 10, self._put_note),
            ("POST", f"/{kind}/{n}/award_emoji", 10, self._post_award),
            ("POST", f"/{kind}/{n}/notes/{n}/award_emoji", 10, self._post_note_award),
            ("GET", f"/issues/{n}/resource_label_events", 10, self._list_label_events),
            ("GET", "/labels", 10, self._list_labels),
            ("POST", "/labels", 20, self._post_label),
            ("GET", f"/members/all/{n}", 10, self._get_member),
            ("GET", "/merge_requests", 10, self._list_requests),
            ("POST", "/merge_requests", 30, self._post_request),
            ("PUT", f"/merge_requests/{n}", 30, self._put_request),
            ("GET", "/repository/branches/(.+)", 20, self._get_branch),
            ("GET", "/repository/files/(.+)", 20, self._get_file),
            ("POST", "/statuses/([0-9a-f]+)", 30, self._post_status),
            ("GET", f"/jobs/{n}", 20, self._get_job),
            ("POST", f"/jobs/{n}/cancel", 30, self._cancel_job),
            ("PUT", "", 40, self._put_project),
            ("GET", "/variables", 40, self._list_variables),
            ("GET", "/hooks", 40, self._list_hooks),
            ("POST", "/hooks", 40, self._post_hook),
            ("POST", "/triggers", 40, self._post_trigger),
        ]

    # --- the project --------------------------------------------------------------------------------------

    def _get_project(self, _request: Request, token: Token) -> Answer:
        maintainer = self.members.get(token.login, 0) >= 40
        role = {"ci_pipeline_variables_minimum_override_role": self.variables_role} if maintainer else {}
        return Answer(
            200,
            role
            | {
                "issues_access_level": "enabled",
                "id": 7,
                "path_with_namespace": NAME,
                "web_url": PAGE,
                "http_url_to_repo": self.git_url,
                "ssh_url_to_repo": "git@gitlab.example:acme/tools/widget.git",
                "default_branch": self.default_branch,
                "visibility": self.visibility,
            },
        )

    def _put_project(self, request: Request, token: Token) -> Answer:
        self.variables_role = request.body["ci_pipeline_variables_minimum_override_role"]
        return self._get_project(request, token)

    def _list_variables(self, request: Request, _token: Token) -> Answer:
        return self._page(request, self.variables)

    def _list_hooks(self, request: Request, _token: Token) -> Answer:
        return self._page(request, self.hooks)

    def _post_hook(self, request: Request, _token: Token) -> Answer:
        if not request.body["url"].startswith("http"):
            raise NotHereError(422, "Invalid url given")
        shown = {key: value for key, value in request.body.items() if key != "url_variables"}
        self.hooks.append({"id": self._id(), "project_id": 7, "alert_status": "executable", **shown})
        return Answer(201, self.hooks[-1])

    def _post_trigger(self, request: Request, token: Token) -> Answer:
        self.triggers.append(
            {"id": self._id(), "token": "glptt-s3cret", "description": request.body["description"]}
        )
        return Answer(201, self.triggers[-1] | {"owner": self.people[token.login]})

    def _get_member(self, _request: Request, _token: Token, number: str) -> Answer:
        for username, level in self.members.items():
            if str(self.people[username]["id"]) == number:
                return Answer(200, self.people[username] | {"access_level": level, "expires_at": None})
        raise NotHereError(404, "404 Not found")

    def _get_branch(self, _request: Request, _token: Token, name: str) -> Answer:
        sha = self._sha(name)
        if sha is None:
            raise NotHereError(404, "404 Branch Not Found")
        return Answer(
            200, {"name": name, "commit": {"id": sha}, "protected": name in self.protected, "default": False}
        )

    def _sha(self, branch: str) -> str | None:
        if self.git_dir is None:
            return "a" * 40 if branch in (self.default_branch, "stable") or branch.startswith("w") else None
        words = [
            "git",
            "--git-dir",
            str(self.git_dir),
            "rev-parse",
            "--verify",
            "--quiet",
            f"refs/heads/{branch}",
        ]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        return done.stdout.strip() or None

    def _get_file(self, request: Request, _token: Token, path: str) -> Answer:
        content = self.files.get(path)
        if content is None or request.query["ref"] != self.default_branch:
            raise NotHereError(404, "404 File Not Found")
        encoded = base64.b64encode(content).decode()
        return Answer(
            200, {"file_path": path, "encoding": "base64", "content": encoded, "ref": request.query["ref"]}
        )

    def _post_status(self, request: Request, _token: Token, sha: str) -> Answer:
        if (sha, request.body) in self.statuses:
            raise NotHereError(400, "Cannot transition status via :run from :running")
        self.statuses.append((sha, request.body))
        return Answer(
            201, {"id": self._id(), "sha": sha, "status": request.body["state"], "name": request.body["name"]}
        )

    def _get_job(self, _request: Request, _token: Token, number: str) -> Answer:
        if int(number) not in self.jobs:
            raise NotHereError(404, "404 Not found")
        return Answer(200, self._job(int(number)))

    def _cancel_job(self, request: Request, token: Token, number: str) -> Answer:
        self._get_job(request, token, number)
        if self.jobs[int(number)] == "running":
            self.jobs[int(number)] = "canceled"
        return Answer(201, self._job(int(number)))

    def _job(self, number: int) -> Raw:
        created = self.created.get(number, "2026-03-02T09:00:00.000Z")
        pipeline = {"id": number + 10**9, "project_id": 7, "ref": self.default_branch, "created_at": created}
        made = {"id": number, "status": self.jobs[number], "name": "ci-agent", "created_at": self.now()}
        began = self.began.get(number) or f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.000Z}"
        return made | {"pipeline": pipeline, "started_at": began}

    # --- issues -------------------------------------------------------------------------------------------

    def _list_issues(self, request: Request, _token: Token) -> Answer:
        query = request.query
        found = [
            issue
            for issue in self.issues.values()
            if query.get("state", "all") in ("all", issue["state"])
            and set(filter(None, query.get("labels", "").split(","))) <= set(issue["labels"])
            and query.get("author_id", str(issue["author"]["id"])) == str(issue["author"]["id"])
        ]
        return self._page(request, found if query.get("sort") == "asc" else found[::-1])

    def _post_issue(self, request: Request, token: Token) -> Answer:
        if not request.body.get("title"):
            raise NotHereError(400, {"title": ["can't be blank"]})
        return Answer(201, self._issue(request.body["title"], request.body.get("description"), token.login))

    def _get_subject(self, _request: Request, _token: Token, kind: str, number: str) -> Answer:
        return Answer(200, self._subject(kind, number))

    def _put_issue(self, request: Request, token: Token, number: str) -> Answer:
        issue = self._subject("issues", number)
        self._relabel(issue, request.body, token.login)
        return Answer(200, issue)

    def _relabel(self, subject: Raw, body: Raw, by: str) -> None:
        added = [name for name in body.get("add_labels", "").split(",") if name]
        removed = body.get("remove_labels", "").split(",")
        names = [name for name in subject["labels"] if name not in removed]
        self._labels(subject, list(dict.fromkeys([*names, *added])), by)

    def _list_notes(self, request: Request, _token: Token, kind: str, number: str) -> Answer:
        self._subject(kind, number)
        found = self._notes_on(_noteable(kind), int(number))
        return self._page(request, found if request.query.get("sort") == "asc" else found[::-1])

    def _post_note(self, request: Request, token: Token, kind: str, number: str) -> Answer:
        subject = self._subject(kind, number)
        body = request.body["body"]
        if not body.strip() or len(body) > 1_000_000:
            raise NotHereError(400, {"note": ["is too long (maximum is 1000000 characters)"]})
        if subject.get("discussion_locked") and self.members.get(token.login, 0) < 30:
            raise NotHereError(403, "403 Forbidden")
        return Answer(201, self._note(_noteable(kind), int(number), _obeyed(self, body), token.login))

    def _get_note(self, _request: Request, _token: Token, kind: str, number: str, note: str) -> Answer:
        found = self.notes.get(int(note))
        if found is None or (found["noteable_type"], found["noteable_iid"]) != (_noteable(kind), int(number)):
            raise NotHereError(404, "404 Note Not Found")
        return Answer(200, found)

    def _put_note(self, request: Request, token: Token, kind: str, number: str, note: str) -> Answer:
        self._get_note(request, token, kind, number, note)
        self.edit_note(int(note), _obeyed(self, request.body["body"]))
        return Answer(200, self.notes[int(note)])

    def _post_award(self, request: Request, token: Token, kind: str, number: str) -> Answer:
        self._subject(kind, number)
        self._awardable(f"{kind} {number}", request, token)
        self.awards.append((f"{kind} {number}", request.body["name"], token.login))
        return self._awarded(request, token)

    def _post_note_award(self, request: Request, token: Token, kind: str, number: str, note: str) -> Answer:
        self._get_note(request, token, kind, number, note)
        self._awardable(f"note {note}", request, token)
        self.award(int(note), request.body["name"], token.login)
        return self._awarded(request, token)

    def _awardable(self, place: str, request: Request, token: Token) -> None:
        if (place, request.body["name"], token.login) in self.awards:
            raise NotHereError(404, "404 Award Emoji Name has already been taken Not Found")

    def _awarded(self, request: Request, token: Token) -> Answer:
        return Answer(201, {"id": self._id(), "name": request.body["name"], "user": self.people[token.login]})

    def _list_label_events(self, request: Request, _token: Token, number: str) -> Answer:
        self._subject("issues", number)
        return self._page(request, [event for subject, event in self.label_events if subject == int(number)])

    def _list_labels(self, request: Request, _token: Token) -> Answer:
        return self._page(request, list(self.labels.values()))

    def _post_label(self, request: Request, _token: Token) -> Answer:
        name = request.body["name"]
        if name in self.labels:
            raise NotHereError(409, "Label already exists")
        self._label_made(name, request.body["color"], request.body.get("description"))
        return Answer(201, self.labels[name])

    # --- merge requests -----------------------------------------------------------------------------------

    def _list_requests(self, request: Request, _token: Token) -> Answer:
        query = request.query
        found = [
            raw
            for raw in self.requests.values()
            if query.get("state", "all") in ("all", raw["state"])
            and query.get("source_branch", raw["source_branch"]) == raw["source_branch"]
            and query.get("target_branch", raw["target_branch"]) == raw["target_branch"]
        ]
        return self._page(request, found if query.get("sort") == "asc" else found[::-1])

    def _post_request(self, request: Request, token: Token) -> Answer:
        body = request.body
        if len(body.get("description") or "") > 1_048_576:
            raise NotHereError(400, {"description": ["is too long (maximum is 1048576 characters)"]})
        if self._sha(body["source_branch"]) is None:
            raise NotHereError(400, {"source_branch": ["does not exist"]})
        for raw in self.requests.values():
            same = (raw["source_branch"], raw["target_branch"]) == (
                body["source_branch"],
                body["target_branch"],
            )
            if same and raw["state"] == "opened":
                message = f"Another open merge request already exists for this source branch: !{raw['iid']}"
                raise NotHereError(409, [message])
        return Answer(201, self.open_request(body, token.login))

    def open_request(self, body: Raw, by: str, source_project: int = 7) -> Raw:
        """A merge request comes to be."""
        number, now = len(self.requests) + 1, self.now()
        labels = [name for name in body.get("labels", "").split(",") if name]
        made = {
            "id": self._id(),
            "iid": number,
            "project_id": 7,
            "title": body["title"],
            "description": _obeyed(self, body.get("description") or ""),
            "state": "opened",
            "draft": body["title"].lower().startswith("draft:"),
            "source_branch": body["source_branch"],
            "target_branch": body["target_branch"],
            "source_project_id": source_project,
            "target_project_id": 7,
            "labels": [],
            "author": self.people[by],
            "reviewers": [],
            "assignees": [],
            "web_url": f"{PAGE}/-/merge_requests/{number}",
            "created_at": now,
            "updated_at": now,
        }
        self.requests[number] = made
        self._labels(made, labels, by)
        return made

    def _put_request(self, request: Request, token: Token, number: str) -> Answer:
        raw, body = self._subject("merge_requests", number), dict(request.body)
        self._relabel(
            raw,
            {name: body.pop(name) for name in ("add_labels", "remove_labels") if name in body},
            token.login,
        )
        for field, name in (("reviewer_ids", "reviewers"), ("assignee_ids", "assignees")):
            ids = body.pop(field, None)
            if ids is not None:
                raw[name] = [person for person in self.people.values() if person["id"] in ids]
        raw |= body
        raw["draft"] = raw["title"].lower().startswith("draft:")
        return Answer(200, raw)

    # --- parts --------------------------------------------------------------------------------------------

    def _issue(self, title: str, text: str | None, by: str, **more: Any) -> Raw:
        number, now = len(self.issues) + 1, self.now()
        self.issues[number] = {
            "id": self._id(),
            "iid": number,
            "project_id": 7,
            "title": title,
            "description": text,
            "state": "opened",
            "labels": [],
            "author": self.people[by],
            "assignees": [],
            "confidential": False,
            "discussion_locked": None,
            "moved_to_id": None,
            "web_url": f"{PAGE}/-/issues/{number}",
            "created_at": now,
            "updated_at": now,
            **more,
        }
        return self.issues[number]

    def _subject(self, kind: str, number: str) -> Raw:
        found = (self.issues if kind == "issues" else self.requests).get(int(number))
        if found is None:
            raise NotHereError(404, "404 Not found")
        return found

    def _note(self, kind: str, number: int, text: str, by: str, *, system: bool = False) -> Raw:
        now, note = self.now(), self._id()
        self.notes[note] = {
            "id": note,
            "body": text,
            "author": self.people[by],
            "created_at": now,
            "updated_at": now,
            "system": system,
            "noteable_type": kind,
            "noteable_iid": number,
            "confidential": False,
            "internal": False,
        }
        return self.notes[note]

    def _notes_on(self, kind: str, number: int) -> list[Raw]:
        wanted = (kind, number)
        return [
            note for note in self.notes.values() if (note["noteable_type"], note["noteable_iid"]) == wanted
        ]

    def _label_made(self, name: str, colour: str, description: str | None) -> None:
        made = {"id": self._id(), "name": name, "color": colour, "description": description}
        self.labels.setdefault(name, made)

    def _labels(self, subject: Raw, names: list[str], by: str) -> None:
        before = list(subject["labels"])
        for name in names:
            self._label_made(name, "#6699cc", None)
        subject["labels"] = sorted(names)
        subject["updated_at"] = self.now()
        if "source_branch" in subject:
            return
        for action, changed in (("add", set(names) - set(before)), ("remove", set(before) - set(names))):
            for name in sorted(changed):
                event = {
                    "id": self._id(),
                    "action": action,
                    "label": {"name": name},
                    "user": self.people[by],
                    "created_at": subject["updated_at"],
                    "resource_type": "Issue",
                }
                self.label_events.append((subject["iid"], event))

    def _label_hook(self, number: int, by: str, before: list[str]) -> Raw:
        now = [{"title": name} for name in self.issues[number]["labels"]]
        changed = {"previous": [{"title": name} for name in before], "current": now}
        return self._issue_hook(number, by, {"labels": changed})

    def _issue_hook(self, number: int, by: str, changes: Raw) -> Raw:
        issue = self.issues[number]
        return {
            "object_kind": "issue",
            "event_type": "issue",
            "user": self._hook_user(by),
            "project": {"id": 7, "path_with_namespace": NAME, "default_branch": self.default_branch},
            "object_attributes": {
                "id": issue["id"],
                "iid": number,
                "title": issue["title"],
                "description": issue["description"],
                "state": issue["state"],
                "action": "update",
                "created_at": _hook_time(issue["created_at"]),
                "updated_at": _hook_time(issue["updated_at"]),
                "url": issue["web_url"],
            },
            "labels": [{"title": name} for name in issue["labels"]],
            "assignees": [self._hook_user(raw["username"]) for raw in issue["assignees"]],
            "changes": changes,
        }

    def _hook_user(self, username: str) -> Raw:
        return {"id": self.people[username]["id"], "username": username, "name": username.title()}

    def _page(self, request: Request, found: list[Raw]) -> Answer:
        size, page = int(request.query.get("per_page", 20)), int(request.query.get("page", 1))
        more = str(page + 1) if len(found) > size * page else ""
        headers = {
            "X-Page": str(page),
            "X-Per-Page": str(size),
            "X-Next-Page": more,
            "X-Total": str(len(found)),
        }
        return Answer(200, found[size * (page - 1) : size * page], headers)

    def _id(self) -> int:
        self._ids += 1
        return self._ids


def _noteable(kind: str) -> str:
    return "Issue" if kind == "issues" else "MergeRequest"


def _ticked(before: str, after: str) -> list[str]:
    """What GitLab notes of an edit that ticks boxes, as `Taskable#updated_tasks` finds them; nothing else of it then."""
    old, new = (re.findall(r"^\s*[-*+] \[([ xX])\] (.*)$", text, re.MULTILINE) for text in (before, after))
    changed = [
        (box, item)
        for (was, name), (box, item) in zip(old, new, strict=False)
        if name == item and (was == " ") != (box == " ")
    ]
    return [
        f"marked the checklist item **{item}** as {'incomplete' if box == ' ' else 'completed'}"
        for box, item in changed
    ]


def _hook_time(text: str) -> str:
    """As GitLab writes times in webhooks."""
    return text.replace("T", " ").replace(".000Z", " UTC")


def _obeyed(gitlab: FakeGitLab, body: str) -> str:
    """GitLab takes quick actions out of a text and does them; here it is told to the test."""
    if gitlab.server is not None and re.search(r"^/[a-z]", body.replace("\r", "\n"), re.MULTILINE):
        gitlab.server.broken.append(f"a quick action got through: {body[:200]!r}")
    return body
