"""What a model costs: US dollars for a million tokens of each kind, or for an hour of accelerator.

Prices come from the `genai-prices` package (its bundled snapshot, offline) or from the user. An
unknown price is None all the way and never 0. A price is flat: of a provider's rates by the hour
of the day the dearest is taken, and long prompts, which some providers bill at a higher rate, are
kept out by `context_window_of`.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from agent.backend import Usage
from agent.endpoint.retry import ATTEMPTS_BILLED

if TYPE_CHECKING:
    from genai_prices.types import PriceCalculation

MILLION = 1_000_000
HOUR = 3600.0


class PriceError(ValueError):
    """A price given on the command line cannot be read; the message is one sentence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """The price of one model in US dollars. With every number None it is unknown."""

    input: float | None = None
    # For a million input tokens that were not cached.
    cached: float | None = None
    # For a million input tokens read from the provider's cache; None: as `input`.
    cache_write: float | None = None
    # For a million input tokens put into the provider's cache; None: as `input`.
    output: float | None = None
    # For a million output tokens, reasoning included.
    hour: float | None = None
    # For an hour of the accelerator; then tokens are free.
    request_seconds: float = ATTEMPTS_BILLED * 600.0
    # Accelerator seconds that are reserved for one request.
    source: str = ""
    date: str = ""
    # The day for which the source gives it, YYYY-MM-DD.

    @property
    def known(self) -> bool:
        """Whether a cost can be computed."""
        return self.hour is not None or (self.input is not None and self.output is not None)

    def cost(self, usage: Usage) -> float | None:
        """US dollars for what was used, None when the price is unknown.

        What the provider billed itself counts in place of what the list says of the same calls.
        """
        if self.hour is not None:
            return usage.accelerator_seconds / HOUR * self.hour
        if self.input is None or self.output is None:
            return usage.billed if usage.billed and not usage.unbilled_calls else None
        return (self.list_cost(usage) or 0.0) - usage.billed_at_list + usage.billed

    def list_cost(self, usage: Usage) -> float | None:
        """US dollars for the tokens by this price, None where it has none for tokens."""
        if self.input is None or self.output is None:
            return None
        cached = self.input if self.cached is None else self.cached
        cache_write = self.input if self.cache_write is None else self.cache_write
        plain = usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens
        return (
            plain * self.input
            + usage.cached_tokens * cached
            + usage.cache_write_tokens * cache_write
            + usage.output_tokens * self.output
        ) / MILLION

    def bound(self, input_tokens: int, max_tokens: int) -> float | None:
        """US dollars that one request can cost at most, None when the price is unknown.

        `input_tokens` is a high estimate of the prompt. Attempts that may be billed although
        their answer was lost are included. By the hour it is the request's part of a server kept
        busy until the time limit; that is a bound for a full server, not for a lone request.
        """
        if self.hour is not None:
            return self.request_seconds / HOUR * self.hour
        if self.input is None or self.output is None:
            return None
        dearest_input = max(self.input, self.cached or 0.0, self.cache_write or 0.0)
        attempt = input_tokens * dearest_input + max_tokens * self.output
        return ATTEMPTS_BILLED * attempt / MILLION

    def __str__(self) -> str:
        if self.hour is not None:
            text = f"${self.hour:g} an accelerator hour"
        elif self.input is None or self.output is None:
            return "unknown"
        else:
            cached = "" if self.cached is None else f", ${self.cached:g} cached"
            text = f"${self.input:g} in{cached}, ${self.output:g} out per million tokens"
        origin = ", ".join(part for part in (self.source, self.date) if part)
        return f"{text} ({origin})" if origin else text


UNKNOWN = Price()


def price_of(provider: str, model: str) -> Price:
    """Look a model's price up, `UNKNOWN` when it is not listed.

    `provider` is the id that genai-prices uses, such as `openai`, or the URL of an endpoint.
    """
    today = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    hours = [_listed(provider, model, today + dt.timedelta(minutes=30 * n)) for n in range(48)]
    prices = [_flat(listed, today) for listed in hours if listed is not None]
    return max(prices, key=lambda price: (price.output or 0.0, price.input or 0.0), default=UNKNOWN)


def context_window_of(provider: str, model: str) -> int | None:
    """Tokens that a listed model takes at its base price, None when that is not known."""
    from genai_prices.types import TieredPrices

    listed = _listed(provider, model, dt.datetime.now(dt.UTC))
    if listed is None:
        return None
    rates = (listed.model_price.input_mtok, listed.model_price.output_mtok)
    steps = [rate.tiers[0].start for rate in rates if isinstance(rate, TieredPrices) and rate.tiers]
    return min(
        [*steps, *([listed.model.context_window] if listed.model.context_window else [])],
        default=None,
    )


def parse_price(text: str) -> Price:
    """Read a price such as `in=0.25,cached=0.025,out=2` or `hour=0.10`. Raises PriceError."""
    wanted = "write it as in=0.25,cached=0.025,out=2 (US dollars a million tokens) or hour=0.10"
    numbers: dict[str, float] = {}
    for part in text.split(","):
        key, _, value = part.strip().partition("=")
        if key not in {"in", "cached", "out", "hour"} or key in numbers:
            raise PriceError(f"The price {text!r} has an unexpected {part.strip()!r}: {wanted}.")
        try:
            numbers[key] = float(value)
        except ValueError:
            numbers[key] = math.nan
        if not 0.0 <= numbers[key] < math.inf:
            raise PriceError(f"The price {text!r} has no amount in {part.strip()!r}: {wanted}.")
    if set(numbers) != {"hour"} and set(numbers) | {"cached"} != {"in", "cached", "out"}:
        raise PriceError(f"The price {text!r} is not complete: {wanted}.")
    return Price(
        input=numbers.get("in"),
        cached=numbers.get("cached"),
        output=numbers.get("out"),
        hour=numbers.get("hour"),
        source="given on the command line",
    )


def _listed(provider: str, model: str, when: dt.datetime) -> PriceCalculation | None:
    from genai_prices import Usage as NoUsage
    from genai_prices import calc_price

    try:
        if "://" in provider:
            return calc_price(
                NoUsage(), model, provider_api_url=provider, genai_request_timestamp=when
            )
        return calc_price(NoUsage(), model, provider_id=provider, genai_request_timestamp=when)
    except LookupError:
        return None


def _flat(listed: PriceCalculation, day: dt.datetime) -> Price:
    from genai_prices.types import TieredPrices

    def base(key: str) -> float | None:
        rate = getattr(listed.model_price, key)
        if rate is None:
            return None
        return float(rate.base if isinstance(rate, TieredPrices) else rate)

    return Price(
        input=base("input_mtok"),
        cached=base("cache_read_mtok"),
        cache_write=base("cache_write_mtok"),
        output=base("output_mtok"),
        source=f"genai-prices {version('genai-prices')}",
        date=day.date().isoformat(),
    )
