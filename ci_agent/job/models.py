"""The models of a configuration, opened: which there are, and how each is reached."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from ci_agent.agent import Models, Role
from ci_agent.config import Config
from ci_agent.errors import AuthenticationError, UsageError
from ci_agent.journal.events import ModelChosen, ModelRetried
from ci_agent.models import Model, ModelError, ModelSettings, Prices, open_model, split_name, warm_up
from ci_agent.models.fallback import open_models as open_with_fallback
from ci_agent.task import Ending

_ANTHROPIC, _RESPONSES = "anthropic:", "responses:"  # prefixes of names


def open_models(settings: Config, on_retry: Callable[[ModelRetried | ModelChosen], None]) -> Models:
    """The models of the configuration. What the one that begins needs is loaded meanwhile, on a thread of its own.

    Raises `AuthenticationError` where a key is missing, `UsageError` for a model that can't be.
    """
    names = settings.models
    if names.use in ("strong", "cheap") and not getattr(names, names.use):
        raise UsageError(f"`models.{names.use}` is not set, so there is no {names.use} model to begin with")
    warm_up(settings.model.name)
    cache_key = f"ci-agent-{secrets.token_hex(8)}"  # the same for all requests of one session

    def opened(key: str, name: str) -> Model:
        try:
            return _opened(name, settings, on_retry, cache_key)
        except ModelError as error:
            kind = AuthenticationError if error.ending is Ending.LLM_AUTH else UsageError
            raise kind(str(error) if key == "model.name" else f"`{key}`: {error}") from error

    if names.fallback:  # so that what is wrong with it is said of it
        opened("models.fallback", names.fallback)
    return Models(
        default=opened("model.name", settings.model.name),
        strong=opened("models.strong", names.strong) if names.strong else None,
        cheap=opened("models.cheap", names.cheap) if names.cheap else None,
        use=None if names.use == "auto" else Role(names.use),
    )


def reached(name: str, settings: Config, cache_key: str = "") -> tuple[str, ModelSettings]:
    """The model `name` of the configuration as `open_model` takes it, and how it is reached. What is set for the
    default model alone holds for no other. Raises `ModelError` for a name with two prefixes: each goes with keys of
    its own."""
    model = settings.model
    default = name == model.name
    at_anthropic = name.startswith(_ANTHROPIC)
    api = "responses" if name.startswith(_RESPONSES) else model.api if default else "chat"
    bare = name.removeprefix(_RESPONSES)
    if bare != name and split_name(bare) != ("openai", bare):
        raise ModelError(
            Ending.LLM_UNAVAILABLE,
            f"`{_RESPONSES}` goes with names of OpenAI's API only; write `{bare}` without it",
        )
    return bare, ModelSettings(
        base_url=settings.anthropic.base_url if at_anthropic else model.base_url,
        api_key=settings.anthropic.api_key if at_anthropic else model.api_key,
        timeout=model.timeout,
        tries=model.tries,
        first_wait=model.retry_wait,
        max_output_tokens=model.max_output_tokens,
        temperature=model.temperature,
        prices=_prices(name, settings),
        api=api,
        tool_calls=model.tool_calls if default else "auto",
        cache_key=cache_key,
        reasoning_effort=model.reasoning_effort if default else None,
        context_tokens=model.context_tokens if default else None,
    )


def _opened(
    name: str, settings: Config, on_retry: Callable[[ModelRetried | ModelChosen], None], cache_key: str
) -> Model:
    """The model, with the fallback in reserve where there is one."""
    if name.startswith("claude-") and settings.model.base_url is None:
        raise ModelError(Ending.LLM_UNAVAILABLE, f"{name} is not at OpenAI; write `anthropic:{name}`")
    first = reached(name, settings, cache_key)
    fallback = settings.models.fallback
    if fallback and fallback != name:
        return open_with_fallback(*first, *reached(fallback, settings, cache_key), on_retry)
    return open_model(*first, on_retry)


def _prices(name: str, settings: Config) -> Prices | None:
    """What the configuration says of the model's prices."""
    known = {line.split()[0]: line.split()[1:] for line in settings.models.prices}
    numbers = known.get(name) or known.get(split_name(name.removeprefix(_RESPONSES))[1])
    if numbers:
        fresh, cached, output = map(float, numbers)
        return Prices(input=fresh, cached_input=cached, output=output)
    own = settings.model.prices
    if name != settings.model.name or own.input is None or own.output is None:
        return None
    cached = own.input if own.cached_input is None else own.cached_input
    return Prices(input=own.input, cached_input=cached, output=own.output)
