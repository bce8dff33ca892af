"""A recorded session in the model's place: `replay:FILE` answers step by step what the journal FILE holds.

Before each answer but the first it checks that this run is still the recorded one: what the model was told
since the last reply (the tools' answers in order, and the harness's own messages in order) has to be what the
recording says, line by line. The first request is not compared, because prompts improve between versions.

What honestly differs between two runs is left out of account, see `ci_agent.journal.comparable`.

A replay costs nothing: tokens are reported as recorded, as far as they can be true, the cost as 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import NoReturn

from ci_agent.errors import JournalError
from ci_agent.journal import read
from ci_agent.journal.comparable import difference
from ci_agent.journal.events import (
    Compacted,
    HarnessSaid,
    ModelChosen,
    ModelReplied,
    ModelRetried,
    Reviewed,
    ToolAnswered,
)
from ci_agent.models import Message, ModelError, ModelSettings, Reply, ToolSchema
from ci_agent.models.completion import plausible, read_message
from ci_agent.task import Ending, Usage

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
    """One recorded reply, and what the model had been told since the one before; None: nothing to compare, since the
    reply begins a conversation or is to something that is asked beside it."""

    told: tuple[tuple[str, ...], tuple[str, ...]] | None  # answers of tools, messages of the harness
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
        if step.told is not None:
            self._compare("tool", step.told[0], _since_last_reply(messages, "tool"))
            self._compare("user", step.told[1], _since_last_reply(messages, "user"))
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
            found = difference(then, now)
            if found:
                self._stop(f"{where} differs.\n  recorded: {_cut(found[0])}\n  now:      {_cut(found[1])}")

    def _stop(self, why: str) -> NoReturn:
        raise ModelError(
            Ending.LLM_REPLAY,
            f"{self._path} no longer fits this run: {why}\n"
            "Record the session again, or choose a live model with --model",
        )


def _steps(path: Path) -> tuple[Step, ...]:
    try:
        steps = tuple(_read_steps(path))
    except (OSError, ValueError, JournalError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ModelError(Ending.LLM_REPLAY, f"The recording {path} can't be read: {reason}") from error
    if not steps:
        raise ModelError(Ending.LLM_REPLAY, f"{path} is no recording: no model replies in it")
    return steps


def _read_steps(path: Path) -> Iterator[Step]:
    tools: list[str] = []
    harness: list[str] = []
    begins = True  # the next reply is the first of a conversation, or of one that was shortened to a summary
    for event in read(path):
        match event.fact:
            case ToolAnswered(text=text):
                tools.append(text)
            case HarnessSaid(text=text):
                harness.append(text)
            case ModelChosen(role=role):
                begins = begins or role != "fallback"  # that one goes on with the conversation
            case Compacted(summary=text) if text:
                yield Step(None, _said(text))
                begins = True
            case Reviewed(defects=defects):
                yield Step(None, _said("\n".join(f"DEFECT: {defect}" for defect in defects) or "OK"))
            case ModelReplied() as reply:
                yield Step(None if begins else (tuple(tools), tuple(harness)), reply)
                tools, harness, begins = [], [], False


def _said(text: str) -> ModelReplied:
    """A recorded answer that is no step of the agent's own."""
    return ModelReplied(0, "", {"role": "assistant", "content": text}, "stop", Usage(), 0.0, 0.0)


def _since_last_reply(messages: Sequence[Message], role: str) -> list[str]:
    texts: list[str] = []
    for message in reversed(messages):
        if message["role"] == "assistant":
            break
        if message["role"] == role:
            texts.append(message["content"])
    return texts[::-1]


def _cut(text: str) -> str:
    line = text.strip().partition("\n")[0]
    return line if len(line) <= LINE else line[:LINE] + "…"
