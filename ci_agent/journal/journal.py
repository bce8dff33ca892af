"""The append-only list of events of a session, kept in `session.jsonl`: one JSON object per line.

It writes, reads and tells its observers; it decides nothing. An event is on its way to the disk before
anyone is told of it, and a line that could not be written whole is taken back, so the file never holds half
an event. A process that dies in the middle of a line leaves one torn last line, which reading leaves out.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import UnionType
from typing import Any, Protocol, Self, get_args

import msgspec

from ci_agent.errors import JournalError
from ci_agent.journal import events
from ci_agent.journal.events import Fact, ObserverFailed

FORMAT = 1  # of the lines; goes up when an old reader would misread a new file


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: `sequence` counts from 1, `at` is UTC."""

    sequence: int
    at: datetime
    fact: Fact


class Observer(Protocol):
    """Somebody who is told of each event after it was written: a comment, a terminal, a webhook."""

    name: str

    def observe(self, event: Event) -> None: ...


class Hides(Protocol):
    """Who knows what must not get into an event."""

    def found(self, content: bytes) -> Collection[object]:
        """What of it is in `content`, an event as it would be written; nothing: it can be written."""
        ...

    def masked_for_journal(self, text: str) -> str:
        """`text` without it."""
        ...

    def news(self) -> Sequence[Fact]:
        """What the journal should know of what was hidden since this was asked last."""
        ...


class Journal:
    """The journal of one session, open for appending.

    `path` is created with its folder, or gone on with. Nothing that `hides` knows gets into an event: reports, comments
    and logs are made from what stands here. `now` gives the time in UTC. Raises `JournalError` if the file can't
    be written or an existing one is not a journal.
    """

    def __init__(
        self,
        path: Path,
        *,
        hides: Hides | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.path = path
        self._now = now
        self._hides = hides
        self._events: list[Event] = []
        self._observers: list[Observer] = []
        self._untold: deque[Event] = deque()
        self._telling = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists():
                self._events = list(read(path))
            _drop_torn_line(path)
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise JournalError(f"the journal {path} can't be opened: {error.strerror}") from error

    @property
    def events(self) -> tuple[Event, ...]:
        """All events so far, oldest first."""
        return tuple(self._events)

    def watch(self, observer: Observer) -> None:
        """Tell `observer` of every event from now on."""
        self._observers.append(observer)

    def append(self, fact: Fact) -> Event:
        """Write `fact` down, then tell the observers. Raises `JournalError` when the disk refuses.

        An observer that fails is written down as well and not asked again; the work goes on. One that appends
        an event itself gets it told after the one it is being told of, so that all see the same order.
        """
        event = self._write(fact)
        self._untold.append(event)
        if self._telling:
            return event
        self._telling = True
        try:
            while self._untold:
                self._tell(self._untold.popleft())
                self._note_news()
        finally:
            self._telling = False
        return event

    def _note_news(self) -> None:
        for fact in self._hides.news() if self._hides else ():
            self._untold.append(self._write(fact))

    def _tell(self, event: Event) -> None:
        for observer in tuple(self._observers):
            try:
                observer.observe(event)
            except JournalError:
                raise
            except Exception as error:  # noqa: BLE001 - one of the two places that survive anything
                self._observers.remove(observer)
                self.append(ObserverFailed(observer.name, f"{type(error).__name__}: {error}"))

    def _write(self, fact: Fact) -> Event:
        event, line = self._harmless(Event(len(self._events) + 1, self._now(), fact))
        start = os.fstat(self._file.fileno()).st_size
        self._events.append(event)  # first: a signal after the write must not give its number away twice
        try:
            _write_all(self._file.fileno(), line)
        except OSError as error:
            self._events.pop()
            self._take_back(start)
            raise JournalError(
                f"the journal {self.path} can't be written: {error.strerror}. "
                "Free some space, or choose another place with --state-dir, and run again"
            ) from error
        return event

    def _harmless(self, event: Event) -> tuple[Event, bytes]:
        """The event without secrets, and its line. Keys and the words of our own lists stay, whatever the secrets."""
        line = as_line(event)
        if self._hides is None or not self._hides.found(line):
            return event, line
        fact = with_texts(msgspec.to_builtins(event.fact), self._hides.masked_for_journal)
        try:
            event = replace(event, fact=msgspec.convert(fact, type(event.fact)))
        except msgspec.ValidationError:  # a word of ours that happens to be somebody's key is no secret
            return event, line
        return event, as_line(event)

    def _take_back(self, size: int) -> None:
        # A file that can't even be cut keeps a torn line, which reading leaves out.
        with contextlib.suppress(OSError):
            self._file.truncate(size)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _drop_torn_line(path: Path) -> None:
    if path.exists():
        whole = path.read_bytes().rfind(b"\n") + 1
        if path.stat().st_size > whole:
            os.truncate(path, whole)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def read(path: Path) -> Iterator[Event]:
    """The events of a journal file, oldest first. A torn last line is left out.

    Raises `JournalError` naming the line, where a line is not an event.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            yield from_line(line, f"{path}:{number}")


def write(path: Path, events: Iterable[Event]) -> None:
    """Begin a journal's file at `path`, with its folder, by events that are numbered from 1; `Journal` goes on with it.

    It is there whole or not at all. Raises `JournalError` where something is there already, or the disk refuses.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)  # of a process that died over it
        try:
            with part.open("xb") as file:
                file.writelines(map(as_line, events))
            path.hardlink_to(part)  # a rename would replace what is there
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise JournalError(f"the journal {path} can't be begun: {error.strerror}") from error


