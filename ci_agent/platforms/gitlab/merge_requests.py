"""Merge requests: found by their branches, opened once, brought up to date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ci_agent.errors import UsageError
from ci_agent.platforms import MergeRequest, Written
from ci_agent.platforms.calls import Calls, each
from ci_agent.platforms.gitlab import reading
from ci_agent.platforms.gitlab.api import Api
from ci_agent.platforms.patience import made_once
from ci_agent.task import Account


@dataclass(frozen=True, slots=True)
class Asked:
    """A merge request with what only GitLab's own calls need."""

    request: MergeRequest
    body: Mapping[str, str]  # title and description as GitLab has them
    author: str  # the id of who opened it
    reviewers: tuple[str, ...]  # the ids of who is asked to review it


class MergeRequests:
    """The merge requests of one project, whose address in the API is `path`."""

    def __init__(self, api: Api, project: str, path: str) -> None:
        self._api = api
        self._name = project
        self._path = f"{path}/merge_requests"

    def read(self, number: str) -> MergeRequest:
        """One of them. Raises `UsageError` when there is none."""
        checked = reading.checked(number, "merge request", self._name)
        found = self._calls.found(f"{self._path}/{checked}", f"reading merge request {number}")
        if found is None:
            raise UsageError(f"{self._name} has no merge request {number}")
        return found.request

    def newest(self, source: str) -> MergeRequest | None:
        """The newest from the branch `source`, open or not."""
        found = self._from(source, state="all")
        return found[0].request if found else None

    def ensure(
        self,
        source: str,
        target: str,
        body: Mapping[str, str],
        add_labels: Sequence[str],
        remove_labels: Sequence[str],
        reviewer: Account | None,
    ) -> Written[MergeRequest]:
        """An open one from `source` into `target` says all of `body`, and `reviewer` is asked."""
        there = self._open(source, target)
        if there is not None:
            self._ask(there, reviewer)
            return Written(self._updated(there, body, add_labels, remove_labels), created=False)
        new: dict[str, object] = {
            **body,
            "source_branch": source,
            "target_branch": target,
            "labels": ",".join(add_labels),
            "remove_source_branch": True,
        }

        def make() -> Asked:
            return self._calls.make(self._path, "creating the merge request", new)

        made = made_once(make, lambda: self._open(source, target), self._api.wait)
        self._ask(made, reviewer, assign=True)
        return Written(made.request, created=True)

    def _ask(self, asked: Asked, reviewer: Account | None, *, assign: bool = False) -> None:
        """Ask for a review, beside those who are asked already. GitLab refuses for people who are no members, and
        keeps one reviewer where its edition knows but one; that is no harm."""
        if reviewer is None or not reviewer.id or reviewer.id in (asked.author, *asked.reviewers):
            return
        people = {"reviewer_ids": [*map(int, asked.reviewers), int(reviewer.id)]}
        people |= {"assignee_ids": [int(reviewer.id)]} if assign else {}
        self._api.attempt("PUT", f"{self._path}/{asked.request.number}", people)

    @property
    def _calls(self) -> Calls[Asked]:
        return self._api.reading(_asked)

    def _from(self, source: str, **more: str) -> Sequence[Asked]:
        doing = f"looking for the merge request of {source}"
        given = {"source_branch": source, "order_by": "created_at", "sort": "desc", "per_page": "100"}
        found = self._api.reading(each(_asked)).get(self._path, doing, **given, **more)
        return [asked for asked in found if not asked.request.foreign]

    def _open(self, source: str, target: str) -> Asked | None:
        return next(iter(self._from(source, state="opened", target_branch=target)), None)

    def _updated(
        self,
        asked: Asked,
        body: Mapping[str, str],
        add_labels: Sequence[str],
        remove_labels: Sequence[str],
    ) -> MergeRequest:
        there = asked.request
        changes = {name: text for name, text in body.items() if asked.body[name] != text}
        added = [label for label in add_labels if label not in there.labels]
        removed = [label for label in remove_labels if label in there.labels]
        changes |= {"add_labels": ",".join(added)} if added else {}
        changes |= {"remove_labels": ",".join(removed)} if removed else {}
        if not changes:
            return there
        path = f"{self._path}/{there.number}"
        return self._calls.change("PUT", path, "updating the merge request", changes).request


def _asked(raw: reading.Raw) -> Asked:
    return Asked(
        reading.merge_request(raw),
        body={name: str(raw.get(name) or "") for name in ("title", "description")},
        author=reading.account(raw.get("author")).id,
        reviewers=tuple(reading.account(person).id for person in raw.get("reviewers") or []),
    )
