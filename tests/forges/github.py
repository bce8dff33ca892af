"""A stand-in for GitHub: one repository with its people, tokens, issues and pull requests, over HTTP on loopback.

It keeps state, checks tokens, answers like the documentation says, and holds every request and answer against
GitHub's official description of its API; what differs is in `server.broken`, which the fixture looks at.
"""

from __future__ import annotations

import base64
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from tests.forges.github_events import event
from tests.forges.http import Answer, Request, Server, serving
from tests.support.github_openapi import answer_violations, filled, request_violations

Raw = dict[str, Any]
NAME = "acme/widget"
RUNNER = "GitHub Actions 12"  # the name of the runner of all jobs
READ = {"issues": "read", "pull_requests": "read", "contents": "read"}  # of a job that publishes nothing
WRITE = {  # what the two jobs of docs/examples/github-issues.yml have together; one token plays both
    "issues": "write",
    "pull_requests": "write",
    "contents": "write",
    "actions": "write",
    "statuses": "write",
}
_ROLES = {"admin": "admin", "maintain": "write", "write": "write", "triage": "read", "read": "read"}


@dataclass
class Token:
    """Whose it is, and what it may do. `workflow` is the kind that a job gets, `app` an installation's; `pat` is a
    person's, fine-grained unless it has `scopes`, which are all that a classic one says of itself."""

    login: str
    kind: str = "pat"  # pat, workflow, app
    permissions: dict[str, str] = field(default_factory=lambda: dict(WRITE))
    revoked: bool = False
    scopes: str | None = None  # as in "repo, workflow"


class NotHereError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None, **more: Any) -> None:
        self.answer = Answer(status, {"message": message, "documentation_url": "x", **more}, headers or {})


