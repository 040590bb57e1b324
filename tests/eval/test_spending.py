"""Each request is booked at the price of the time when it was sent, whenever it is over."""

from __future__ import annotations

import datetime as dt

import pytest

from agent.backend import Usage
from agent.price import UNKNOWN, Price, differing
from eval.spending import Spending

NIGHT, DAY = Price(input=1.0, output=1.0), Price(input=2.0, output=2.0)
PRICE = differing([NIGHT, DAY], lambda when, _: NIGHT if when.hour < 6 else DAY)
MILLION = Usage(output_tokens=1_000_000, calls=1)


class Watch:
    """A clock that is set by hand."""

    def __init__(self, hour: int, minute: int = 0) -> None:
        self.at(hour, minute)

    def at(self, hour: int, minute: int = 0) -> None:
        self.time = dt.datetime(2026, 12, 1, hour, minute, tzinfo=dt.UTC)

    def __call__(self) -> dt.datetime:
        return self.time


def test_requests_of_several_hours_cost_what_each_of_them_did() -> None:
    watch = Watch(1)
    spending = Spending(PRICE, watch)
    spending.book(MILLION)
    watch.at(12)
    spending.book(MILLION)
    assert spending.cost == pytest.approx(1.0 + 2.0)
    assert spending.usage == MILLION + MILLION


@pytest.mark.parametrize(("seconds", "cost"), [(59.0, 2.0), (61.0, 1.0)])
def test_what_counts_is_when_it_was_sent(seconds: float, cost: float) -> None:
    spending = Spending(PRICE, Watch(6, 1))
    spending.book(Usage(output_tokens=1_000_000, seconds=seconds))
    assert spending.cost == pytest.approx(cost)


def test_sums_of_requests_add_up() -> None:
    watch = Watch(1)
    whole, one = Spending(PRICE, watch), Spending(PRICE, watch)
    whole.book(MILLION)
    watch.at(12)
    one.book(MILLION)
    whole += one
    assert [whole.cost, one.cost] == pytest.approx([3.0, 2.0])
    assert whole.usage.calls == 2


def test_what_the_provider_billed_itself_counts_at_any_hour() -> None:
    watch = Watch(1)
    spending = Spending(PRICE, watch)
    for hour, listed in ((1, 1.0), (12, 2.0)):
        watch.at(hour)
        billed = Usage(
            output_tokens=1_000_000, calls=1, billed_calls=1, billed=0.25, billed_at_list=listed
        )
        spending.book(billed)
    assert spending.cost == pytest.approx(0.5)


def test_without_a_price_a_bill_counts_beside_what_used_nothing() -> None:
    spending = Spending(UNKNOWN)
    assert spending.cost is None
    spending.book(Usage(calls=1, seconds=1.0))
    spending.book(Usage(output_tokens=5, calls=1, billed_calls=1, billed=0.25))
    assert spending.cost == 0.25
    spending.book(Usage(output_tokens=5, calls=1, unbilled_calls=1))
    assert spending.cost is None
