"""A conversation that became too long, made shorter so that it stays valid and nothing is lost that can't be had again.

Pure: a list of messages in, a new one out; the messages of the old one are never changed. Between two compactions the
context only grows, so that the provider's cache serves it; a compaction costs the cache once, so it takes away all it
may in one go: old results of tools, which are replaced by a line that says what they were.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci_agent.agent.meanwhile import tells
from ci_agent.agent.resuming import BREAK
from ci_agent.agent.stubs import is_stub, length, stubbed_arguments, stubbed_result
from ci_agent.agent.turns import OF_PEOPLE, edited_files, latest_reads, results
from ci_agent.models import Message

_CHARACTERS_PER_TOKEN = 3.5  # bytes of UTF-8, on the careful side: code in English has about 3.8
_SHARE = 0.5  # of the model's window
_WORTHWHILE = 20_000  # tokens to free, or
_WORTHWHILE_SHARE = 1 / 3  # of the context
_MOST_DIFF = 12_000  # characters


@dataclass(frozen=True, slots=True)
class Plan:
    """How much stays."""

    results: int  # the last so many
    reads: bool  # and of each edited file the latest read
    arguments: bool  # and what older edits wrote, in the calls themselves


# From mild to harsh. The first is for a context over its limit; the others, in their order, for an endpoint that
# refused a context as too long although we believed it was not.
PLANS = (
    Plan(results=5, reads=True, arguments=True),
    Plan(results=3, reads=True, arguments=False),
    Plan(results=1, reads=False, arguments=False),
)


@dataclass(frozen=True, slots=True)
class Compacted:
    """What became of a conversation."""

    messages: list[Message]
    freed: int  # tokens, estimated
    left_out: int  # results and arguments that were replaced now

    @property
    def is_enough(self) -> bool:
        """Whether it was worth it. If not, go on from a summary: `summary_request`, `restarted`."""
        return self.freed >= min(_WORTHWHILE, (self.freed + estimated(self.messages)) * _WORTHWHILE_SHARE)


def limit(window: int | None, most: int) -> int | None:
    """From how many tokens on to compact: `most` (0: no matter how many), and half of the model's `window`, if that is
    known. None: however many there are."""
    known = [most] if most else []
    return min([*known, *([int(window * _SHARE)] if window else [])], default=None)


def estimated(messages: Iterable[Message]) -> int:
    """About how many tokens the messages have."""
    return int(sum(map(_size, messages)) / _CHARACTERS_PER_TOKEN)


def needed(known: int, new: Iterable[Message], most: int) -> bool:
    """Whether the next request would hold more than `most` tokens: `known` from the usage of the last reply, prompt and
    completion, and what was appended after it."""
    return known + estimated(new) > most


def next_limit(left: int, most: int) -> int:
    """The limit that holds after a compaction that left `left` tokens: with enough room for the next one to be worth
    it, since each costs the cache."""
    return max(most, left + int(most * _WORTHWHILE_SHARE))


def compact(messages: Sequence[Message], plan: Plan = PLANS[0]) -> Compacted:
    """The conversation with stubs for what the plan does not keep. System prompt and task stay as they are, and so does
    what people said or decided in the middle of the work: nobody says it again.

    Compacting again by the same plan changes nothing.
    """
    answered = results(messages)
    kept = {result.at for result in answered[-plan.results :]}
    kept |= {result.at for result in answered if result.meant.tool in OF_PEOPLE or BREAK in result.text}
    edited = edited_files(messages)
    if plan.reads:
        kept |= latest_reads([one for one in answered if not is_stub(one.text)], edited)
    short = list(messages)
    left_out = 0
    for result in answered:
        if result.at not in kept:
            short[result.at] = stubbed_result(result)
            left_out += short[result.at] is not result.message
    if not plan.arguments:
        recent = min((result.asked_at for result in answered[-plan.results :]), default=len(messages))
        for at, message in enumerate(messages[:recent]):
            short[at] = stubbed_arguments(short[at]) if message["role"] == "assistant" else short[at]
            left_out += message["role"] == "assistant" and short[at] is not message
    return Compacted(short, estimated(messages) - estimated(short), left_out)


def summary_request(messages: Sequence[Message]) -> list[Message]:
    """What to ask for a summary: the conversation as it is, so that the cache serves it, and the request."""
    text = (Path(__file__).parent / "prompts" / "summary.md").read_text(encoding="utf-8")
    return [*messages, {"role": "user", "content": text.strip()}]


def restarted(messages: Sequence[Message], summary: str, diff: str, plan: Plan = PLANS[0]) -> list[Message]:
    """A new conversation that goes on where the old one was: its first two messages, what people said since, `summary` with
    `diff` (both as text, empty for none), what people answered, and the last turns with the results that the plan keeps."""
    short = compact(messages, plan).messages
    answered = results(messages)
    kept = answered[-plan.results :]
    begins = kept[0].asked_at if kept else len(short)
    said = [message for message in short[2:begins] if tells(message)]
    people = [one.text for one in answered if one.meant.tool in OF_PEOPLE and one.at < begins]
    told = {"role": "user", "content": _handed_over(summary, diff, people)}
    return [*messages[:2], *said, told, *short[begins:]]


def _handed_over(summary: str, diff: str, people: Sequence[str]) -> str:
    parts = ["The conversation became too long. It goes on here, from your own summary of it, which follows."]
    parts += [summary.strip()] if summary.strip() else []
    parts += ["# What you were answered", *people] if people else []
    if diff.strip():
        cut = (
            f"\n[… {len(diff) - _MOST_DIFF:,} characters more: `git diff`]" if len(diff) > _MOST_DIFF else ""
        )
        parts.append(f"# The change so far, as git sees it\n\n{diff[:_MOST_DIFF].strip()}{cut}")
    else:
        parts.append("No file is changed so far.")
    return "\n\n".join(parts)


def _size(message: Message) -> int:
    """Bytes of all text in it."""
    total = 0
    waiting: list[Any] = [message]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            total += length(value)
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return total
