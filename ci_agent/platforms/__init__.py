"""Where issues and merge requests live, behind one protocol.

Every verb that writes is *find or create*: called twice it leaves the same state as called once. Raw answers
of an API never leave the platform's own file. A platform is a file or folder here and a line in the CLI that
opens it; nothing else asks which one it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Generic, Protocol, TypeVar

from ci_agent.task import Account, Thread

T = TypeVar("T")


class Permission(IntEnum):
    """What a person may do in the repository. An unknown or failed look-up is `NONE`."""

    NONE = 0
    READ = 1  # GitHub: read, triage; GitLab: Guest to Reporter
    WRITE = 2  # GitLab: Developer
    MAINTAIN = 3  # GitLab: Maintainer
    ADMIN = 4  # GitLab: Owner


@dataclass(frozen=True, slots=True)
class Label:
    """A label as it is made where it is missing. One that is there keeps its looks."""

    name: str
    colour: str = "6e7781"  # RGB in hexadecimal, without `#`
    description: str = ""  # GitHub takes 100 characters


@dataclass(frozen=True, slots=True)
class Issue:
    number: str
    title: str
    text: str
    author: Account
    labels: tuple[str, ...]
    open: bool
    url: str
    reference: (
        str  # names the issue in a commit, for good; where `#12` would mean another one, in other words
    )
    confidential: bool = False  # not everybody who sees the repository may see it


@dataclass(frozen=True, slots=True)
class Comment:
    id: str
    author: Account
    text: str  # without our marker
    created: datetime
    changed: datetime  # when it was edited last; `created` where it never was
    url: str
    marker: str = ""  # our hidden marker, in a comment that we wrote

    @property
    def ours(self) -> bool:
        """We wrote it, so it is not somebody's word."""
        return bool(self.marker)


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
    foreign: bool = False  # the branch is in another repository, a fork
    reference: str = ""  # how comments name it: `#34`, `!34`; empty: the platform has no such words


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
    go_on: str  # a sentence in Markdown: how to go on where it ended unsolved
    answer: str  # the same, where it ended with a question
    mended: str  # the same, where it ended for a reason outside of the work that has to be mended first
    again: str  # the command or comment that goes on, alone
    stop: str = ""  # a sentence in Markdown: how to end it while it works


class Platform(Protocol):
    """One place where issues and merge requests live, for one repository."""

    name: str

    def issue(self, number: str) -> Issue:
        """The issue as it stands now. Raises `UsageError` when there is none."""
        ...

    def comments(self, number: str) -> Sequence[Comment]:
        """The issue's comments, oldest first. What a platform itself notes there is none, nor is what only some of
        those who read the issue may read."""
        ...

    def discussion(self, number: str) -> Sequence[Comment]:
        """The comments on a merge request, those on lines of the change included, oldest first."""
        ...

    def permission(self, person: Account) -> Permission:
        """What `person` may do here. Raises nothing: a failed look-up is `NONE`."""
        ...

    def ensure_comment(self, number: str, marker: str, text: str) -> Written[Comment]:
        """The issue's comment with the hidden `marker` says `text`: edited where it is there, else made.

        `marker` is opaque words; the platform hides them in the comment as `<!-- ci-agent: MARKER -->`. A text
        too long for the platform is cut, and says so.
        """
        ...

    def change_labels(self, number: str, add: Sequence[Label], remove: Sequence[str]) -> None:
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
        add_labels: Sequence[Label],
        remove_labels: Sequence[str],
        reviewer: Account | None = None,
    ) -> Written[MergeRequest]:
        """An open merge request from `source` into `target` says all this: brought up to date, else opened.

        One that was closed or merged stays as it is. Labels as in `change_labels`. `reviewer` is asked to review
        it, beside those who are asked already, and it is assigned to them when it is opened, where the platform lets
        us. Who opened it is not asked.
        """
        ...

    def find_merge_request(self, source: str) -> MergeRequest | None:
        """The newest merge request from the branch `source`, open or not."""
        ...

    def guidance(self, number: str, branch: str) -> Guidance:
        """What people can do about the work on an issue, in this platform's terms."""
        ...


