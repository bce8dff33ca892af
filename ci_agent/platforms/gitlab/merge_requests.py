"""Merge requests: found by their branches, opened once, brought up to date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ci_agent.errors import UsageError
from ci_agent.platforms import MergeRequest, Written
from ci_agent.platforms.gitlab import reading
from ci_agent.platforms.gitlab.api import Api
from ci_agent.platforms.patience import made_once
from ci_agent.task import Account


class MergeRequests:
    """The merge requests of one project, whose address in the API is `path`."""

    def __init__(self, api: Api, project: str, path: str) -> None:
        self._api = api
        self._name = project
        self._path = f"{path}/merge_requests"

    def read(self, number: str) -> MergeRequest:
        """One of them. Raises `UsageError` when there is none."""
        checked = reading.checked(number, "merge request", self._name)
        raw = self._api.found(f"{self._path}/{checked}", f"reading merge request {number}")
        if raw is None:
            raise UsageError(f"{self._name} has no merge request {number}")
        return reading.merge_request(raw)

    def newest(self, source: str) -> MergeRequest | None:
        """The newest from the branch `source`, open or not."""
        found = [raw for raw in self._from(source, state="all") if not reading.merge_request(raw).foreign]
        return reading.merge_request(found[0]) if found else None

    def ensure(
        self,
        source: str,
        target: str,
        body: Mapping[str, str],
        add_labels: Sequence[str],
        remove_labels: Sequence[str],
        reviewer: Account | None,
    ) -> Written[MergeRequest]:
        """An open one from `source` into `target` says all of `body`."""
        there = self._open(source, target)
        if there is not None:
            return Written(self._updated(there, body, add_labels, remove_labels), created=False)
        new: dict[str, object] = {
            **body,
            "source_branch": source,
            "target_branch": target,
            "labels": ",".join(add_labels),
            "remove_source_branch": True,
        }

        def make() -> reading.Raw:
            return self._api.make(self._path, "creating the merge request", new)  # type: ignore[no-any-return]

        made = made_once(make, lambda: self._open(source, target), self._api.wait)
        if reviewer is not None and reviewer.id:
            # Refused for people who are no members; that is no harm.
            people = {"reviewer_ids": [int(reviewer.id)], "assignee_ids": [int(reviewer.id)]}
            self._api.attempt("put", f"{self._path}/{made['iid']}", people)
        return Written(reading.merge_request(made), created=True)

    def _from(self, source: str, **more: str) -> Sequence[reading.Raw]:
        doing = f"looking for the merge request of {source}"
        given = {"source_branch": source, "order_by": "created_at", "sort": "desc", "per_page": "100"}
        return self._api.get(self._path, doing, **given, **more)  # type: ignore[no-any-return]

    def _open(self, source: str, target: str) -> reading.Raw | None:
        found = self._from(source, state="opened", target_branch=target)
        return next((raw for raw in found if not reading.merge_request(raw).foreign), None)

    def _updated(
        self,
        raw: reading.Raw,
        body: Mapping[str, str],
        add_labels: Sequence[str],
        remove_labels: Sequence[str],
    ) -> MergeRequest:
        there = reading.merge_request(raw)
        changes = {name: text for name, text in body.items() if raw.get(name) != text}
        added = [label for label in add_labels if label not in there.labels]
        removed = [label for label in remove_labels if label in there.labels]
        changes |= {"add_labels": ",".join(added)} if added else {}
        changes |= {"remove_labels": ",".join(removed)} if removed else {}
        if not changes:
            return there
        updated = self._api.change(
            "put", f"{self._path}/{there.number}", "updating the merge request", changes
        )
        return reading.merge_request(updated)
