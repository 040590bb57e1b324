"""What the recorder is given is durable when it returns; what it tells is what the store knows."""

from __future__ import annotations

import asyncio
import dataclasses
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from agent.backend import Usage
from agent.strategy import Proposal
from eval.recorder import Recorder
from eval.sample import Judged, Sample, SampleKey
from eval.store import Store, StoreError
from eval.verdict import Verdict


def sample(index: int) -> Sample:
    return Sample(
        key=SampleKey(task_id=f"t{index % 3}", model="m", strategy="s", index=index),
        proposal=Proposal(
            patch=f"patch {index}",
            stop="patch",
            note="",
            usage=Usage(),
            seconds=0.0,
            prompt_digest="",
            trajectory=(),
        ),
        strategy_version="1",
        seed=None,
        temperature=0.0,
        cost=None,
    )


def judged(index: int) -> Judged:
    return Judged(
        key=sample(index).key,
        verdict_key=f"v{index % 2}",
        verdict=Verdict(outcome="resolved" if index % 2 else "unresolved", log=f"log {index % 2}"),
    )


async def test_what_is_added_is_there_when_it_returns(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        async with Recorder(store) as recorder:

            async def record(index: int) -> None:
                await recorder.add(sample(index))
                assert store.patch(sample(index).key) == f"patch {index}"
                await recorder.add(judged(index))
                assert store.judged(sample(index).key) == judged(index).verdict

            await asyncio.gather(*map(record, range(50)))
        assert len(list(store.rows())) == 50


async def test_what_nobody_waits_for_any_more_is_kept(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        async with Recorder(store) as recorder:
            adding = [asyncio.create_task(recorder.add(sample(index))) for index in range(9)]
            await asyncio.sleep(0)
            for task in adding:
                task.cancel()
            await asyncio.wait(adding)
        assert len(list(store.rows())) == 9


async def test_a_verdict_that_is_kept_already_is_only_referred_to(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        async with Recorder(store) as recorder:
            for index in (1, 3):
                await recorder.add(sample(index))
            await recorder.add(judged(1))
            again = dataclasses.replace(
                judged(3), verdict=Verdict(outcome="resolved"), is_kept=True
            )
            await recorder.add(again)
        assert store.judged(sample(3).key) == judged(1).verdict


@pytest.mark.parametrize(
    ("table", "ask"),
    [
        ("samples", lambda recorder, index: recorder.add(sample(index))),
        ("verdicts", lambda recorder, index: recorder.verdict(f"v{index}")),
    ],
)
async def test_a_store_that_cannot_be_used_is_told_to_all_who_wait(
    tmp_path: Path, table: str, ask: Callable[[Recorder, int], Awaitable[object]]
) -> None:
    with Store(tmp_path / "run") as store:
        with sqlite3.connect(tmp_path / "run" / "run.db") as other:
            other.execute(f"DROP TABLE {table}")
        other.close()
        async with Recorder(store) as recorder:
            results = await asyncio.gather(
                *(ask(recorder, index) for index in range(3)), return_exceptions=True
            )
    assert [type(result) for result in results] == [StoreError] * 3


async def test_patches_are_fetched_for_many_at_once(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        async with Recorder(store) as recorder:
            await asyncio.gather(*(recorder.add(sample(index)) for index in range(9)))
            found = await asyncio.gather(*(recorder.patch(sample(i).key) for i in range(9)))
    assert found == [f"patch {index}" for index in range(9)]


async def test_verdicts_are_looked_up_as_they_were_added(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        async with Recorder(store) as recorder:
            assert await recorder.verdict("v0") is None
            for index in (0, 1):
                await recorder.add(sample(index))
                await recorder.add(judged(index))
            found = await asyncio.gather(*map(recorder.verdict, ["v1", "none", "v0", "v1"]))
    kept = [dataclasses.replace(judged(index).verdict, log="") for index in (0, 1)]
    assert found == [kept[1], None, kept[0], kept[1]]


@pytest.mark.parametrize("count", [0, 1])
async def test_a_recorder_that_was_given_little_ends_at_once(tmp_path: Path, count: int) -> None:
    with Store(tmp_path) as store:
        async with Recorder(store) as recorder:
            for index in range(count):
                await recorder.add(sample(index))
        assert len(list(store.rows())) == count
