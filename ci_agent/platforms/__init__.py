"""Where issues and merge requests live, behind one protocol.

Every verb that writes is *find or create*: called twice it leaves the same state as called once. Raw answers
of an API never leave the platform's own file. A platform is a file or folder here and a line in the CLI that
opens it; nothing else asks which one it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")


class Permission(IntEnum):
    """What a person may do in the repository. An unknown or failed look-up is `NONE`."""

    NONE = 0
    READ = 1
    WRITE = 2
    ADMIN = 3


@dataclass(frozen=True, slots=True)
class Issue:
    number: str
    title: str
    text: str
    author: str
    labels: tuple[str, ...]
    open: bool
    url: str
    reference: (
        str  # names the issue in a commit, for good; where `#12` would mean another one, in other words
    )


@dataclass(frozen=True, slots=True)
class Comment:
    id: str
    author: str
    text: str
    created: datetime
    url: str
    ours: bool  # carries our hidden marker, so it is not somebody's word


@dataclass(frozen=True, slots=True)
class MergeRequest:
    number: str
    title: str
    text: str
    source: str  # branch
    target: str  # branch
    draft: bool
    open: bool
    labels: tuple[str, ...]
    url: str


@dataclass(frozen=True, slots=True)
class Written(Generic[T]):
    """What a find-or-create verb found or made."""

    item: T
    created: bool


@dataclass(frozen=True, slots=True)
class Guidance:
    """How people go on from here. Shown in comments and merge requests."""

    fetch: str  # a shell command that brings the work branch to the reader's machine
    feedback: str  # a sentence in Markdown: how to ask for something else
    go_on: str  # a sentence in Markdown: how to go on where it ended unsolved or with a question
    again: str  # the command or comment that goes on, alone


class Platform(Protocol):
    """One place where issues and merge requests live, for one repository."""

    name: str

    def issue(self, number: str) -> Issue:
        """The issue as it stands now. Raises `UsageError` when there is none."""
        ...

    def comments(self, number: str) -> Sequence[Comment]:
        """The issue's comments, oldest first."""
        ...

    def permission(self, person: str) -> Permission:
        """What `person` may do here."""
        ...

    def ensure_comment(self, number: str, marker: str, text: str) -> Written[Comment]:
        """The issue's comment with the hidden `marker` says `text`: edited where it is there, else made.

        `marker` is an opaque word; the platform hides it in the comment as `<!-- ci-agent: MARKER -->`.
        """
        ...

    def change_labels(self, number: str, add: Sequence[str], remove: Sequence[str]) -> None:
        """The issue has each label of `add` and none of `remove`; the others stay as they are."""
        ...

    def ensure_merge_request(
        self,
        source: str,
        target: str,
        *,
        title: str,
        text: str,
        draft: bool,
        add_labels: Sequence[str],
        remove_labels: Sequence[str],
    ) -> Written[MergeRequest]:
        """An open merge request from `source` into `target` says all this: brought up to date, else opened.

        One that was closed or merged stays as it is. Labels as in `change_labels`.
        """
        ...

    def find_merge_request(self, source: str) -> MergeRequest | None:
        """The newest merge request from the branch `source`, open or not."""
        ...

    def guidance(self, number: str, branch: str) -> Guidance:
        """What people can do about the work on an issue, in this platform's terms."""
        ...
