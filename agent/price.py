"""What a model costs: US dollars for a million tokens of each kind, or for an hour of accelerator.

Prices come from the `genai-prices` package (its bundled snapshot, offline) or from the user. An
unknown price is None all the way and never 0. A price may differ by the request, as that of a
provider with quiet hours: reserved is the dearest, booked is what held when a request was sent.
Long prompts, which some providers bill at a higher rate, are kept out by `context_window_of`, and
have their own rate where the user lets them in.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

from agent.backend import Usage
from agent.endpoint.retry import ATTEMPTS_BILLED

if TYPE_CHECKING:
    from genai_prices.types import PriceCalculation

MILLION = 1_000_000
HOUR = 3600.0

DAYS_AHEAD = 31
"""Of a price that changes on a date, so many days from now on are reserved for."""

# The amounts of a price for tokens, as genai-prices calls them.
_KEYS = ("input_mtok", "cache_read_mtok", "cache_write_mtok", "output_mtok")


class PriceError(ValueError):
    """A price given on the command line cannot be read; the message is one sentence."""


RateAt = Callable[[dt.datetime, int], "Price"]
"""Tells the price of a request by when it is sent, with a time zone, and its input tokens."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """The price of one model in US dollars. With every number None it is unknown.

    Of one that differs by the request the numbers are the dearest there are: see `differing`.
    """

    input: float | None = None
    """For a million input tokens that were not cached."""
    cached: float | None = None
    """For a million input tokens read from the provider's cache; None: as `input`."""
    cache_write: float | None = None
    """For a million input tokens put into the provider's cache; None: as `input`."""
    output: float | None = None
    """For a million output tokens, reasoning included."""
    hour: float | None = None
    """For an hour of the accelerator; then tokens are free."""
    request_seconds: float = ATTEMPTS_BILLED * 600.0
    """Accelerator seconds that are reserved for one request."""
    source: str = ""
    date: str = ""
    """The day for which the source gives it, YYYY-MM-DD."""
    rates: tuple[Price, ...] = ()
    """The prices that requests can have; () where all have the same."""
    differs_by: str = ""
    """What of a request says which of them it has: its time, its length, or both."""
    rate_at: RateAt | None = field(default=None, compare=False, repr=False)

    @property
    def known(self) -> bool:
        """Whether a cost can be computed."""
        return self.hour is not None or (self.input is not None and self.output is not None)

    def at(self, when: dt.datetime | None = None, input_tokens: int = 0) -> Price:
        """Return the price of a request that is sent at a time, now where none is given."""
        if self.rate_at is None:
            return self
        return self.rate_at(when or dt.datetime.now(dt.UTC), input_tokens)

    def cost(self, usage: Usage) -> float | None:
        """US dollars for what was used, None when the price is unknown.

        What the provider billed itself counts in place of what the list says of the same calls,
        also where that is nothing.
        """
        if self.hour is not None:
            return usage.accelerator_seconds / HOUR * self.hour
        if self.input is None or self.output is None:
            is_billed = usage.billed or usage.billed_calls
            return usage.billed if is_billed and not usage.unbilled_calls else None
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
            kinds = [("in", "input"), ("cached", "cached"), ("cache writes", "cache_write")]
            amounts = [(self._range(name), kind) for kind, name in [*kinds, ("out", "output")]]
            text = ", ".join(f"{amount} {kind}" for amount, kind in amounts if amount)
            text += " per million tokens"
            text += f", by the {self.differs_by} of the request" if self.rates else ""
        origin = ", ".join(part for part in (self.source, self.date) if part)
        return f"{text} ({origin})" if origin else text

    def _range(self, name: str) -> str:
        """Write one amount, or the least and the most that it can be; "" for none."""
        amounts = sorted({getattr(one, name) for one in self.rates or (self,)} - {None})
        return " to ".join(f"${amount:g}" for amount in dict.fromkeys(amounts[:1] + amounts[-1:]))


UNKNOWN = Price()


def differing(rates: Sequence[Price], rate_at: RateAt, by: str = "time") -> Price:
    """Return a price that differs by the request: each has one of `rates`, all known."""

    def dearest(name: str) -> float:
        plain = [one.input or 0.0 for one in rates]
        given = [getattr(one, name) for one in rates]
        return max(b if a is None else a for a, b in zip(given, plain, strict=True))

    return Price(
        input=dearest("input"),
        cached=dearest("cached"),
        cache_write=dearest("cache_write"),
        output=dearest("output"),
        source=rates[0].source,
        date=rates[0].date,
        rates=tuple(rates),
        differs_by=by,
        rate_at=rate_at,
    )


