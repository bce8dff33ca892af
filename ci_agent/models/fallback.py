"""Two models, one of them in reserve: where the first can't be had, the second answers the same request.

It stays in charge for the rest of the session, so that one cache and one way of thinking are left only once. What
the other model kept in the conversation for itself, thoughts and signatures, is not sent to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ci_agent.journal.events import ModelChosen, ModelRetried
from ci_agent.models import Message, Model, ModelError, ModelSettings, Reply, ToolSchema, open_model
from ci_agent.models.chat import portable
from ci_agent.models.completion import MAKER
from ci_agent.task import Ending

TRIES = 3  # of one request to the first model, since there is a second
_REASONS = frozenset({Ending.LLM_UNAVAILABLE, Ending.LLM_QUOTA, Ending.LLM_AUTH})


def open_models(
    name: str,
    settings: ModelSettings,
    second: str,
    second_settings: ModelSettings,
    on_retry: Callable[[ModelRetried | ModelChosen], None],
) -> Model:
    """The model `name` with the model `second` in reserve. See `open_model`, also for what it raises."""
    impatient = replace(settings, tries=min(TRIES, settings.tries))
    return Fallback(
        open_model(name, impatient, on_retry), open_model(second, second_settings, on_retry), on_retry
    )


class Fallback:
    """`first` until it can't be had, from then on `second`. `name` is that of the one in charge."""

    def __init__(
        self, first: Model, second: Model, on_retry: Callable[[ModelRetried | ModelChosen], None]
    ) -> None:
        self.name = first.name
        self._first = first
        self._second = second
        self._on_retry = on_retry
        self._loss: ModelError | None = None  # why the second is in charge

    @property
    def window(self) -> int | None:
        """See `Model.window`."""
        return (self._first if self._loss is None else self._second).window

    def reply(self, messages: Sequence[Message], tools: Sequence[ToolSchema], deadline: float) -> Reply:
        """See `Model.reply`."""
        if self._loss is None:
            try:
                return self._first.reply(messages, tools, deadline)
            except ModelError as error:
                if error.ending not in _REASONS:
                    raise
                self._hand_over(error)
        return self._from_second(messages, tools, deadline)

    def _hand_over(self, error: ModelError) -> None:
        self._loss = error
        self.name = self._second.name
        self._on_retry(ModelChosen("fallback", self.name, str(error), self._first.name))

    def _from_second(
        self, messages: Sequence[Message], tools: Sequence[ToolSchema], deadline: float
    ) -> Reply:
        sent = [one if one.get(MAKER) == self.name else portable(one) for one in messages]
        try:
            reply = self._second.reply(sent, tools, deadline)
        except ModelError as error:
            raise ModelError(
                error.ending,
                f"{self.name}: {str(error).rstrip('.')}. Before it, {self._first.name}: {self._loss}",
            ) from error
        return replace(reply, message={**reply.message, MAKER: self.name})
