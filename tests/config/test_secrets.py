"""Which strings of a configuration are kept out of journals, logs and artifacts."""

from __future__ import annotations

import pytest

from ci_agent.config import load, secrets


def of(environment: dict[str, str]) -> tuple[str, ...]:
    return secrets(load(file=None, environment=environment, flags={}).config)


@pytest.mark.parametrize(
    ("setup", "found"),
    [
        (
            "pip install --index-url https://dana:s%20cret-word@packages.example/simple .",
            {"s%20cret-word", "s cret-word"},
        ),
        ("git clone http://glpat-0123456789abcdef@x/y", {"glpat-0123456789abcdef"}),
        ("false https://u:two@signs-in-it@x.example/", {"two@signs-in-it"}),
        ("false https://u:with/slash@x.example/", {"with/slash"}),
        ("false https://x.example/simple?token=querysecret&ref=develop", {"querysecret"}),
        ("psql postgres://app:PW%40SECRET@db/x; false", {"PW%40SECRET", "PW@SECRET"}),
        ("false https://u:ab123@x/", {"u:ab123"}),
        ("git clone ssh://git@host.example/x && git clone https://ai-task@host.example/x", set()),
        ("npm i @scope/package && curl http://localhost:8080/@scope/x", set()),
    ],
)
def test_passwords_in_addresses_are_secrets_as_written_and_as_meant(setup: str, found: set[str]) -> None:
    assert set(of({"CI_AGENT_VERIFICATION_SETUP": setup})) == found


def test_keys_and_tokens_are_secrets_the_longest_first() -> None:
    assert of({"LLM_API_KEY": " a-long-api-key ", "GITHUB_TOKEN": "ghs_12345"}) == (
        "a-long-api-key",
        "ghs_12345",
    )


def test_what_people_write_where_no_key_is_needed_is_no_secret() -> None:
    assert of({"LLM_API_KEY": "ollama", "MODEL_NAME": "a-long-model-name"}) == ()
