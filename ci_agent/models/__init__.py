"""Something that answers a list of messages and tools with text and tool calls.

Messages are plain dictionaries in the shape of OpenAI's chat completions, because the list of them *is* the
context and most endpoints take it as it is. What a model of another API wants back it keeps in the message under a
key of its own. Models are files of this folder; `open_model` knows them by name.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from threading import Thread
from typing import Any, Protocol

from ci_agent.errors import CiAgentError
from ci_agent.journal.events import ModelRetried
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

    @property
    def window(self) -> int | None:
        """The tokens it can read at once; None: not known."""
        ...

    def reply(self, messages: Sequence[Message], tools: Sequence[ToolSchema], deadline: float) -> Reply:
        """Answer `messages`. Retries inside; `deadline` is on the clock of `time.monotonic`.

        Raises `ModelError` when there will be no answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class Prices:
    """What a model costs, in US dollars per million tokens."""

    input: float
    cached_input: float  # for the part of the input that the provider's cache served
    output: float
    cache_write: float | None = (
        None  # for what the cache took in, where that is billed; None: 1.25 of `input`
    )


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """How to reach a model, how to talk to it and how patient to be with it. All times in seconds."""

    base_url: str | None = None  # None: the model's own home
    api_key: str | None = field(default=None, repr=False)
    timeout: float = 600.0  # of one request
    tries: int = 8  # requests for one reply
    first_wait: float = 2.0  # before the second try; doubled from then on
    total_wait: float = 600.0  # after the first failed try, no new one begins later than this
    max_output_tokens: int | None = None
    temperature: float | None = None
    prices: Prices | None = None  # None: looked up by the model's name
    api: str = "chat"  # which of OpenAI's two `openai` speaks: "chat" or "responses"
    tool_calls: str = "auto"  # "native", "text" (written into the reply), or "auto": native where it works
    cache_key: str = ""  # of the session: where an endpoint takes it, its requests meet the same cache
    reasoning_effort: str | None = None  # "low", "medium", "high", … as the endpoint knows it
    context_tokens: int | None = None  # the model's window; None: looked up by its name


def open_model(name: str, settings: ModelSettings, on_retry: Callable[[ModelRetried], None]) -> Model:
    """The model called `name`: `PREFIX:REST` where the prefix is registered, else a name for `openai`.

    `on_retry` is told of each failed try before the wait that follows it. Nothing is sent before the first
    reply is asked for. Raises `ModelError` for a recording that can't be read.
    """
    prefix, rest = split_name(name)
    model: Model = import_module(_FILES[prefix]).open_model(rest, settings, on_retry)
    return model


def warm_up(name: str) -> None:
    """Load what the model called `name` needs, on a thread of its own, and return at once.

    The packages take longer to load than all else before the first request. Whatever is wrong with them is
    told when they are used.
    """
    module = _FILES[split_name(name)[0]]

    def load() -> None:
        gc.disable()  # what is loaded stays, so that looking through it again and again is for nothing
        try:
            with suppress(ImportError, ValueError):
                import_module(module).warm_up()
        finally:
            gc.freeze()
            gc.enable()

    Thread(target=load, daemon=True, name="model warm-up").start()


def split_name(name: str) -> tuple[str, str]:
    """The prefix that says who opens the model, and the name it has there."""
    prefix, colon, rest = name.partition(":")
    if not colon or prefix not in _FILES:  # many names hold a colon of their own: `llama3.1:8b`
        return "openai", name
    return prefix, rest


# Prefix -> a module with `open_model(rest, settings, on_retry)`, which opens it, and `warm_up()`, which loads what
# its first request needs. A new model: a file and a line.
_FILES = {
    "anthropic": "ci_agent.models.anthropic",
    "openai": "ci_agent.models.openai",
    "replay": "ci_agent.models.replay",
}
