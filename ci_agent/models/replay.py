"""A recorded session in the model's place: `replay:FILE` answers step by step what the journal FILE holds.

Before each answer but the first it checks that this run is still the recorded one: what the model was told
since the last reply (the tools' answers in order, and the harness's own messages in order) has to be what the
recording says, line by line. The first request is not compared, because prompts improve between versions.

What differs between two honest runs of the same steps is made equal before comparing, by the table `_NOISE`:
dates and clock times, durations, memory addresses, hexadecimal ids of 7 digits and more, and the folders of
absolute paths (a workspace lies elsewhere each time, Python too); of a temporary path also what stands right
below the temporary folder. Blank lines don't count, nor do pytest's header lines with its versions and the
`~~~^^^` marks in tracebacks, which depend on Python's version.

A replay costs nothing: tokens are reported as recorded, as far as they can be true, the cost as 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import NoReturn

from ci_agent.errors import JournalError
from ci_agent.journal import read
from ci_agent.journal.events import HarnessSaid, ModelReplied, ModelRetried, ToolAnswered
from ci_agent.models import Message, ModelError, ModelSettings, Reply, ToolSchema
from ci_agent.models.completion import plausible, read_message
from ci_agent.task import Ending

LINE = 200  # characters of a line that an error shows


def open_model(name: str, _: ModelSettings, __: Callable[[ModelRetried], None]) -> Replay:
    """The recording in the file `name`. Raises `ModelError` if it is none."""
    try:
        path = Path(name).expanduser()
    except RuntimeError:  # ~nobody
        raise ModelError(
            Ending.LLM_REPLAY, f"The recording {name} can't be read: there is no such home folder"
        ) from None
    return Replay(path)


def warm_up() -> None:
    """A recording needs nothing more."""


@dataclass(frozen=True, slots=True)
class Step:
    """One recorded reply, and what the model had been told since the one before."""

    tools: tuple[str, ...]
    harness: tuple[str, ...]
    reply: ModelReplied


class Replay:
    """The model of a recorded session."""

    def __init__(self, path: Path) -> None:
        self.name = f"replay:{path.name}"
        self.window: int | None = None
        self._path = path
        self._steps = _steps(path)
        self._done = 0

    def reply(self, messages: Sequence[Message], tools: Sequence[ToolSchema], deadline: float) -> Reply:  # noqa: ARG002 - the seam
        """See `Model.reply`. Raises `ModelError` (`LLM_REPLAY`) when this run is not the recorded one."""
        if self._done == len(self._steps):
            self._stop(f"the recording ends after step {self._done}, and this run goes on")
        step = self._steps[self._done]
        if self._done:
            self._compare("tool", step.tools, _since_last_reply(messages, "tool"))
            self._compare("user", step.harness, _since_last_reply(messages, "user"))
        self._done += 1
        message, text, calls = read_message(step.reply.message, messages)
        return Reply(
            message=message,
            text=text,
            calls=calls,
            finish_reason=step.reply.finish_reason,
            usage=plausible(step.reply.usage),
            cost=0.0,
            seconds=0.0,
        )

    def _compare(self, role: str, expected: Sequence[str], got: Sequence[str]) -> None:
        what = {"tool": "answer of a tool", "user": "message of the harness"}[role]
        for number, (then, now) in enumerate(zip_longest(expected, got), start=1):
            where = f"before step {self._done + 1}, {what} {number} since the last reply"
            if then is None:
                self._stop(f"{where} was not there. Now: {_cut(now)}")
            if now is None:
                self._stop(f"{where} is missing. Recorded: {_cut(then)}")
            difference = _difference(then, now)
            if difference:
                self._stop(
                    f"{where} differs.\n  recorded: {_cut(difference[0])}\n  now:      {_cut(difference[1])}"
                )

    def _stop(self, why: str) -> NoReturn:
        raise ModelError(
            Ending.LLM_REPLAY,
            f"{self._path} no longer fits this run: {why}\n"
            "Record the session again, or choose a live model with --model",
        )


def _steps(path: Path) -> tuple[Step, ...]:
    try:
        steps = tuple(_read_steps(path))
    except (OSError, ValueError, RecursionError, JournalError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ModelError(Ending.LLM_REPLAY, f"The recording {path} can't be read: {reason}") from error
    if not steps:
        raise ModelError(Ending.LLM_REPLAY, f"{path} is no recording: no model replies in it")
    return steps


def _read_steps(path: Path) -> Iterator[Step]:
    tools: list[str] = []
    harness: list[str] = []
    for event in read(path):
        match event.fact:
            case ToolAnswered(text=text):
                tools.append(text)
            case HarnessSaid(text=text):
                harness.append(text)
            case ModelReplied() as reply:
                yield Step(tuple(tools), tuple(harness), reply)
                tools, harness = [], []


def _since_last_reply(messages: Sequence[Message], role: str) -> list[str]:
    texts: list[str] = []
    for message in reversed(messages):
        if message["role"] == "assistant":
            break
        if message["role"] == role:
            texts.append(message["content"])
    return texts[::-1]


def _difference(expected: str, got: str) -> tuple[str, str] | None:
    """The first line in which the two differ, as it is in each, or None."""
    for then, now in zip_longest(_lines(expected), _lines(got), fillvalue=("", "(nothing)")):
        if then[0] != now[0]:
            return then[1], now[1]
    return None


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """The lines of `text` that count: made comparable, and as they are."""
    # The journal can't hold half a surrogate pair and writes `?`.
    for line in text.encode("utf-8", "replace").decode().splitlines():
        comparable = line
        for pattern, stand_in in _NOISE:
            comparable = pattern.sub(stand_in, comparable)
        if comparable.strip():
            yield comparable.rstrip(), line


def _cut(text: str) -> str:
    line = text.strip().partition("\n")[0]
    return line if len(line) <= LINE else line[:LINE] + "…"


_DAYS = "(Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_MONTHS = "(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_UNITS = "(ns|us|µs|ms|s|secs?|seconds?|min|minutes?)"
_TEMPORARY = r"(/private)?(/tmp|/var/tmp|/dev/shm|/var/folders/\w+/\w+/T)"
_NAME = r"[\w.@+~<>-]+"

_NOISE: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"^(platform .+ -- Python |rootdir: |plugins: |cachedir: |hypothesis profile ).*"), ""),
    (re.compile(r"^\s*[~^]+\s*$"), ""),
    (re.compile(r"^=+|=+$"), "="),  # pytest's rules are as long as the duration in them leaves room
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?( ?(Z\b|[+-]\d\d:?\d\d\b))?"), "<time>"),
    (re.compile(rf"\b({_DAYS},? )?({_MONTHS} +\d+|\d+ {_MONTHS})( \d{{4}})? [\d:]{{5,8}}"), "<time>"),
    (re.compile(r"\b\d{1,3}:\d\d:\d\d(\.\d+)?\b"), "<time>"),
    (re.compile(rf"\b(\d+h ?)?(\d+m ?)?\d+(\.\d+)? ?{_UNITS}\b|\bduration_ms:? \d+(\.\d+)?"), "<duration>"),
    (re.compile(r"\b0x[0-9a-fA-F]+\b"), "<address>"),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<id>"),
    (re.compile(r"\b[0-9a-f]{7,64}\b"), "<id>"),
    (re.compile(rf"(?<![\w.:/]){_TEMPORARY}/{_NAME}"), "<folder>"),
    (re.compile(rf"(?<![\w.:/])(<folder>)?(/{_NAME})+(?=/)"), "<folder>"),
)
