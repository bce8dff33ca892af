"""`GitHub`: the platform protocol over GitHub's REST API, and GraphQL where REST has no word for it.

What can't change within a job is asked for once: the repository, its labels, who we are, what people may do.
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
from ci_agent.platforms.github import reading
from ci_agent.platforms.github.api import Api
from ci_agent.platforms.github.pulls import LONGEST_TITLE, Pulls
from ci_agent.platforms.ours import OurComments
from ci_agent.platforms.patience import made_once, silent
from ci_agent.platforms.text import fitted, marked, marker_in, one_line
from ci_agent.task import Account, Thread

T = TypeVar("T")

LONGEST_TEXT = 65_536  # characters of an issue, a comment, a pull request
LONGEST_STATUS = 140  # characters of a commit status's description
_CONFLICT = 409  # HTTP's number: it has ended meanwhile, or is about to begin
_STATES = {CommitState.RUNNING: "pending", CommitState.SUCCESS: "success", CommitState.FAILURE: "failure"}
_EDITS = """
query($owner: String!, $name: String!, $number: Int!, $since: DateTime!) {
  repository(owner: $owner, name: $name) {
    issue(number: $number) {
      some: userContentEdits(first: 100) { nodes { editedAt editor { ...who } } }
      others: userContentEdits(last: 100) { nodes { editedAt editor { ...who } } }
      timelineItems(itemTypes: [RENAMED_TITLE_EVENT], since: $since, last: 100) {
        nodes { ... on RenamedTitleEvent { createdAt actor { ...who } } }
      }
    }
  }
}
fragment who on Actor { __typename login ... on User { databaseId } ... on Bot { databaseId } }
"""  # both ends of the list of edits: nothing says at which one the newest are


class GitHub:
    """One repository, `owner/name`. `wait` sleeps for some seconds between two tries of a request."""

    name = "github"

    def __init__(
        self,
        repository: str,
        token: str,
        *,
        api_url: str = "https://api.github.com",
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._name = repository
        self._token = token
        self._path = f"/repos/{repository}"
        self._api = Api(token, api_url, wait)
        self._pulls = Pulls(self._api, repository)
        self._permissions: dict[tuple[str, str], Permission] = {}
        self._ours = OurComments(
            read=lambda thread: self._comments_of(thread.number),
            make=self._make_comment,
            edit=self._edit_comment,
            longest=LONGEST_TEXT,
            wait=wait,
        )

    # --- what a session needs -----------------------------------------------------------------------------

    def issue(self, number: str) -> Issue:
        """The issue as it stands now. Raises `UsageError` when there is none, or it was moved away."""

        def read(raw: reading.Raw) -> Issue | str:
            if raw.get("pull_request"):
                return "it is a pull request"
            here = str(raw["repository_url"]).casefold().endswith(self._path.casefold())
            return reading.issue(raw) if here else "it was moved"

        found = self._api.reading(read).found(self._issue_path(number), f"reading issue {number}")
        if not isinstance(found, Issue):
            raise UsageError(f"{self._name} has no issue {number}: {found or 'it is not there'}")
        return found

    def comments(self, number: str) -> Sequence[Comment]:
        """The comments on the issue, oldest first."""
        return self._comments_of(number)

    def discussion(self, number: str) -> Sequence[Comment]:
        """The comments on a pull request, on its lines, and what reviews say, oldest first."""
        said = [*self._comments_of(number)]
        doing = f"reading the comments on pull request {number}"
        for what in ("comments", "reviews"):
            found = self._api.reading(self._told).pages(f"{self._path}/pulls/{number}/{what}", doing)
            said += [comment for comment in found if comment is not None]
        return sorted(said, key=lambda comment: comment.created)

    def _told(self, raw: reading.Raw) -> Comment | None:
        """A comment on a line, or the words of a review; None where there are none, or none yet."""
        told = raw.get("body") and raw.get("state") != "PENDING"
        return reading.comment(raw, self._me) if told else None

    def permission(self, person: Account) -> Permission:
        """What `person` may do here; a failed look-up is `NONE`, and so is an account that is another one now."""
        if not person.login:
            return Permission.NONE
        key = (person.login, person.id)
        if key not in self._permissions:
            self._permissions[key] = self._asked_permission(person)
        return self._permissions[key]

    def _asked_permission(self, person: Account) -> Permission:
        path = f"{self._path}/collaborators/{quote(person.login, safe='')}/permission"

        def read(raw: reading.Raw) -> Permission:
            known = reading.is_same(reading.account(raw.get("user")), person)
            return reading.permission(raw) if known else Permission.NONE

        try:
            found = self._api.reading(read).found(path, f"asking what {person.login} may do")
        except CiAgentError:
            return Permission.NONE
        return Permission.NONE if found is None else found

    def ensure_comment(self, number: str, marker: str, text: str) -> Written[Comment]:
        """Our comment with the hidden `marker` says `text`: edited where it is there, else made."""
        return self.reply(Thread(number), marker, text)

    def change_labels(self, number: str, add: Sequence[Label], remove: Sequence[str]) -> None:
        """The issue has each label of `add` and none of `remove`; the others stay as they are."""
        try:
            self._relabel(reading.checked(number, "issue", self._name), add, remove)
        except UsageError as error:
            raise UsageError(f"{self._name} has no issue {number} to label: {error}") from error

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
        """An open pull request from `source` into `target` says all this: brought up to date, else opened."""
        body = fitted(text, LONGEST_TEXT)
        written = self._pulls.ensure(source, target, title, body, draft=draft, reviewer=reviewer)
        request = written.item
        changed = self._relabel(request.number, add_labels, remove_labels, known=request.labels)
        return Written(self._pulls.read(request.number) if changed else request, written.created)

    def find_merge_request(self, source: str) -> MergeRequest | None:
        """The newest pull request from the branch `source`, open or not."""
        return self._pulls.newest(source)

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
        # GraphQL's `viewer` answers for every kind of token; REST's `/user` refuses those of workflows and apps.
        words = "query { viewer { login databaseId } }"
        me: Account = self._api.query(words, "asking who we are", reading.viewer)
        return me

    def repository(self) -> Repository:
        """The repository itself."""
        return self._repository

    @cached_property
    def _repository(self) -> Repository:
        def read(raw: reading.Raw) -> Repository:
            return Repository(
                name=str(raw["full_name"]),
                url=str(raw["html_url"]),
                default_branch=str(raw["default_branch"]),
                private=bool(raw["private"]),
                access=Access(str(raw["clone_url"]), "x-access-token", self._token),
            )

        return self._api.reading(read).get(self._path, f"reading the repository {self._name}")

    def open_issues(self, label: str) -> Sequence[Issue]:
        """The open issues with the label, oldest first."""
        found = self._api.reading(_issue_alone).pages(
            f"{self._path}/issues",
            "listing the open issues",
            state="open",
            labels=label,
            sort="created",
            direction="asc",
        )
        return [issue for issue in found if issue is not None]

    def ensure_issue(self, marker: str, title: str, text: str) -> Written[Issue]:
        """An issue of ours with the hidden `marker`: found among our last hundred, else made."""

        def find() -> Issue | None:
            def ours(raw: reading.Raw) -> Issue | None:
                return reading.issue(raw) if marker_in(raw.get("body") or "") == marker else None

            found = self._api.reading(each(ours)).get(
                f"{self._path}/issues",
                "listing our issues",
                creator=self._me.login,
                state="all",
                sort="created",
                direction="desc",
                per_page="100",
            )
            return next(filter(None, found), None)

        def make() -> Issue:
            body = {
                "title": one_line(title, LONGEST_TITLE),
                "body": fitted(marked(marker, text), LONGEST_TEXT),
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
            if raw.get("event") != "labeled" or not _among(str(raw["label"]["name"]), [label]):
                return None
            return Labelled(reading.account(raw.get("actor")), reading.moment(raw["created_at"]))

        path = f"{self._issue_path(number)}/events"
        found = list(filter(None, self._api.reading(read).pages(path, "reading who labelled the issue")))
        return found[-1] if found else None

    def edited_since(self, number: str, moment: datetime) -> Sequence[Account]:
        """Who changed the issue's title or text after `moment`, each once."""
        owner, _, name = self._name.partition("/")
        checked = int(reading.checked(number, "issue", self._name))
        given = {"owner": owner, "name": name, "number": checked, "since": moment.isoformat()}
        doing = f"reading who edited issue {number}"
        edits: list[tuple[datetime, Account]] = self._api.query(_EDITS, doing, reading.edits, **given)
        return list(dict.fromkeys(editor for at, editor in edits if at >= moment))

    def comment(self, thread: Thread, comment: str) -> Comment | None:
        """One comment as it stands now; None: it is gone, or it is on another thread."""
        number = reading.checked(comment, "comment", self._name)

        def read(raw: reading.Raw) -> Comment | None:
            there = str(raw["issue_url"]).endswith(f"/issues/{thread.number}")
            return reading.comment(raw, self._me) if there else None

        path = f"{self._path}/issues/comments/{number}"
        return self._api.reading(read).found(path, "reading the comment")

    def reply(self, thread: Thread, marker: str, text: str) -> Written[Comment]:
        """As `ensure_comment`, on an issue or a pull request, which share their numbers."""
        reading.checked(thread.number, "issue", self._name)
        return self._ours.ensure(Thread(thread.number), marker, text)

    def acknowledge(self, thread: Thread, comment: str) -> bool:
        """Put our eyes on a comment, or on the issue. False: it is not there any more."""
        try:
            number = reading.checked(comment or thread.number, "comment", self._name)
        except UsageError:
            return False
        place = f"issues/comments/{number}" if comment else f"issues/{number}"
        refusal = self._api.attempt("POST", f"{self._path}/{place}/reactions", {"content": "eyes"})
        return refusal is None or refusal.status not in (404, 410)

    def merge_request(self, number: str) -> MergeRequest:
        """One pull request. Raises `UsageError` when there is none."""
        return self._pulls.read(number)

    def branch(self, name: str) -> Branch | None:
        """A branch as it stands now; None: there is none."""

        def read(raw: reading.Raw) -> Branch | None:
            if raw["name"] != name:  # a renamed branch's old name leads to the new one
                return None
            return Branch(str(raw["commit"]["sha"]), bool(raw["protected"]))

        path = f"{self._path}/branches/{quote(name)}"
        return self._api.reading(read).found(path, f"reading the branch {name}")

    def file(self, path: str, ref: str) -> bytes | None:
        """A file's content at a branch or commit; None: there is none."""

        def read(raw: reading.Raw | list[reading.Raw]) -> bytes | None:
            if isinstance(raw, list) or raw["type"] != "file":
                return None
            if raw["encoding"] != "base64":
                raise UsageError(f"{path} is larger than the 1 MB that GitHub hands out; make it smaller")
            return base64.b64decode(raw["content"])

        place = f"{self._path}/contents/{quote(path)}"
        return self._api.reading(read).found(place, f"reading the file {path}", ref=ref)

    def set_status(self, sha: str, state: CommitState, description: str, url: str) -> None:
        """What the commit's status `ci-agent` says."""
        body = {"state": _STATES[state], "context": "ci-agent", "description": description[:LONGEST_STATUS]}
        body |= {"target_url": url} if url else {}
        self._api.change("POST", f"{self._path}/statuses/{quote(sha)}", "setting the commit's status", body)

    def job_ended(self, job: str, heard: datetime | None = None) -> bool:
        """Whether a workflow run has ended, or is not there."""
        try:
            status = self._run(job, lambda raw: str(raw["status"]))
        except AuthenticationError:  # in a private repository it takes `actions: read`
            return silent(heard)
        return status in (None, "completed")

    def asked_at(self, run: str) -> datetime | None:
        """When the workflow run was created, by the event that started it."""
        try:
            return self._run(run, lambda raw: reading.moment(raw["created_at"]))
        except AuthenticationError:
            return None

    def began(self, job: str, runner: str) -> datetime | None:
        """When the job of this run began that the runner is at work on. More than a hundred jobs are not looked at."""

        def read(raw: reading.Raw) -> datetime | None:
            meant = [
                one for one in raw["jobs"] if (one["status"], one["runner_name"]) == ("in_progress", runner)
            ]
            return min((reading.moment(one["started_at"]) for one in meant), default=None)

        number = reading.checked(job, "workflow run", self._name)
        path = f"{self._path}/actions/runs/{number}/jobs"
        try:
            return self._api.reading(read).found(path, "looking at a job", per_page=100)
        except AuthenticationError:
            return None

    def _run(self, run: str, read: Callable[[reading.Raw], T]) -> T | None:
        number = reading.checked(run, "workflow run", self._name)
        return self._api.reading(read).found(f"{self._path}/actions/runs/{number}", "looking at a job")

    def cancel_job(self, job: str) -> None:
        """Ask for the cancellation of a workflow run. One that has ended is no error."""
        number = reading.checked(job, "workflow run", self._name)
        if self.job_ended(number):
            return
        refusal = self._api.attempt("POST", f"{self._path}/actions/runs/{number}/cancel")
        if refusal is not None and not (refusal.status == _CONFLICT and self.job_ended(number)):
            raise self._api.explained(refusal, "cancelling a job")

    # --- parts --------------------------------------------------------------------------------------------

    def _issue_path(self, number: str) -> str:
        return f"{self._path}/issues/{reading.checked(number, 'issue', self._name)}"

    def _comments_of(self, number: str) -> list[Comment]:
        path, doing = f"{self._issue_path(number)}/comments", f"reading the comments on issue {number}"
        try:
            comments = list(self._comment_calls.pages(path, doing))
        except UsageError as error:
            raise UsageError(f"{self._name} has no issue {number}: {error}") from error
        self._ours.seen(Thread(number), comments)
        return comments

    def _make_comment(self, thread: Thread, body: str) -> Comment:
        doing = f"commenting on issue {thread.number}"
        return self._comment_calls.make(f"{self._issue_path(thread.number)}/comments", doing, {"body": body})

    def _edit_comment(self, thread: Thread, comment: Comment, body: str) -> Comment | None:
        path, doing = (
            f"{self._path}/issues/comments/{comment.id}",
            f"editing our comment on issue {thread.number}",
        )
        return self._comment_calls.found(path, doing, "PATCH", {"body": body})

    @property
    def _comment_calls(self) -> Calls[Comment]:
        me = self._me
        return self._api.reading(lambda raw: reading.comment(raw, me))

    @cached_property
    def _labels(self) -> set[str]:
        """The labels of the repository, in small letters: GitHub tells them apart by those."""
        found = self._api.reading(reading.name).pages(f"{self._path}/labels", "listing the labels")
        return {name.casefold() for name in found}

    def _relabel(
        self, number: str, add: Sequence[Label], remove: Sequence[str], known: Sequence[str] | None = None
    ) -> bool:
        """Whether anything had to be changed. `known` are the labels it has, where that was just read."""
        place = f"{self._path}/issues/{number}/labels"
        missing = [label for label in add if known is None or not _among(label.name, known)]
        there = known
        if missing:
            for label in missing:
                self._make_label(label)
            names = {"labels": [label.name for label in missing]}
            there = self._api.reading(each(reading.name)).change("POST", place, "adding labels", names)
        elif there is None:
            doing = f"reading the labels of issue {number}"
            there = list(self._api.reading(reading.name).pages(place, doing))
        unwanted = [name for name in there if _among(name, remove)]
        for name in unwanted:
            self._api.found(f"{place}/{quote(name, safe='')}", "removing a label", "DELETE")
        return bool(missing or unwanted)

    def _make_label(self, label: Label) -> None:
        """Make the label with its looks, where the repository has none of that name. Two jobs may do it at once."""
        if label.name.casefold() in self._labels:
            return
        body = {"name": label.name, "color": label.colour, "description": label.description}
        refusal = self._api.attempt("POST", f"{self._path}/labels", body)
        if refusal is None or "already_exists" in refusal.said:
            self._labels.add(label.name.casefold())


def _among(name: str, names: Sequence[str]) -> bool:
    """Whether a label is one of these; GitHub tells labels apart without regard to capitals."""
    return name.casefold() in {other.casefold() for other in names}


def _issue_alone(raw: reading.Raw) -> Issue | None:
    """An issue; None for a pull request, which is listed as one."""
    return None if raw.get("pull_request") else reading.issue(raw)
