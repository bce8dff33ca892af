"""What is known of the configured models, for people: what they read at once, what they cost, whether there is a key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

from ci_agent.config import Config
from ci_agent.job.models import reached
from ci_agent.models import Prices, split_name
from ci_agent.models.anthropic import HOME as ANTHROPIC
from ci_agent.models.openai import OPENAI
from ci_agent.models.prices import listed, window


@dataclass(frozen=True, slots=True)
class Row:
    """What is known of one model."""

    role: str
    name: str
    where: str  # the host its requests go to; empty: nowhere, it is a recording
    reads: int | None  # tokens at once; None: not known
    prices: Prices | None  # None: not known
    own_prices: bool  # they stand in the configuration
    key: bool  # there is one

    def cells(self) -> tuple[str, ...]:
        """For a table."""
        prices = self.prices
        known = ("?", "?", "?") if prices is None else (prices.input, prices.cached_input, prices.output)
        source = "not known" if prices is None else "configured" if self.own_prices else "listed"
        return (
            self.role,
            self.name,
            self.where or "nowhere",
            f"{self.reads:,}" if self.reads else "?",
            *(one if isinstance(one, str) else f"{one:g}" for one in known),
            source,
            "there" if self.key else "missing" if self.where else "not needed",
        )

    def as_json(self) -> dict[str, object]:
        """The same as names and values."""
        return asdict(self)


def listing(settings: Config) -> list[Row]:
    """All models of the configuration, the one that begins first."""
    return [_row(role, name, settings) for role, name in _named(settings)]


def _named(settings: Config) -> Iterator[tuple[str, str]]:
    others = settings.models
    yield "default", settings.model.name
    for role, name in (("strong", others.strong), ("cheap", others.cheap), ("fallback", others.fallback)):
        if name:
            yield role, name


def _row(role: str, name: str, settings: Config) -> Row:
    bare, parts = reached(name, settings)
    recording = split_name(name)[0] == "replay"
    configured = parts.prices is not None
    home = ANTHROPIC if split_name(bare)[0] == "anthropic" else OPENAI.home
    address = parts.base_url or home
    free = Prices(0.0, 0.0, 0.0, 0.0) if recording else None
    return Row(
        role=role,
        name=name,
        where="" if recording else urlsplit(address).hostname or address,
        reads=None if recording else window(bare, parts.base_url, parts),
        prices=free or parts.prices or listed(bare, parts.base_url),
        own_prices=configured,
        key=bool(parts.api_key),
    )