def price_of(provider: str, model: str, window: int = 0) -> Price:
    """Look a model's price up, `UNKNOWN` when it is not listed.

    `provider` is the id that genai-prices uses, such as `openai`, or the URL of an endpoint.
    `window` are the tokens of a prompt that the user lets in, whatever these cost.
    """
    today = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    moments = [today + dt.timedelta(minutes=30 * n) for n in range(48)]
    moments += [today + dt.timedelta(days=n) for n in range(1, DAYS_AHEAD)]
    lengths = [0, *(step + 1 for step in _steps(provider, model) if step < window)]
    rate_at = partial(_rate_at, provider, model, today)
    rates = tuple(dict.fromkeys(rate_at(at, length) for at in moments for length in lengths))
    if len(rates) == 1 or not all(rate.known for rate in rates):
        return rate_at(dt.datetime.now(dt.UTC), 0)
    by = [("time", len({rate_at(at, 0) for at in moments})), ("length", len(lengths))]
    return differing(rates, rate_at, " and ".join(what for what, count in by if count > 1))


def context_window_of(provider: str, model: str) -> int | None:
    """Tokens that a listed model takes at its base price, None when that is not known."""
    listed = _listed(provider, model, dt.datetime.now(dt.UTC))
    window = listed.model.context_window if listed else None
    return min([*_steps(provider, model), *([window] if window else [])], default=None)


def parse_price(text: str) -> Price:
    """Read a price such as `in=0.25,cached=0.025,out=2` or `hour=0.10`. Raises PriceError.

    `cached` and `cache_write` can be left out: such tokens then cost as much as others.
    """
    wanted = (
        "write it as in=1,cached=0.1,cache_write=1.25,out=5 (US dollars a million tokens; cached "
        "and cache_write can be left out) or hour=0.10"
    )
    parts = {"in", "cached", "cache_write", "out"}
    numbers: dict[str, float] = {}
    for part in text.split(","):
        key, _, value = part.strip().partition("=")
        if key not in parts | {"hour"} or key in numbers:
            raise PriceError(f"The price {text!r} has an unexpected {part.strip()!r}: {wanted}.")
        try:
            numbers[key] = float(value)
        except ValueError:
            numbers[key] = math.nan
        if not 0.0 <= numbers[key] < math.inf:
            raise PriceError(f"The price {text!r} has no amount in {part.strip()!r}: {wanted}.")
    if set(numbers) != {"hour"} and set(numbers) | {"cached", "cache_write"} != parts:
        raise PriceError(f"The price {text!r} is not complete: {wanted}.")
    return Price(
        input=numbers.get("in"),
        cached=numbers.get("cached"),
        cache_write=numbers.get("cache_write"),
        output=numbers.get("out"),
        hour=numbers.get("hour"),
        source="given on the command line",
    )


def _steps(provider: str, model: str) -> list[int]:
    """Return the input tokens above which a listed model costs more, from the fewest on."""
    from genai_prices.types import TieredPrices

    listed = _listed(provider, model, dt.datetime.now(dt.UTC))
    rates = [getattr(listed.model_price, key) for key in _KEYS] if listed else []
    tiered = [rate for rate in rates if isinstance(rate, TieredPrices)]
    return sorted({tier.start for rate in tiered for tier in rate.tiers})


def _rate_at(
    provider: str, model: str, day: dt.datetime, when: dt.datetime, input_tokens: int
) -> Price:
    """Return the price that is listed for a request; `day` is that of the list."""
    listed = _listed(provider, model, when)
    return UNKNOWN if listed is None else _flat(listed, day, input_tokens)


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


def _flat(listed: PriceCalculation, day: dt.datetime, input_tokens: int) -> Price:
    from genai_prices.types import TieredPrices

    def amount(key: str) -> float | None:
        rate = getattr(listed.model_price, key)
        if isinstance(rate, TieredPrices):
            # Of a long prompt all tokens cost what its step says.
            reached = [tier.price for tier in rate.tiers if input_tokens > tier.start]
            rate = reached[-1] if reached else rate.base
        return None if rate is None else float(rate)

    plain, cached, cache_write, output = map(amount, _KEYS)
    return Price(
        input=plain,
        cached=cached,
        cache_write=cache_write,
        output=output,
        source=f"genai-prices {version('genai-prices')}",
        date=day.date().isoformat(),
    )
