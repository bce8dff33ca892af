"""What a reply cost, in US dollars.

List prices come from the tables that the package genai-prices carries; nothing here goes to the network. An
unknown price is None, never 0: a limit on money must not believe that a reply was free.
"""

from __future__ import annotations

from typing import Any

from ci_agent.models import Prices
from ci_agent.task import Usage


def cost(usage: Usage, model: str, base_url: str, prices: Prices | None) -> float | None:
    """The price of `usage` in US dollars: by `prices` if given, else by list. None: not known.

    The list is asked for `model` at the provider whose address `base_url` is; for other addresses, which may
    be anybody's proxy, by the model's name alone. Tokens from the cache are counted once, at their own price.
    """
    if usage == Usage():  # the endpoint reports no tokens
        return None
    if prices is not None:
        fresh = usage.prompt - usage.cached
        dollars = fresh * prices.input + usage.cached * prices.cached_input + usage.completion * prices.output
        return dollars / 1_000_000
    vendor, slash, short = model.partition("/")
    dollars_listed = _listed(usage, model, provider_api_url=base_url)
    if dollars_listed is None:
        dollars_listed = _listed(usage, model)
    if dollars_listed is None and slash:
        dollars_listed = _listed(usage, short, provider_id=vendor)
    return dollars_listed


def _listed(usage: Usage, model: str, **provider: Any) -> float | None:
    import genai_prices

    # "input" is the whole prompt, of which "cache read" is a part: the same words as ours.
    tokens = genai_prices.Usage(
        input_tokens=usage.prompt, cache_read_tokens=usage.cached, output_tokens=usage.completion
    )
    try:
        priced = genai_prices.calc_price(tokens, model, **provider)
    except LookupError:
        return None
    # Some models are listed without prices, which would come to 0.
    listed = priced.model_price
    known = listed.input_mtok is not None and listed.output_mtok is not None
    return float(priced.total_price) if known else None
