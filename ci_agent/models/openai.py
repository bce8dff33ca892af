"""Models behind OpenAI's chat completions, at OpenAI or any endpoint that speaks the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from ci_agent.journal.events import ModelRetried
from ci_agent.models import Message, ModelSettings, Reply, ToolSchema
from ci_agent.models.completion import read
from ci_agent.models.connection import connect_openai
from ci_agent.models.endpoint import Endpoint, Provider, host
from ci_agent.models.prices import cost, window

OPENAI = Provider("https://api.openai.com/v1", "LLM_API_KEY or OPENAI_API_KEY", connect_openai)
# Hosts whose API is OpenAI's own: itself, and Azure under the names it has had.
OPENAIS = (".openai.com", ".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com")


def open_model(name: str, settings: ModelSettings, on_retry: Callable[[ModelRetried], None]) -> OpenAIModel:
    """The model `name`. At home, `openai/gpt-x` means `gpt-x`; elsewhere a slash belongs to the name."""
    if (settings.base_url or OPENAI.home).startswith("https://api.openai.com"):
        name = name.removeprefix("openai/")
    return OpenAIModel(name, settings, on_retry)


def warm_up() -> None:
    """Load the client and the tables of prices. Nothing is sent."""
    import_module("genai_prices.data")
    connect_openai("none", OPENAI.home)


class OpenAIModel:
    """A model at an OpenAI-compatible endpoint."""

    def __init__(self, name: str, settings: ModelSettings, on_retry: Callable[[ModelRetried], None]) -> None:
        self.name = name
        self._settings = settings
        self._endpoint = Endpoint(name, settings, OPENAI, on_retry)
        self._at_home = host(self._endpoint.address).endswith(OPENAIS)

    @property
    def window(self) -> int | None:
        """See `Model.window`."""
        return window(self.name, self._settings.base_url, self._settings)

    def reply(self, messages: Sequence[Message], tools: Sequence[ToolSchema], deadline: float) -> Reply:
        """See `Model.reply`."""
        body = self._body(messages, tools)
        completion, seconds = self._endpoint.ask(
            "/chat/completions", body, lambda answer: read(answer, messages), deadline
        )
        return Reply(
            message=completion.message,
            text=completion.text,
            calls=completion.calls,
            finish_reason=completion.finish_reason,
            usage=completion.usage,
            cost=cost(completion.usage, self.name, self._endpoint.address, self._settings.prices),
            seconds=seconds,
        )

    def _body(self, messages: Sequence[Message], tools: Sequence[ToolSchema]) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self.name, "messages": messages, "stream": False}
        if tools:  # an empty list is refused
            body["tools"] = tools
        if self._settings.temperature is not None:
            body["temperature"] = self._settings.temperature
        if self._settings.max_output_tokens is not None:
            # OpenAI's reasoning models refuse the old name, many others don't know the new one.
            body["max_completion_tokens" if self._at_home else "max_tokens"] = (
                self._settings.max_output_tokens
            )
        if self._settings.reasoning_effort is not None:
            body["reasoning_effort"] = self._settings.reasoning_effort
        if self._settings.cache_key and self._at_home:  # others refuse what they don't know
            body["prompt_cache_key"] = self._settings.cache_key
        return body
