"""A run that is kept up with is counted as if read anew, and told of only when it changed."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eval.sample import Failure
from eval.schema import Ending
from eval.store import Store
from eval.verdict import OUTCOMES, Outcome
from ksolve.view import stream
from ksolve.view import watch as watching
from ksolve.view.figures import cells, chart, facts
from ksolve.view.rundb import UnreadableError
from ksolve.view.standing import Standing
from ksolve.view.stream import Streams, events
from ksolve.view.watch import PACE, STALLED, Watch, pace
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


@pytest.mark.parametrize(
    ("ended", "outcome", "state"),
    [
        ("gave up", "unresolved", "done"),
        ("budget", "unresolved", "done"),
        ("complete", "unresolved", "done"),
        ("failed", "unresolved", "stopped"),
        (None, "unresolved", "stopped"),
        (None, "resolved", "done"),
        ("gave up", None, "stopped"),
    ],
)
def test_an_adaptive_run_that_came_to_its_end_is_done(
    tmp_path: Path, ended: Ending | None, outcome: Outcome | None, state: str
) -> None:
    config = made.config(["t"], allocate="adaptive")
    with Store(tmp_path / "one") as store:
        store.begin(config)
        made.add(store, made.key("t"), outcome)
        if ended is not None:
            store.end(ended)
    watch = Watch(tmp_path / "one")
    assert facts(watch.now())["state"] == state
    with Store(tmp_path / "one") as store:
        store.begin(config)
        assert watch.now().state == "drawing"
    # That session was killed, as far as anybody knows; what is solved stays solved.
    assert watch.now().state == ("done" if outcome == "resolved" else "stopped")
    watch.close()


def test_a_run_that_was_to_draw_all_is_stopped_when_its_budget_is_spent(store: Store) -> None:
    store.end("budget")
    store.__exit__()
    watch = Watch(store.folder)
    assert watch.now().state == "stopped"
    watch.close()


def test_there_is_no_pace_once_verdicts_have_ceased_to_come() -> None:
    seen: deque[tuple[float, int]] = deque()
    assert pace(seen, 0, now=1000.0) is None
    assert pace(seen, 10, now=1020.0) == 0.5
    assert pace(seen, 10, now=1040.0) == 0.25
    assert pace(seen, 10, now=1020.0 + STALLED) is not None
    assert pace(seen, 10, now=1021.0 + STALLED) is None
    assert pace(seen, 20, now=1200.0) == 0.1


def test_a_slow_pace_is_one_all_the_same() -> None:
    seen: deque[tuple[float, int]] = deque([(0.0, 0), (500.0, 10)])
    assert pace(seen, 10, now=590.0) == 10 / 590
    assert pace(seen, 10, now=500.0 + PACE) is None


def test_the_time_left_is_estimated_again_though_nothing_comes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "AGAIN", 0.0)
    watch = Watch(store.folder)
    watch.now()
    for index in range(5):
        made.add(store, made.key("t0", index))
    first, second = watch.now().seconds_left, watch.now().seconds_left
    assert first is not None
    assert second is not None
    assert second > first
    watch.close()


def test_shares_and_pending_samples_stay_apart(store: Store) -> None:
    made.add(store, made.key("t0", 0), "unresolved")
    made.add(store, made.key("t0", 1), None)
    made.add(store, made.key("t1", 0), None)
    watch = Watch(store.folder)
    at = watch.now()
    assert cells(at) == {"0.0": ("0/1", "0"), "1.0": ("1 pending", "none")}
    assert facts(at)["verdicts"] == "1 of 3"
    assert "0%" in str(chart(at))
    watch.close()


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
    messages = events(watch, f"{watch.now().origin}.another", stopping)
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


async def test_a_run_that_is_away_for_a_while_is_followed_when_it_is_back(store: Store) -> None:
    watch, away = Watch(store.folder), store.folder.with_name("away")
    messages = events(watch, "", asyncio.Event())
    assert (await told(messages))["event"] == "standing"
    store.folder.rename(away)
    gone = await told(messages)
    assert gone["event"] == "gone"
    assert "moved or removed" in gone["said"]
    away.rename(store.folder)
    assert (await told(messages))["event"] == "standing"
    await messages.aclose()
    watch.close()


async def test_the_page_of_a_run_in_whose_place_is_another_is_told_only_that(
    tmp_path: Path,
) -> None:
    folder = made.record(tmp_path / "one")
    watch = Watch(folder)
    page = watch.now()
    open_since_before = events(watch, page.moment, asyncio.Event())
    assert await anext(open_since_before) == "retry: 2000\n\n"
    shutil.rmtree(folder)
    with Store(folder) as store:
        store.begin(made.config(["a__b-1", "a__b-2"]))
        made.add(store, made.key("a__b-2"))
    back_after_a_while = events(watch, page.moment, asyncio.Event())
    for messages in (open_since_before, back_after_a_while):
        assert (await told(messages))["event"] == "other"
        assert [text async for text in messages] == []
    assert watch.now().counts.sum() == 1
    watch.close()


def test_a_run_that_is_written_over_in_place_is_counted_anew(tmp_path: Path) -> None:
    with Store(tmp_path / "other") as store:
        store.begin(made.config(["a__b-1", "a__b-2"]))
        made.add(store, made.key("a__b-2"))
    folder = made.record(tmp_path / "one")
    watch = Watch(folder)
    before = watch.now()
    (folder / "run.db").write_bytes((tmp_path / "other" / "run.db").read_bytes())
    after = watch.now()
    assert cells(after) == {"1.0": ("1/1", "5")}
    assert after.origin != before.origin
    watch.close()


async def test_so_many_pages_are_followed_and_no_more_until_one_is_closed(store: Store) -> None:
    watch, streams = Watch(store.folder), Streams(asyncio.Event(), most=2)

    async def visit() -> list[dict[str, Any]]:
        """Follow the run until cancelled, or refused; return what is sent."""
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Any) -> None:
            sent.append(message)
            begun.release()

        scope = {"type": "http", "asgi": {"spec_version": "2.4"}}
        await streams.answer(watch, "")(scope, receive, send)
        return sent

    begun = asyncio.Semaphore(0)
    followers = [asyncio.create_task(visit()) for _ in range(2)]
    for _ in followers:
        await begun.acquire()
    refused = (await visit())[0]
    assert refused["status"] == 503
    assert (b"retry-after", b"10") in refused["headers"]
    followers[0].cancel()
    await asyncio.wait(followers[:1])
    another = asyncio.create_task(visit())
    await asyncio.sleep(0.1)
    assert not another.done()
    for task in (followers[1], another):
        task.cancel()
    await asyncio.wait([followers[1], another])
    watch.close()
