"""The order of drawing: first of an issue first, nothing twice, nothing forgotten."""

from __future__ import annotations

import asyncio

from eval.sample import SampleKey
from eval.schedule import InOrder

ARM = ("m", "s")


def key(task: str, index: int, arm: tuple[str, str] = ARM) -> SampleKey:
    model, strategy = arm
    return SampleKey(task_id=task, model=model, strategy=strategy, index=index)


async def test_the_first_of_an_issue_goes_ahead_of_its_others() -> None:
    schedule = InOrder({ARM: {"a": [0, 1, 2], "b": [0, 1]}})
    assert await schedule.next() == key("a", 0)
    assert await schedule.next() == key("b", 0)
    waiting = asyncio.create_task(schedule.next())
    await asyncio.sleep(0)
    assert not waiting.done()
    await schedule.done(key("b", 0), None)
    assert await waiting == key("b", 1)
    await schedule.done(key("a", 0), None)
    assert [await schedule.next(), await schedule.next()] == [key("a", 1), key("a", 2)]
    assert await schedule.next() is None


async def test_all_solvers_take_an_issue_before_the_next_one_begins() -> None:
    other = ("m", "t")
    schedule = InOrder({ARM: {"b": [0, 1], "a": [0]}, other: {"b": [0, 1], "a": [0]}})
    assert await schedule.next() == key("b", 0)
    assert await schedule.next() == key("b", 0, other)
    await schedule.done(key("b", 0), None)
    await schedule.done(key("b", 0, other), None)
    rest = [await schedule.next() for _ in range(4)]
    assert rest == [key("b", 1), key("b", 1, other), key("a", 0), key("a", 0, other)]


async def test_of_what_is_ready_the_issue_that_was_begun_first_goes_on() -> None:
    schedule = InOrder({ARM: {"b": [0, 1, 2], "a": [0, 1]}})
    assert [await schedule.next(), await schedule.next()] == [key("b", 0), key("a", 0)]
    await schedule.done(key("a", 0), None)
    await schedule.done(key("b", 0), None)
    assert [await schedule.next() for _ in range(3)] == [key("b", 1), key("b", 2), key("a", 1)]


async def test_the_first_of_one_strategy_does_not_hold_back_another() -> None:
    other = ("m", "t")
    schedule = InOrder({ARM: {"a": [0, 1]}, other: {"a": [0, 1]}})
    assert await schedule.next() == key("a", 0)
    assert await schedule.next() == key("a", 0, other)
    await schedule.done(key("a", 0, other), None)
    assert await schedule.next() == key("a", 1, other)


async def test_many_workers_draw_everything_exactly_once() -> None:
    pending = {f"t{n}": list(range(n % 4)) for n in range(30)}
    schedule = InOrder({ARM: pending})
    drawn: list[SampleKey] = []

    async def worker() -> None:
        while (one := await schedule.next()) is not None:
            await asyncio.sleep(0)
            drawn.append(one)
            await schedule.done(one, None)

    assert await schedule.wanted()
    await asyncio.gather(*(worker() for _ in range(7)))
    assert sorted(drawn) == sorted(
        key(task, i) for task, indices in pending.items() for i in indices
    )
    assert not await schedule.wanted()


async def test_a_dropped_task_is_not_handed_out_again() -> None:
    schedule = InOrder({ARM: {"a": [0, 1, 2], "b": [0]}})
    assert await schedule.next() == key("a", 0)
    await schedule.drop("a")
    assert await schedule.next() == key("b", 0)
    await schedule.done(key("a", 0), None)
    await schedule.done(key("b", 0), None)
    assert await schedule.next() is None


async def test_a_verdict_drops_a_task_only_where_solving_it_is_all_that_is_asked() -> None:
    for until_solved in (False, True):
        schedule = InOrder({ARM: {"a": [0, 1], "b": [0]}}, until_solved=until_solved)
        assert await schedule.next() == key("a", 0)
        await schedule.learn(key("a", 0), resolved=True)
        await schedule.done(key("a", 0), None)
        assert (await schedule.next() == key("a", 1)) is not until_solved


async def test_closing_wakes_those_that_wait() -> None:
    schedule = InOrder({ARM: {"a": [0, 1]}})
    await schedule.next()
    waiting = asyncio.create_task(schedule.next())
    await asyncio.sleep(0)
    await schedule.close()
    assert await waiting is None
    assert not await schedule.wanted()
