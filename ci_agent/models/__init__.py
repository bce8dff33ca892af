"""Something that answers a list of messages and tools with text and tool calls.

Messages are plain dictionaries in the shape of OpenAI's chat completions, because the list of them *is* the
context and goes out as it is. Models are files of this folder; `open_model` knows them by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ci_agent.errors import CiAgentError
from ci_agent.task import Ending, Usage

Message = dict[str, Any]
ToolSchema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call the model asks for. `arguments` is the JSON text as the model wrote it, valid or not."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `message` is what goes into the context, unchanged."""

    message: Message
    text: str
    calls: tuple[ToolCall, ...]
    finish_reason: str
    usage: Usage
    cost: float | None  # US dollars; None: the price of this model is not known
    seconds: float  # of the request that succeeded


class ModelError(CiAgentError):
    """The model can't go on. `ending` says which kind of end that is for the session."""

    def __init__(self, ending: Ending, message: str) -> None:
        super().__init__(message)
        self.ending = ending


class Model(Protocol):
    """A language model, or what stands in for one."""

    name: str

    def reply(self, messages: Sequence[Message], tools: Sequence[ToolSchema], deadline: float) -> Reply:
        """Answer `messages`. Retries inside; `deadline` is on the clock of `time.monotonic`.

        Raises `ModelError` when there will be no answer.
        """
        ...