class FakeGitHub:
    """The state, and what people do. Each of their deeds gives the payload of the event that GitHub would send."""

    def __init__(
        self,
        git_url: str = "http://github.example/acme/widget.git",
        git_dir: Path | None = None,
        enterprise: bool = False,
    ) -> None:
        self.git_url = git_url
        self.prefix = "/api/v3" if enterprise else ""  # an Enterprise Server's API is not at the root
        self.git_dir = git_dir  # a bare repository whose branches are those of the repository
        self.default_branch = "main"
        self.files: dict[str, bytes] = {}
        self.protected: set[str] = set()
        self.renamed: dict[str, str] = {}  # branches, old names to new ones
        self.may_create_pulls = True
        self.token_permissions = "read"  # of workflows that don't say
        self.has_drafts = True
        self.private = False
        self.people: dict[str, Raw] = {}
        self.roles: dict[str, str] = {}
        self.tokens: dict[str, Token] = {}
        self.issues: dict[int, Raw] = {}
        self.comments: dict[int, Raw] = {}
        self.pulls: dict[int, Raw] = {}
        self.reviews: list[tuple[int, Raw]] = []  # of which pull request
        self.events: list[tuple[int, Raw]] = []
        self.edits: list[tuple[int, Raw]] = []
        self.labels: dict[str, Raw] = {}
        self.reactions: list[tuple[str, str, str]] = []  # place, content, login
        self.statuses: list[tuple[str, Raw]] = []
        self.runs: dict[int, str] = {}
        self.created: dict[int, str] = {}  # when a run was
        self.began: dict[int, str] = {}  # when its job did; now, where it is not here
        self.gone: set[int] = set()
        self.moved: dict[int, str] = {}
        self.server: Server | None = None
        self._now = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
        self._ids = 1000
        for login, role in (("dana", "admin"), ("robin", "write"), ("guest", "read")):
            self.person(login, role)
        self.person("github-actions[bot]", None, number=41898282, kind="Bot")
        self.tokens["ghs_workflow"] = Token("github-actions[bot]", "workflow")
        self.tokens["ghs_reading"] = Token("github-actions[bot]", "workflow", dict(READ))

    # --- what people do -----------------------------------------------------------------------------------

    def person(
        self, login: str, role: str | None = None, *, number: int | None = None, kind: str = "User"
    ) -> None:
        """Somebody joins, with a role in the repository or none."""
        self.people[login] = filled("simple-user", login=login, id=number or self._id(), type=kind)
        if role:
            self.roles[login] = role

    def write_issue(self, title: str, text: str | None, by: str = "dana") -> int:
        """Somebody writes an issue; its number."""
        number = len(self.issues) + len(self.pulls) + 1
        self._issue(number, title, text, by)
        return number

    def opened(self, number: int) -> Raw:
        """The payload of `issues.opened` for an issue that somebody wrote."""
        return self._payload("issues", "opened", number, self.issues[number]["user"]["login"])

    def label(self, number: int, name: str, by: str = "dana") -> Raw:
        """Somebody adds a label; the payload of `issues.labeled`."""
        name = self._label_made(name, "ededed", "")
        self._labels(number, [*self._names(number), name], by)
        return self._payload("issues", "labeled", number, by, label=self.labels[name])

    def unlabel(self, number: int, name: str, by: str = "dana") -> Raw:
        """Somebody takes a label away; the payload of `issues.unlabeled`."""
        self._labels(number, [label for label in self._names(number) if label != name], by)
        return self._payload("issues", "unlabeled", number, by, label=self.labels[name])

    def assign(self, number: int, login: str, by: str = "dana") -> Raw:
        """Somebody assigns an issue to somebody; the payload of `issues.assigned`."""
        assignee = self.people[login]
        self.issues[number] |= {"assignee": assignee, "assignees": [assignee], "updated_at": self.now()}
        return self._payload("issues", "assigned", number, by, assignee=assignee)

    def say(self, number: int, text: str, by: str = "dana") -> Raw:
        """Somebody comments on an issue or a pull request; the payload of `issue_comment.created`."""
        comment = self._comment(number, text, by)
        return self._payload("issue_comment", "created", number, by, comment=comment)

    def review(
        self, number: int, text: str, by: str = "dana", *, line: bool = False, state: str = "COMMENTED"
    ) -> None:
        """Somebody reviews a pull request: the words of a review, or a comment on a line. A review whose `state` is
        PENDING is seen by its author only, and was not submitted yet."""
        made = filled(
            "pull-request-review-comment" if line else "pull-request-review",
            id=self._id(),
            body=text,
            user=self.people[by],
            html_url=f"https://github.example/acme/widget/pull/{number}#r",
        )
        now = self.now()
        more = {"created_at": now, "updated_at": now} if line else {"state": state}
        if not line and state != "PENDING":
            more["submitted_at"] = now
        self.reviews.append((number, made | more))

    def edit_issue(
        self, number: int, by: str = "dana", *, title: str | None = None, text: str | None = None
    ) -> Raw:
        """Somebody edits an issue; the payload of `issues.edited`."""
        issue = self._subject(number)
        new = {"title": title, "body": text}
        changes = {name: {"from": issue[name]} for name, value in new.items() if value is not None}
        if text is not None:
            issue["body"] = text
            self.edits.append((number, {"editedAt": self.now(), "editor": self._graph(by)}))
        if title is not None:
            issue["title"] = title
            self.edits.append((number, {"createdAt": self.now(), "actor": self._graph(by)}))
        issue["updated_at"] = self.now()
        return self._payload("issues", "edited", number, by, changes=changes)

    def edit_comment(self, comment: int, text: str, by: str = "dana") -> Raw:
        """Somebody edits a comment; the payload of `issue_comment.edited`."""
        changes = {"body": {"from": self.comments[comment]["body"]}}
        self.comments[comment] |= {"body": text, "updated_at": self.now()}
        return self._about(comment, "edited", by, changes=changes)

    def delete_comment(self, comment: int, by: str = "dana") -> Raw:
        """Somebody deletes a comment; the payload of `issue_comment.deleted`."""
        payload = self._about(comment, "deleted", by)
        del self.comments[comment]
        return payload

    def close(self, number: int, by: str = "dana") -> Raw:
        """Somebody closes an issue or a pull request; the payload of `issues.closed` or `pull_request.closed`."""
        self._subject(number).update(state="closed", closed_at=self.now())
        return self._payload("pull_request" if number in self.pulls else "issues", "closed", number, by)

    def lock(self, number: int, by: str = "dana") -> Raw:
        """Somebody locks the conversation on an issue; the payload of `issues.locked`."""
        self._subject(number)["locked"] = True
        return self._payload("issues", "locked", number, by)

    def delete(self, number: int, by: str = "dana") -> Raw:
        """Somebody deletes an issue; the payload of `issues.deleted`."""
        payload = self._payload("issues", "deleted", number, by)
        self.gone.add(number)
        return payload

    def move(self, number: int, repository: str, by: str = "dana") -> Raw:
        """Somebody transfers an issue to another repository; the payload of `issues.transferred`."""
        payload = self._payload("issues", "transferred", number, by)
        payload["changes"]["new_repository"]["full_name"] = repository
        self.moved[number] = repository
        return payload

    def dispatch(self, given: Raw, by: str = "dana", *, workflow: bool = True) -> Raw:
        """Somebody starts the workflow by hand, or (not `workflow`) by `repository_dispatch`; its payload."""
        if workflow:
            return self._event("workflow_dispatch", "", by) | {"inputs": given}
        made = self._event("repository_dispatch", "on-demand-test", by)
        return made | {"action": "ci-agent", "client_payload": given}

    def today(self) -> None:
        """From now on the platform's clock is about right; before, it stands in the past."""
        self._now = datetime.now(UTC)

    def now(self) -> str:
        """The time; it goes on by a few seconds with each look."""
        self._now += timedelta(seconds=3)
        return self._now.strftime("%Y-%m-%dT%H:%M:%SZ")

    def thread(self, number: int) -> list[tuple[str, str]]:
        """Who said what on an issue."""
        return [
            (comment["user"]["login"] if comment["user"] else "ghost", comment["body"])
            for comment in self._comments_on(number)
        ]

    # --- the API ------------------------------------------------------------------------------------------

    @contextmanager
    def serve(self, certificate: Path | None = None) -> Iterator[Server]:
        """Answers over HTTP, or over TLS with a `certificate`."""
        with serving(self._answer, certificate, self._check) as server:
            self.server = server
            yield server

    def _check(self, request: Request) -> list[str]:
        """What is wrong with a request."""
        if not self._is_graph(request):
            path = request.path.removeprefix(self.prefix)
            return request_violations(request.method, path, request.query, request.body)
        declared = set(re.findall(r"\$(\w+):", request.body["query"]))
        given = set(request.body["variables"])
        return [] if declared == given else [f"GraphQL: {given} given, {declared} declared"]

    def _is_graph(self, request: Request) -> bool:
        return request.path == ("/api/graphql" if self.prefix else "/graphql")

    def _answer(self, request: Request) -> Answer:
        graph = self._is_graph(request)
        self._note_write(request, graph)
        request = replace(request, path=request.path.removeprefix(self.prefix))
        token = None
        try:
            token = self._token(request)
            answer = self._graphql(request, token) if graph else self._rest(request, token)
        except NotHereError as error:
            answer = error.answer
        answer = replace(answer, headers=_limits(token) | answer.headers)
        if not graph and self.server is not None:
            self.server.broken += answer_violations(
                request.method, request.path, request.query, request.body, answer.status, answer.body
            )
        return answer

    def _note_write(self, request: Request, graph: bool) -> None:
        """Whoever has the token that may only read must not even try to write."""
        token = self.tokens.get(request.headers.get("Authorization", "").rpartition(" ")[2])
        reads = request.method == "GET" if not graph else request.body["query"].lstrip().startswith("query")
        if token and token.permissions == READ and not reads and self.server is not None:
            self.server.broken.append(f"a write with a token for reading: {request.method} {request.path}")

    def _token(self, request: Request) -> Token:
        given = request.headers.get("Authorization", "").rpartition(" ")[2]
        token = self.tokens.get(given)
        if token is None or token.revoked:
            raise NotHereError(401, "Bad credentials")
        return token

    def _rest(self, request: Request, token: Token) -> Answer:
        prefix = f"/repos/{NAME}"
        if request.path == "/user":
            if token.kind in ("workflow", "app"):
                raise NotHereError(403, "Resource not accessible by integration")
            return Answer(200, filled("public-user", user_view_type="public") | self.people[token.login])
        elsewhere = re.fullmatch(r"/repos/([^/]+/[^/]+)/issues/1", request.path)
        if elsewhere and elsewhere[1] in self.moved.values():
            number = next(number for number, name in self.moved.items() if name == elsewhere[1])
            home = f"{self._base()}/repos/{elsewhere[1]}"
            return Answer(200, self.issues[number] | {"number": 1, "repository_url": home})
        if not request.path.startswith(prefix):
            raise NotHereError(404, "Not Found")
        path = request.path[len(prefix) :]
        for method, pattern, right, handler in self._routes():
            match = re.fullmatch(pattern, path)
            if match and method == request.method:
                self._may(token, right, request.method)
                return handler(request, token, *(unquote(part) for part in match.groups()))
        raise NotHereError(404, "Not Found")

    def _routes(self) -> list[tuple[str, str, str, Callable[..., Answer]]]:
        n = r"(\d+)"
        return [
            ("GET", "", "", self._get_repository),
            ("GET", "/issues", "issues", self._list_issues),
            ("POST", "/issues", "issues", self._post_issue),
            ("GET", f"/issues/{n}", "issues", self._get_issue),
            ("GET", f"/issues/{n}/comments", "issues", self._list_comments),
            ("POST", f"/issues/{n}/comments", "issues", self._post_comment),
            ("GET", f"/issues/comments/{n}", "issues", self._get_comment),
            ("PATCH", f"/issues/comments/{n}", "issues", self._patch_comment),
            ("POST", f"/issues/comments/{n}/reactions", "issues", self._post_comment_reaction),
            ("POST", f"/issues/{n}/reactions", "issues", self._post_reaction),
            ("GET", f"/issues/{n}/events", "issues", self._list_events),
            ("GET", f"/issues/{n}/labels", "issues", self._list_issue_labels),
            ("POST", f"/issues/{n}/labels", "issues", self._post_issue_labels),
            ("DELETE", f"/issues/{n}/labels/(.+)", "issues", self._delete_issue_label),
            ("POST", f"/issues/{n}/assignees", "issues", self._post_assignees),
            ("GET", "/labels", "issues", self._list_labels),
            ("POST", "/labels", "issues", self._post_label),
            ("GET", "/collaborators/([^/]+)/permission", "", self._get_permission),
            ("GET", "/pulls", "pull_requests", self._list_pulls),
            ("POST", "/pulls", "pull_requests", self._post_pull),
            ("GET", f"/pulls/{n}", "pull_requests", self._get_pull),
            ("PATCH", f"/pulls/{n}", "pull_requests", self._patch_pull),
            ("GET", f"/pulls/{n}/(?:comments|reviews)", "pull_requests", self._list_reviews),
            ("POST", f"/pulls/{n}/requested_reviewers", "pull_requests", self._post_reviewers),
            ("GET", "/branches/(.+)", "contents", self._get_branch),
            ("GET", "/contents/(.+)", "contents", self._get_file),
            ("POST", "/statuses/([0-9a-f]+)", "statuses", self._post_status),
            ("GET", "/actions/permissions/workflow", "administration", self._get_workflow_permissions),
            ("PUT", "/actions/permissions/workflow", "administration", self._put_workflow_permissions),
            ("GET", f"/actions/runs/{n}", "actions", self._get_run),
            ("GET", f"/actions/runs/{n}/jobs", "actions", self._list_jobs),
            ("POST", f"/actions/runs/{n}/cancel", "actions", self._cancel_run),
        ]

    def _may(self, token: Token, right: str, method: str = "POST") -> None:
        """Raises for a token without the right. Everybody may read what is public, but no settings."""
        free = method == "GET" and not self.private and right != "administration"
        enough = ("read", "write") if method == "GET" else ("write",)
        if right and not free and token.permissions.get(right) not in enough:
            kind = "personal access token" if token.kind == "pat" else "integration"
            raise NotHereError(403, f"Resource not accessible by {kind}")

    # --- the repository -----------------------------------------------------------------------------------

    def _get_repository(self, *_: Any) -> Answer:
        owner = filled("simple-user", login="acme")
        return Answer(
            200,
            filled(
                "full-repository",
                name="widget",
                full_name=NAME,
                owner=owner,
                private=self.private,
                html_url="https://github.example/acme/widget",
                clone_url=self.git_url,
                default_branch=self.default_branch,
            ),
        )

    def _get_workflow_permissions(self, *_: Any) -> Answer:
        allowed = self.may_create_pulls
        said = {"default_workflow_permissions": self.token_permissions}
        return Answer(200, said | {"can_approve_pull_request_reviews": allowed})

    def _put_workflow_permissions(self, request: Request, _token: Token) -> Answer:
        self.token_permissions = request.body.get("default_workflow_permissions", self.token_permissions)
        self.may_create_pulls = request.body.get("can_approve_pull_request_reviews", self.may_create_pulls)
        return Answer(204)

    def _get_branch(self, _request: Request, _token: Token, name: str) -> Answer:
        if name in self.renamed:
            place = f"{self._base()}/repos/{NAME}/branches/{quote(self.renamed[name])}"
            return Answer(301, {"message": "Moved Permanently", "url": place}, {"Location": place})
        sha = self._sha(name)
        if sha is None:
            raise NotHereError(404, "Branch not found")
        commit = filled("commit", sha=sha, author={}, committer={})  # of no account
        content = filled("branch-with-protection", name=name, commit=commit, protected=name in self.protected)
        return Answer(200, content)

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
        ref = request.query.get("ref", self.default_branch)
        if content is None or ref not in (self.default_branch, self._sha(self.default_branch)):
            raise NotHereError(404, "Not Found")
        large = len(content) > 1_000_000
        made = filled("content-file", type="file", name=path, path=path)
        made["content"] = "" if large else base64.encodebytes(content).decode()
        made["encoding"] = "none" if large else "base64"
        return Answer(200, made)

    def _get_permission(self, _request: Request, _token: Token, login: str) -> Answer:
        person = self.people.get(login)
        if person is None:
            raise NotHereError(404, "Not Found")
        role = self.roles.get(login, "read" if not self.private else "none")
        user = person | {"role_name": role}
        return Answer(200, {"permission": _ROLES.get(role, "none"), "role_name": role, "user": user})

    def _post_status(self, request: Request, token: Token, sha: str) -> Answer:
        self.statuses.append((sha, request.body))
        return Answer(201, filled("status", state=request.body["state"], context=request.body["context"]))

    def _get_run(self, _request: Request, _token: Token, number: str) -> Answer:
        if int(number) not in self.runs:
            raise NotHereError(404, "Not Found")
        created = self.created.get(int(number), "2026-03-02T09:00:00Z")
        state = self.runs[int(number)]
        return Answer(200, filled("workflow-run", id=int(number), status=state, created_at=created))

    def _list_jobs(self, request: Request, token: Token, number: str) -> Answer:
        """One that waits for the other one, which a runner is at work on."""
        self._get_run(request, token, number)
        began = self.began.get(int(number)) or f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        work = filled(
            "job", id=int(number) * 10, run_id=int(number), name="work", status=self.runs[int(number)]
        )
        work |= {"runner_name": RUNNER, "started_at": began, "created_at": began}
        after = work | {"id": int(number) * 10 + 1, "name": "after", "status": "queued", "runner_name": None}
        return Answer(200, {"total_count": 2, "jobs": [after, work]})

    def _cancel_run(self, _request: Request, _token: Token, number: str) -> Answer:
        if self.runs[int(number)] == "completed":
            raise NotHereError(409, "Cannot cancel a workflow run that is completed.")
        self.runs[int(number)] = "completed"
        return Answer(202, {})

    # --- issues -------------------------------------------------------------------------------------------

    def _list_issues(self, request: Request, _token: Token) -> Answer:
        query = request.query
        found = [
            issue
            for issue in self._in_sight()
            if query.get("state", "open") in ("all", issue["state"])
            and set(filter(None, query.get("labels", "").split(",")))
            <= {label["name"] for label in issue["labels"]}
            and query.get("creator", issue["user"]["login"]) == issue["user"]["login"]
        ]
        return self._page(request, found if query.get("direction") == "asc" else found[::-1])

    def _in_sight(self) -> list[Raw]:
        return [issue for number, issue in self.issues.items() if number not in self.gone | self.moved.keys()]

    def _post_issue(self, request: Request, token: Token) -> Answer:
        if not request.body.get("title"):
            raise NotHereError(422, "Validation Failed", errors=[{"field": "title", "code": "missing_field"}])
        number = len(self.issues) + len(self.pulls) + 1
        return Answer(201, self._issue(number, request.body["title"], request.body.get("body"), token.login))

    def _get_issue(self, _request: Request, _token: Token, number: str) -> Answer:
        wanted = int(number)
        if wanted in self.moved:
            other = self.moved[wanted]
            place = f"{self._base()}/repos/{other}/issues/1"
            return Answer(301, {"message": "Moved Permanently", "url": place}, {"Location": place})
        if wanted in self.pulls:
            made = self._issue_of_pull(wanted)
            return Answer(200, made)
        return Answer(200, self._subject(wanted))

    def _issue_of_pull(self, number: int) -> Raw:
        pull = self.pulls[number]
        link = {"diff_url": None, "html_url": None, "patch_url": None, "url": None}
        names = ("title", "body", "user", "labels", "state", "html_url", "created_at", "updated_at")
        return filled(
            "issue",
            number=number,
            pull_request=link,
            repository_url=f"{self._base()}/repos/{NAME}",
            **{name: pull[name] for name in names},
        )

    def _list_comments(self, request: Request, _token: Token, number: str) -> Answer:
        self._subject(int(number))
        return self._page(request, self._comments_on(int(number)))

    def _post_comment(self, request: Request, token: Token, number: str) -> Answer:
        subject = self._subject(int(number))
        body = request.body.get("body", "")
        if not body.strip() or len(body) > 65_536:
            raise NotHereError(
                422, "Validation Failed", errors=[{"field": "body", "code": "invalid", "message": "too long"}]
            )
        if subject.get("locked") and self.roles.get(token.login) not in ("write", "maintain", "admin"):
            raise NotHereError(403, "Unable to create comment because issue is locked.")
        return Answer(201, self._comment(int(number), body, token.login))

    def _get_comment(self, _request: Request, _token: Token, comment: str) -> Answer:
        if int(comment) not in self.comments:
            raise NotHereError(404, "Not Found")
        return Answer(200, self.comments[int(comment)])

    def _patch_comment(self, request: Request, token: Token, comment: str) -> Answer:
        self._get_comment(request, token, comment)
        if len(request.body["body"]) > 65_536:
            raise NotHereError(
                422, "Validation Failed", errors=[{"code": "custom", "message": "body is too long"}]
            )
        self.edit_comment(int(comment), request.body["body"])
        return Answer(200, self.comments[int(comment)])

    def _post_comment_reaction(self, request: Request, token: Token, comment: str) -> Answer:
        self._get_comment(request, token, comment)
        return self._reacted(f"comment {comment}", request, token)

    def _post_reaction(self, request: Request, token: Token, number: str) -> Answer:
        self._subject(int(number))
        return self._reacted(f"issue {number}", request, token)

    def _reacted(self, place: str, request: Request, token: Token) -> Answer:
        entry = (place, request.body["content"], token.login)
        there = entry in self.reactions
        if not there:
            self.reactions.append(entry)
        made = filled("reaction", content=request.body["content"], user=self.people[token.login])
        return Answer(200 if there else 201, made)

    def _list_events(self, request: Request, _token: Token, number: str) -> Answer:
        self._subject(int(number))
        return self._page(request, [event for subject, event in self.events if subject == int(number)])

    # --- labels -------------------------------------------------------------------------------------------

    def _list_labels(self, request: Request, _token: Token) -> Answer:
        return self._page(request, list(self.labels.values()))

    def _post_label(self, request: Request, _token: Token) -> Answer:
        name = request.body["name"]
        if name.casefold() in {label.casefold() for label in self.labels}:
            errors = [{"resource": "Label", "code": "already_exists", "field": "name"}]
            raise NotHereError(422, "Validation Failed", errors=errors)
        if len(request.body.get("description") or "") > 100:
            raise NotHereError(
                422, "Validation Failed", errors=[{"code": "custom", "message": "description is too long"}]
            )
        self._label_made(name, request.body["color"], request.body.get("description", ""))
        return Answer(201, self.labels[name])

    def _list_issue_labels(self, request: Request, _token: Token, number: str) -> Answer:
        return self._page(request, self._subject(int(number))["labels"])

    def _post_issue_labels(self, request: Request, token: Token, number: str) -> Answer:
        added = [self._label_made(name, "ededed", "") for name in request.body["labels"]]
        self._labels(int(number), [*self._names(int(number)), *added], token.login)
        return Answer(200, self._subject(int(number))["labels"])

    def _delete_issue_label(self, _request: Request, token: Token, number: str, name: str) -> Answer:
        if name not in self._names(int(number)):
            raise NotHereError(404, "Label does not exist")
        self._labels(int(number), [label for label in self._names(int(number)) if label != name], token.login)
        return Answer(200, self._subject(int(number))["labels"])

    def _post_assignees(self, request: Request, _token: Token, number: str) -> Answer:
        subject = self._subject(int(number))
        subject["assignees"] = [
            *(subject.get("assignees") or []),
            *(self.people[login] for login in request.body["assignees"] if login in self.roles),
        ]
        made = self._issue_of_pull(int(number)) if int(number) in self.pulls else subject
        return Answer(201, made)

    # --- pull requests ------------------------------------------------------------------------------------

    def _list_pulls(self, request: Request, _token: Token) -> Answer:
        query = request.query
        found = [
            pull
            for pull in self.pulls.values()
            if query.get("state", "open") in ("all", pull["state"])
            and query.get("head", f"acme:{pull['head']['ref']}") == f"acme:{pull['head']['ref']}"
            and query.get("base", pull["base"]["ref"]) == pull["base"]["ref"]
        ]
        simple = [filled("pull-request-simple", **_only(pull)) for pull in found]
        return self._page(request, simple if query.get("direction") == "asc" else simple[::-1])

    def _post_pull(self, request: Request, token: Token) -> Answer:
        body = request.body
        if token.kind == "workflow" and not self.may_create_pulls:
            raise NotHereError(403, "GitHub Actions is not permitted to create or approve pull requests.")
        if len(body.get("body") or "") > 65_536 or len(body["title"]) > 256:
            raise NotHereError(
                422, "Validation Failed", errors=[{"code": "custom", "message": "body is too long"}]
            )
        if body.get("draft") and not self.has_drafts:
            raise NotHereError(422, "Draft pull requests are not supported in this repository.")
        for side in ("head", "base"):
            if self._sha(body[side]) is None:
                errors = [{"resource": "PullRequest", "field": side, "code": "invalid"}]
                raise NotHereError(422, "Validation Failed", errors=errors)
        same = [
            pull
            for pull in self.pulls.values()
            if (pull["head"]["ref"], pull["base"]["ref"], pull["state"])
            == (body["head"], body["base"], "open")
        ]
        if same:
            message = f"A pull request already exists for acme:{body['head']}."
            raise NotHereError(
                422,
                "Validation Failed",
                errors=[{"resource": "PullRequest", "code": "custom", "message": message}],
            )
        number = len(self.issues) + len(self.pulls) + 1
        self.open_pull(number, body, token.login)
        return Answer(201, self.pulls[number])

    def open_pull(self, number: int, body: Raw, by: str, repository: str = NAME) -> None:
        """A pull request comes to be."""
        now = self.now()
        made = filled("pull-request")
        repo = filled("repository", full_name=repository) if repository else None
        self.pulls[number] = made | {
            "id": self._id(),
            "node_id": f"PR_{number}",
            "number": number,
            "title": body["title"],
            "body": body.get("body"),
            "state": "open",
            "draft": bool(body.get("draft")),
            "user": self.people[by],
            "labels": [],
            "head": made["head"] | {"ref": body["head"], "label": f"acme:{body['head']}", "repo": repo},
            "base": made["base"] | {"ref": body["base"], "repo": filled("repository", full_name=NAME)},
            "html_url": f"https://github.example/acme/widget/pull/{number}",
            "created_at": now,
            "updated_at": now,
        }

    def _get_pull(self, _request: Request, _token: Token, number: str) -> Answer:
        if int(number) not in self.pulls:
            raise NotHereError(404, "Not Found")
        return Answer(200, self.pulls[int(number)])

    def _patch_pull(self, request: Request, token: Token, number: str) -> Answer:
        self._get_pull(request, token, number)
        self.pulls[int(number)] |= request.body
        return Answer(200, self.pulls[int(number)])

    def _list_reviews(self, request: Request, _token: Token, number: str) -> Answer:
        on_lines = request.path.endswith("comments")
        found = [
            raw for pull, raw in self.reviews if pull == int(number) and ("diff_hunk" in raw) == on_lines
        ]
        return self._page(request, found)

    def _post_reviewers(self, request: Request, _token: Token, number: str) -> Answer:
        pull = self.pulls[int(number)]
        for login in request.body["reviewers"]:
            if login not in self.roles or login == pull["user"]["login"]:
                raise NotHereError(422, "Reviews may only be requested from collaborators.")
        asked = {raw["login"] for raw in pull.get("requested_reviewers") or []} | {*request.body["reviewers"]}
        pull["requested_reviewers"] = [self.people[login] for login in sorted(asked)]
        return Answer(201, filled("pull-request-simple", **_only(pull)))

    # --- GraphQL ------------------------------------------------------------------------------------------

    def _graphql(self, request: Request, token: Token) -> Answer:
        words, given = request.body["query"], request.body["variables"]
        if "viewer" in words:
            return Answer(200, {"data": {"viewer": self._graph(token.login) | {"login": token.login}}})
        if "userContentEdits" in words:
            edits = [edit for number, edit in self.edits if number == given["number"]]
            texts = [edit for edit in edits if "editedAt" in edit]
            issue = {
                "some": {"nodes": texts[:100]},
                "others": {"nodes": texts[-100:]},
                "timelineItems": {"nodes": [edit for edit in edits if "createdAt" in edit]},
            }
            return Answer(200, {"data": {"repository": {"issue": issue}}})
        pull = next(pull for pull in self.pulls.values() if pull["node_id"] == given["id"])
        self._may(token, "pull_requests")
        draft = "convertPullRequestToDraft" in words
        if not self.has_drafts:
            said = "Draft pull requests are not supported in this repository."
            return Answer(200, {"data": {"x": None}, "errors": [{"type": "UNPROCESSABLE", "message": said}]})
        if token.permissions.get("contents") != "write":
            said = "Resource not accessible by integration"
            return Answer(200, {"data": {"x": None}, "errors": [{"type": "FORBIDDEN", "message": said}]})
        pull["draft"] = draft
        return Answer(200, {"data": {"x": {"clientMutationId": None}}})

    def _graph(self, login: str) -> Raw:
        """Somebody as an `Actor`, which calls a bot without the end of its name. `viewer` is a `User`, with it."""
        person = self.people[login]
        bot = person["type"] == "Bot"
        kind, name = ("Bot", login.removesuffix("[bot]")) if bot else ("User", login)
        return {"__typename": kind, "login": name, "databaseId": person["id"]}

    # --- parts --------------------------------------------------------------------------------------------

    def _issue(self, number: int, title: str, text: str | None, by: str) -> Raw:
        now = self.now()
        self.issues[number] = filled(
            "issue",
            id=self._id(),
            number=number,
            title=title,
            body=text,
            user=self.people[by],
            state="open",
            labels=[],
            locked=False,
            html_url=f"https://github.example/acme/widget/issues/{number}",
            url=f"{self._base()}/repos/{NAME}/issues/{number}",
            repository_url=f"{self._base()}/repos/{NAME}",
            created_at=now,
            updated_at=now,
        )
        return self.issues[number]

    def _subject(self, number: int) -> Raw:
        if number in self.moved:
            raise NotHereError(404, "Not Found")
        if number in self.gone:
            raise NotHereError(410, "This issue was deleted")
        if number not in self.issues and number not in self.pulls:
            raise NotHereError(404, "Not Found")
        return self.issues.get(number) or self.pulls[number]

    def _comment(self, number: int, text: str, by: str) -> Raw:
        now, comment = self.now(), self._id()
        self.comments[comment] = filled(
            "issue-comment",
            id=comment,
            body=text,
            user=self.people[by],
            html_url=f"https://github.example/acme/widget/issues/{number}#issuecomment-{comment}",
            issue_url=f"{self._base()}/repos/{NAME}/issues/{number}",
            created_at=now,
            updated_at=now,
        )
        return self.comments[comment]

    def _comments_on(self, number: int) -> list[Raw]:
        return [raw for raw in self.comments.values() if raw["issue_url"].endswith(f"/issues/{number}")]

    def _label_made(self, name: str, colour: str, description: str) -> str:
        """The label's name as the repository writes it; made where there is none."""
        there = next((label for label in self.labels if label.casefold() == name.casefold()), name)
        made = filled("label", id=self._id(), name=name, color=colour, description=description, default=False)
        self.labels.setdefault(there, made)
        return there

    def _names(self, number: int) -> list[str]:
        return [label["name"] for label in self._subject(number)["labels"]]

    def _labels(self, number: int, names: list[str], by: str) -> None:
        subject, before = self._subject(number), self._names(number)
        subject["labels"] = [self.labels[name] for name in dict.fromkeys(names)]
        subject["updated_at"] = self.now()
        for what, changed in (
            ("labeled", set(names) - set(before)),
            ("unlabeled", set(before) - set(names)),
        ):
            for name in sorted(changed):
                label = {"name": name, "color": self.labels[name]["color"]}
                made = filled(
                    f"{what}-issue-event", id=self._id(), event=what, actor=self.people[by], label=label
                )
                self.events.append((number, made | {"created_at": subject["updated_at"]}))

    def _about(self, comment: int, action: str, by: str, **more: Any) -> Raw:
        raw = self.comments[comment]
        number = int(raw["issue_url"].rpartition("/")[2])
        return self._payload("issue_comment", action, number, by, comment=raw, **more)

    def _payload(self, name: str, action: str, number: int, by: str, **more: Any) -> Raw:
        if name == "pull_request":
            subject: Raw = {"number": number, "pull_request": self.pulls[number]}
        else:
            subject = {"issue": self._issue_of_pull(number) if number in self.pulls else self.issues[number]}
        return self._event(name, action, by, **subject, **more)

    def _event(self, name: str, action: str, by: str, **parts: Any) -> Raw:
        repository = {
            "name": "widget",
            "full_name": NAME,
            "default_branch": self.default_branch,
            "private": self.private,
            "html_url": f"https://github.example/{NAME}",
            "clone_url": self.git_url,
        }
        return deepcopy(event(name, action, sender=self.people[by], repository=repository, **parts))

    def _page(self, request: Request, found: list[Raw]) -> Answer:
        size, page = min(int(request.query.get("per_page", 30)), 100), int(request.query.get("page", 1))
        headers = {}
        if len(found) > size * page:
            query = "&".join(f"{k}={quote(v)}" for k, v in (request.query | {"page": str(page + 1)}).items())
            headers["Link"] = f'<{self._base()}{request.path}?{query}>; rel="next"'
        return Answer(200, found[size * (page - 1) : size * page], headers)

    def _base(self) -> str:
        return (self.server.url if self.server else "http://github.example") + self.prefix

    def _id(self) -> int:
        self._ids += 1
        return self._ids


def _limits(token: Token | None) -> dict[str, str]:
    """What GitHub says with every answer."""
    said = {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "4999", "X-RateLimit-Reset": "1772445600"}
    scopes = token.scopes if token else None
    return said if scopes is None else said | {"X-OAuth-Scopes": scopes}


def _only(pull: Raw) -> Raw:
    """The fields of a pull request that a list of them shows."""
    simple = filled("pull-request-simple").keys() | {"draft", "requested_reviewers", "assignees"}
    return {name: value for name, value in pull.items() if name in simple}
