"""A budget is a limit, also with many requests in flight."""

from __future__ import annotations

import asyncio
import random

from eval.budget import Budget


async def test_without_a_limit_nothing_waits_and_spending_is_counted() -> None:
    budget = Budget(None)
    assert await budget.reserve(1e9)
    await budget.settle(1e9, 3.0)
    assert budget.spent == 3.0


async def test_what_does_not_fit_waits_for_what_is_in_flight() -> None:
    budget = Budget(1.0)
    assert await budget.reserve(0.8)
    second = asyncio.create_task(budget.reserve(0.5))
    await asyncio.sleep(0)
    assert not second.done()
    await budget.settle(0.8, 0.1)
    assert await second


async def test_a_request_is_refused_when_nothing_in_flight_can_make_room() -> None:
    budget = Budget(1.0, spent=0.9)
    assert not await budget.reserve(0.2)
    assert await budget.reserve(0.1)


async def test_what_is_spent_never_passes_the_limit() -> None:
    budget = Budget(1.0)
    chance = random.Random(3)

    async def request() -> None:
        bound = chance.uniform(0.01, 0.2)
        if await budget.reserve(bound):
            await asyncio.sleep(0)
            await budget.settle(bound, bound * chance.random())
            assert budget.spent <= 1.0

    await asyncio.gather(*(request() for _ in range(200)))
    assert 0.5 < budget.spent <= 1.0
