"""The journal as one compressed file of bounded size, for checkpoints. Pure.

It is gzip (RFC 1952) of the lines that the journal's file has. Where that would be too large, old texts are left out that
only the model had to read: what tools answered, then what calls of tools were given. What was decided and measured stays,
so that everything people see can still be made from it.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Any, Final

from ci_agent.errors import JournalError
from ci_agent.journal.events import Fact, ModelReplied, ToolAnswered, ToolCalled
from ci_agent.journal.journal import Event, as_line, from_line, with_texts

# Each checkpoint is pushed whole, several times in a session, and what it replaces stays at the platform until that tidies
# up: 20 of them are 160 MB. Nothing is left out of usual sessions: 150 steps with answers of 30 kB come to 1.5 MB.
MOST: Final = 8_000_000  # bytes, compressed
INFLATED: Final = 64_000_000  # bytes of lines; text becomes 3 to 8 times smaller, a bomb a thousand times

# So many lines are compressed by themselves, as a member of the file. What is left out of one does not change the others,
# and since deflate looks back 32 kB only, the file hardly grows by it.
_BLOCK: Final = 500_000  # bytes of lines
_LEVEL: Final = 6
_BIG: Final = 200  # characters; the mark in place of a shorter text would hardly be smaller


@dataclass(frozen=True, slots=True)
class Packed:
    """A journal in one file."""

    content: bytes
    left_out: int  # events of which a text was left out


def packed(events: Sequence[Event], most: int = MOST) -> Packed:
    """The events, numbered from 1, in `most` bytes at most. The same events give the same bytes.

    No more texts are left out than has to be, the oldest first. In place of each stands a mark with its length; numbers,
    times and all other texts stay. Raises `JournalError` where that is not enough.
    """
    blocks = list(_blocks(events)) or [_Block.of((), ())]
    left_out = 0
    for shorter, number in product((_without_answer, _without_arguments), range(len(blocks))):
        if _fit(blocks, most):
            break
        left_out += _leave_out(blocks, number, shorter, most)
    if not _fit(blocks, most):
        raise JournalError(
            f"the journal is too large for a checkpoint: without its old texts it has {_lines(blocks):,} bytes, "
            f"{_compressed(blocks):,} when compressed, and {INFLATED:,} and {most:,} may be"
        )
    return Packed(b"".join(block.content for block in blocks), left_out)


def unpacked(content: bytes) -> tuple[Event, ...]:
    """The events in `content`, which may be anybody's, numbered from 1. Unpacks no more than `INFLATED` bytes.

    Raises `JournalError` naming the line that is not the next event.
    """
    events: list[Event] = []
    left = INFLATED
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
        while True:
            place = f"the checkpoint's journal, line {len(events) + 1}"
            try:
                line = file.readline(left + 1)
            except (OSError, EOFError, zlib.error) as error:
                raise JournalError(f"{place}: this can't be unpacked: {error}") from error
            if not line:
                return tuple(events)
            left -= len(line)
            if left < 0:
                raise JournalError(f"{place}: here it becomes larger than {INFLATED:,} bytes")
            event = from_line(line, place)
            if event.sequence != len(events) + 1 or not line.endswith(b"\n"):
                raise JournalError(f"{place}: this is not the whole next event")
            events.append(event)


@dataclass(frozen=True, slots=True)
class _Block:
    """Events that follow each other, their lines as far as they are not left out, and these compressed."""

    events: tuple[Event, ...]
    lines: tuple[bytes, ...]
    size: int  # of the lines
    content: bytes

    @classmethod
    def of(cls, events: Iterable[Event], lines: Iterable[bytes]) -> _Block:
        lines = tuple(lines)
        text = b"".join(lines)
        return cls(tuple(events), lines, len(text), gzip.compress(text, _LEVEL, mtime=0))


def _blocks(events: Iterable[Event]) -> Iterator[_Block]:
    of_block: list[Event] = []
    lines: list[bytes] = []
    size = 0
    for event in events:
        line = as_line(event)
        if lines and size + len(line) > _BLOCK:
            yield _Block.of(of_block, lines)
            of_block, lines, size = [], [], 0
        of_block.append(event)
        lines.append(line)
        size += len(line)
    if lines:
        yield _Block.of(of_block, lines)


def _compressed(blocks: Iterable[_Block]) -> int:
    return sum(len(block.content) for block in blocks)


def _lines(blocks: Iterable[_Block]) -> int:
    return sum(block.size for block in blocks)


def _fit(blocks: Sequence[_Block], most: int) -> bool:
    return _compressed(blocks) <= most and _lines(blocks) <= INFLATED


def _leave_out(blocks: list[_Block], number: int, shorter: Callable[[Fact], Fact], most: int) -> int:
    """Make one of the blocks `shorter`, as far as it takes for all to fit; how many of its events lack a text now."""
    block = blocks[number]
    short = {
        at: as_line(replace(event, fact=fact))
        for at, event in enumerate(block.events)
        if (fact := shorter(event.fact)) is not event.fact
    }

    if not short:
        return 0

    def without(count: int) -> _Block:
        left = dict(islice(short.items(), count))
        return _Block.of(block.events, (left.get(at, line) for at, line in enumerate(block.lines)))

    def fits(count: int) -> bool:
        return _fit([*blocks[:number], without(count), *blocks[number + 1 :]], most)

    enough = len(short)
    if fits(enough):
        enough = 1 + bisect_left(range(1, enough), True, key=fits)
    blocks[number] = without(enough)
    return enough


def _mark(text: str) -> str:
    return f"[left out of the checkpoint: {len(text):,} characters]" if len(text) >= _BIG else text


def _without_answer(fact: Fact) -> Fact:
    """What a tool said; the harness's own words behind it stay."""
    if not isinstance(fact, ToolAnswered):
        return fact
    said = fact.text.removesuffix(fact.added)
    return replace(fact, text=_mark(said) + fact.text[len(said) :]) if len(said) >= _BIG else fact


