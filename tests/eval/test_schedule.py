"""The order of drawing: first of an issue first, nothing twice, nothing forgotten."""

from __future__ import annotations

import asyncio

from eval.schedule import Schedule


async def test_the_first_of_an_issue_goes_ahead_of_its_others() -> None:
    schedule = Schedule({"a": [0, 1, 2], "b": [0, 1]})
    assert await schedule.next() == ("a", 0)
    assert await schedule.next() == ("b", 0)
    waiting = asyncio.create_task(schedule.next())
    await asyncio.sleep(0)
    assert not waiting.done()
    await schedule.done("b")
    assert await waiting == ("b", 1)
    await schedule.done("a")
    assert [await schedule.next(), await schedule.next()] == [("a", 1), ("a", 2)]
    assert await schedule.next() is None


async def test_many_workers_draw_everything_exactly_once() -> None:
    owed = {f"t{n}": list(range(n % 4)) for n in range(30)}
    schedule = Schedule(owed)
    drawn: list[tuple[str, int]] = []

    async def worker() -> None:
        while (pair := await schedule.next()) is not None:
            await asyncio.sleep(0)
            drawn.append(pair)
            await schedule.done(pair[0])

    await asyncio.gather(*(worker() for _ in range(7)))
    assert sorted(drawn) == sorted((task, i) for task, indices in owed.items() for i in indices)


async def test_a_dropped_task_is_not_handed_out_again() -> None:
    schedule = Schedule({"a": [0, 1, 2], "b": [0]})
    assert await schedule.next() == ("a", 0)
    await schedule.drop("a")
    assert await schedule.next() == ("b", 0)
    await schedule.done("a")
    await schedule.done("b")
    assert await schedule.next() is None


async def test_closing_wakes_those_that_wait() -> None:
    schedule = Schedule({"a": [0, 1]})
    await schedule.next()
    waiting = asyncio.create_task(schedule.next())
    await asyncio.sleep(0)
    await schedule.close()
    assert await waiting is None
