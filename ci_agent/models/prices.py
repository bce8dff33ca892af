"""What a model costs, in US dollars, and how much it can read.

Both come from the tables that the package genai-prices carries; nothing here goes to the network. An unknown
price is None, never 0: a limit on money must not believe that a reply was free.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ci_agent.models import ModelSettings, Prices, split_name
from ci_agent.task import Usage

if TYPE_CHECKING:
    from genai_prices.types import PriceCalculation

_NOTHING = Usage()
CACHE_WRITE = 1.25  # times the price of input: what Anthropic and OpenAI take where they bill it


def load() -> None:
    """Load the tables: 200 ms of work that can be done while something else is waited for."""
    import_module("genai_prices.data")


def cost(usage: Usage, model: str, base_url: str, prices: Prices | None) -> float | None:
    """The price of `usage` in US dollars: by `prices` if given, else by list. None: not known.

    Tokens read from the cache and written to it are counted once, at their own prices.
    """
    if usage == _NOTHING:  # the endpoint reports no tokens
        return None
    if prices is None:
        entry = next(filter(_is_priced, _entries(model, base_url, usage)), None)
        return float(entry.total_price) if entry else None
    written = prices.input * CACHE_WRITE if prices.cache_write is None else prices.cache_write
    dollars = (
        (usage.prompt - usage.cached - usage.cache_written) * prices.input
        + usage.cached * prices.cached_input
        + usage.cache_written * written
        + usage.completion * prices.output
    )
    return dollars / 1_000_000


def listed(name: str, base_url: str | None) -> Prices | None:
    """The list prices of the model called `name`, as `open_model` takes it; None: not known.

    Where a price depends on the length of the prompt, it is the lowest.
    """
    entry = next(filter(_is_priced, _entries(split_name(name)[1], base_url)), None)
    if entry is None:
        return None
    price: Any = entry.model_price
    input_ = _base(price.input_mtok)
    cached, written = _base(price.cache_read_mtok, input_), _base(price.cache_write_mtok, input_)
    return Prices(input_, cached, _base(price.output_mtok), written)


def window(name: str, base_url: str | None, settings: ModelSettings) -> int | None:
    """The tokens that the model called `name`, as `open_model` takes it, can read at once; None: not known."""
    if settings.context_tokens is not None:
        return settings.context_tokens
    windows = (entry.model.context_window for entry in _entries(split_name(name)[1], base_url))
    return next(filter(None, windows), None)


def _entries(model: str, base_url: str | None, usage: Usage = _NOTHING) -> Iterator[PriceCalculation]:
    """What the list says of `model`, with the price of `usage`, the likeliest entry first.

    It is asked for the model at the provider whose address `base_url` is; then, as that may be anybody's proxy,
    for the model's name alone.
    """
    vendor, slash, short = model.partition("/")
    if base_url:
        yield from _find(usage, model, provider_api_url=base_url)
    yield from _find(usage, model)
    if slash:
        yield from _find(usage, short, provider_id=vendor)


def _find(usage: Usage, model: str, **provider: Any) -> Iterator[PriceCalculation]:
    import genai_prices

    # "input" is the whole prompt, of which "cache read" and "cache write" are parts: the same words as ours.
    tokens = genai_prices.Usage(
        input_tokens=usage.prompt,
        cache_read_tokens=usage.cached,
        cache_write_tokens=usage.cache_written,
        output_tokens=usage.completion,
    )
    with suppress(LookupError):
        yield genai_prices.calc_price(tokens, model, **provider)


def _is_priced(entry: PriceCalculation) -> bool:
    """Some models are listed without prices, which would come to 0."""
    price: Any = entry.model_price
    return price.input_mtok is not None and price.output_mtok is not None


def _base(price: Any, otherwise: float = 0.0) -> float:
    """A price from the list, which may depend on the prompt's length; `otherwise` where there is none."""
    return otherwise if price is None else float(getattr(price, "base", price))