@dataclass(frozen=True, slots=True)
class Access:
    """How git reaches the repository."""

    url: str  # without credentials
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Repository:
    name: str  # `owner/name`, or the path with its groups
    url: str  # its page
    default_branch: str
    private: bool  # only its members see it
    access: Access


@dataclass(frozen=True, slots=True)
class Branch:
    sha: str
    protected: bool


@dataclass(frozen=True, slots=True)
class Labelled:
    """Who put a label on an issue, the last time."""

    by: Account
    at: datetime


class CommitState(StrEnum):
    RUNNING = "running"
    SUCCESS = "success"
    FAILURE = "failure"


class Forge(Platform, Protocol):
    """A platform on a server: what a job of its CI needs beyond what a session needs.

    Errors of all verbs name what is missing: `AuthenticationError` for a token that is wrong, expired or lacks a
    scope, with the scope and the page that explains it; `UsageError` for what is not there; `CiAgentError` for
    a server that fails or asks for more patience than we have.
    """

    def me(self) -> Account:
        """Who we are here."""
        ...

    def repository(self) -> Repository:
        """The repository itself."""
        ...

    def open_issues(self, label: str) -> Sequence[Issue]:
        """The open issues with the label, oldest first."""
        ...

    def ensure_issue(self, marker: str, title: str, text: str) -> Written[Issue]:
        """An issue of ours with the hidden `marker`: found among those of the last days, else made."""
        ...

    def labelled(self, number: str, label: str) -> Labelled | None:
        """Who put `label` on the issue last, and when; None: nobody did, or nobody knows."""
        ...

    def edited_since(self, number: str, moment: datetime) -> Sequence[Account]:
        """Who changed the issue's title or text after `moment`, each once. An editor nobody knows any more is
        an account without a name."""
        ...

    def comment(self, thread: Thread, comment: str) -> Comment | None:
        """One comment as it stands now; None: it is gone, it is on another thread, or not everybody who reads the
        thread may read it."""
        ...

    def reply(self, thread: Thread, marker: str, text: str) -> Written[Comment]:
        """As `ensure_comment`, on an issue or a merge request."""
        ...

    def acknowledge(self, thread: Thread, comment: str) -> bool:
        """Put our eyes on a comment, or on the issue where `comment` is empty. False: it is not there any more.
        Raises nothing for a platform that does not let us."""
        ...

    def merge_request(self, number: str) -> MergeRequest:
        """One merge request. Raises `UsageError` when there is none."""
        ...

    def branch(self, name: str) -> Branch | None:
        """A branch as it stands now; None: there is none."""
        ...

    def file(self, path: str, ref: str) -> bytes | None:
        """A file's content at a branch or commit; None: there is none."""
        ...

    def set_status(self, sha: str, state: CommitState, description: str, url: str) -> None:
        """What the commit's status `ci-agent` says. At most 140 characters of `description` are kept."""
        ...

    def job_ended(self, job: str, heard: datetime | None = None) -> bool:
        """Whether a CI job (GitHub: a workflow run) has ended, or is not there. Where the token may not see it, it
        counts as at work, unless it was `heard` of the last time longer ago than a job is silent. Raises as the
        others do."""
        ...

    def asked_at(self, run: str) -> datetime | None:
        """When the platform made this CI job (GitHub: this workflow run) of the event that started it; None: it is
        not there, or the token may not see it."""
        ...

    def began(self, job: str, runner: str) -> datetime | None:
        """When a CI job (GitHub: of this workflow run the one that the runner with this name is at work on) began; None:
        it is not there, or the token may not see it. Where several could be meant it is the first."""
        ...

    def cancel_job(self, job: str) -> None:
        """Ask the platform to cancel a CI job (GitHub: a workflow run). One that has ended is no error."""
        ...
