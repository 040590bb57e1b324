"""GPUs are lent whole, in order, and come back whatever happens to their borrower."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest

from agent.local.accelerators import Accelerators, visible_gpus


class Borrower:
    """Borrows in a task of its own, and keeps what it got until it is told to leave."""

    def __init__(self, accelerators: Accelerators, count: int) -> None:
        self.gpus: tuple[str, ...] | None = None
        self._leave = asyncio.Event()
        self.task = asyncio.create_task(self._borrow(accelerators, count))

    async def _borrow(self, accelerators: Accelerators, count: int) -> None:
        async with accelerators.lend(count) as self.gpus:
            await self._leave.wait()

    async def leave(self) -> None:
        self._leave.set()
        await self.task
        await settled()


async def settled() -> None:
    """Let every task run as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_what_fits_runs_at_once_on_different_gpus() -> None:
    there = Accelerators(["0", "1", "2"])
    one, two = Borrower(there, 1), Borrower(there, 2)
    await settled()
    assert (one.gpus, two.gpus) == (("0",), ("1", "2"))
    await one.leave()
    await two.leave()


async def test_a_processor_is_lent_to_one_at_a_time() -> None:
    there = Accelerators()
    one, two = Borrower(there, 1), Borrower(there, 1)
    await settled()
    assert (one.gpus, two.gpus) == ((), None)
    await one.leave()
    assert two.gpus == ()
    await two.leave()


async def test_a_large_one_is_not_starved_by_small_ones_that_came_after_it() -> None:
    there = Accelerators(["0", "1"])
    first, large, small = Borrower(there, 1), Borrower(there, 2), Borrower(there, 1)
    await settled()
    assert (large.gpus, small.gpus) == (None, None)
    await first.leave()
    assert (large.gpus, small.gpus) == (("0", "1"), None)
    await large.leave()
    assert small.gpus == ("0",)
    await small.leave()


async def test_one_that_gives_up_waiting_lets_the_next_one_through() -> None:
    there = Accelerators(["0", "1"])
    first, large, small = Borrower(there, 1), Borrower(there, 2), Borrower(there, 1)
    await settled()
    large.task.cancel()
    await settled()
    assert small.gpus == ("1",)
    await first.leave()
    await small.leave()


async def test_one_that_is_cancelled_as_its_turn_comes_keeps_nothing() -> None:
    there = Accelerators(["0"])
    first, second, third = (Borrower(there, 1) for _ in range(3))
    await settled()
    # Its GPU is handed to the second in this step, and the second is cancelled in the same.
    first.task.cancel()
    asyncio.get_running_loop().call_soon(second.task.cancel)
    await settled()
    assert third.gpus == ("0",)
    await third.leave()


async def test_whoever_fails_or_is_cancelled_all_gpus_come_back() -> None:
    there = Accelerators([str(number) for number in range(4)])
    held: set[str] = set()
    draw = random.Random(0)

    async def borrow() -> None:
        async with there.lend(draw.randint(1, 4)) as gpus:
            assert not held & set(gpus)
            held.update(gpus)
            try:
                await asyncio.sleep(draw.random() / 1000)
                if draw.random() < 0.3:
                    raise OSError
            finally:
                held.difference_update(gpus)

    tasks = [asyncio.create_task(borrow()) for _ in range(300)]
    while not all(task.done() for task in tasks):
        draw.choice(tasks).cancel()
        await asyncio.sleep(0.001)
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} <= {type(None), OSError, asyncio.CancelledError}
    async with asyncio.timeout(5), there.lend(4) as gpus:
        assert gpus == ("0", "1", "2", "3")


@pytest.mark.parametrize(
    ("named", "gpus"),
    [
        (None, ("0", "1", "2")),
        ("2,0", ("2", "0")),
        ("GPU-5a1c, 1", ("GPU-5a1c", "1")),
        ("", ()),
        ("-1", ()),
        ("0,7,1", ("0",)),
    ],
)
def test_the_gpus_are_those_that_cuda_leaves_this_process(
    named: str | None,
    gpus: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    smi = tmp_path / "nvidia-smi"
    smi.write_text('#!/bin/sh\nfor n in 0 1 2; do echo "GPU $n: NVIDIA H200 (UUID: x)"; done\n')
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if named is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert visible_gpus() == gpus


def test_a_machine_without_nvidia_has_no_gpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert visible_gpus() == ()
