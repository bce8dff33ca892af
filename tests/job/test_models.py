"""How the models of a configuration are reached, and with whose key."""

from __future__ import annotations

import pytest

from ci_agent.config import Config, load
from ci_agent.errors import UsageError
from ci_agent.job.models import open_models, reached

KEYS = {"OPENAI_API_KEY": "sk-openai", "ANTHROPIC_API_KEY": "sk-anthropic"}


def _config(**environment: str) -> Config:
    return load(file=None, environment={**KEYS, **environment}, flags={}).config


@pytest.mark.parametrize(
    ("name", "bare", "api", "key"),
    [
        ("gpt-x", "gpt-x", "chat", "sk-openai"),
        ("llama3.1:8b", "llama3.1:8b", "chat", "sk-openai"),
        ("responses:gpt-x", "gpt-x", "responses", "sk-openai"),
        ("responses:own:8b", "own:8b", "responses", "sk-openai"),
        ("anthropic:claude-x", "anthropic:claude-x", "chat", "sk-anthropic"),
    ],
)
def test_the_prefix_says_the_api_and_the_key(name: str, bare: str, api: str, key: str) -> None:
    found, settings = reached(name, _config(MODEL_NAME=name))
    assert (found, settings.api, settings.api_key) == (bare, api, key)


@pytest.mark.parametrize("bare", ["anthropic:claude-x", "replay:a.jsonl", "openai:gpt-x"])
@pytest.mark.parametrize("setting", ["MODEL_NAME", "CI_AGENT_MODELS_FALLBACK"])
def test_a_second_prefix_is_refused_so_that_no_key_goes_elsewhere(bare: str, setting: str) -> None:
    with pytest.raises(UsageError, match=f"`responses:` goes with .* write `{bare}` without it"):
        open_models(_config(**{setting: f"responses:{bare}"}), lambda _: None)
