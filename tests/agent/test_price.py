"""Prices: cached tokens are charged once and cheaper, and what is unknown is never free."""

from __future__ import annotations

import datetime as dt

import genai_prices
import pytest
from genai_prices import calc_price
from hypothesis import given
from hypothesis import strategies as st

from agent.backend import Usage
from agent.endpoint.retry import ATTEMPTS_BILLED
from agent.price import (
    UNKNOWN,
    Price,
    PriceError,
    context_window_of,
    differing,
    parse_price,
    price_of,
)

API = Price(input=1.0, cached=0.1, output=4.0)


def test_cached_tokens_are_part_of_the_input_and_charged_at_their_own_price() -> None:
    usage = Usage(input_tokens=1_000_000, cached_tokens=900_000, output_tokens=500_000)
    assert API.cost(usage) == pytest.approx(0.1 + 0.09 + 2.0)


def test_cached_tokens_cost_the_full_price_where_no_other_is_known() -> None:
    usage = Usage(input_tokens=1_000_000, cached_tokens=900_000)
    assert Price(input=1.0, output=4.0).cost(usage) == pytest.approx(1.0)


def test_tokens_written_to_the_cache_cost_what_the_provider_asks_for_that() -> None:
    price = Price(input=1.0, cached=0.1, cache_write=1.25, output=4.0)
    usage = Usage(input_tokens=1_000_000, cached_tokens=200_000, cache_write_tokens=800_000)
    assert price.cost(usage) == pytest.approx(0.02 + 1.0)


def test_an_accelerator_is_paid_by_its_time_and_not_by_tokens() -> None:
    usage = Usage(input_tokens=10**9, output_tokens=10**9, accelerator_seconds=1800)
    assert Price(hour=0.5).cost(usage) == pytest.approx(0.25)


def test_an_unknown_price_is_none_and_not_zero() -> None:
    assert UNKNOWN.cost(Usage()) is None
    assert UNKNOWN.bound(1, 1) is None
    assert Price(input=1.0).cost(Usage()) is None
    assert str(UNKNOWN) == "unknown"
    assert not UNKNOWN.known


def test_a_bill_of_nothing_is_known_without_any_price() -> None:
    free = Usage(input_tokens=5, output_tokens=5, calls=1, billed_calls=1)
    assert UNKNOWN.cost(free) == 0.0
    assert UNKNOWN.cost(free + Usage(input_tokens=5, calls=1, unbilled_calls=1)) is None


def test_a_price_of_nothing_is_known() -> None:
    free = Price(input=0.0, output=0.0)
    assert free.known
    assert free.cost(Usage(input_tokens=5)) == 0.0
    assert free.bound(5, 5) == 0.0


@given(
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(0, 10**5),
    st.sampled_from([API, Price(input=1.0, cached=2.0, cache_write=3.0, output=0.5)]),
)
def test_a_request_never_costs_more_than_its_bound_even_if_an_attempt_was_lost(
    plain: int, cached: int, written: int, output: int, price: Price
) -> None:
    prompt = plain + cached + written
    attempt = Usage(
        input_tokens=prompt,
        cached_tokens=cached,
        cache_write_tokens=written,
        output_tokens=output,
    )
    cost = price.cost(sum([attempt] * ATTEMPTS_BILLED, Usage()))
    bound = price.bound(prompt, output)
    assert cost is not None
    assert bound is not None
    assert cost <= bound * (1 + 1e-9)


def test_listed_models_have_a_price_with_its_source_and_day() -> None:
    price = price_of("openai", "gpt-4o-mini")
    assert price.input
    assert price.cached
    assert price.output
    assert price.cached < price.input < price.output
    assert price.source.startswith("genai-prices ")
    assert len(price.date) == len("2026-01-31")
    assert context_window_of("openai", "gpt-4o-mini") == 128_000


def test_an_endpoint_is_known_by_its_address() -> None:
    assert price_of("https://api.deepseek.com/v1", "deepseek-chat") == price_of(
        "deepseek", "deepseek-chat"
    )


@pytest.mark.parametrize(
    ("provider", "model"),
    [("openai", "no-such-model"), ("no-such", "m"), ("http://localhost:8000/v1", "m")],
)
def test_what_is_not_listed_is_unknown(provider: str, model: str) -> None:
    assert price_of(provider, model) is UNKNOWN
    assert context_window_of(provider, model) is None


