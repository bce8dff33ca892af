"""Models at OpenAI or any endpoint that speaks one of its two APIs, chat completions or responses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ci_agent.journal.events import ModelRetried
from ci_agent.models import Message, Model, ModelSettings, Reply, ToolSchema, chat, completion, responses
from ci_agent.models.completion import Completion
from ci_agent.models.connection import connect_openai
from ci_agent.models.endpoint import Endpoint, Provider, host
from ci_agent.models.prices import cost, window
from ci_agent.models.tool_calls import ToolCalls

OPENAI = Provider(
    "https://api.openai.com/v1", "LLM_API_KEY or OPENAI_API_KEY", "LLM_BASE_URL", connect_openai
)
# Hosts whose API is OpenAI's own: itself, and Azure under the names it has had.
HOSTS = (".openai.com", ".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com")


def open_model(name: str, settings: ModelSettings, on_retry: Callable[[ModelRetried], None]) -> Model:
    """The model `name`. At home, `openai/gpt-x` means `gpt-x`; elsewhere a slash belongs to the name."""
    if (settings.base_url or OPENAI.home).startswith("https://api.openai.com"):
        name = name.removeprefix("openai/")
    model = OpenAIModel(name, settings, on_retry)
    if settings.api == "responses":  # all there call tools
        return model
    return ToolCalls(model, settings.tool_calls, on_retry)


def warm_up() -> None:
    """Load the client. Nothing is sent."""
    connect_openai("none", OPENAI.home)


@dataclass(frozen=True, slots=True)
class Api:
    """One of OpenAI's two ways to ask a model."""

    path: str
    request: Callable[..., dict[str, Any]]
    read: Callable[[Any, Sequence[Message]], Completion]


_APIS = {
    "chat": Api("/chat/completions", chat.request, completion.read),
    "responses": Api("/responses", responses.request, responses.read),
}


class OpenAIModel:
    """A model at an OpenAI-compatible endpoint."""

    def __init__(self, name: str, settings: ModelSettings, on_retry: Callable[[ModelRetried], None]) -> None:
        self.name = name
        self._settings = settings
        self._endpoint = Endpoint(name, settings, OPENAI, on_retry)
        self._api = _APIS[settings.api]
        self._home = host(self._endpoint.address).endswith(HOSTS)

    @property
    def window(self) -> int | None:
        """See `Model.window`."""
        return window(self.name, self._settings.base_url, self._settings)

    def reply(self, messages: Sequence[Message], tools: Sequence[ToolSchema], deadline: float) -> Reply:
        """See `Model.reply`."""
        body = self._api.request(self.name, messages, tools, self._settings, home=self._home)
        answer, seconds = self._endpoint.ask(
            self._api.path, body, lambda raw: self._api.read(raw, messages), deadline
        )
        return Reply(
            message=answer.message,
            text=answer.text,
            calls=answer.calls,
            finish_reason=answer.finish_reason,
            usage=answer.usage,
            cost=cost(answer.usage, self.name, self._endpoint.address, self._settings.prices),
            seconds=seconds,
        )
