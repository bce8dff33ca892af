"""The models of a configuration, opened: which there are, and how each is reached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ci_agent.agent import Models, Role
from ci_agent.config import Config
from ci_agent.errors import AuthenticationError, UsageError
from ci_agent.journal.events import ModelRetried
from ci_agent.models import Model, ModelError, ModelSettings, Prices, open_model
from ci_agent.task import Ending

ANTHROPIC, RESPONSES = "anthropic:", "responses:"  # prefixes of names


def open_models(settings: Config, on_retry: Callable[[ModelRetried], None], cache_key: str = "") -> Models:
    """The models of the configuration. `cache_key` is the same for all requests of one session.

    Raises `AuthenticationError` where a key is missing, `UsageError` for a model that can't be.
    """
    names = settings.models
    if names.use in ("strong", "cheap") and not getattr(names, names.use):
        raise UsageError(f"`models.{names.use}` is not set, so there is no {names.use} model to begin with")

    def opened(name: str | None) -> Model | None:
        return _opened(name, settings, on_retry, cache_key) if name else None

    try:
        return Models(
            default=_opened(settings.model.name, settings, on_retry, cache_key),
            strong=opened(names.strong),
            cheap=opened(names.cheap),
            use=None if names.use == "auto" else Role(names.use),
        )
    except ModelError as error:
        kind = AuthenticationError if error.ending is Ending.LLM_AUTH else UsageError
        raise kind(str(error)) from error


def model_settings(name: str, settings: Config, cache_key: str = "") -> ModelSettings:
    """How the model `name` is reached. What is set for the default model alone holds for no other."""
    model = settings.model
    default = name == model.name
    at_anthropic = name.startswith(ANTHROPIC)
    return ModelSettings(
        base_url=settings.anthropic.base_url if at_anthropic else model.base_url,
        api_key=settings.anthropic.api_key if at_anthropic else model.api_key,
        timeout=model.timeout,
        tries=model.tries,
        first_wait=model.retry_wait,
        max_output_tokens=model.max_output_tokens,
        temperature=model.temperature,
        prices=_prices(name, settings),
        api=model.api if default else "chat",
        tool_calls=model.tool_calls if default else "auto",
        cache_key=cache_key,
        reasoning_effort=model.reasoning_effort if default else None,
        context_tokens=model.context_tokens if default else None,
    )


def _opened(name: str, settings: Config, on_retry: Callable[[ModelRetried], None], cache_key: str) -> Model:
    parts = model_settings(name, settings, cache_key)
    if name.startswith(RESPONSES):
        return open_model(name.removeprefix(RESPONSES), replace(parts, api="responses"), on_retry)
    return open_model(name, parts, on_retry)


def _prices(name: str, settings: Config) -> Prices | None:
    """What the configuration says of the model's prices."""
    for line in settings.models.prices:
        model, *numbers = line.split()
        if model == name:
            fresh, cached, output = map(float, numbers)
            return Prices(input=fresh, cached_input=cached, output=output)
    own = settings.model.prices
    if name != settings.model.name or own.input is None or own.output is None:
        return None
    cached = own.input if own.cached_input is None else own.cached_input
    return Prices(input=own.input, cached_input=cached, output=own.output)
