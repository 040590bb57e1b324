"""A sweep that follows its verdicts: solved issues are left, money goes where it buys most."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import pytest
from sqlalchemy import select

from agent.backend import (
    BackendUnusableError,
    Book,
    Completion,
    Message,
    Sampling,
    Tool,
    no_book,
)
from agent.models import Model
from agent.price import Price
from agent.scripted import Script, ScriptedBackend
from eval.budget import Budget, Budgets
from eval.fake import evaluating
from eval.observer import Observer
from eval.plan import Plan, Solver
from eval.sample import SampleKey
from eval.schema import SESSIONS
from eval.store import Store
from eval.sweep import Sweep
from eval.verdict import Verdict
from sandbox.fake import FakeHost
from sandbox.sandbox import SandboxError
from tasks.order import shuffled
from tests.eval.test_sweep import RIGHT, WRONG, Verbatim, task

WORDS = len(RIGHT.split())
CHEAP = Price(input=0.0, output=1_000_000.0 / WORDS)
DEAR = Price(input=0.0, output=10_000_000.0 / WORDS)
# A dollar, and ten, for a patch of either kind.
LIMIT = 4 * WORDS
# Output words at most: what is reserved stays near to what is spent.


def solver(
    script: Script | ScriptedBackend, *, name: str = "m", price: Price = CHEAP, in_flight: int = 1
) -> Solver:
    backend = (
        script
        if isinstance(script, ScriptedBackend)
        else ScriptedBackend(script, name=name, in_flight=in_flight)
    )
    model = Model(name=name, backend=backend, price=price)
    return Solver(model=model, strategy=Verbatim(), sampling=Sampling(seed=0, max_tokens=LIMIT))


def solving(by_task: Callable[[str, int], bool]) -> Script:
    """Answer rightly where `by_task(issue id, index of the sample)` says so."""

    def script(messages: Sequence[Message], sampling: Sampling) -> str:
        return RIGHT if by_task(messages[0].content, sampling.index) else WRONG

    return script


def adaptive(*solvers: Solver, tasks: int, samples: int) -> Plan:
    return Plan(
        tasks=[task(f"t{n}") for n in range(tasks)],
        solvers=solvers,
        samples=samples,
        allocate="adaptive",
    )


async def sweep(
    folder: Path, plan: Plan, budget: float | None = None, observer: Observer | None = None
) -> tuple[Sweep, Counter[str]]:
    """Sweep and count the samples of each task."""
    host = FakeHost(evaluating(lambda patch: patch == RIGHT))
    with Store(folder) as store:
        begin(store, plan)
        budgets = Budgets(Budget(budget, spent=store.spent()))
        swept = Sweep(plan, store, host, budgets=budgets, observer=observer, workers=1)
        await swept.run()
        assert budget is None or store.spent() <= budget
        assert store.unverified() == []
        return swept, Counter(row.task_id for row in store.rows())


def ended(folder: Path) -> str | None:
    """Return what is on record of how the last session ended."""
    with Store(folder) as store:
        rows = store._read(select(SESSIONS.c.ended).order_by(SESSIONS.c.id))
    said: str | None = rows[-1][0]
    return said


def begin(store: Store, plan: Plan) -> None:
    arms = [[one.model.name, one.name] for one in plan.solvers]
    store.begin({"task_ids": [one.id for one in plan.tasks], "arms": arms})


class Solved(Observer):
    """Keeps what is known to be solved."""

    def __init__(self) -> None:
        self.tasks: set[str] = set()

    def verified(self, key: SampleKey, verdict: Verdict, *, reused: bool) -> None:
        if verdict.outcome == "resolved":
            self.tasks.add(key.task_id)


@pytest.mark.parametrize("in_flight", [1, 8])
async def test_no_sample_of_a_solved_issue_is_begun(tmp_path: Path, in_flight: int) -> None:
    seen = Solved()
    late: Counter[str] = Counter()

    def third(messages: Sequence[Message], sampling: Sampling) -> str:
        issue = messages[0].content
        late[issue] += issue in seen.tasks
        return RIGHT if issue != "t0" and sampling.index == 2 else WRONG

    plan = adaptive(solver(third, in_flight=in_flight), tasks=3, samples=30)
    swept, drawn = await sweep(tmp_path, plan, observer=seen)
    assert swept.solved == seen.tasks == {"t1", "t2"}
    # What was under way when the verdict came is answered all the same.
    assert all(late[name] <= in_flight for name in ("t1", "t2"))
    assert drawn["t0"] == 30
    assert all(3 <= drawn[name] < 30 for name in ("t1", "t2"))
    again = solver(third)
    await sweep(tmp_path, adaptive(again, tasks=3, samples=30))
    assert isinstance(again.model.backend, ScriptedBackend)
    assert again.model.backend.calls == 0


async def test_a_verdict_is_seen_by_nobody_before_the_schedule_knows_of_it(tmp_path: Path) -> None:
    class Late(Observer):
        def verified(self, key: SampleKey, verdict: Verdict, *, reused: bool) -> None:
            if verdict.outcome == "resolved":
                assert key.task_id in swept.solved

    host = FakeHost(evaluating(lambda patch: patch == RIGHT))
    plan = adaptive(solver(lambda *_: RIGHT), tasks=2, samples=3)
    with Store(tmp_path) as store:
        begin(store, plan)
        swept = Sweep(plan, store, host, observer=Late(), workers=1)
        await swept.run()
        assert swept.solved == {"t0", "t1"}


@pytest.mark.parametrize("in_flight", [1, 6])
async def test_the_budget_is_kept_and_a_larger_one_goes_on(tmp_path: Path, in_flight: int) -> None:
    rare = solving(lambda issue, index: index == int(issue[1:]) + 3)
    bound = CHEAP.bound(1, LIMIT)
    assert bound is not None
    first, drawn = await sweep(
        tmp_path, adaptive(solver(rare, in_flight=in_flight), tasks=6, samples=40), 10 + bound
    )
    assert first.budget_spent
    assert 10 <= drawn.total() <= 10 + bound
    assert ended(tmp_path) == "budget"
    last, more = await sweep(
        tmp_path, adaptive(solver(rare, in_flight=in_flight), tasks=6, samples=40), 1e4
    )
    assert last.solved == {f"t{n}" for n in range(6)}
    assert ended(tmp_path) == "complete"
    # A task's samples end soon after the one that solves it, though others were under way by then.
    assert all(n + 4 <= more[f"t{n}"] < 40 for n in range(6))
    assert more.total() <= sum(n + 4 for n in range(6)) + 6 * (in_flight + 3)


async def test_the_hopeless_are_given_up_only_under_a_budget(tmp_path: Path) -> None:
    easy = solving(lambda issue, _: issue not in {"t0", "t1"})
    plan = adaptive(solver(easy), tasks=24, samples=60)
    swept, drawn = await sweep(tmp_path / "budget", plan, 100.0)
    assert swept.gave_up
    assert not swept.budget_spent
    assert len(swept.solved) == 22
    assert ended(tmp_path / "budget") == "gave up"
    assert drawn["t0"] < 60
    assert drawn["t1"] < 60
    unlimited, drawn = await sweep(tmp_path / "none", plan)
    assert not unlimited.gave_up
    assert drawn["t0"] == drawn["t1"] == 60


async def test_a_run_that_ends_early_has_random_issues(tmp_path: Path) -> None:
    plan = adaptive(solver(solving(lambda *_: False)), tasks=40, samples=30)
    bound = CHEAP.bound(1, LIMIT)
    assert bound is not None
    _, drawn = await sweep(tmp_path, plan, 10 + bound)
    assert 5 < len(drawn) < 30
    assert drawn.keys() == {one.id for one in shuffled(plan.tasks)[: len(drawn)]}


async def test_models_are_mixed_the_dear_one_where_the_cheap_one_fails(tmp_path: Path) -> None:
    weak = solver(solving(lambda issue, _: int(issue[1:]) < 12), name="cheap")
    strong = solver(solving(lambda _, __: True), name="dear", price=DEAR)
    plan = adaptive(weak, strong, tasks=24, samples=30)
    with Store(tmp_path) as store:
        begin(store, plan)
        host = FakeHost(evaluating(lambda patch: patch == RIGHT))
        swept = Sweep(plan, store, host, budgets=Budgets(Budget(1_000.0)))
        await swept.run()
        by_model = Counter(row.model for row in store.rows())
        solved_by = {row.task_id: row.model for row in store.rows() if row.outcome == "resolved"}
    assert len(swept.solved) == 24
    assert {name for name, model in solved_by.items() if model == "dear"} >= {
        f"t{n}" for n in range(12, 24)
    }
    assert by_model["cheap"] >= 12
    # 12 of them are needed; how many more depends on what is in flight when a verdict comes.
    assert by_model["dear"] < 20


async def test_a_verdict_that_fails_is_not_waited_for_and_made_up_later(tmp_path: Path) -> None:
    never = solving(lambda *_: False)

    def broken(*_: object) -> None:
        raise SandboxError("the daemon is gone")

    plan = adaptive(solver(never), tasks=2, samples=2)
    with Store(tmp_path) as store:
        begin(store, plan)
        await Sweep(plan, store, FakeHost(broken)).run()  # type: ignore[arg-type]
        assert len(store.unverified()) == 4
    assert ended(tmp_path) == "failed"
    _, drawn = await sweep(tmp_path, plan)
    assert drawn == {"t0": 2, "t1": 2}


async def test_an_unusable_model_leaves_the_work_to_the_other(tmp_path: Path) -> None:
    def refused(_: Sequence[Message], __: Sampling) -> BackendUnusableError:
        return BackendUnusableError("wrong key", bad_input=True)

    bad, good = solver(refused, name="bad"), solver(solving(lambda *_: True), name="good")
    swept, drawn = await sweep(tmp_path, adaptive(bad, good, tasks=3, samples=4))
    assert set(swept.unusable) == {"bad"}
    assert ended(tmp_path) == "failed"
    assert drawn.keys() == {"t0", "t1", "t2"}


class TakingTurns(ScriptedBackend):
    """Has the machine to itself while it is entered, as servers of this machine do."""

    turn = asyncio.Lock()
    entered = 0

    async def __aenter__(self) -> Self:
        await self.turn.acquire()
        self.entered += 1
        return self

    async def __aexit__(self, *_: object) -> None:
        self.turn.release()

    async def complete(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        tools: Sequence[Tool] = (),
        *,
        book: Book = no_book,
    ) -> Completion:
        assert self.turn.locked()
        return await super().complete(messages, sampling, tools, book=book)


async def test_models_that_take_turns_make_room_for_each_other(tmp_path: Path) -> None:
    weak = TakingTurns(solving(lambda issue, _: int(issue[1:]) < 12), name="cheap", in_flight=2)
    strong = TakingTurns(solving(lambda *_: True), name="dear", in_flight=2)
    plan = adaptive(
        solver(weak, name="cheap"), solver(strong, name="dear", price=DEAR), tasks=24, samples=30
    )
    async with asyncio.timeout(60):
        swept, _ = await sweep(tmp_path, plan, 1_000.0)
    assert len(swept.solved) == 24
    assert weak.entered >= 1
    assert strong.entered >= 1
    # A server's start takes minutes, so that they do not change places at every sample.
    assert weak.entered + strong.entered <= 6


async def test_a_model_that_is_not_worth_it_is_never_started(tmp_path: Path) -> None:
    good = solver(solving(lambda *_: True), name="cheap")
    idle = TakingTurns(solving(lambda *_: True), name="dear")
    plan = adaptive(good, solver(idle, name="dear", price=DEAR), tasks=5, samples=4)
    swept, _ = await sweep(tmp_path, plan)
    assert len(swept.solved) == 5
    assert idle.entered == 0