@pytest.mark.parametrize("model", ["deepseek-chat", "deepseek-v4-flash"])
def test_of_rates_by_the_hour_the_dearest_is_reserved_and_that_of_the_hour_is_booked(
    model: str,
) -> None:
    today = dt.datetime.now(dt.UTC).replace(minute=15)
    rates = {
        hour: float(
            calc_price(
                genai_prices.Usage(output_tokens=1_000_000),
                model,
                provider_id="deepseek",
                genai_request_timestamp=today.replace(hour=hour),
            ).total_price
        )
        for hour in range(24)
    }
    least, most = min(rates.values()), max(rates.values())
    assert least < most  # Else the package no longer knows of cheaper hours.
    price = price_of("deepseek", model)
    usage = Usage(output_tokens=1_000_000)
    booked = {hour: price.at(today.replace(hour=hour)).cost(usage) for hour in rates}
    assert booked == pytest.approx(rates)
    assert price.bound(0, 1_000_000) == pytest.approx(ATTEMPTS_BILLED * most)
    assert f"${least:g} to ${most:g} out per million tokens, by the time of the req" in str(price)


def test_a_price_that_changes_on_a_date_is_that_of_the_day_of_the_request() -> None:
    # Of deepseek-v4-flash the list has a change on 2026-08-17 and one on 2026-09-10, at noon.
    price = price_of("deepseek", "deepseek-v4-flash")
    days = [dt.datetime(2026, month, 1, 12, tzinfo=dt.UTC) for month in (8, 9, 10)]
    assert len({price.at(day).output for day in days}) == 3


def test_what_is_reserved_is_the_dearest_of_each_amount_among_all_rates() -> None:
    plain, odd = Price(input=2.0, output=3.0), Price(input=1.0, cached=0.5, output=5.0)
    price = differing([plain, odd], lambda when, _: odd if when.hour < 12 else plain)
    assert (price.input, price.cached, price.output) == (2.0, 2.0, 5.0)
    assert price.bound(10, 10) == pytest.approx(ATTEMPTS_BILLED * (20 + 50) / 1e6)
    assert str(price).startswith("$1 to $2 in, $0.5 cached, $3 to $5 out per million tokens, by")
    morning = dt.datetime(2026, 1, 1, 9, tzinfo=dt.UTC)
    assert price.at(morning) == odd
    assert price.at(morning.replace(hour=15)) == plain


def test_a_price_that_is_the_same_at_all_times_is_itself_at_each() -> None:
    assert API.at() is API.at(dt.datetime(2026, 1, 1, tzinfo=dt.UTC), 10**6) is API


@pytest.mark.parametrize(
    "provider", ["google", "https://generativelanguage.googleapis.com/v1beta/openai"]
)
def test_prompts_are_kept_below_where_a_providers_price_steps_up(provider: str) -> None:
    assert context_window_of(provider, "gemini-2.5-pro") == 200_000
    assert not price_of(provider, "gemini-2.5-pro").rates


def test_a_prompt_that_the_user_lets_in_above_the_step_costs_what_the_step_says() -> None:
    price = price_of("google", "gemini-2.5-pro", 1_000_000)
    below, above = price.at(None, 200_000), price.at(None, 200_001)
    assert below == price_of("google", "gemini-2.5-pro")
    listed = calc_price(
        genai_prices.Usage(input_tokens=200_001, output_tokens=1_000),
        "gemini-2.5-pro",
        provider_id="google",
    )
    long = Usage(input_tokens=200_001, output_tokens=1_000)
    assert above.cost(long) == pytest.approx(float(listed.total_price))
    assert below.cost(long) != pytest.approx(float(listed.total_price))
    assert (price.input, price.output) == (above.input, above.output)
    assert "by the length of the request" in str(price)


def test_a_price_is_read_from_the_command_line() -> None:
    assert parse_price("in=0.25, cached=0.025,out=2") == Price(
        input=0.25, cached=0.025, output=2.0, source="given on the command line"
    )
    writing = parse_price("in=1,cache_write=1.25,out=5")
    assert writing.cost(Usage(input_tokens=100, cache_write_tokens=80)) == pytest.approx(120 / 1e6)
    assert str(writing).startswith("$1 in, $1.25 cache writes, $5 out per million tokens (")
    assert parse_price("hour=0.10") == Price(hour=0.1, source="given on the command line")
    assert str(parse_price("in=1,out=2")) == (
        "$1 in, $2 out per million tokens (given on the command line)"
    )
    assert str(parse_price("hour=0.1")) == "$0.1 an accelerator hour (given on the command line)"


@pytest.mark.parametrize(
    "text",
    [
        *("", "in=1", "out=1", "cached=1", "free", "in=1;out=2", "in=1,in=2,out=1"),
        *("in=1,out=", "in=1,out=x", "in=1,out=-2", "in=1,out=nan", "in=1,out=inf"),
        *("hour=1,in=1,out=1", "hour=1,cache_write=1", "cache_write=1", "in=1,cache_write=1"),
    ],
)
def test_an_unreadable_price_is_refused_in_one_sentence_with_an_example(text: str) -> None:
    with pytest.raises(PriceError, match="write it as in=") as caught:
        parse_price(text)
    assert repr(text) in str(caught.value)
