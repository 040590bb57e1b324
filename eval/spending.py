"""What requests used, and what that costs at the price that each of them had.

Where all have the same, that is one sum of all; what is unknown stays unknown.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import reduce
from typing import Self

from agent.backend import Usage
from agent.price import Price
from eval import cost

Clock = Callable[[], dt.datetime]
"""Tells the time, with its time zone."""


def utc_now() -> dt.datetime:
    """Tell the time."""
    return dt.datetime.now(dt.UTC)


class Spending:
    """A sum of usages, kept by the price that held for each. Adds up with `+=`."""

    def __init__(self, price: Price, now: Clock = utc_now) -> None:
        """`now` is asked when a usage is booked, which is when its request is over."""
        self._price = price
        self._now = now
        self._by_price: dict[Price, Usage] = {}

    def book(self, used: Usage) -> None:
        """Add what one request used that was sent `used.seconds` ago."""
        sent = self._now() - dt.timedelta(seconds=used.seconds)
        self._add(self._price.at(sent, used.input_tokens), used)

    def __iadd__(self, other: Spending) -> Self:
        for price, used in other._by_price.items():
            self._add(price, used)
        return self

    @property
    def usage(self) -> Usage:
        """All that was used."""
        return sum(self._by_price.values(), Usage())

    @property
    def cost(self) -> float | None:
        """US dollars for it, None when the price is unknown."""
        nothing = {self._price: Usage()}
        return reduce(
            cost.add, (price.cost(used) for price, used in (self._by_price or nothing).items())
        )

    def _add(self, price: Price, used: Usage) -> None:
        self._by_price[price] = self._by_price.get(price, Usage()) + used
