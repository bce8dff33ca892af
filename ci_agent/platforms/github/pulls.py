"""Pull requests: found by their branches, opened once, brought up to date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ci_agent.errors import UsageError
from ci_agent.platforms import MergeRequest, Written
from ci_agent.platforms.calls import Calls, each
from ci_agent.platforms.github import reading
from ci_agent.platforms.github.api import Api
from ci_agent.platforms.patience import LostError, made_once
from ci_agent.platforms.text import one_line
from ci_agent.task import Account

LONGEST_TITLE = 256
_NO_DRAFTS = "draft pull requests are not supported"  # how GitHub says it
_READY = (
    "mutation($id: ID!) { markPullRequestReadyForReview(input: {pullRequestId: $id}) { clientMutationId } }"
)
_DRAFT = "mutation($id: ID!) { convertPullRequestToDraft(input: {pullRequestId: $id}) { clientMutationId } }"


@dataclass(frozen=True, slots=True)
class Pull:
    """A pull request with what only GitHub's own calls need."""

    request: MergeRequest
    node: str  # its name in GraphQL
    people: tuple[Account, ...]  # who opened it, and who is asked to review it


class Pulls:
    """The pull requests of one repository."""

    def __init__(self, api: Api, repository: str) -> None:
        self._api = api
        self._name = repository
        self._path = f"/repos/{repository}/pulls"
        self._issues = f"/repos/{repository}/issues"

    def read(self, number: str) -> MergeRequest:
        """One of them. Raises `UsageError` when there is none."""
        checked = reading.checked(number, "pull request", self._name)
        found = self._calls.found(f"{self._path}/{checked}", f"reading pull request {number}")
        if found is None:
            raise UsageError(f"{self._name} has no pull request {number}")
        return found.request

    def newest(self, source: str) -> MergeRequest | None:
        """The newest from the branch `source`, open or not."""
        found = self._from(source, state="all")
        return found[0].request if found else None

    def ensure(
        self, source: str, target: str, title: str, text: str, *, draft: bool, reviewer: Account | None
    ) -> Written[MergeRequest]:
        """An open one from `source` into `target` says all this, and `reviewer` is asked."""
        title = one_line(title, LONGEST_TITLE)
        there = self._open(source, target)
        if there is not None:
            self._ask(there, reviewer)
            return Written(self._updated(there, title, text, draft=draft), created=False)

        def make() -> Pull:
            return self._made(source, target, title, text, draft=draft)

        made = made_once(make, lambda: self._open(source, target), self._api.wait)
        self._ask(made, reviewer)
        if reviewer is not None:
            people = {"assignees": [reviewer.login]}
            self._api.attempt("POST", f"{self._issues}/{made.request.number}/assignees", people)
        return Written(made.request, created=True)

    def _ask(self, pull: Pull, reviewer: Account | None) -> None:
        """Ask for a review, beside those who are asked already. GitHub refuses for people who can't be asked; that
        is no harm."""
        if reviewer is not None and not any(reading.is_same(reviewer, known) for known in pull.people):
            people = {"reviewers": [reviewer.login]}
            self._api.attempt("POST", f"{self._path}/{pull.request.number}/requested_reviewers", people)

    @property
    def _calls(self) -> Calls[Pull]:
        return self._api.reading(self._pull)

    def _pull(self, raw: reading.Raw) -> Pull:
        people = [raw.get("user"), *(raw.get("requested_reviewers") or [])]
        return Pull(
            reading.merge_request(raw, self._name),
            node=str(raw["node_id"]),
            people=tuple(reading.account(person) for person in people),
        )

    def _from(self, source: str, **more: str) -> Sequence[Pull]:
        owner = self._name.partition("/")[0]
        found = self._api.reading(each(self._pull)).get(
            self._path,
            f"looking for the pull request of {source}",
            head=f"{owner}:{source}",
            sort="created",
            direction="desc",
            per_page="100",
            **more,
        )
        return [pull for pull in found if pull.request.source == source and not pull.request.foreign]

    def _open(self, source: str, target: str) -> Pull | None:
        return next(iter(self._from(source, state="open", base=target)), None)

    def _updated(self, pull: Pull, title: str, text: str, *, draft: bool) -> MergeRequest:
        there = pull.request
        if there.draft != draft and not self._turned(pull.node, draft=draft):
            title, draft = _as_draft(title), there.draft
        if (there.title, there.text) != (title, text):
            body = {"title": title, "body": text}
            self._api.change("PATCH", f"{self._path}/{there.number}", "updating the pull request", body)
        return replace(there, title=title, text=text, draft=draft)

    def _turned(self, node: str, *, draft: bool) -> bool:
        """Whether it is a draft now, or none any more. False: the repository knows no drafts."""
        try:  # REST has no word for it
            self._api.query(_DRAFT if draft else _READY, "changing the pull request's draft state", id=node)
        except UsageError as error:
            if not draft or _NO_DRAFTS not in str(error).lower():
                raise
            return False
        return True

    def _made(self, source: str, target: str, title: str, text: str, *, draft: bool) -> Pull:
        body = {"title": title, "body": text, "head": source, "base": target, "draft": draft}
        try:
            return self._calls.make(self._path, "creating the pull request", body)
        except UsageError as error:
            said = str(error).lower()
            if "(base invalid" in said:
                raise UsageError(
                    f"There is no branch {target} to bring the work into; was it renamed or deleted? "
                    f"The work is on the branch {source}"
                ) from error
            if "already exists" in said:  # another job was faster
                raise LostError(str(error)) from error
            if not draft or _NO_DRAFTS not in said:
                raise
        body |= {"draft": False, "title": _as_draft(title)}
        return self._calls.make(self._path, "creating the pull request", body)


def _as_draft(title: str) -> str:
    """The title has to say it: private repositories of free accounts have no drafts."""
    return one_line(f"[Draft] {title}", LONGEST_TITLE)
