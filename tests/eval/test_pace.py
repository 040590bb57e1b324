"""Until a task is solved, no more is drawn than can be judged, and no less."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agent.backend import Backend, BackendError, Message, Sampling
from agent.models import Model
from agent.price import Price
from agent.scripted import ScriptedBackend
from agent.strategy import Proposal
from eval.fake import evaluating
from eval.observer import Observer
from eval.pace import Pace
from eval.plan import Plan, Solver
from eval.sample import Sample, SampleKey
from eval.schedule import InOrder
from eval.store import Store
from eval.sweep import Sweep
from sandbox.fake import FakeHost
from sandbox.sandbox import Limits, Sandbox, SandboxHost
from tasks.task import EXIT_CODE_PARSER, Issue, Oracle, Task

RIGHT = "--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a = 1\n+a = 2\n"
ARM = ("m", "verbatim")


def key(index: int, model: str = "m") -> SampleKey:
    return SampleKey(task_id="t", model=model, strategy="verbatim", index=index)


def test_each_worker_judges_one_and_has_one_in_reserve() -> None:
    pace = Pace(workers=3)
    for index in range(6):
        assert not pace.is_full
        pace.begin(key(index))
    assert pace.is_full


async def test_more_are_under_way_where_a_draw_takes_longer_than_its_verdict() -> None:
    pace = Pace(workers=2)
    pace._draws.add(60.0)
    pace.judged(10.0)
    # Two are judged, and twelve could be while one is drawn.
    assert pace.limit == 14
    pace.judged(1000.0)
    assert pace.limit == 4


async def test_what_is_settled_makes_room_however_often_it_is_told() -> None:
    pace = Pace(workers=1)
    pace.begin(key(0))
    pace.expect(key(1))
    assert pace.is_full
    await pace.settle(key(0))
    await pace.settle(key(0))
    assert not pace.is_full
    pace.expect(key(1))
    assert not pace.is_full


async def test_the_schedules_of_several_models_share_one_pace() -> None:
    pace = Pace(workers=1)
    first = InOrder({ARM: {"t": [0, 1]}}, pace=pace)
    second = InOrder({("n", "verbatim"): {"t": [0, 1]}}, pace=pace)
    assert await first.next() == key(0)
    assert await second.next() == key(0, "n")
    waiting = asyncio.create_task(second.next())
    await second.done(key(0, "n"), None)
    await asyncio.sleep(0)
    assert not waiting.done()
    await pace.settle(key(0))
    assert await waiting == key(1, "n")


async def test_a_schedule_that_has_nothing_left_ends_though_verdicts_are_pending() -> None:
    pace = Pace(workers=1)
    schedule = InOrder({ARM: {"t": [0, 1]}}, pace=pace)
    for index in range(2):
        assert await schedule.next() == key(index)
        await schedule.done(key(index), None)
    assert pace.is_full
    assert await schedule.next() is None


class Verbatim:
    """A strategy whose patch is the model's answer."""

    name = "verbatim"
    version = "1"

    async def propose(
        self, issue: Issue, backend: Backend, sandboxes: SandboxHost, sampling: Sampling
    ) -> Proposal:
        completion = await backend.complete((Message(role="user", content=issue.id),), sampling)
        return Proposal(
            patch=completion.text,
            stop="patch",
            note="",
            usage=completion.usage,
            seconds=0.0,
            prompt_digest=issue.id,
            trajectory=(),
        )


class SlowTests(FakeHost):
    """Opens a sandbox only when `gate` does, as if every test run took until then."""

    gate: asyncio.Event

    @asynccontextmanager
    async def open(self, image: str, limits: Limits) -> AsyncIterator[Sandbox]:
        await self.gate.wait()
        async with super().open(image, limits) as sandbox:
            yield sandbox


class Drawn(Observer):
    """Counts samples, and opens the gate some time after the last one that came."""

    def __init__(self, gate: asyncio.Event, grace: float) -> None:
        self.count = self.before_the_first_verdict = 0
        self._gate, self._grace = gate, grace
        self._opening: asyncio.TimerHandle | None = None

    def sampled(self, sample: Sample) -> None:
        self.count += 1
        if self._opening:
            self._opening.cancel()
        self._opening = asyncio.get_running_loop().call_later(self._grace, self._open)

    def _open(self) -> None:
        if not self._gate.is_set():
            self.before_the_first_verdict = self.count
        self._gate.set()


def task() -> Task:
    return Task(
        issue=Issue(id="t", statement="mend it", repo="r", base_commit="c", image="i"),
        oracle=Oracle(
            eval_script=": '>>>>> Start Test Output'\nrun\n: '>>>>> End Test Output'\n",
            fail_to_pass=("run",),
            pass_to_pass=(),
            log_parser=EXIT_CODE_PARSER,
        ),
    )


@pytest.mark.parametrize(("workers", "in_flight"), [(1, 1), (2, 4), (2, 16), (4, 2)])
async def test_a_slow_test_is_bought_no_more_samples_than_can_be_judged_before_one_passes(
    tmp_path: Path, workers: int, in_flight: int
) -> None:
    gate = asyncio.Event()
    host = SlowTests(evaluating(lambda patch: patch == RIGHT))
    host.gate = gate
    seen = Drawn(gate, grace=0.3)

    def script(_: Sequence[Message], sampling: Sampling) -> str | BackendError:
        return RIGHT if sampling.index == 0 else RIGHT.replace("a = 2", f"a = {sampling.index} + 2")

    backend = ScriptedBackend(script, name="m", in_flight=in_flight)
    model = Model(name="m", backend=backend, price=Price(input=0.0, output=1.0))
    plan = Plan(
        tasks=[task()],
        solvers=[Solver(model=model, strategy=Verbatim(), sampling=Sampling(seed=0))],
        samples=16,
        until_solved=True,
    )
    with Store(tmp_path) as store:
        await Sweep(plan, store, host, workers=workers, observer=seen).run()
        assert store.solved() == {"t"}
    assert seen.before_the_first_verdict == 2 * workers
    assert backend.calls < 16