def encode(event: Event) -> str:
    """The event as one line of JSON, without the line end."""
    return as_line(event).decode().rstrip("\n")


def as_line(event: Event) -> bytes:
    """The event as one line of the file, with the line end."""
    head: dict[str, Any] = {
        "v": FORMAT,
        "sequence": event.sequence,
        "at": event.at,
        "kind": type(event.fact).__name__,
        "fact": event.fact,
    }
    try:
        return _ENCODER.encode(head) + b"\n"
    except UnicodeEncodeError:  # half a surrogate pair, which JSON from strangers can hold and UTF-8 can't
        return _ENCODER.encode(with_texts(msgspec.to_builtins(head), _encodable, keys=True)) + b"\n"


def from_line(line: bytes, place: str) -> Event:
    """The event in one line of a file. Raises `JournalError`, naming `place`, where there is none."""
    said = f"{place}: this is not an event of a session"
    try:
        return _decode(line)
    except RecursionError as error:
        raise JournalError(f"{said}: it is nested too deeply") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise JournalError(f"{said}: {error}") from error


def _decode(line: bytes) -> Event:
    head = msgspec.json.decode(line, type=_Line)
    if head.v != FORMAT:
        raise ValueError(f"written in format {head.v}, this ci-agent reads {FORMAT}")
    if head.kind not in _KINDS:
        raise ValueError(f"unknown kind of event {head.kind!r}")
    return Event(head.sequence, head.at, msgspec.json.decode(head.fact, type=_KINDS[head.kind]))


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def with_texts(value: Any, change: Callable[[str], str], *, keys: bool = False) -> Any:
    """`value`, made of what JSON has, with each of its texts changed, and the keys of its objects if wanted."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {
            change(key) if keys else key: with_texts(item, change, keys=keys) for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [with_texts(item, change, keys=keys) for item in value]
    return value


class _Line(msgspec.Struct):
    v: int
    sequence: int
    at: datetime
    kind: str
    fact: msgspec.Raw


def _members(union: UnionType) -> dict[str, type[Fact]]:
    return {member.__name__: member for member in get_args(union)}


_KINDS = _members(events.Fact)
_ENCODER = msgspec.json.Encoder()
