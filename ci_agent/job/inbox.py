"""Words for the job that is at work on an issue: to stop, or more to take into account. One signed document per issue.

The job that is told of an event adds a word, the job at work reads it every few seconds, and whoever ends the work takes what
is left. Words are on the issue's inbox until then: a job that dies leaves them to the next one. Without a key nobody's words
would be believed, so that there is no inbox then. Nothing is said to people here.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, TextIO

import msgspec

from ci_agent import signing
from ci_agent.job.case import Case
from ci_agent.job.checkpoints import key_of
from ci_agent.job.document import Document
from ci_agent.job.forges import remote_of
from ci_agent.triggers import Trigger, travel
from ci_agent.workspace import Shelf, Store, same_repository, store_at
from ci_agent.workspace.remote import hasty

SHELF: Final = Shelf(
    "message",
    refs="refs/ci-agent/inbox/",
    branches="refs/heads/ci-agent/inbox/",
    one="the inbox of issue {}",
)

# What is where.
DOCUMENT: Final = "inbox.json"
SIGNATURE: Final = "inbox.hmac"
PURPOSE: Final = "ci-agent inbox 1"

WORDS: Final = 20  # for one session; nobody reads more than that beside the work
BYTES: Final = 4_000_000  # of the document; one with as many words as there may be is smaller
_TEXT = 21_000  # characters; a command's text is shorter
_PATIENCE = 20  # seconds without a byte after which the platform counts as out of order


class Wish(StrEnum):
    """What a word asks for."""

    STOP = "stop"
    SAID = "said"  # its text is to be taken into account


class Word(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What somebody said who may."""

    id: Annotated[str, msgspec.Meta(pattern=r"\A[0-9A-Za-z -]{1,100}\Z")]  # the marker of the answer to it
    wish: Wish
    login: Annotated[str, msgspec.Meta(max_length=300)]
    text: Annotated[str, msgspec.Meta(max_length=_TEXT)] = ""
    job: Annotated[str, msgspec.Meta(pattern=r"\A[0-9]{1,20}\Z")]  # the CI's, that it is for
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    trigger: Annotated[str, msgspec.Meta(max_length=200_000)] = ""  # as `triggers.travel` packs it


class _Inbox(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    repository: str  # its address
    issue: str
    words: Annotated[tuple[Word, ...], msgspec.Meta(max_length=WORDS)]


def word(id: str, wish: Wish, trigger: Trigger, job: str) -> Word:  # noqa: A002 - it is one
    """The word for `job` in what a trigger says, whose actor is known to be one who may."""
    return Word(
        id=id,
        wish=wish,
        login=_encodable(trigger.actor.login if trigger.actor else ""),
        text=_encodable(trigger.command.text),
        job=job,
        at=trigger.at,
        trigger=travel.packed(trigger),
    )


def _encodable(text: str) -> str:
    """Half a surrogate pair, which texts of strangers can hold, is none of UTF-8's."""
    return text.encode("utf-8", "replace").decode()


def files_of(words: tuple[Word, ...], repository: str, issue: str, key: bytes) -> Mapping[str, bytes]:
    """The inbox's files, signed with `key`."""
    document = _Inbox(repository, issue, words)
    return dict(zip((DOCUMENT, SIGNATURE), signing.signed(document, key, PURPOSE), strict=True))


def words_in(files: Mapping[str, bytes], repository: str, issue: str, key: bytes) -> tuple[Word, ...]:
    """The words in an inbox that has these files. Raises `signing.UnsignedError` where they are not signed with `key`, and
    `signing.MalformedError` where they are no inbox, or that of another issue."""
    content, signature = files.get(DOCUMENT, b""), files.get(SIGNATURE, b"")
    if len(content) > BYTES:
        raise signing.MalformedError("it is too long")
    inbox = signing.checked(content, signature, key, PURPOSE, _Inbox)
    if inbox.issue != issue or not same_repository(repository, inbox.repository):
        raise signing.MalformedError(f"it is that of issue {inbox.issue} of {inbox.repository}")
    return inbox.words


def opening(case: Case, issue: str) -> Callable[[], Inbox] | None:
    """What opens the inbox of `issue`, from any thread, each time for its own use; None: there is no key. What that gives
    raises `CiAgentError` where the inbox can't be had; so does this."""
    key = key_of(case.settings)
    if key is None:
        return None
    remote, job = hasty(remote_of(case.forge), _PATIENCE), case.host.job

    def opened() -> Inbox:
        job.scratch.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="inbox-", dir=job.scratch))
        return Inbox(store_at(remote, folder, SHELF), remote.url, issue, key, case.host.output.log)

    return opened


class Inbox:
    """The inbox of `issue` of the `repository` in `store`, signed with `key`. What was not signed with it counts as empty,
    which the log says. Everything raises `CiAgentError` where it can't be had."""

    def __init__(
        self,
        store: Store,
        repository: str,
        issue: str,
        key: bytes,
        log: TextIO,
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.issue = issue
        self._log = log
        self._document = Document(
            store,
            issue,
            read=lambda files: words_in(files, repository, issue, key),
            written=lambda words: files_of(words, repository, issue, key),
            empty=tuple[Word, ...](),
            doubt=self._doubt,
            pause=pause,
            clock=clock,
        )

    def look(self) -> tuple[Word, ...]:
        """All words, oldest first. They stay."""
        return self._document.read()

    def add(self, new: Word) -> bool:
        """Add a word, once: one with the same id is the same. False: there are too many already."""

        def with_it(held: tuple[Word, ...]) -> tuple[tuple[Word, ...], bool]:
            if any(one.id == new.id for one in held):
                return held, True
            return ((*held, new), True) if len(held) < WORDS else (held, False)

        return self._document.changed(with_it)

    def take(self, ids: Collection[str] | None = None) -> tuple[Word, ...]:
        """Take the words with these ids out, or all of them; what one has taken nobody else gets."""

        def without(held: tuple[Word, ...]) -> tuple[tuple[Word, ...], tuple[Word, ...]]:
            taken = tuple(one for one in held if ids is None or one.id in ids)
            return tuple(one for one in held if one not in taken), taken

        taken = self._document.changed(without)
        if taken and not self._document.read():
            self._document.tidy()  # a deleted ref could be nobody's doing; one that was emptied is ours alone
        return taken

    def _doubt(self, why: str) -> None:
        print(f"The inbox of issue {self.issue} is taken to be empty: {why}.", file=self._log, flush=True)
