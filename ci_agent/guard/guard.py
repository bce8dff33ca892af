"""The one function that everything passes, in its two verbs: `masked` and `cleared`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ci_agent.guard.forms import Secret
from ci_agent.guard.scanner import Found, Scan, Scanner

if TYPE_CHECKING:
    from ci_agent.journal.events import Withheld

MASK = "***"
REMOVED = (
    "<a secret of the job, taken out>"  # of a model's answer: it must not pass for something that was written
)
JOURNAL = "journal"  # as a channel: nothing was stopped there, values were masked


class Guard:
    """Keeps `secrets` in the job. There is one per process, and everybody who lets something out asks it."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._secrets: dict[str, Secret] = {}
        self._noted: set[Withheld] = set()
        self._news: list[Withheld] = []
        self.learn(secrets)

    def learn(self, secrets: Iterable[Secret]) -> None:
        """From now on these are kept as well."""
        self._secrets |= {secret.value: secret for secret in secrets}
        self._scanner = Scanner(self._secrets.values())

    def found(self, content: str | bytes) -> frozenset[Found]:
        """The secrets in `content`, in whatever form."""
        return self._scanner.found(_bytes(content))

    def scan(self) -> Scan:
        """For what comes in pieces."""
        return Scan(self._scanner)

    def masked(self, text: str) -> str:
        """`text` with `***` in the place of each secret."""
        content = _bytes(text)
        masked = self.masked_bytes(content)
        return text if masked is content else masked.decode("utf-8", "surrogatepass")

    def masked_bytes(self, content: bytes) -> bytes:
        """The same for what a command printed; the very same object where there is no secret in it."""
        spans = self._scanner.spans(content)
        for start, end in reversed(spans):
            content = content[:start] + MASK.encode() + content[end:]
        return content

    def cleared(self, text: str, channel: str) -> str:
        """`text`, or else the statement that it was withheld. `channel` says what it is: `comment`."""
        found = self.found(text)
        return self.stopped(channel, found) if found else text

    def cleared_bytes(self, content: bytes, channel: str) -> bytes:
        """The same for a file."""
        found = self.found(content)
        return f"{self.stopped(channel, found)}\n".encode() if found else content

    def stopped(self, channel: str, found: Iterable[Found]) -> str:
        """Note that a `channel` with these secrets was not published; the statement that stands in its place."""
        self._note(channel, found)
        return self.masked(statement(channel, found))

    def _note(self, channel: str, found: Iterable[Found]) -> None:
        """Remember it for the journal, once: a comment is written many times."""
        from ci_agent.journal.events import Withheld  # most jobs have nothing to do, and no journal

        fact = Withheld(channel, tuple(sorted(map(str, found))))
        if fact not in self._noted:
            self._noted.add(fact)
            self._news.append(fact)

    # --- for the journal ----------------------------------------------------------------------------------

    def masked_for_journal(self, text: str) -> str:
        """As `masked`, and the journal is told."""
        masked = self.masked(text)
        if masked is not text:
            self._note(JOURNAL, self.found(text))
        return masked

    def news(self) -> list[Withheld]:
        """What was noted since this was asked last."""
        news, self._news = self._news, []
        return news


def statement(channel: str, found: Iterable[Found]) -> str:
    """What people read in the place of something that was withheld."""
    values = " and ".join(sorted(map(str, found)))
    return (
        f"This {channel} was withheld: it held the value of {values}. The value did not leave the job with it. What led "
        "to it is in the report's `session.jsonl`, where values are masked; see there before you ask for the same again."
    )


def _bytes(content: str | bytes) -> bytes:
    return content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
