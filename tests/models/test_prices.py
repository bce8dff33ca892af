"""What replies cost."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ci_agent.models import ModelSettings, Prices
from ci_agent.models.prices import cost, listed, window
from ci_agent.task import Usage

HOME = "https://api.openai.com/v1"
USAGE = Usage(prompt=1_000_000, cached=600_000, completion=100_000, reasoning=50_000)


def test_given_prices_come_first_and_the_cached_part_is_counted_once() -> None:
    prices = Prices(input=3.0, cached_input=0.3, output=15.0)
    assert cost(USAGE, "gpt-5-mini", HOME, prices) == pytest.approx(0.4 * 3 + 0.6 * 0.3 + 0.1 * 15)


def test_what_the_cache_took_in_has_its_own_price() -> None:
    usage = Usage(prompt=1_000_000, cached=100_000, cache_written=200_000)
    prices = Prices(input=4.0, cached_input=0.4, output=15.0, cache_write=7.0)
    assert cost(usage, "m", HOME, prices) == pytest.approx(0.7 * 4 + 0.1 * 0.4 + 0.2 * 7)
    assert cost(usage, "m", HOME, Prices(4.0, 0.4, 15.0)) == pytest.approx(0.7 * 4 + 0.1 * 0.4 + 0.2 * 5)
    by_list = cost(
        Usage(100_000, cache_written=50_000), "claude-sonnet-4-5", "https://api.anthropic.com", None
    )
    assert by_list == pytest.approx(0.05 * 3 + 0.05 * 3.75)


def test_listed_prices_count_the_cached_part_once() -> None:
    fresh = cost(Usage(prompt=1_000_000), "gpt-5-mini", HOME, None)
    cached = cost(Usage(prompt=1_000_000, cached=1_000_000), "gpt-5-mini", HOME, None)
    said = cost(Usage(completion=1_000_000), "gpt-5-mini", HOME, None)
    mixed = cost(USAGE, "gpt-5-mini", HOME, None)
    assert fresh is not None
    assert cached is not None
    assert said is not None
    assert 0 < cached < fresh < said
    assert mixed == pytest.approx(0.4 * fresh + 0.6 * cached + 0.1 * said)


@pytest.mark.parametrize(
    ("model", "base_url"),
    [
        ("gpt-5-mini", "http://127.0.0.1:4000/v1"),  # anybody's proxy
        ("openai/gpt-5-mini", "https://openrouter.ai/api/v1"),
        ("openai/gpt-5-mini", "http://proxy.example/v1"),
    ],
)
def test_a_known_model_has_a_price_wherever_it_is_asked(model: str, base_url: str) -> None:
    assert cost(USAGE, model, base_url, None) == cost(USAGE, "gpt-5-mini", HOME, None)


@pytest.mark.parametrize("model", ["my-own-model", "", "nobody/nothing", "gpt-5-mini-of-mine", "x/y/z", "/"])
def test_an_unknown_model_has_no_price_rather_than_none(model: str) -> None:
    assert cost(USAGE, model, "http://127.0.0.1:1/v1", None) is None


def test_a_model_that_is_listed_without_prices_is_unknown() -> None:
    assert cost(USAGE, "gpt-4o", "https://api.githubcopilot.com", None) != 0


@pytest.mark.parametrize("prices", [None, Prices(1.0, 1.0, 1.0)])
def test_unreported_tokens_have_no_price(prices: Prices | None) -> None:
    assert cost(Usage(), "gpt-5-mini", HOME, prices) is None


def test_looking_up_a_price_touches_no_network() -> None:
    script = (
        "import sys\n"
        "def audit(event, _):\n"
        "    if event.startswith('socket.'): raise SystemExit(f'{event} was called')\n"
        "sys.addaudithook(audit)\n"
        "import threading\n"
        "from ci_agent.models.prices import cost\n"
        "from ci_agent.task import Usage\n"
        f"print(cost(Usage(1000, 0, 10), 'gpt-5-mini', '{HOME}', None) > 0, threading.active_count())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True 1\n", "")


@pytest.mark.parametrize(
    ("name", "base_url", "prices"),
    [
        ("gpt-5-mini", None, Prices(0.25, 0.025, 2.0, 0.25)),
        ("openai:gpt-5-mini", HOME, Prices(0.25, 0.025, 2.0, 0.25)),
        ("anthropic:claude-sonnet-4-5", None, Prices(3.0, 0.3, 15.0, 3.75)),  # dearer beyond 200,000 tokens
        ("llama3.1:8b", "http://localhost:11434/v1", None),
    ],
)
def test_list_prices_can_be_shown(name: str, base_url: str | None, prices: Prices | None) -> None:
    assert listed(name, base_url) == prices


def test_a_shown_price_is_the_one_that_is_counted() -> None:
    usage = Usage(prompt=100_000, cached=50_000, completion=10_000)
    shown = listed("gpt-5-mini", HOME)
    assert cost(usage, "gpt-5-mini", HOME, shown) == pytest.approx(cost(usage, "gpt-5-mini", HOME, None))


@pytest.mark.parametrize(
    ("name", "configured", "tokens"),
    [
        ("gpt-5-mini", None, 400_000),
        ("anthropic:claude-sonnet-4-5", None, 200_000),
        ("gpt-5-mini", 32_000, 32_000),
        ("my-own-model", None, None),
        ("my-own-model", 8_192, 8_192),
    ],
)
def test_how_much_a_model_reads_is_configured_or_listed(
    name: str, configured: int | None, tokens: int | None
) -> None:
    assert window(name, None, ModelSettings(context_tokens=configured)) == tokens
