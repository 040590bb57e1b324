"""The order that follows the verdicts, seen through its schedules: what is handed out, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import numpy as np

from agent.backend import Usage
from eval.allocation.adaptive import Allocation, Share
from eval.budget import Budget
from eval.sample import SampleKey
from eval.schedule import Arm
from eval.table import SampleRow, table_of

A: Arm = ("a", "s")
B: Arm = ("b", "s")
TASKS = ("t0", "t1", "t2", "t3")
COSTS: Mapping[Arm, float] = {A: 1.0, B: 10.0}


def row(arm: Arm, task: str, index: int, outcome: str | None, *, priced: bool = True) -> SampleRow:
    model, strategy = arm
    return SampleRow(
        task_id=task,
        model=model,
        strategy=strategy,
        index=index,
        outcome=outcome,
        usage=Usage(),
        cost=COSTS[arm] if priced else None,
        patch_digest="",
        verify_seconds=None,
    )


def allocation(
    *arms: Arm,
    samples: int = 20,
    rows: Sequence[SampleRow] = (),
    budget: float | None = None,
    tasks: Sequence[str] = TASKS,
    guesses: Mapping[Arm, float | None] | None = None,
) -> Allocation:
    drawn = {(one.model, one.strategy, one.task_id, one.index) for one in rows}
    pending = {
        arm: {task: [i for i in range(samples) if (*arm, task, i) not in drawn] for task in tasks}
        for arm in arms
    }
    known = table_of(rows, tasks=tasks, arms=arms)
    return Allocation(pending, known, budget=Budget(budget), guesses=guesses or COSTS)


async def drawn(share: Share, *, resolved: bool = False) -> SampleKey | None:
    """Draw a sample and have its verdict at once."""
    key = await share.next()
    if key is not None:
        await share.done(key, COSTS[key.model, key.strategy])
        await share.learn(key, resolved=resolved)
    return key


async def test_the_issue_with_the_fewest_failures_is_next() -> None:
    rows = [row(A, task, i, "unresolved") for n, task in enumerate(TASKS) for i in range(n + 1)]
    share = Share(allocation(A, rows=rows), [A])
    assert await share.wanted()
    tasks = [key.task_id for _ in range(6) if (key := await drawn(share)) is not None]
    # Until all have failed as often as t3 has.
    assert sorted(tasks) == ["t0", "t0", "t0", "t1", "t1", "t2"]


async def test_with_many_in_flight_issues_take_turns() -> None:
    share = Share(allocation(A), [A])
    first = [key.task_id for _ in TASKS if (key := await share.next()) is not None]
    assert sorted(first) == list(TASKS)


async def test_a_solved_issue_is_left_and_all_solved_is_the_end() -> None:
    share = Share(allocation(A, B), [A, B])
    solved = set()
    while (key := await drawn(share, resolved=True)) is not None:
        assert key.task_id not in solved
        solved.add(key.task_id)
    assert solved == set(TASKS)
    assert not await share.wanted()


async def test_without_a_budget_all_samples_of_an_unsolved_issue_are_drawn() -> None:
    share = Share(allocation(A, B, samples=6), [A, B])
    keys = []
    while (key := await drawn(share)) is not None:
        keys.append(key)
    assert len(keys) == len(set(keys)) == 2 * 6 * len(TASKS)


async def test_money_is_kept_when_it_would_hardly_solve_another() -> None:
    tasks = [f"t{n}" for n in range(30)]
    easy = [row(A, task, 0, "resolved") for task in tasks[:20]]
    hopeless = [row(A, task, i, "unresolved") for task in tasks[20:] for i in range(40)]
    for budget, goes_on in ((5.0, False), (1e6, True), (None, True)):
        known = allocation(A, rows=easy + hopeless, samples=10_000, budget=budget, tasks=tasks)
        assert await Share(known, [A]).wanted() is goes_on
        assert known.gave_up is not goes_on


async def test_the_cheaper_of_two_equal_arms_is_drawn_until_the_dearer_is_worth_it() -> None:
    rows = [row(arm, f"t{n}", 0, "resolved") for n in range(20) for arm in (A, B)]
    tasks = [f"t{n}" for n in range(24)]
    both = Share(allocation(A, B, rows=rows, tasks=tasks), [A, B])
    key = await drawn(both)
    assert key is not None
    assert key.model == "a"
    only_dear = [one for one in rows if one.model == "b"]
    failed = [row(A, f"t{n}", i, "unresolved") for n in range(24) for i in range(15)]
    after = Share(allocation(A, B, rows=only_dear + failed, tasks=tasks), [A, B])
    key = await drawn(after)
    assert key is not None
    assert key.model == "b"


async def test_unknown_prices_make_every_sample_count_the_same() -> None:
    good = [
        row(B, f"t{n}", i, "resolved" if i else "unresolved") for n in range(20) for i in range(2)
    ]
    bad = [row(A, f"t{n}", i, "unresolved") for n in range(20) for i in range(2)]
    tasks = [f"t{n}" for n in range(24)]
    known = allocation(A, B, rows=good + bad, tasks=tasks, guesses={A: None, B: 10.0})
    key = await drawn(Share(known, [A, B]))
    assert key is not None
    assert key.model == "b"


async def test_a_price_that_was_unknown_at_first_does_not_make_an_arm_free() -> None:
    tasks = [f"t{n}" for n in range(24)]
    unpriced = [row(B, f"t{n}", i, "unresolved", priced=False) for n in range(24) for i in (0, 1)]
    solved = [row(arm, f"t{n}", 2, "resolved") for n in range(20) for arm in (A, B)]
    failed = [row(A, f"t{n}", i, "unresolved") for n in range(24) for i in (0, 1)]
    key = await drawn(Share(allocation(A, B, rows=unpriced + solved + failed, tasks=tasks), [A, B]))
    assert key is not None
    assert key.model == "a"


async def test_what_it_does_next_follows_from_what_is_recorded_in_any_order() -> None:
    rng = np.random.default_rng(0)
    rows = [
        row(arm, task, i, "resolved" if rng.random() < 0.05 else "unresolved")
        for arm, count in ((A, 9), (B, 3))
        for task in TASKS
        for i in range(count)
    ]
    first = Share(allocation(A, B, rows=rows), [A, B])
    again = Share(allocation(A, B, rows=rows[::-1]), [A, B])
    for _ in range(10):
        assert (key := await drawn(first)) == await drawn(again)
        assert key is not None
        assert key.index >= (9 if key.model == "a" else 3)


async def test_drawing_waits_when_more_verdicts_are_pending_than_can_be_made_at_once() -> None:
    known = allocation(A)
    share = Share(known, [A])
    keys = [key for _ in range(2) if (key := await share.next()) is not None]
    for key in keys:
        await share.done(key, 1.0)
    waiting = asyncio.create_task(share.next())
    await asyncio.sleep(0)
    assert not waiting.done()
    await share.learn(keys[0], resolved=False)
    assert await waiting is not None


async def test_a_verdict_that_is_pending_from_before_is_waited_for() -> None:
    rows = [row(A, "t0", 0, None)]
    share = Share(allocation(A, rows=rows, samples=1, tasks=["t0"]), [A])
    waiting = asyncio.create_task(share.wanted())
    await asyncio.sleep(0)
    assert not waiting.done()
    await share.learn(SampleKey(task_id="t0", model="a", strategy="s", index=0), resolved=None)
    assert not await waiting


async def test_a_backend_that_is_closed_leaves_the_rest_to_the_others() -> None:
    known = allocation(A, B, samples=2)
    cheap, dear = Share(known, [A]), Share(known, [B])
    assert await cheap.wanted()
    waiting = asyncio.create_task(dear.wanted())
    await asyncio.sleep(0)
    assert not waiting.done()
    await cheap.close()
    assert await cheap.next() is None
    assert await waiting
    key = await drawn(dear)
    assert key is not None
    assert key.model == "b"


async def test_a_dropped_task_is_not_handed_out_again() -> None:
    share = Share(allocation(A, samples=3), [A])
    await share.drop("t1")
    tasks = set()
    while (key := await drawn(share)) is not None:
        tasks.add(key.task_id)
    assert tasks == {"t0", "t2", "t3"}