def _without_arguments(fact: Fact) -> Fact:
    """What a tool was given, in the reply and in the call, which repeats it."""
    try:
        if isinstance(fact, ToolCalled):
            short = _in_json(fact.arguments)
            return fact if short == fact.arguments else replace(fact, arguments=short)
        if isinstance(fact, ModelReplied):
            message = _in_calls(fact.message)
            return fact if message == fact.message else replace(fact, message=message)
    except RecursionError:  # nested too deeply to look into
        return fact
    return fact


def _in_calls(value: Any) -> Any:
    """A message, or a part of it, with marks in the arguments of its calls: `arguments`, JSON in a text, in messages for
    OpenAI's APIs, and the `input` of a `tool_use` in those for Anthropic's."""
    if isinstance(value, list):
        return [_in_calls(item) for item in value]
    if not isinstance(value, dict):
        return value
    given = "input" if value.get("type") == "tool_use" else ""
    return {
        key: _in_json(item)
        if key == "arguments" and isinstance(item, str)
        else with_texts(item, _mark)
        if key == given
        else _in_calls(item)
        for key, item in value.items()
    }


_STRING: Final = re.compile(r'("(?:[^"\\]++|\\.)*+")(\s*+:)?', re.DOTALL)  # a key has a colon behind it


def _in_json(text: str) -> str:
    """JSON with marks in it, and else as it was; what is no JSON stays, since nobody knows what in it is a text."""
    try:
        json.loads(text, strict=False)
    except ValueError:
        return text
    return _STRING.sub(_in_string, text)


def _in_string(found: re.Match[str]) -> str:
    literal, colon = found[1], found[2]
    if colon or len(literal) < _BIG:
        return found[0]
    value = json.loads(literal, strict=False)
    mark = _mark(value)
    return literal if mark is value else json.dumps(mark)
