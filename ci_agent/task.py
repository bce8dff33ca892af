"""The nouns everyone shares: what is to be done, how far it is, how it ended, what it may cost.

Pure data. This module imports nothing of the package and does nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

WAITING_LABEL: Final = "ai-waiting"  # on an issue whose session has asked a question and waits for the answer


class Status(StrEnum):
    """How far a session is. The last four are final for a job; `suspended` may go on in a later one."""

    PENDING = "pending"
    CLONING = "cloning"
    ANALYZING = "analyzing"
    CODING = "coding"
    TESTING = "testing"
    COMMITTING = "committing"
    COMPLETED = "completed"
    FAILED = "failed"
    SUSPENDED = "suspended"
    CANCELLED = "cancelled"


class Ending(StrEnum):
    """Why the work stopped."""

    SUBMITTED = "submitted"  # handed in, and what the harness could check holds
    UNVERIFIED = "unverified"  # handed in, but the tests say otherwise or could not be finished
    NO_CHANGE = "no_change"
    NEEDS_INPUT = "needs_input"
    NEEDS_APPROVAL = "needs_approval"  # of a plan, or of a change that is done
    LIMIT_STEPS = "limit_steps"
    LIMIT_COST = "limit_cost"
    LIMIT_TOKENS = "limit_tokens"
    LIMIT_WALL = "limit_wall"
    STUCK = "stuck"
    FORMAT = "format"
    CONTEXT = "context"
    LLM_AUTH = "llm_auth"
    LLM_QUOTA = "llm_quota"
    LLM_UNAVAILABLE = "llm_unavailable"
    LLM_POLICY = "llm_policy"
    LLM_REPLAY = "llm_replay"  # the recording that plays the model does not fit this run
    WITHHELD = "withheld"  # the work held a secret
    UNANSWERED = "unanswered"  # nobody answered the question in time
    LOST = "lost"  # the job was gone, and nobody goes on
    ENVIRONMENT = "env"
    CANCELLED = "cancelled"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody on a platform. `id` never changes and is never given to somebody else, `login` may be."""

    login: str
    id: str = ""
    bot: bool = False


# The names that platforms give to accounts of machines: GitHub to its apps, GitLab to the users of project and group
# access tokens and to service accounts.
_BOTS = re.compile(r".*\[bot\]|(?:project|group)_\d+_bot\w*|service_account_\w+", re.ASCII)


def is_bot_name(login: str) -> bool:
    """Whether a name alone says that it is no person's."""
    return bool(_BOTS.fullmatch(login))


@dataclass(frozen=True, slots=True)
class Thread:
    """Where people talk: an issue, or a merge request."""

    number: str
    merge_request: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """What one session may use, over all its jobs."""

    iterations: int  # model replies
    minutes: float  # wall time
    cost: float  # US dollars; counts only where the model's price is known
    input_tokens: int
    output_tokens: int
    verifications: int  # times the harness checks a hand-in before it gives up
    job_minutes: float | None = None  # that this job may take, where its end is what `minutes` comes from


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done, and where."""

    issue: str  # the issue's number on its platform
    reference: str  # how a commit names the issue
    title: str
    text: str  # what people who may write asked for; the only text the model takes as instruction
    author: str  # who wrote the issue
    url: str  # the issue's page, or its file
    repository: str  # for people: a path or an address without credentials
    base: str  # the branch (or commit, when HEAD was detached) the work starts from and goes back to
    base_sha: str
    branch: str
    requester: str  # "Name <mail>" where both are known, as `Co-authored-by` wants it
    hint: str = ""  # what the requester said beside the issue: `/agent retry HINT`
    asked: str = ""  # the question that the hint answers; empty: it answers none
    granted: bool = False  # a person said how much money the session may use
    asked_at: datetime | None = None  # what was said or changed later is not told; None: all counts
    account: Account | None = None  # the requester's on the platform; None: nobody to mention there
    request: str = ""  # the trigger in words, for people: `label ai-task added by dana`
    job_url: str = ""  # of the CI job's own log
    labels: tuple[str, ...] = ()  # of the issue


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a session's job ended."""

    status: Status
    ending: Ending
    sentence: str  # for people
    exit_code: int


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one model reply. `cached` is the part of `prompt` that the provider's cache served, `cache_written`
    the part it took in at a price, `reasoning` the part of `completion` that was thought and not said."""

    prompt: int = 0
    cached: int = 0
    completion: int = 0
    reasoning: int = 0
    cache_written: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt + other.prompt,
            self.cached + other.cached,
            self.completion + other.completion,
            self.reasoning + other.reasoning,
            self.cache_written + other.cache_written,
        )


_TITLE = 100  # characters of a title made from somebody's words; longer ones go on in the text


def titled(words: str) -> tuple[str, str]:
    """Title and text of an issue made from a person's words."""
    title, _, rest = words.strip().partition("\n")
    if len(title) > _TITLE:
        return title[: _TITLE - 1].rstrip() + "…", words.strip()
    return title, rest.strip()
