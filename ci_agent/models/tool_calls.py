"""How tools are called at an endpoint: natively while that works, in the text from then on.

Nobody is asked just to find out. The first request goes out with the tools; an endpoint that refuses them, or a
model that has said something twice and called nothing, gets them described in the system message instead, for the
rest of the session.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ci_agent.journal.events import ModelRetried
from ci_agent.models import Message, Model, Reply, ToolSchema
from ci_agent.models.completion import read_message
from ci_agent.models.refusals import ToolsRefused
from ci_agent.models.text_protocol import WRITTEN, sendable, with_calls
from ci_agent.models.written_calls import any_calls, tagged_calls

_SILENT = 2  # replies at the start of a session without a call, after which the tools were not understood


class ToolCalls:
    """`model` with its tool calls in the way `mode` says: "auto", "native" or "text"."""

    def __init__(self, model: Model, mode: str, on_retry: Callable[[ModelRetried], None]) -> None:
        self.name = model.name
        self._model = model
        self._on_retry = on_retry
        self._in_text = mode == "text"
        self._sure = mode != "auto"
        self._silent = 0

    @property
    def window(self) -> int | None:
        """See `Model.window`."""
        return self._model.window

    def reply(self, messages: Sequence[Message], tools: Sequence[ToolSchema], deadline: float) -> Reply:
        """See `Model.reply`."""
        if not tools:
            return self._model.reply(messages, tools, deadline)
        if not self._in_text:
            try:
                reply = self._model.reply(messages, tools, deadline)
            except ToolsRefused as refused:
                if self._sure:
                    raise
                self._go_over(refused.answer)
            else:
                return self._judged(_recognized(reply, messages, tools))
        return self._written(messages, tools, deadline)

    def _judged(self, reply: Reply) -> Reply:
        """The native `reply`; whether it speaks for native calls is remembered."""
        self._sure = self._sure or bool(reply.calls)
        if not self._sure and reply.text.strip() and reply.finish_reason != "length":
            self._silent += 1
            if self._silent == _SILENT:
                self._go_over(f"{self.name} answered {_SILENT} times without calling a tool")
        return reply

    def _go_over(self, why: str) -> None:
        self._in_text = self._sure = True
        self._on_retry(ModelRetried(1, f"{why}; from here on it calls tools in its text", 0.0))

    def _written(self, messages: Sequence[Message], tools: Sequence[ToolSchema], deadline: float) -> Reply:
        reply = self._model.reply(sendable(messages, tools), (), deadline)
        calls = tagged_calls(reply.text) or any_calls(reply.text, _names(tools))
        message = with_calls(reply.message, reply.text, calls) if calls else reply.message
        return _with_message(reply, message, messages)


def _recognized(reply: Reply, messages: Sequence[Message], tools: Sequence[ToolSchema]) -> Reply:
    """`reply` with calls that stand in its text, where the server did not find them."""
    calls = () if reply.calls else any_calls(reply.text, _names(tools))
    if not calls:
        return reply
    message = with_calls(reply.message, reply.text, calls)
    del message[WRITTEN]  # it goes back as a native call, which its template puts into the model's own words
    return _with_message(reply, message, messages)


def _with_message(reply: Reply, message: Message, context: Sequence[Message]) -> Reply:
    mended, text, calls = read_message(message, context)
    finish = "tool_calls" if calls else reply.finish_reason
    return replace(reply, message=mended, text=text, calls=calls, finish_reason=finish)


def _names(tools: Sequence[ToolSchema]) -> set[str]:
    return {tool["function"]["name"] for tool in tools}
