"""A run that is kept up with is counted as if read anew, and told of only when it changed."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eval.sample import Failure
from eval.store import Store
from eval.verdict import OUTCOMES
from ksolve.view import stream
from ksolve.view.figures import cells, chart, facts
from ksolve.view.rundb import UnreadableError
from ksolve.view.standing import Standing, labels
from ksolve.view.stream import events
from ksolve.view.watch import Watch
from tests.ksolve.view import made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A run that is drawn into."""
    with Store(tmp_path / "one") as store:
        store.begin(made.config(["t0", "t1", "t2"], samples=5))
        yield store


def same(a: Standing, b: Standing) -> bool:
    return (
        np.array_equal(a.counts, b.counts)
        and np.array_equal(a.tokens, b.tokens)
        and a.costs == pytest.approx(b.costs)
        and (a.failures, a.wanted, a.state) == (b.failures, b.wanted, b.state)
    )


def test_what_is_added_bit_by_bit_is_counted_as_if_read_at_once(store: Store) -> None:
    """Samples, verdicts at once and late, many looks between: the draw decides the order."""
    draw = np.random.default_rng(7)
    followed = Watch(store.folder)
    late = []
    for number in range(30):
        task, model = f"t{number % 3}", (made.SMALL, made.LARGE)[number // 3 % 2]
        which = made.key(task, number // 6, model)
        store.add_sample(made.sample(which, cost=0.01 * number))
        if draw.random() < 0.4:
            late.append(which)
        else:
            made.judge(store, which, OUTCOMES[draw.integers(len(OUTCOMES))])
        if late and draw.random() < 0.5:
            made.judge(store, late.pop(draw.integers(len(late))), "resolved")
        if draw.random() < 0.2:
            store.add_failure(Failure(key=made.key("t0", 4), stage="sample", message="m", cost=1.0))
        if draw.random() < 0.6:
            anew = Watch(store.folder)
            assert same(followed.now(), anew.now())
            anew.close()
    assert followed.now().drawn.sum() == 30
    followed.close()


def test_nothing_is_counted_while_nothing_changes(store: Store) -> None:
    watch = Watch(store.folder)
    made.add(store, made.key("t0"))
    before = watch.now()
    assert watch.now() is before
    made.add(store, made.key("t1"))
    assert watch.now() is not before
    watch.close()


def test_a_run_is_under_way_while_its_lock_is_held(tmp_path: Path) -> None:
    watch = Watch(tmp_path / "one")
    with Store(tmp_path / "one") as store:
        store.begin(made.config(["t"], models=[made.SMALL], samples=1), free=("samples",))
        assert watch.now().state == "drawing"
        store.add_sample(made.sample(made.key("t")))
    assert watch.now().state == "stopped"
    with Store(tmp_path / "one") as store:
        made.judge(store, made.key("t"))
    assert watch.now().state == "complete"
    with Store(tmp_path / "one") as store:
        store.begin(made.config(["t"], models=[made.SMALL], samples=2), free=("samples",))
        assert watch.now().wanted == (2,)
    assert watch.now().state == "stopped"
    watch.close()


def test_looking_never_keeps_a_run_from_beginning(store: Store) -> None:
    watch = Watch(store.folder)
    for _ in range(20):
        watch.now()
        assert watch.files.is_drawn_into()
    watch.close()


def test_a_run_that_is_put_in_the_place_of_another_is_read_anew(tmp_path: Path) -> None:
    made.record(tmp_path / "one")
    watch = Watch(tmp_path / "one")
    assert watch.now().issues == ("a__b-1", "a__b-2")
    shutil.rmtree(tmp_path / "one")
    with pytest.raises(UnreadableError, match="moved or removed"):
        watch.now()
    with Store(tmp_path / "one") as store:
        store.begin(made.config(["other"]))
    assert watch.now().issues == ("other",)
    watch.close()


def test_the_time_left_is_told_only_where_there_is_a_pace_to_go_by(store: Store) -> None:
    watch = Watch(store.folder)
    assert facts(watch.now())["left"] == "not known yet"
    for index in range(5):
        made.add(store, made.key("t0", index))
    at = watch.now()
    assert at.seconds_left is not None
    assert at.seconds_left > 0
    assert facts(at)["left"] == "under a minute"
    watch.close()


def test_of_an_adaptive_run_the_samples_asked_for_are_a_most(tmp_path: Path) -> None:
    with Store(tmp_path / "one") as store:
        store.begin(made.config(["t"], allocate="adaptive"))
        made.add(store, made.key("t"))
    watch = Watch(tmp_path / "one")
    assert facts(watch.now())["samples"] == "1 of up to 8"
    watch.close()


def test_shares_and_owed_samples_stay_apart(store: Store) -> None:
    made.add(store, made.key("t0", 0), "unresolved")
    made.add(store, made.key("t0", 1), None)
    made.add(store, made.key("t1", 0), None)
    watch = Watch(store.folder)
    at = watch.now()
    assert cells(at) == {"0.0": ("0/1", "0"), "1.0": ("1 owed", "none")}
    assert facts(at)["verdicts"] == "1 of 3"
    assert "0%" in str(chart(at))
    watch.close()


def test_solvers_are_called_by_the_shortest_name_that_tells_them_apart() -> None:
    assert labels([("vllm:/m/qwen", "oneshot"), ("openai:gpt", "oneshot")]) == ["qwen", "gpt"]
    assert labels([("a:x", "s"), ("b:x", "s")]) == ["a:x", "b:x"]
    assert labels([("a:x", "s"), ("a:x", "loop")]) == ["x (s)", "x (loop)"]


async def told(messages: Any) -> dict[str, Any]:
    """Return the next message of a stream that is not a comment."""
    while True:
        text = await asyncio.wait_for(anext(messages), timeout=20)
        fields = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
        if "data" in fields:
            return {"event": fields["event"], "id": fields.get("id"), **json.loads(fields["data"])}


async def test_a_stream_tells_everything_once_and_then_only_what_changed(store: Store) -> None:
    made.add(store, made.key("t0"))
    watch, stopping = Watch(store.folder), asyncio.Event()
    messages = events(watch, "at another moment", stopping)
    first = await told(messages)
    assert (first["event"], first["state"]) == ("standing", "drawing")
    assert first["cells"] == {"0.0": ["1/1", "5"]}
    assert first["texts"]["solved"] == "1 of 3"
    made.add(store, made.key("t2", 0, made.LARGE), "unresolved")
    second = await told(messages)
    assert second["cells"] == {"2.1": ["0/1", "0"]}
    assert second["values"]["judged"] == 2
    assert second["id"] != first["id"]
    stopping.set()
    assert [text async for text in messages] == []
    watch.close()


async def test_a_stream_says_nothing_to_a_page_that_knows_already(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT", 0.0)
    watch, stopping = Watch(store.folder), asyncio.Event()
    messages = events(watch, watch.now().moment, stopping)
    assert [await anext(messages) for _ in range(3)] == [
        "retry: 2000\n\n",
        *[": still here\n\n"] * 2,
    ]
    stopping.set()
    await messages.aclose()
    watch.close()


async def test_a_stream_ends_with_the_run_whose_folder_vanishes(store: Store) -> None:
    watch = Watch(store.folder)
    messages = events(watch, "", asyncio.Event())
    assert (await told(messages))["event"] == "standing"
    shutil.rmtree(store.folder)
    gone = await told(messages)
    assert gone["event"] == "gone"
    assert "moved or removed" in gone["said"]
    assert [text async for text in messages] == []
    watch.close()
