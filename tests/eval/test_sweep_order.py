"""What a run that ends early covers: random issues, the same for every solver, seeds of their own.

Solvers answer at a dollar a sample; a task's repository is the first letter of its name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from agent.backend import Backend, Message, Sampling
from agent.models import Model
from agent.price import Price
from agent.scripted import ScriptedBackend
from agent.strategy import Proposal
from eval.budget import Budget, Budgets
from eval.fake import evaluating
from eval.plan import Plan, Solver
from eval.sample import SampleKey
from eval.store import Store
from eval.sweep import Sweep
from sandbox.fake import FakeHost
from sandbox.sandbox import SandboxHost
from tasks.order import shuffled
from tasks.task import Issue
from tests.eval.test_sweep import Verbatim, task

TASKS = [task(f"{repo}{number:02}") for repo in "abcd" for number in range(10)]
DOLLAR = Price(input=0.0, output=1_000_000.0)
BOUND = DOLLAR.bound(1, 1) or 0.0
SAMPLES = 2


class Asking(Verbatim):
    """Asks three times, as an agent does."""

    name = "asking"

    async def propose(
        self, issue: Issue, backend: Backend, sandboxes: SandboxHost, sampling: Sampling
    ) -> Proposal:
        for number in range(2):
            prompt = [Message(role="user", content=issue.id)]
            await backend.complete(prompt, sampling.of_request(number))
        return await super().propose(issue, backend, sandboxes, sampling.of_request(2))


class Log:
    """The requests of one session, as (issue, seed), in their order."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int | None]] = []

    def __call__(self, messages: Sequence[Message], sampling: Sampling) -> str:
        self.asked.append((messages[0].content, sampling.seed))
        return "word"


def plan(log: Log, *, seed: int = 0, samples: int = SAMPLES, in_flight: int = 1) -> Plan:
    """Two solvers of one model that differ in nothing but their names, and so in their seeds."""
    backend = ScriptedBackend(log, name="m", in_flight=in_flight)
    model = Model(name="m", backend=backend, price=DOLLAR)
    sampling = Sampling(seed=seed, max_tokens=1)
    return Plan(
        tasks=TASKS,
        solvers=[
            Solver(model=model, strategy=Verbatim(), sampling=sampling, label=label)
            for label in ("one", "other")
        ],
        samples=samples,
    )


async def session(folder: Path, of: Plan, budget: float | None = None) -> list[SampleKey]:
    """Draw until the budget ends it, and return what the run holds by then."""
    with Store(folder) as store:
        budgets = Budgets(Budget(budget, spent=store.spent()))
        await Sweep(of, store, FakeHost(evaluating(lambda _: False)), budgets=budgets).run()
        return [
            SampleKey(task_id=r.task_id, model=r.model, strategy=r.strategy, index=r.index)
            for r in store.rows()
        ]


@pytest.mark.parametrize("in_flight", [1, 4])
async def test_a_run_that_its_budget_ends_has_random_issues_the_same_for_every_solver(
    tmp_path: Path, in_flight: int
) -> None:
    paid = 64
    of = plan(Log(), in_flight=in_flight)
    drawn = await session(tmp_path, of, paid + BOUND - 1)
    assert len(drawn) >= paid - in_flight * BOUND
    cells = Counter((key.strategy, key.task_id) for key in drawn)
    whole = {
        label: {issue for (name, issue), count in cells.items() if (name, count) == (label, 2)}
        for label in ("one", "other")
    }
    # At its end some of as many issues as are in flight are drawn in part.
    assert len(whole["one"] ^ whole["other"]) <= in_flight
    assert len(whole["one"] & whole["other"]) >= len(drawn) / 4 - in_flight
    begun = {key.task_id for key in drawn}
    assert begun <= {one.id for one in shuffled(TASKS)[: len(begun) + in_flight]}
    assert Counter(name[0] for name in begun).keys() == set("abcd")


async def test_models_side_by_side_take_the_issues_in_the_same_order(tmp_path: Path) -> None:
    logs = [Log(), Log()]
    solvers = [
        Solver(
            model=Model(
                name=f"m{number}",
                backend=ScriptedBackend(log, in_flight=1, delay=0.001 * number),
                price=DOLLAR,
            ),
            strategy=Verbatim(),
            sampling=Sampling(seed=4),
        )
        for number, log in enumerate(logs)
    ]
    await session(tmp_path, Plan(tasks=TASKS, solvers=solvers, samples=1))
    for log in logs:
        assert [issue for issue, _ in log.asked] == [one.id for one in shuffled(TASKS, 4)]


async def test_another_seed_has_other_issues(tmp_path: Path) -> None:
    begun = [
        {key.task_id for key in await session(tmp_path / f"{seed}", plan(Log(), seed=seed), 40.0)}
        for seed in range(3)
    ]
    assert len({frozenset(one) for one in begun}) == 3


async def test_a_run_that_is_resumed_draws_what_an_uninterrupted_one_draws(tmp_path: Path) -> None:
    whole, parts = Log(), Log()
    at_once = await session(tmp_path / "whole", plan(whole))
    for budget in (30.0, 31.0, 90.0):
        await session(tmp_path / "parts", plan(parts), budget)
    in_parts = await session(tmp_path / "parts", plan(parts), None)
    assert sorted(in_parts) == sorted(at_once)
    assert sorted(parts.asked, key=repr) == sorted(whole.asked, key=repr)
    order = [dict.fromkeys(issue for issue, _ in log.asked) for log in (whole, parts)]
    assert list(order[0]) == list(order[1])


async def test_more_samples_are_drawn_in_the_same_order_with_seeds_of_their_own(
    tmp_path: Path,
) -> None:
    first, more = Log(), Log()
    await session(tmp_path, plan(first))
    await session(tmp_path, plan(more, samples=2 * SAMPLES))
    issues = [list(dict.fromkeys(issue for issue, _ in log.asked)) for log in (first, more)]
    assert issues[0] == issues[1] == [one.id for one in shuffled(TASKS)]
    asked = first.asked + more.asked
    assert len(set(asked)) == len(asked) == len(TASKS) * 2 * 2 * SAMPLES


def same(log: Log) -> Plan:
    return plan(log, samples=8)


def with_an_agent(log: Log) -> Plan:
    of = plan(log, samples=8)
    one, other = of.solvers
    agent = Solver(model=other.model, strategy=Asking(), sampling=other.sampling)
    return Plan(tasks=of.tasks, solvers=[one, agent], samples=8)


@pytest.mark.parametrize("made", [same, with_an_agent])
async def test_two_strategies_of_one_model_never_send_the_same_seed(
    tmp_path: Path, made: Callable[[Log], Plan]
) -> None:
    log = Log()
    await session(tmp_path, made(log))
    seeds = [seed for _, seed in log.asked]
    assert len(set(seeds)) == len(seeds)
    kept = await session(tmp_path, made(Log()))
    with Store(tmp_path) as store:
        recorded = [store.sample(key) for key in kept if key.strategy == "one"]
    assert len(recorded) == len(TASKS) * 8
    assert all(one.seed == one.sent["seed"] and one.seed in seeds for one in recorded)
