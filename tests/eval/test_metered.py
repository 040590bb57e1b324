"""What a sample asks of a model is booked whole, and is asked anew where it was cut too short."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

import pytest

from agent.backend import Message, Sampling, Usage
from agent.endpoint.attempt import Timing
from agent.endpoint.openai import OpenAIBackend
from agent.price import Price, differing
from eval.budget import Budget, Budgets
from eval.metered import LEAST_ANSWER, BudgetSpentError, MeteredBackend
from tests.agent.loopback import Asked, Endpoint, Reply, completion

PROMPT = [Message(role="user", content="def f(x): return x")]
# A dollar for a million output tokens, and nothing for the prompt.
PRICE = Price(input=0.0, output=1.0)


def _backend(server: Endpoint, **options: Any) -> OpenAIBackend:
    return OpenAIBackend(
        name="m",
        model="model",
        base_url=server.url,
        context_window=131_072,
        timing=Timing(first_wait=0.001),
        **options,
    )


def _metered(backend: OpenAIBackend, budgets: Budgets | None = None) -> MeteredBackend:
    return MeteredBackend(backend, PRICE, budgets or Budgets(), "t0")


def _cut(tokens: int) -> Reply:
    """Return an answer that thought until its limit."""
    usage = {
        "prompt_tokens": 11,
        "completion_tokens": tokens,
        "total_tokens": 11 + tokens,
        "completion_tokens_details": {"reasoning_tokens": tokens},
    }
    return Reply(body=completion(None, finish="length", usage=usage))


def _limits(server: Endpoint) -> list[int]:
    return [asked.body["max_tokens"] for asked in server.completions]


async def test_a_model_that_turns_out_to_think_is_asked_again_with_room_for_it() -> None:
    booked: list[Usage] = []
    with Endpoint(_cut(4_096)) as server:
        async with _backend(server) as backend:
            metered = _metered(backend)
            got = await metered.complete(PROMPT, Sampling(), book=booked.append)
            assert (got.text, got.stop) == ("done", "stop")
            await metered.complete(PROMPT, Sampling())
    # Once it is known, no answer is lost to it.
    assert _limits(server) == [4_096, 32_768, 32_768]
    assert metered.usage.output_tokens == 4_096 + 3 + 3
    assert sum(booked, Usage()).output_tokens == 4_096 + 3
    assert metered.sent["max_tokens"] == 32_768


async def test_a_limit_that_the_user_gave_is_kept() -> None:
    with Endpoint(_cut(500)) as server:
        async with _backend(server) as backend:
            got = await _metered(backend).complete(PROMPT, Sampling(max_tokens=500))
    assert got.stop == "length"
    assert _limits(server) == [500]


async def test_an_answer_that_is_cut_at_the_whole_limit_is_an_answer() -> None:
    with Endpoint(otherwise=_cut(32_768)) as server:
        async with _backend(server, thinks=True) as backend:
            got = await _metered(backend).complete(PROMPT, Sampling())
    assert got.stop == "length"
    assert _limits(server) == [32_768]


async def test_a_limit_that_nobody_gave_is_lowered_to_fit_and_what_it_cuts_is_asked_anew() -> None:
    def thinking(asked: Asked) -> Reply:
        limit = asked.body["max_tokens"]
        return Reply() if limit > 4_096 else _cut(limit)

    with Endpoint(otherwise=thinking) as server:
        async with _backend(server, thinks=True) as backend:
            # Enough for a short answer, and for the whole limit never.
            small = Budgets(Budget(PRICE.bound(0, 5_000)))
            with pytest.raises(BudgetSpentError):
                await _metered(backend, small).complete(PROMPT, Sampling())
    assert _limits(server) == [4_096]
    assert small.run.spent == pytest.approx(4_096 / 1e6)
    assert small.run.limit is not None
    assert small.run.spent <= small.run.limit


async def test_no_limit_is_lowered_to_next_to_nothing() -> None:
    with Endpoint() as server:
        async with _backend(server) as backend:
            tiny = Budgets(Budget(PRICE.bound(0, LEAST_ANSWER - 1)))
            with pytest.raises(BudgetSpentError):
                await _metered(backend, tiny).complete(PROMPT, Sampling())
    assert server.completions == []


async def test_what_a_cancelled_request_may_be_billed_is_booked() -> None:
    with Endpoint(Reply(delay=30.0)) as server:
        async with _backend(server) as backend:
            budgets = Budgets(Budget(1.0))
            metered = _metered(backend, budgets)
            task = asyncio.create_task(metered.complete(PROMPT, Sampling(max_tokens=500)))
            await asyncio.to_thread(server.got_one.wait, 30)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    assert (metered.usage.calls, metered.usage.estimated_calls) == (1, 1)
    assert metered.usage.output_tokens == 500
    assert budgets.run.spent == pytest.approx(500 / 1e6)
    # Nothing stays set aside.
    assert await budgets.run.reserve(0.999)


NIGHT, DAY = Price(input=0.0, output=1.0), Price(input=0.0, output=2.0)
HOURLY = differing([NIGHT, DAY], lambda when, _: NIGHT if when.hour < 6 else DAY)


async def test_each_request_of_a_sample_is_booked_at_the_price_of_its_hour() -> None:
    hours = [3, 3, 12, 12]

    def now() -> dt.datetime:
        return dt.datetime(2026, 12, 1, hours[0], 30, tzinfo=dt.UTC)

    with Endpoint() as server:
        async with _backend(server) as backend:
            budgets = Budgets(Budget(1.0))
            metered = MeteredBackend(backend, HOURLY, budgets, "t0", now=now)
            for _ in range(4):
                await metered.complete(PROMPT, Sampling(max_tokens=100))
                hours.pop(0)
    # Three tokens each.
    assert metered.cost == pytest.approx((2 * 3 * 1.0 + 2 * 3 * 2.0) / 1e6)
    assert budgets.run.spent == pytest.approx(metered.cost)
    assert metered.usage.calls == 4


async def test_the_dearest_hour_is_reserved_also_in_a_cheap_one() -> None:
    night = dt.datetime(2026, 12, 1, 3, tzinfo=dt.UTC)
    with Endpoint() as server:
        async with _backend(server) as backend:
            enough_for_the_night = Budgets(Budget(NIGHT.bound(0, 500)))
            metered = MeteredBackend(backend, HOURLY, enough_for_the_night, "t0", now=lambda: night)
            with pytest.raises(BudgetSpentError):
                await metered.complete(PROMPT, Sampling(max_tokens=500))
    assert server.completions == []
