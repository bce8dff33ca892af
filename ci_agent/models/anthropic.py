"""Claude through Anthropic's own Messages API, at Anthropic or any endpoint that speaks the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

from ci_agent.journal.events import ModelRetried
from ci_agent.models import Message, ModelError, ModelSettings, Reply, ToolSchema
from ci_agent.models.anthropic_answer import read
from ci_agent.models.anthropic_messages import convert, starts_unthought
from ci_agent.models.completion import Completion
from ci_agent.models.connection import Connection, bounded, close_with, split_query
from ci_agent.models.endpoint import Endpoint, Provider
from ci_agent.models.prices import cost, window
from ci_agent.models.retry import Failed
from ci_agent.task import Ending

HOME = "https://api.anthropic.com"
# The API wants a number. Claude 4 and later say at least this much at once; earlier ones name their own maximum.
MOST_TOKENS = 32_000
# The last version of the API with `temperature`: https://platform.claude.com/docs/en/api/versioning
WITH_TEMPERATURE = {"anthropic-version": "2023-06-01"}
# Tokens to think with, where the model does not decide that itself, and the fewest that the API takes.
BUDGETS = {"low": 1_024, "medium": 4_096, "high": 16_384, "xhigh": 32_768, "max": 65_536}
LEAST_BUDGET = 1_024


def open_model(
    name: str, settings: ModelSettings, on_retry: Callable[[ModelRetried], None]
) -> AnthropicModel:
    """The model `name`. Raises `ModelError` where the extra `anthropic` is not installed."""
    if find_spec("anthropic") is None:
        raise ModelError(
            Ending.LLM_UNAVAILABLE,
            f"anthropic:{name} needs a package that is not installed: run pip install 'ci-agent[anthropic]'",
        )
    return AnthropicModel(name, settings, on_retry)


def warm_up() -> None:
    """Load the client. Nothing is sent."""
    connect("none", HOME, {})


class AnthropicModel:
    """A model behind the Messages API."""

    def __init__(self, name: str, settings: ModelSettings, on_retry: Callable[[ModelRetried], None]) -> None:
        self.name = name
        self._settings = settings
        self._most_tokens = settings.max_output_tokens or MOST_TOKENS
        self._temperature = None if settings.reasoning_effort else settings.temperature
        version = {} if self._temperature is None else WITH_TEMPERATURE
        provider = Provider(
            HOME, "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", partial(connect, headers=version)
        )
        self._endpoint = Endpoint(name, settings, provider, on_retry)

    @property
    def window(self) -> int | None:
        """See `Model.window`."""
        return window(self.name, self._settings.base_url, self._settings)

    def reply(self, messages: Sequence[Message], tools: Sequence[ToolSchema], deadline: float) -> Reply:
        """See `Model.reply`."""
        try:
            completion, seconds = self._ask(messages, tools, deadline)
        except ModelError as error:
            most = _named_maximum(str(error))
            if most is None:
                raise
            self._most_tokens = most
            completion, seconds = self._ask(messages, tools, deadline)
        return Reply(
            message=completion.message,
            text=completion.text,
            calls=completion.calls,
            finish_reason=completion.finish_reason,
            usage=completion.usage,
            cost=cost(completion.usage, self.name, self._endpoint.address, self._settings.prices),
            seconds=seconds,
        )

    def _ask(
        self, messages: Sequence[Message], tools: Sequence[ToolSchema], deadline: float
    ) -> tuple[Completion, float]:
        body = {"model": self.name, "max_tokens": self._most_tokens, **convert(messages, tools, self.name)}
        body |= self._thinking(body["messages"])
        if self._temperature is not None:
            body["temperature"] = self._temperature
        return self._endpoint.ask("/v1/messages", body, partial(self._read, context=messages), deadline)

    def _thinking(self, turns: Sequence[Message]) -> dict[str, Any]:
        """How hard to think. Not set: what the model does by itself."""
        effort = self._settings.reasoning_effort
        if effort is None:
            return {}
        if _thinks_by_effort(self.name):
            return {
                "thinking": {"type": "adaptive"},
                "output_config": {"effort": "low" if effort == "minimal" else effort},
            }
        budget = min(BUDGETS.get(effort, 0), self._most_tokens // 2)
        if budget < LEAST_BUDGET or starts_unthought(turns):
            return {}
        return {"thinking": {"type": "enabled", "budget_tokens": budget}}

    def _read(self, answer: Any, context: Sequence[Message]) -> Completion:
        completion = read(answer, context, self.name)
        if completion.finish_reason == "pause_turn":
            raise Failed(f"{self.name} paused in the middle of its turn")
        if completion.finish_reason == "model_context_window_exceeded":
            raise ModelError(
                Ending.CONTEXT,
                f"The conversation left {self.name} no room to finish its answer: "
                "use a model that takes more, or a smaller task",
            )
        return completion


def connect(key: str, address: str, headers: dict[str, str]) -> Connection:
    """The client of Anthropic for `address`, with or without `/v1` at its end, which sends `headers` along.

    A query in the address goes along with every request. Raises `ValueError` and `ImportError` for a proxy in the
    environment that can't be used.
    """
    import anthropic

    place, query = split_query(address)
    http = bounded(anthropic.DefaultHttpxClient)
    client = anthropic.Anthropic(
        api_key=key,
        base_url=place.rstrip("/").removesuffix("/v1"),
        # The package sends the key as a bearer token, as some proxies want it; others know only the older way. Where
        # there are both, the API takes the older.
        default_headers={"x-api-key": key, **headers},
        default_query=query,
        max_retries=0,
        http_client=http,
        open_telemetry=False,
    )
    close_with(client, http)

    def post(path: str, content: bytes, seconds: float) -> bytes:
        return client.post(
            path, content=content, cast_to=bytes, options={"timeout": seconds, "follow_redirects": False}
        )

    return Connection(post, anthropic.APIStatusError, anthropic.APITimeoutError, anthropic.AnthropicError)


def _thinks_by_effort(name: str) -> bool:
    """Whether this Claude (4.6 and later) decides how much to think; before, and elsewhere, it has a budget.

    https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking
    """
    version = re.search(r"claude-(?:[a-z]+-)?([0-9]+)(?:[-.]([0-9]{1,2}))?(?![0-9])", name)
    if version is None:
        return "claude" in name
    return (int(version[1]), int(version[2] or 0)) >= (4, 6)


def _named_maximum(refusal: str) -> int | None:
    """The most tokens that the model says at once, where the API refused for that."""
    found = re.search(r"max_tokens: [0-9]+ > ([0-9]{1,9}), which is the maximum", refusal)
    return int(found[1]) if found else None
