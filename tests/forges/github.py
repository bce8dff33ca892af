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
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from tests.forges.http import Answer, Request, Server, serving
from tests.support.github_openapi import filled, violations

Raw = dict[str, Any]
NAME = "acme/widget"
WRITE = {
    "issues": "write",
    "pull_requests": "write",
    "contents": "write",
    "actions": "write",
    "statuses": "write",
}
_ROLES = {"admin": "admin", "maintain": "write", "write": "write", "triage": "read", "read": "read"}


@dataclass
class Token:
    """Whose it is, and what it may do. `workflow` is the kind that a job gets."""

    login: str
    kind: str = "pat"  # pat, workflow
    permissions: dict[str, str] = field(default_factory=lambda: dict(WRITE))
    revoked: bool = False


class NotHereError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None, **more: Any) -> None:
        self.answer = Answer(status, {"message": message, "documentation_url": "x", **more}, headers or {})


class FakeGitHub:
    """The state, and what people do. Each of their deeds gives the payload of the event that GitHub would send."""

    def __init__(
        self, git_url: str = "http://github.example/acme/widget.git", git_dir: Path | None = None
    ) -> None:
        self.git_url = git_url
        self.git_dir = git_dir  # a bare repository whose branches are those of the repository
        self.default_branch = "main"
        self.files: dict[str, bytes] = {}
        self.protected: set[str] = set()
        self.may_create_pulls = True
        self.private = False
        self.people: dict[str, Raw] = {}
        self.roles: dict[str, str] = {}
        self.tokens: dict[str, Token] = {}
        self.issues: dict[int, Raw] = {}
        self.comments: dict[int, Raw] = {}
        self.pulls: dict[int, Raw] = {}
        self.reviews: list[Raw] = []
        self.events: list[tuple[int, Raw]] = []
        self.edits: list[tuple[int, Raw]] = []
        self.labels: dict[str, Raw] = {}
        self.reactions: list[tuple[str, str, str]] = []  # place, content, login
        self.statuses: list[tuple[str, Raw]] = []
        self.runs: dict[int, str] = {}
        self.gone: set[int] = set()
        self.moved: dict[int, str] = {}
        self.server: Server | None = None
        self._now = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
        self._ids = 1000
        for login, role in (("dana", "admin"), ("robin", "write"), ("guest", "read")):
            self.person(login, role)
        self.person("github-actions[bot]", None, number=41898282, kind="Bot")
        self.tokens["ghs_workflow"] = Token("github-actions[bot]", "workflow")

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

    def label(self, number: int, name: str, by: str = "dana") -> Raw:
        """Somebody adds a label; the payload of `issues.labeled`."""
        self._label_made(name, "ededed", "")
        self._labels(number, [*self._names(number), name], by)
        return self._payload("labeled", number, by, label=self.labels[name])

    def unlabel(self, number: int, name: str, by: str = "dana") -> Raw:
        self._labels(number, [label for label in self._names(number) if label != name], by)
        return self._payload("unlabeled", number, by, label=self.labels[name])

    def say(self, number: int, text: str, by: str = "dana") -> Raw:
        """Somebody comments on an issue or a pull request; the payload of `issue_comment.created`."""
        comment = self._comment(number, text, by)
        return self._payload("created", number, by, comment=comment)

    def edit_issue(
        self, number: int, by: str = "dana", *, title: str | None = None, text: str | None = None
    ) -> None:
        issue = self._subject(number)
        if text is not None:
            issue["body"] = text
            self.edits.append((number, {"editedAt": self.now(), "editor": self._graph(by)}))
        if title is not None:
            issue["title"] = title
            self.edits.append((number, {"createdAt": self.now(), "actor": self._graph(by)}))
        issue["updated_at"] = self.now()

    def edit_comment(self, comment: int, text: str) -> None:
        self.comments[comment] |= {"body": text, "updated_at": self.now()}

    def delete_comment(self, comment: int) -> None:
        del self.comments[comment]

    def close(self, number: int) -> None:
        """Somebody closes an issue or a pull request."""
        self._subject(number)["state"] = "closed"

    def delete(self, number: int) -> None:
        """Somebody deletes an issue."""
        self.gone.add(number)

    def move(self, number: int, repository: str) -> None:
        """Somebody transfers an issue to another repository."""
        self.moved[number] = repository

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
    def serve(self) -> Iterator[Server]:
        """Answers over HTTP."""
        with serving(self._answer) as server:
            self.server = server
            yield server

    def _answer(self, request: Request) -> Answer:
        try:
            token = self._token(request)
            answer = (
                self._graphql(request, token) if request.path == "/graphql" else self._rest(request, token)
            )
        except NotHereError as error:
            answer = error.answer
        if request.path != "/graphql" and self.server is not None:
            sent = request.body
            self.server.broken += violations(
                request.method, request.path, request.query, sent, answer.status, answer.body
            )
        return answer

    def _token(self, request: Request) -> Token:
        given = request.headers.get("Authorization", "").rpartition(" ")[2]
        token = self.tokens.get(given)
        if token is None or token.revoked:
            raise NotHereError(401, "Bad credentials")
        return token

    def _rest(self, request: Request, token: Token) -> Answer:
        prefix = f"/repos/{NAME}"
        if request.path == "/user":
            if token.kind == "workflow":
                raise NotHereError(403, "Resource not accessible by integration")
            return Answer(200, self.people[token.login])
        if not request.path.startswith(prefix):
            raise NotHereError(404, "Not Found")
        path = request.path[len(prefix) :]
        for method, pattern, right, handler in self._routes():
            match = re.fullmatch(pattern, path)
            if match and method == request.method:
                self._may(token, right)
                return handler(request, token, *(unquote(part) for part in match.groups()))
        raise NotHereError(404, "Not Found")

    def _routes(self) -> list[tuple[str, str, str, Callable[..., Answer]]]:
        n = r"(\d+)"
        return [
            ("GET", "", "", self._get_repository),
            ("GET", "/issues", "", self._list_issues),
            ("POST", "/issues", "issues", self._post_issue),
            ("GET", f"/issues/{n}", "", self._get_issue),
            ("GET", f"/issues/{n}/comments", "", self._list_comments),
            ("POST", f"/issues/{n}/comments", "issues", self._post_comment),
            ("GET", f"/issues/comments/{n}", "", self._get_comment),
            ("PATCH", f"/issues/comments/{n}", "issues", self._patch_comment),
            ("POST", f"/issues/comments/{n}/reactions", "issues", self._post_comment_reaction),
            ("POST", f"/issues/{n}/reactions", "issues", self._post_reaction),
            ("GET", f"/issues/{n}/events", "", self._list_events),
            ("GET", f"/issues/{n}/labels", "", self._list_issue_labels),
            ("POST", f"/issues/{n}/labels", "issues", self._post_issue_labels),
            ("DELETE", f"/issues/{n}/labels/(.+)", "issues", self._delete_issue_label),
            ("POST", f"/issues/{n}/assignees", "issues", self._post_assignees),
            ("GET", "/labels", "", self._list_labels),
            ("POST", "/labels", "issues", self._post_label),
            ("GET", "/collaborators/([^/]+)/permission", "", self._get_permission),
            ("GET", "/pulls", "", self._list_pulls),
            ("POST", "/pulls", "pull_requests", self._post_pull),
            ("GET", f"/pulls/{n}", "", self._get_pull),
            ("PATCH", f"/pulls/{n}", "pull_requests", self._patch_pull),
            ("GET", f"/pulls/{n}/(?:comments|reviews)", "", self._list_reviews),
            ("POST", f"/pulls/{n}/requested_reviewers", "pull_requests", self._post_reviewers),
            ("GET", "/branches/(.+)", "", self._get_branch),
            ("GET", "/contents/(.+)", "", self._get_file),
            ("POST", "/statuses/([0-9a-f]+)", "statuses", self._post_status),
            ("GET", f"/actions/runs/{n}", "", self._get_run),
            ("POST", f"/actions/runs/{n}/cancel", "actions", self._cancel_run),
        ]

    def _may(self, token: Token, right: str) -> None:
        if right and token.permissions.get(right) != "write":
            raise NotHereError(403, "Resource not accessible by integration")

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

    def _get_branch(self, _request: Request, _token: Token, name: str) -> Answer:
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
        if content is None or request.query.get("ref", self.default_branch) != self.default_branch:
            raise NotHereError(404, "Not Found")
        encoded = base64.encodebytes(content).decode()
        made = filled("content-file", type="file", name=path, path=path, content=encoded, encoding="base64")
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
        return Answer(200, filled("workflow-run", id=int(number), status=self.runs[int(number)]))

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
            return Answer(
                301,
                {"message": "Moved Permanently", "url": "x", "documentation_url": "x"},
                {"Location": f"{self._base()}/repos/{other}/issues/1"},
            )
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
            raise NotHereError(422, "Validation Failed", errors=[{"message": "body is too long"}])
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
        self._label_made(name, request.body["color"], request.body.get("description", ""))
        return Answer(201, self.labels[name])

    def _list_issue_labels(self, request: Request, _token: Token, number: str) -> Answer:
        return self._page(request, self._subject(int(number))["labels"])

    def _post_issue_labels(self, request: Request, token: Token, number: str) -> Answer:
        for name in request.body["labels"]:
            self._label_made(name, "ededed", "")
        self._labels(int(number), [*self._names(int(number)), *request.body["labels"]], token.login)
        return Answer(200, self._subject(int(number))["labels"])

    def _delete_issue_label(self, _request: Request, token: Token, number: str, name: str) -> Answer:
        if name not in self._names(int(number)):
            raise NotHereError(404, "Label does not exist")
        self._labels(int(number), [label for label in self._names(int(number)) if label != name], token.login)
        return Answer(200, self._subject(int(number))["labels"])

    def _post_assignees(self, request: Request, _token: Token, number: str) -> Answer:
        subject = self._subject(int(number))
        subject["assignees"] = [
            self.people[login] for login in request.body["assignees"] if login in self.roles
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
            raise NotHereError(422, "Validation Failed", errors=[{"message": "body is too long"}])
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
            raise NotHereError(422, "Validation Failed", errors=[{"message": message}])
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
        wanted = "pull_request_review_id" if request.path.endswith("comments") else "state"
        return self._page(
            request, [raw for raw in self.reviews if raw["pull"] == int(number) and wanted in raw]
        )

    def _post_reviewers(self, request: Request, _token: Token, number: str) -> Answer:
        pull = self.pulls[int(number)]
        for login in request.body["reviewers"]:
            if login not in self.roles or login == pull["user"]["login"]:
                raise NotHereError(422, "Reviews may only be requested from collaborators.")
        pull["requested_reviewers"] = [self.people[login] for login in request.body["reviewers"]]
        return Answer(201, filled("pull-request-simple", **_only(pull)))

    # --- GraphQL ------------------------------------------------------------------------------------------

    def _graphql(self, request: Request, token: Token) -> Answer:
        words, given = request.body["query"], request.body["variables"]
        if "viewer" in words:
            return Answer(200, {"data": {"viewer": self._graph(token.login)}})
        if "userContentEdits" in words:
            edits = [edit for number, edit in self.edits if number == given["number"]]
            issue = {
                "userContentEdits": {"nodes": [edit for edit in edits if "editedAt" in edit]},
                "timelineItems": {"nodes": [edit for edit in edits if "createdAt" in edit]},
            }
            return Answer(200, {"data": {"repository": {"issue": issue}}})
        pull = next(pull for pull in self.pulls.values() if pull["node_id"] == given["id"])
        self._may(token, "pull_requests")
        pull["draft"] = "convertPullRequestToDraft" in words
        return Answer(200, {"data": {"x": {"clientMutationId": None}}})

    def _graph(self, login: str) -> Raw:
        return {"login": login, "databaseId": self.people[login]["id"]}

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

    def _label_made(self, name: str, colour: str, description: str) -> None:
        made = filled("label", id=self._id(), name=name, color=colour, description=description, default=False)
        self.labels.setdefault(name, made)

    def _names(self, number: int) -> list[str]:
        return [label["name"] for label in self._subject(number)["labels"]]

    def _labels(self, number: int, names: list[str], by: str) -> None:
        subject, before = self._subject(number), self._names(number)
        subject["labels"] = [self.labels[name] for name in dict.fromkeys(names)]
        subject["updated_at"] = self.now()
        for event, changed in (
            ("labeled", set(names) - set(before)),
            ("unlabeled", set(before) - set(names)),
        ):
            for name in sorted(changed):
                label = {"name": name, "color": self.labels[name]["color"]}
                made = filled(
                    f"{event}-issue-event", id=self._id(), event=event, actor=self.people[by], label=label
                )
                self.events.append((number, made | {"created_at": subject["updated_at"]}))

    def _payload(self, action: str, number: int, by: str, **more: Any) -> Raw:
        subject = dict(self._issue_of_pull(number) if number in self.pulls else self.issues[number])
        repository = {"full_name": NAME, "default_branch": self.default_branch}
        return {
            "action": action,
            "issue": subject,
            "sender": self.people[by],
            "repository": repository,
            **more,
        }

    def _page(self, request: Request, found: list[Raw]) -> Answer:
        size, page = int(request.query.get("per_page", 30)), int(request.query.get("page", 1))
        headers = {}
        if len(found) > size * page:
            query = "&".join(f"{k}={quote(v)}" for k, v in (request.query | {"page": str(page + 1)}).items())
            headers["Link"] = f'<{self._base()}{request.path}?{query}>; rel="next"'
        return Answer(200, found[size * (page - 1) : size * page], headers)

    def _base(self) -> str:
        return self.server.url if self.server else "http://github.example"

    def _id(self) -> int:
        self._ids += 1
        return self._ids


def _only(pull: Raw) -> Raw:
    """The fields of a pull request that a list of them shows."""
    simple = filled("pull-request-simple").keys() | {"draft", "requested_reviewers", "assignees"}
    return {name: value for name, value in pull.items() if name in simple}
