"""Pull requests: found by their branches, opened once, brought up to date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ci_agent.errors import UsageError
from ci_agent.platforms import MergeRequest, Written
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
        raw = self._api.found(f"{self._path}/{checked}", f"reading pull request {number}")
        if raw is None:
            raise UsageError(f"{self._name} has no pull request {number}")
        return reading.merge_request(raw, self._name)

    def newest(self, source: str) -> MergeRequest | None:
        """The newest from the branch `source`, open or not."""
        found = self._from(source, state="all")
        return reading.merge_request(found[0], self._name) if found else None

    def ensure(
        self, source: str, target: str, title: str, text: str, *, draft: bool
    ) -> Written[MergeRequest]:
        """An open one from `source` into `target` says all this."""
        title = one_line(title, LONGEST_TITLE)
        there = self._open(source, target)
        if there is not None:
            return Written(self._updated(there, title, text, draft=draft), created=False)

        def make() -> reading.Raw:
            return self._made(source, target, title, text, draft=draft)

        raw = made_once(make, lambda: self._open(source, target), self._api.wait)
        return Written(reading.merge_request(raw, self._name), created=True)

    def ask(self, number: str, reviewer: Account) -> None:
        """Ask for a review, and assign it. GitHub refuses for people who can't be asked; that is no harm."""
        self._api.attempt(
            "POST", f"{self._path}/{number}/requested_reviewers", {"reviewers": [reviewer.login]}
        )
        self._api.attempt("POST", f"{self._issues}/{number}/assignees", {"assignees": [reviewer.login]})

    def _from(self, source: str, **more: str) -> Sequence[reading.Raw]:
        owner = self._name.partition("/")[0]
        found = self._api.get(
            self._path,
            f"looking for the pull request of {source}",
            head=f"{owner}:{source}",
            sort="created",
            direction="desc",
            per_page="100",
            **more,
        )
        return [
            raw
            for raw in found
            if raw["head"]["ref"] == source and not reading.merge_request(raw, self._name).foreign
        ]

    def _open(self, source: str, target: str) -> reading.Raw | None:
        return next(iter(self._from(source, state="open", base=target)), None)

    def _updated(self, raw: reading.Raw, title: str, text: str, *, draft: bool) -> MergeRequest:
        there = reading.merge_request(raw, self._name)
        if there.draft != draft and not self._turned(str(raw["node_id"]), draft=draft):
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

    def _made(self, source: str, target: str, title: str, text: str, *, draft: bool) -> reading.Raw:
        body = {"title": title, "body": text, "head": source, "base": target, "draft": draft}
        try:
            return self._api.make(self._path, "creating the pull request", body)  # type: ignore[no-any-return]
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
        return self._api.make(self._path, "creating the pull request", body)  # type: ignore[no-any-return]


def _as_draft(title: str) -> str:
    """The title has to say it: private repositories of free accounts have no drafts."""
    return one_line(f"[Draft] {title}", LONGEST_TITLE)
