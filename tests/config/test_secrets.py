"""Which strings of a configuration are kept out of journals and artifacts."""

from __future__ import annotations

from ci_agent.config import load, secrets


def of(environment: dict[str, str]) -> tuple[str, ...]:
    return secrets(load(file=None, environment=environment, flags={}).config)


def test_keys_tokens_and_passwords_in_addresses_are_secrets_the_longest_first() -> None:
    setup = "pip install --index-url https://dana:s%20cret-word@packages.example/simple . && git clone http://tokenonly@x/y"
    assert of(
        {"LLM_API_KEY": "a-long-api-key", "GITHUB_TOKEN": "ghs_1", "CI_AGENT_VERIFICATION_SETUP": setup}
    ) == ("a-long-api-key", "s%20cret-word", "s cret-word", "tokenonly")


def test_what_is_short_or_no_secret_is_none() -> None:
    setup = (
        "git clone ssh://git@host.example/x && git clone https://git@host.example/x && npm i @scope/package"
    )
    assert of({"CI_AGENT_VERIFICATION_SETUP": setup, "MODEL_NAME": "a-long-model-name"}) == ()
