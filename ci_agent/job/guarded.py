"""A platform through which nothing leaves that holds a secret. Whoever opens a platform hands this one out.

Texts are replaced by the statement that they were withheld; a name that can't be replaced, such as a branch's, is an
error. What only reads is passed on.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ci_agent.errors import CiAgentError
from ci_agent.guard import Guard
from ci_agent.platforms import (
    Branch,
    Comment,
    CommitState,
    Forge,
    Guidance,
    Issue,
    Label,
    Labelled,
    MergeRequest,
    Permission,
    Platform,
    Repository,
    Written,
)
from ci_agent.task import Account, Thread

_DESCRIPTION = "withheld: it held the value of a secret"  # where 140 characters have room


class GuardedPlatform:
    """`platform`, guarded."""

    def __init__(self, platform: Platform, guard: Guard) -> None:
        self._platform = platform
        self._guard = guard
        self.name = platform.name

    # --- what leaves --------------------------------------------------------------------------------------

    def ensure_comment(self, number: str, marker: str, text: str) -> Written[Comment]:
        self._check(marker, "comment's marker")
        return self._platform.ensure_comment(number, marker, self._guard.cleared(text, "comment"))

    def change_labels(self, number: str, add: Sequence[Label], remove: Sequence[str]) -> None:
        self._check_labels(add)
        self._platform.change_labels(number, add, remove)

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
        self._check(source, "branch's name")
        self._check_labels(add_labels)
        title_found = self._guard.found(title)
        if title_found:
            self._guard.stopped("merge request's title", title_found)
        return self._platform.ensure_merge_request(
            source,
            target,
            title="Withheld: the title held the value of a secret" if title_found else title,
            text=self._guard.cleared(text, "merge request's text"),
            draft=draft,
            add_labels=add_labels,
            remove_labels=remove_labels,
            reviewer=reviewer,
        )

    # --- what is only asked -------------------------------------------------------------------------------

    def issue(self, number: str) -> Issue:
        return self._platform.issue(number)

    def comments(self, number: str) -> Sequence[Comment]:
        return self._platform.comments(number)

    def discussion(self, number: str) -> Sequence[Comment]:
        return self._platform.discussion(number)

    def permission(self, person: Account) -> Permission:
        return self._platform.permission(person)

    def find_merge_request(self, source: str) -> MergeRequest | None:
        return self._platform.find_merge_request(source)

    def guidance(self, number: str, branch: str) -> Guidance:
        return self._platform.guidance(number, branch)

    def _check(self, name: str, channel: str) -> None:
        found = self._guard.found(name)
        if found:
            raise CiAgentError(self._guard.stopped(channel, found))

    def _check_labels(self, labels: Sequence[Label]) -> None:
        for label in labels:
            self._check(f"{label.name}\n{label.description}", "label")


class GuardedForge(GuardedPlatform):
    """`forge`, guarded."""

    def __init__(self, forge: Forge, guard: Guard) -> None:
        super().__init__(forge, guard)
        self._forge = forge

    # --- what leaves --------------------------------------------------------------------------------------

    def ensure_issue(self, marker: str, title: str, text: str) -> Written[Issue]:
        self._check(marker, "issue's marker")
        self._check(title, "issue's title")
        return self._forge.ensure_issue(marker, title, self._guard.cleared(text, "issue"))

    def reply(self, thread: Thread, marker: str, text: str) -> Written[Comment]:
        self._check(marker, "reply's marker")
        return self._forge.reply(thread, marker, self._guard.cleared(text, "reply"))

    def set_status(self, sha: str, state: CommitState, description: str, url: str) -> None:
        found = self._guard.found(description)
        if found:
            self._guard.stopped("commit's status", found)
        self._check(url, "commit's status")
        self._forge.set_status(sha, state, _DESCRIPTION if found else description, url)

    def acknowledge(self, thread: Thread, comment: str) -> bool:
        return self._forge.acknowledge(thread, comment)

    def cancel_job(self, job: str) -> None:
        self._forge.cancel_job(job)

    # --- what is only asked -------------------------------------------------------------------------------

    def me(self) -> Account:
        return self._forge.me()

    def repository(self) -> Repository:
        return self._forge.repository()

    def open_issues(self, label: str) -> Sequence[Issue]:
        return self._forge.open_issues(label)

    def labelled(self, number: str, label: str) -> Labelled | None:
        return self._forge.labelled(number, label)

    def edited_since(self, number: str, moment: datetime) -> Sequence[Account]:
        return self._forge.edited_since(number, moment)

    def comment(self, thread: Thread, comment: str) -> Comment | None:
        return self._forge.comment(thread, comment)

    def merge_request(self, number: str) -> MergeRequest:
        return self._forge.merge_request(number)

    def branch(self, name: str) -> Branch | None:
        return self._forge.branch(name)

    def file(self, path: str, ref: str) -> bytes | None:
        return self._forge.file(path, ref)

    def job_ended(self, job: str, heard: datetime | None = None) -> bool:
        return self._forge.job_ended(job, heard)

    def asked_at(self, run: str) -> datetime | None:
        return self._forge.asked_at(run)

    def began(self, job: str, runner: str) -> datetime | None:
        return self._forge.began(job, runner)
