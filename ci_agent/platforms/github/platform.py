"""`GitHub`: the platform protocol over GitHub's REST API, and GraphQL where REST has no word for it.

What can't change within a job is asked for once: the repository, its labels, who we are, what people may do.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cached_property
from urllib.parse import quote

from ci_agent.errors import CiAgentError, UsageError
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
from ci_agent.platforms.github import reading
from ci_agent.platforms.github.api import Api, explained
from ci_agent.platforms.github.pulls import LONGEST_TITLE, Pulls
from ci_agent.platforms.ours import OurComments
from ci_agent.platforms.patience import made_once
from ci_agent.platforms.text import fitted, marked, marker_in, one_line
from ci_agent.task import Account, Thread

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
        raw = self._api.found(self._issue_path(number), f"reading issue {number}")
        there = str((raw or {}).get("repository_url", "")).casefold()
        if raw is None or raw.get("pull_request") or not there.endswith(self._path.casefold()):
            why = (
                "it is a pull request"
                if raw and raw.get("pull_request")
                else "it was moved"
                if raw
                else "it is not there"
            )
            raise UsageError(f"{self._name} has no issue {number}: {why}")
        return reading.issue(raw)

    def comments(self, number: str) -> Sequence[Comment]:
        """The comments on the issue, oldest first."""
        return self._comments_of(number)

    def discussion(self, number: str) -> Sequence[Comment]:
        """The comments on a pull request, on its lines, and what reviews say, oldest first."""
        said = [*self._comments_of(number)]
        doing = f"reading the comments on pull request {number}"
        for what in ("comments", "reviews"):
            found = self._api.pages(f"{self._path}/pulls/{number}/{what}", doing)
            said += [
                reading.comment(raw, self._me)
                for raw in found
                if raw.get("body") and raw.get("state") != "PENDING"
            ]
        return sorted(said, key=lambda comment: comment.created)

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
        try:
            raw = self._api.found(path, f"asking what {person.login} may do")
        except CiAgentError:
            return Permission.NONE
        known = raw is not None and reading.is_same(reading.account(raw.get("user")), person)
        return reading.permission(raw) if raw is not None and known else Permission.NONE

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
        written = self._pulls.ensure(source, target, title, fitted(text, LONGEST_TEXT), draft=draft)
        request = written.item
        changed = self._relabel(request.number, add_labels, remove_labels, known=request.labels)
        if written.created and reviewer is not None:
            self._pulls.ask(request.number, reviewer)
        return Written(self._pulls.read(request.number) if changed else request, written.created)

    def find_merge_request(self, source: str) -> MergeRequest | None:
        """The newest pull request from the branch `source`, open or not."""
        return self._pulls.newest(source)

    def guidance(self, number: str, branch: str) -> Guidance:
        """What people can do about the work, in comments."""
        del number
        return Guidance(
            fetch=f"git fetch origin {branch} && git switch {branch}",
            feedback="Something to change? Review here, or comment `/agent retry what to do differently`.",
            go_on="To go on, comment `/agent retry` with what is missing or to be done differently.",
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
        raw = self._api.query("query { viewer { login databaseId } }", "asking who we are")["viewer"]
        login = str(raw["login"])
        return Account(login, str(raw.get("databaseId") or ""), login.endswith("[bot]"))

    def repository(self) -> Repository:
        """The repository itself."""
        return self._repository

    @cached_property
    def _repository(self) -> Repository:
        raw = self._api.get(self._path, f"reading the repository {self._name}")
        access = Access(str(raw["clone_url"]), "x-access-token", self._token)
        return Repository(
            name=str(raw["full_name"]),
            url=str(raw["html_url"]),
            default_branch=str(raw["default_branch"]),
            private=bool(raw["private"]),
            access=access,
        )

    def open_issues(self, label: str) -> Sequence[Issue]:
        """The open issues with the label, oldest first."""
        found = self._api.pages(
            f"{self._path}/issues",
            "listing the open issues",
            state="open",
            labels=label,
            sort="created",
            direction="asc",
        )
        return [reading.issue(raw) for raw in found if not raw.get("pull_request")]

    def ensure_issue(self, marker: str, title: str, text: str) -> Written[Issue]:
        """An issue of ours with the hidden `marker`: found among our last hundred, else made."""

        def find() -> Issue | None:
            found = self._api.get(
                f"{self._path}/issues",
                "listing our issues",
                creator=self._me.login,
                state="all",
                sort="created",
                direction="desc",
                per_page="100",
            )
            return next(
                (reading.issue(raw) for raw in found if marker_in(raw.get("body") or "") == marker), None
            )

        def make() -> Issue:
            body = {
                "title": one_line(title, LONGEST_TITLE),
                "body": fitted(marked(marker, text), LONGEST_TEXT),
            }
            return reading.issue(self._api.make(f"{self._path}/issues", "opening an issue", body))

        there = find()
        return (
            Written(there, created=False)
            if there
            else Written(made_once(make, find, self._api.wait), created=True)
        )

    def labelled(self, number: str, label: str) -> Labelled | None:
        """Who put `label` on the issue last, and when."""
        found = None
        for raw in self._api.pages(f"{self._issue_path(number)}/events", "reading who labelled the issue"):
            if raw.get("event") == "labeled" and _among(str(raw["label"]["name"]), [label]):
                found = Labelled(reading.account(raw.get("actor")), reading.moment(raw["created_at"]))
        return found

    def edited_since(self, number: str, moment: datetime) -> Sequence[Account]:
        """Who changed the issue's title or text after `moment`, each once."""
        owner, _, name = self._name.partition("/")
        checked = int(reading.checked(number, "issue", self._name))
        given = {"owner": owner, "name": name, "number": checked, "since": moment.isoformat()}
        data = self._api.query(_EDITS, f"reading who edited issue {number}", **given)
        issue = data["repository"]["issue"]
        nodes = [*issue["some"]["nodes"], *issue["others"]["nodes"]]
        edits = [(raw["editedAt"], raw["editor"]) for raw in nodes]
        edits += [(raw["createdAt"], raw["actor"]) for raw in issue["timelineItems"]["nodes"]]
        late = [person for at, person in edits if reading.moment(at) > moment]
        return list(dict.fromkeys(_editor(person) for person in late))

    def comment(self, thread: Thread, comment: str) -> Comment | None:
        """One comment as it stands now; None: it is gone, or it is on another thread."""
        number = reading.checked(comment, "comment", self._name)
        raw = self._api.found(f"{self._path}/issues/comments/{number}", "reading the comment")
        if raw is None or not str(raw["issue_url"]).endswith(f"/issues/{thread.number}"):
            return None
        return reading.comment(raw, self._me)

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
        raw = self._api.found(f"{self._path}/branches/{quote(name)}", f"reading the branch {name}")
        if raw is None or raw["name"] != name:  # a renamed branch's old name leads to the new one
            return None
        return Branch(str(raw["commit"]["sha"]), bool(raw["protected"]))

    def file(self, path: str, ref: str) -> bytes | None:
        """A file's content at a branch or commit; None: there is none."""
        raw = self._api.found(f"{self._path}/contents/{quote(path)}", f"reading the file {path}", ref=ref)
        if not isinstance(raw, dict) or raw.get("type") != "file":
            return None
        if raw.get("encoding") != "base64":
            raise UsageError(f"{path} is larger than the 1 MB that GitHub hands out; make it smaller")
        try:
            return base64.b64decode(raw["content"])
        except binascii.Error as error:
            raise CiAgentError(f"GitHub sent {path} broken; try again later") from error

    def set_status(self, sha: str, state: CommitState, description: str, url: str) -> None:
        """What the commit's status `ci-agent` says."""
        body = {"state": _STATES[state], "context": "ci-agent", "description": description[:LONGEST_STATUS]}
        body |= {"target_url": url} if url else {}
        self._api.change("POST", f"{self._path}/statuses/{quote(sha)}", "setting the commit's status", body)

    def job_ended(self, job: str) -> bool:
        """Whether a workflow run has ended, or is not there."""
        number = reading.checked(job, "workflow run", self._name)
        raw = self._api.found(f"{self._path}/actions/runs/{number}", "looking at another job")
        return raw is None or raw.get("status") == "completed"

    def cancel_job(self, job: str) -> None:
        """Ask for the cancellation of a workflow run. One that has ended is no error."""
        number = reading.checked(job, "workflow run", self._name)
        if self.job_ended(number):
            return
        refusal = self._api.attempt("POST", f"{self._path}/actions/runs/{number}/cancel")
        if refusal is not None and not (refusal.status == _CONFLICT and self.job_ended(number)):
            raise explained(refusal, "cancelling a job")

    # --- parts --------------------------------------------------------------------------------------------

    def _issue_path(self, number: str) -> str:
        return f"{self._path}/issues/{reading.checked(number, 'issue', self._name)}"

    def _comments_of(self, number: str) -> list[Comment]:
        found = self._api.pages(
            f"{self._issue_path(number)}/comments", f"reading the comments on issue {number}"
        )
        try:
            comments = [reading.comment(raw, self._me) for raw in found]
        except UsageError as error:
            raise UsageError(f"{self._name} has no issue {number}: {error}") from error
        self._ours.seen(Thread(number), comments)
        return comments

    def _make_comment(self, thread: Thread, body: str) -> Comment:
        doing = f"commenting on issue {thread.number}"
        raw = self._api.make(f"{self._issue_path(thread.number)}/comments", doing, {"body": body})
        return reading.comment(raw, self._me)

    def _edit_comment(self, thread: Thread, comment: Comment, body: str) -> Comment | None:
        path, doing = (
            f"{self._path}/issues/comments/{comment.id}",
            f"editing our comment on issue {thread.number}",
        )
        raw = self._api.found(path, doing, "PATCH", {"body": body})
        return None if raw is None else reading.comment(raw, self._me)

    @cached_property
    def _labels(self) -> set[str]:
        """The labels of the repository, in small letters: GitHub tells them apart by those."""
        found = self._api.pages(f"{self._path}/labels", "listing the labels")
        return {str(raw["name"]).casefold() for raw in found}

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
            raw = self._api.change(
                "POST", place, "adding labels", {"labels": [label.name for label in missing]}
            )
            there = [str(item["name"]) for item in raw]
        elif there is None:
            there = [
                str(item["name"]) for item in self._api.pages(place, f"reading the labels of issue {number}")
            ]
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


def _editor(raw: reading.Raw | None) -> Account:
    """Somebody, as GraphQL says it: there a bot is called like a person could be."""
    if not raw:
        return Account("")
    bot = raw["__typename"] == "Bot"
    return Account(f"{raw['login']}{'[bot]' if bot else ''}", str(raw.get("databaseId") or ""), bot)
