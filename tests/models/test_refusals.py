"""What each refusal of an endpoint means for a session."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_agent.models import ModelError
from ci_agent.models.refusals import Asked, Refusal, meaning, one_line
from ci_agent.models.retry import Failed
from ci_agent.task import Ending

NOW = datetime(2025, 11, 20, 12, 0, tzinfo=UTC)
KEY = "sk-0123456789"


def mask(text: str) -> str:
    return text.replace(KEY, "***")


ASKED = Asked("llm.example", "gpt-5-mini", "LLM_API_KEY", "LLM_BASE_URL", mask)


def judged(status: int, body: object = "", **headers: str) -> Failed | ModelError:
    return meaning(Refusal(status, body, headers), ASKED, NOW)


def ending(status: int, body: object = "") -> Ending | None:
    error = judged(status, body)
    return error.ending if isinstance(error, ModelError) else None


def error(message: str, code: str | None = None, type_: str = "invalid_request_error") -> dict[str, Any]:
    return {"error": {"message": message, "type": type_, "code": code}}


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 8545 tokens.",
        "Your input exceeds the context window of this model. Please adjust your input and try again.",
        "prompt is too long: 213462 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 199000 + 8192 > 200000",
        "The input token count (1196265) exceeds the maximum number of tokens allowed (1048575).",
        "Input is too long for requested model.",
        "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
        "Please reduce the length of the messages or completion.",
        "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
        "prompt token count of 130000 exceeds the limit of 128000",
        "Invalid request: Your request exceeded model token limit: 262144",
        "invalid params, context window exceeds limit (2013)",
        "`inputs` tokens + `max_new_tokens` must be <= 32768",
        "The decoder prompt (length 5000) is longer than the maximum model length of 4096.",
        "the request exceeds the available context size, try increasing it",
        "The number of tokens to keep from the initial prompt is greater than the context length.",
        "the input length exceeds the context length",
        "too many tokens: size limit exceeded by 4000 tokens.",
    ],
)
def test_a_conversation_that_is_too_long_is_known_in_every_dialect(message: str) -> None:
    assert ending(400, error(message)) is Ending.CONTEXT
    assert ending(400, error("x" * 1000 + message)) is Ending.CONTEXT  # beyond what people are shown, too


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (413, "", Ending.CONTEXT),
        (400, error("no", "context_length_exceeded"), Ending.CONTEXT),
        (400, error("no", None, "exceed_context_size_error"), Ending.CONTEXT),
        (
            429,
            error("Request too large for gpt-4 on tokens per min (TPM): Limit 1, Requested 2"),
            Ending.CONTEXT,
        ),
        (401, "", Ending.LLM_AUTH),
        (403, error("Country not supported"), Ending.LLM_AUTH),
        (402, "", Ending.LLM_QUOTA),
        (429, error("You exceeded your current quota", "insufficient_quota"), Ending.LLM_QUOTA),
        (429, error("You exceeded your current quota", None, "insufficient_quota"), Ending.LLM_QUOTA),
        (400, error("Your credit balance is too low to access the API"), Ending.LLM_QUOTA),
        (403, error("Insufficient balance"), Ending.LLM_QUOTA),
        (
            429,
            error("You exceeded your current quota, retry in 20 s"),
            None,
        ),  # Gemini's word for a rate limit
        (400, error("Azure's content management policy", "content_filter"), Ending.LLM_POLICY),
        (
            400,
            error("flagged as potentially violating our usage policy", "invalid_prompt"),
            Ending.LLM_POLICY,
        ),
        (
            403,
            error("openai/gpt-5 requires moderation on OpenRouter. Your input was flagged"),
            Ending.LLM_POLICY,
        ),
        (404, "", Ending.LLM_UNAVAILABLE),
        (400, error("Unsupported value: 'temperature'"), Ending.LLM_UNAVAILABLE),
        (400, "", Ending.LLM_UNAVAILABLE),
        (405, "", Ending.LLM_UNAVAILABLE),
        (422, {"detail": [{"loc": ["body"], "msg": "extra"}]}, Ending.LLM_UNAVAILABLE),
        (308, "", Ending.LLM_UNAVAILABLE),
        (408, "", None),
        (429, error("slow down", "rate_limit_exceeded"), None),
        (500, error("context window exceeds limit"), None),
        (529, "", None),
    ],
)
def test_each_refusal_has_its_meaning(status: int, body: object, expected: Ending | None) -> None:
    assert ending(status, body) is expected


@pytest.mark.parametrize(
    "body",
    [
        error("nope"),
        {"error": "nope"},
        {"message": "nope"},
        {"detail": "nope"},
        {"message": "nope", "code": 7},
        [{"error": {"message": "nope"}}],
        "nope",
        "<!DOCTYPE html><html><head><title>nope</title><style>a{}</style></head><body>long</body></html>",
    ],
    ids=str,
)
def test_the_endpoints_words_are_found(body: object) -> None:
    assert str(judged(418, body)).startswith("llm.example answered 418: nope. ")


def test_the_next_step_names_the_model() -> None:
    assert "does not know the model gpt-5-mini" in str(judged(404))


def test_a_wait_that_was_asked_for_is_passed_on() -> None:
    failed = judged(503, error("overloaded"), **{"retry-after": "7"})
    assert isinstance(failed, Failed)
    assert (failed.reason, failed.wait) == ("llm.example answered 503: overloaded", 7)


@given(
    st.integers(300, 599),
    st.recursive(
        st.none() | st.integers() | st.text() | st.just(KEY) | st.just("<" * 500 + KEY),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(st.sampled_from(["error", "message", "code", "type", KEY]), inner)
        ),
    ),
)
def test_any_refusal_gives_a_short_line_without_the_key(status: int, body: object) -> None:
    text = str(judged(status, body))
    assert KEY not in text
    assert "\n" not in text
    assert len(text) < 600
    text.encode()


@pytest.mark.parametrize("before", range(280, 305))
def test_no_cut_leaves_a_part_of_the_key(before: int) -> None:
    assert "sk-" not in one_line("." * before + KEY + "." * 300, mask)
