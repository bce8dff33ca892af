"""`GitLab`: the platform protocol over GitLab's REST API, version 4.

What can't change within a job is asked for once: the project, its labels, who we are, what people may do.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cached_property
from typing import TypeVar
from urllib.parse import quote

from ci_agent.errors import AuthenticationError, CiAgentError, UsageError
from ci_agent.platforms import (
    Access,
    Branch,
    Comment,
    CommitState,
    Guidance,
    Issue,
    Label,
    Labelled,
    MergeRequest,
    Permission,
    Repository,
    Written,
)
from ci_agent.platforms.calls import Calls, each
from ci_agent.platforms.gitlab import reading
from ci_agent.platforms.gitlab.api import Api
from ci_agent.platforms.gitlab.merge_requests import MergeRequests
from ci_agent.platforms.ours import OurComments
from ci_agent.platforms.patience import made_once, silent
from ci_agent.platforms.text import fitted, marked, marker_in
from ci_agent.task import Account, Thread

T = TypeVar("T")

LONGEST_NOTE = 1_000_000  # characters
LONGEST_TEXT = 1_000_000  # characters of a description; GitLab takes 1 MiB
LONGEST_TITLE = 255
LONGEST_STATUS = 140  # characters of a commit status's description that are kept, as on GitHub
_STATES = {CommitState.RUNNING: "running", CommitState.SUCCESS: "success", CommitState.FAILURE: "failed"}
_ENDED = ("success", "failed", "canceled", "skipped")
# GitLab's own notes about edits. One that ticks a box of a list is told as that alone, whatever else it changed
# (`CommonSystemNotesService`); the item's name changed with version 15.
_EDITS = (
    "changed the description",
    "changed title from",
    "marked the checklist item ",
    "marked the task ",
)


class GitLab:
    """One project, `group/name`. `wait` sleeps for some seconds between two tries of a request."""

    name = "gitlab"

    def __init__(
        self,
        project: str,
        token: str,
        *,
        url: str = "https://gitlab.com",
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._name = project
        self._token = token
        self._path = f"/projects/{quote(project, safe='')}"
        self._api = Api(token, url, wait)
        self._requests = MergeRequests(self._api, project, self._path)
        self._permissions: dict[Account, Permission] = {}
        self._ours = OurComments(
            read=self._comments_on,
            make=self._make_note,
            edit=self._edit_note,
            longest=LONGEST_NOTE,
            wait=wait,
            guarded=reading.inert,
        )

    # --- what a session needs -----------------------------------------------------------------------------

    def issue(self, number: str) -> Issue:
        """The issue as it stands now. Raises `UsageError` when there is none, or it was moved away."""

        def read(raw: reading.Raw) -> Issue | str:
            return "it was moved" if raw.get("moved_to_id") else reading.issue(raw)

        found = self._api.reading(read).found(self._place(Thread(number)), f"reading issue {number}")
        if not isinstance(found, Issue):
            raise UsageError(f"{self._name} has no issue {number}: {found or 'it is not there'}")
        return found

    def comments(self, number: str) -> Sequence[Comment]:
        """The comments on the issue, oldest first."""
        return self._comments_on(Thread(number))

    def discussion(self, number: str) -> Sequence[Comment]:
        """The comments on a merge request, those on lines of the change included, oldest first."""
        return self._comments_on(Thread(number, merge_request=True))

    def permission(self, person: Account) -> Permission:
        """What `person` may do here; a failed look-up is `NONE`."""
        if not person.login:
            return Permission.NONE
        if person not in self._permissions:
            try:
                self._permissions[person] = self._asked_permission(person)
            except CiAgentError:
                self._permissions[person] = Permission.NONE
        return self._permissions[person]

    def _asked_permission(self, person: Account) -> Permission:
        number = person.id
        if not number:
            calls = self._api.reading(each(reading.account))
            users = calls.get("/users", f"looking for {person.login}", username=person.login)
            number = next((user.id for user in users if user.login == person.login), "")
        doing = f"asking what {person.login} may do"
        path = f"{self._path}/members/all/{number}"
        found = self._api.reading(reading.permission).found(path, doing) if number else None
        return Permission.NONE if found is None else found

    def ensure_comment(self, number: str, marker: str, text: str) -> Written[Comment]:
        """Our comment with the hidden `marker` says `text`: edited where it is there, else made."""
        return self.reply(Thread(number), marker, text)

    def change_labels(self, number: str, add: Sequence[Label], remove: Sequence[str]) -> None:
        """The issue has each label of `add` and none of `remove`; the others stay as they are."""
        self._make_labels(add)
        body = {"add_labels": ",".join(label.name for label in add), "remove_labels": ",".join(remove)}
        given = {name: value for name, value in body.items() if value}
        doing = f"changing the labels of issue {number}"
        if self._api.found(self._place(Thread(number)), doing, "PUT", given) is None:
            raise UsageError(f"{self._name} has no issue {number}")

    def ensure_merge_request(
        self,
        source: str,
        target: str,
        *,
        title: str,
        text: str,
        draft: bool,
        add_labels: Sequence[Label],
        remove_labels: Sequence[str],
        reviewer: Account | None = None,
    ) -> Written[MergeRequest]:
        """An open merge request from `source` into `target` says all this: brought up to date, else opened."""
        self._make_labels(add_labels)
        body = {
            "title": f"{reading.DRAFT if draft else ''}{title}"[:LONGEST_TITLE],
            "description": reading.inert(fitted(text, LONGEST_TEXT)),
        }
        labels = [label.name for label in add_labels]
        return self._requests.ensure(source, target, body, labels, remove_labels, reviewer)

    def find_merge_request(self, source: str) -> MergeRequest | None:
        """The newest merge request from the branch `source`, open or not."""
        return self._requests.newest(source)

    def guidance(self, number: str, branch: str) -> Guidance:
        """What people can do about the work, in comments."""
        del number
        return Guidance(
            fetch=f"git fetch origin {branch} && git switch --detach FETCH_HEAD",
            feedback="Something to change? Review here, or comment `/agent retry what to do differently`.",
            go_on="To go on, comment `/agent retry` with what is missing or to be done differently.",
            answer="Reply to this issue with a comment, or with `/agent answer …`.",
            mended="When that is mended, comment `/agent retry`.",
            again="/agent retry",
            stop="`/agent stop` ends it and keeps the work.",
        )

    # --- what a job needs ---------------------------------------------------------------------------------

    def me(self) -> Account:
        """Who we are here."""
        return self._me

    @cached_property
    def _me(self) -> Account:
        return self._api.reading(reading.me).get("/user", "asking who we are")

    def repository(self) -> Repository:
        """The project itself."""
        return self._repository

    @cached_property
    def _repository(self) -> Repository:
        def read(raw: reading.Raw) -> Repository:
            return Repository(
                name=str(raw["path_with_namespace"]),
                url=str(raw["web_url"]),
                default_branch=str(raw["default_branch"]),
                private=raw["visibility"] == "private",
                access=Access(str(raw["http_url_to_repo"]), "oauth2", self._token),
            )

        return self._api.reading(read).get(self._path, f"reading the project {self._name}")

    def open_issues(self, label: str) -> Sequence[Issue]:
        """The open issues with the label, oldest first."""
        found = self._api.reading(reading.issue).pages(
            f"{self._path}/issues",
            "listing the open issues",
            state="opened",
            labels=label,
            order_by="created_at",
            sort="asc",
        )
        return list(found)

    def ensure_issue(self, marker: str, title: str, text: str) -> Written[Issue]:
        """An issue of ours with the hidden `marker`: found among our last hundred, else made."""

        def find() -> Issue | None:
            def ours(raw: reading.Raw) -> Issue | None:
                return reading.issue(raw) if marker_in(raw["description"] or "") == marker else None

            found = self._api.reading(each(ours)).get(
                f"{self._path}/issues",
                "listing our issues",
                author_id=self._me.id,
                scope="all",
                order_by="created_at",
                sort="desc",
                per_page=100,
            )
            return next(filter(None, found), None)

        def make() -> Issue:
            body = {
                "title": title[:LONGEST_TITLE],
                "description": reading.inert(fitted(marked(marker, text), LONGEST_TEXT)),
            }
            return self._api.reading(reading.issue).make(f"{self._path}/issues", "opening an issue", body)

        there = find()
        return (
            Written(there, created=False)
            if there
            else Written(made_once(make, find, self._api.wait), created=True)
        )

    def labelled(self, number: str, label: str) -> Labelled | None:
        """Who put `label` on the issue last, and when."""

        def read(raw: reading.Raw) -> Labelled | None:
            if raw["action"] != "add" or (raw.get("label") or {}).get("name") != label:
                return None
            return Labelled(reading.account(raw.get("user")), reading.moment(raw["created_at"]))

        place = f"{self._place(Thread(number))}/resource_label_events"
        found = list(filter(None, self._api.reading(read).pages(place, "reading who labelled the issue")))
        return found[-1] if found else None

    def edited_since(self, number: str, moment: datetime) -> Sequence[Account]:
        """Who changed the issue's title or text after `moment`, each once, by GitLab's own notes about it."""

        def read(raw: reading.Raw) -> Account | None:
            edit = raw.get("system") and str(raw.get("body", "")).startswith(_EDITS)
            late = edit and reading.moment(raw["created_at"]) > moment
            return reading.account(raw.get("author")) if late else None

        return list(dict.fromkeys(filter(None, self._notes(Thread(number), read))))

    def comment(self, thread: Thread, comment: str) -> Comment | None:
        """One comment as it stands now; None: it is gone, it is on another thread, or it is internal."""
        number = reading.checked(comment, "comment", self._name)
        path = f"{self._place(thread)}/notes/{number}"
        return self._api.reading(self._told(thread)).found(path, "reading the comment")

    def reply(self, thread: Thread, marker: str, text: str) -> Written[Comment]:
        """As `ensure_comment`, on an issue or a merge request."""
        return self._ours.ensure(thread, marker, text)

    def acknowledge(self, thread: Thread, comment: str) -> bool:
        """Put our eyes on a comment, or on the issue. False: it is not there any more."""
        place = self._place(thread) + (f"/notes/{comment}" if comment else "")
        refusal = self._api.attempt("POST", f"{place}/award_emoji", {"name": "eyes"})
        # A second time GitLab answers 404 as well, with "Award Emoji Name has already been taken".
        return refusal is None or refusal.status != 404 or "taken" in refusal.said  # noqa: PLR2004 - HTTP's number

    def merge_request(self, number: str) -> MergeRequest:
        """One merge request. Raises `UsageError` when there is none."""
        return self._requests.read(number)

    def branch(self, name: str) -> Branch | None:
        """A branch as it stands now; None: there is none."""
        path = f"{self._path}/repository/branches/{quote(name, safe='')}"

        def read(raw: reading.Raw) -> Branch:
            return Branch(str(raw["commit"]["id"]), bool(raw["protected"]))

        return self._api.reading(read).found(path, f"reading the branch {name}")

    def file(self, path: str, ref: str) -> bytes | None:
        """A file's content at a branch or commit; None: there is none."""
        place = f"{self._path}/repository/files/{quote(path, safe='')}"
        calls = self._api.reading(lambda raw: base64.b64decode(raw["content"]))
        return calls.found(place, f"reading the file {path}", ref=ref)

    def set_status(self, sha: str, state: CommitState, description: str, url: str) -> None:
        """What the commit's status `ci-agent` says."""
        body = {"state": _STATES[state], "name": "ci-agent", "description": description[:LONGEST_STATUS]}
        body |= {"target_url": url} if url else {}
        try:
            path = f"{self._path}/statuses/{quote(sha)}"
            self._api.change("POST", path, "setting the commit's status", body)
        except UsageError as error:
            if "Cannot transition status" not in str(error):  # it says so already
                raise

    def job_ended(self, job: str, heard: datetime | None = None) -> bool:
        """Whether a CI job has ended, or is not there."""
        try:
            status = self._job(job, lambda raw: str(raw["status"]))
        except AuthenticationError:
            return silent(heard)
        return status in (None, *_ENDED)

    def asked_at(self, run: str) -> datetime | None:
        """When the job's pipeline was created, by the event that started it; a job that is tried again is a new one
        in the same pipeline."""

        def read(raw: reading.Raw) -> datetime:
            return reading.moment(raw["pipeline"].get("created_at") or raw["created_at"])

        try:
            return self._job(run, read)
        except AuthenticationError:
            return None

    def began(self, job: str, runner: str) -> datetime | None:
        """When the job began."""
        del runner  # the number says which job it is
        try:
            return self._job(
                job, lambda raw: reading.moment(raw["started_at"]) if raw["started_at"] else None
            )
        except AuthenticationError:
            return None

    def _job(self, job: str, read: Callable[[reading.Raw], T]) -> T | None:
        path = f"{self._path}/jobs/{reading.checked(job, 'job', self._name)}"
        return self._api.reading(read).found(path, "looking at a job")

    def cancel_job(self, job: str) -> None:
        """Ask for the cancellation of a CI job. One that has ended is no error."""
        number = reading.checked(job, "job", self._name)
        self._api.found(f"{self._path}/jobs/{number}/cancel", "cancelling a job", "POST")

    # --- parts --------------------------------------------------------------------------------------------

    def _place(self, thread: Thread) -> str:
        kind, what = ("merge_requests", "merge request") if thread.merge_request else ("issues", "issue")
        return f"{self._path}/{kind}/{reading.checked(thread.number, what, self._name)}"

    def _page(self, thread: Thread) -> str:
        kind = "merge_requests" if thread.merge_request else "issues"
        return f"{self._repository.url}/-/{kind}/{thread.number}"

    def _notes(self, thread: Thread, read: Callable[[reading.Raw], T]) -> Sequence[T]:
        doing = (
            f"reading the comments on {'merge request' if thread.merge_request else 'issue'} {thread.number}"
        )
        calls, place = self._api.reading(read), f"{self._place(thread)}/notes"
        try:
            return list(calls.pages(place, doing, order_by="created_at", sort="asc"))
        except UsageError as error:
            raise UsageError(f"{self._name} has no issue {thread.number}: {error}") from error

    def _told(self, thread: Thread) -> Callable[[reading.Raw], Comment | None]:
        """Reads a note; None for one of GitLab's own, and for one that is not for everybody who reads the issue: what
        we write is."""
        page, me = self._page(thread), self._me

        def read(raw: reading.Raw) -> Comment | None:
            told = not raw.get("system") and not reading.internal(raw)
            return reading.comment(raw, me, page) if told else None

        return read

    def _comments_on(self, thread: Thread) -> list[Comment]:
        said = list(filter(None, self._notes(thread, self._told(thread))))
        self._ours.seen(thread, said)
        return said

    def _written(self, thread: Thread) -> Calls[Comment]:
        page, me = self._page(thread), self._me
        return self._api.reading(lambda raw: reading.comment(raw, me, page))

    def _make_note(self, thread: Thread, body: str) -> Comment:
        doing = f"commenting on {'merge request' if thread.merge_request else 'issue'} {thread.number}"
        return self._written(thread).make(f"{self._place(thread)}/notes", doing, {"body": body})

    def _edit_note(self, thread: Thread, comment: Comment, body: str) -> Comment | None:
        place = f"{self._place(thread)}/notes/{comment.id}"
        return self._written(thread).found(place, "editing our comment", "PUT", {"body": body})

    @cached_property
    def _labels(self) -> set[str]:
        """The labels of the project and of its groups."""
        return set(self._api.reading(reading.name).pages(f"{self._path}/labels", "listing the labels"))

    def _make_labels(self, labels: Sequence[Label]) -> None:
        """Make the labels with their looks, where there is none of that name. Two jobs may do it at once."""
        for label in labels:
            if label.name in self._labels:
                continue
            body = {"name": label.name, "color": f"#{label.colour}", "description": label.description}
            refusal = self._api.attempt("POST", f"{self._path}/labels", body)
            if refusal is None or refusal.status == 409:  # noqa: PLR2004 - it is there
                self._labels.add(label.name)
