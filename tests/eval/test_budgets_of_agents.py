"""Budgets of runs, issues and samples, kept by strategies that ask many times.

The backend charges a dollar an output word, and answers with as many words as it may.
"""

from __future__ import annotations

import asyncio
import dataclasses
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.backend import Backend, LimitReachedError, Message, Sampling, Usage
from agent.models import Model
from agent.price import Price
from agent.scripted import ScriptedBackend
from agent.strategy import Proposal, ProposalStop
from eval.budget import Budget, Budgets
from eval.fake import evaluating
from eval.plan import Plan, Solver
from eval.sample import Sample
from eval.store import Store
from eval.sweep import Sweep
from sandbox.fake import FakeHost
from sandbox.sandbox import SandboxHost
from tasks.task import EXIT_CODE_PARSER, Issue, Oracle, Task

WORDS = 4
REQUESTS = 5
TASKS = 3
SAMPLES = 4
PRICE = Price(input=0.0, output=1_000_000.0)
WHOLE = float(WORDS * REQUESTS)
# Dollars that one sample costs when nothing ends it.
BOUND = PRICE.bound(1, WORDS) or 0.0
# Dollars that are reserved for one request, lost attempts included.


class Asking:
    """Asks five times, and ends with what it has where there is no money for more."""

    name = "asking"
    version = "1"

    async def propose(
        self,
        issue: Issue,
        backend: Backend,
        sandboxes: SandboxHost,
        sampling: Sampling,
    ) -> Proposal:
        usage = Usage()
        stop: ProposalStop = "empty"
        for _ in range(REQUESTS):
            try:
                question = Message(role="user", content=issue.id)
                usage += (await backend.complete([question], sampling)).usage
            except LimitReachedError:
                stop = "money"
                break
        return Proposal(
            patch="",
            stop=stop,
            note="",
            usage=usage,
            seconds=0.0,
            prompt_digest="",
            trajectory=(),
        )


def plan(in_flight: int = 1) -> Plan:
    backend = ScriptedBackend(lambda *_: "word " * 100, in_flight=in_flight)
    solver = Solver(
        model=Model(name="m", backend=backend, price=PRICE),
        strategy=Asking(),
        sampling=Sampling(max_tokens=WORDS),
    )
    tasks = [
        Task(
            issue=Issue(id=f"t{n}", statement="s", repo="r", base_commit="c", image=f"i{n}"),
            oracle=Oracle(
                eval_script="run",
                fail_to_pass=("t",),
                pass_to_pass=(),
                log_parser=EXIT_CODE_PARSER,
            ),
        )
        for n in range(TASKS)
    ]
    return Plan(tasks=tasks, solvers=[solver], samples=SAMPLES)


async def sweep(store: Store, budgets: Budgets, in_flight: int = 1) -> Sweep:
    host = FakeHost(evaluating(lambda _: True))
    swept = Sweep(plan(in_flight), store, host, budgets=budgets)
    await swept.run()
    return swept


async def test_a_sample_ends_at_its_own_budget_with_what_it_has(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        await sweep(store, Budgets(per_sample=2 * WORDS + BOUND - 1))
        assert {row.cost for row in store.rows()} == {2.0 * WORDS}
        assert len(list(store.rows())) == TASKS * SAMPLES
        assert store.failures() == []


async def test_an_issue_draws_no_more_once_its_budget_is_spent_and_the_others_go_on(
    tmp_path: Path,
) -> None:
    limit = WHOLE + BOUND + WORDS
    with Store(tmp_path) as store:
        swept = await sweep(store, Budgets(per_issue=limit), in_flight=4)
        spent = store.spent_by_issue()
        assert swept.issues_spent == {"t0", "t1", "t2"}
        assert not swept.budget_spent
        assert all(limit - BOUND < amount <= limit for amount in spent.values())


@pytest.mark.parametrize("in_flight", [1, 3, 16])
async def test_a_run_never_passes_its_budget_and_books_what_it_breaks_off(
    tmp_path: Path, in_flight: int
) -> None:
    limit = 3 * WHOLE + BOUND + WORDS
    with Store(tmp_path) as store:
        swept = await sweep(store, Budgets(Budget(limit)), in_flight=in_flight)
        assert swept.budget_spent
        assert limit - BOUND < store.spent() <= limit
        # Whole samples, and parts of samples that are pending again.
        assert {row.cost for row in store.rows()} <= {WHOLE}
        assert sum(failed.cost or 0.0 for failed in store.failed().values()) > 0
        assert store.failures() == []  # It is no fault of anything.
        await sweep(store, Budgets(Budget(1e6, spent=store.spent())), in_flight=in_flight)
        assert len(list(store.rows())) == TASKS * SAMPLES
        assert store.failures() == []


async def test_what_an_issue_cost_in_earlier_sessions_counts(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        await sweep(store, Budgets(per_issue=1.5 * WHOLE))
        before = store.spent()
        budgets = Budgets(per_issue=1.5 * WHOLE, spent_by_issue=store.spent_by_issue())
        await sweep(store, budgets)
        assert store.spent() == before


async def test_a_sample_that_cannot_pay_its_first_request_is_none(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        await sweep(store, Budgets(per_sample=BOUND / 2))
        assert list(store.rows()) == []
        assert {failure.cost for failure in store.failures()} == {0.0}
        await sweep(store, Budgets(per_sample=BOUND))
        assert len(list(store.rows())) == TASKS * SAMPLES


async def test_what_a_cancelled_sample_had_used_is_paid_for_and_no_fault(tmp_path: Path) -> None:
    wanted = plan(2)
    backend = ScriptedBackend(lambda *_: "word " * 100, in_flight=2, hangs_after=3)
    model = Model(name="m", backend=backend, price=PRICE)
    solvers = [dataclasses.replace(wanted.solvers[0], model=model)]
    host = FakeHost(evaluating(lambda _: True))
    with Store(tmp_path) as store:
        swept = Sweep(dataclasses.replace(wanted, solvers=solvers), store, host)
        running = asyncio.create_task(swept.run())
        await backend.hanging.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert list(store.rows()) == []
        assert store.failures() == []
        assert store.spent() == 3.0 * WORDS


async def test_a_sample_that_is_cancelled_while_it_is_written_is_paid_for_once(
    tmp_path: Path,
) -> None:
    writing = threading.Event()

    class Slow(Store):
        def add_samples(self, samples: Sequence[Sample]) -> None:
            writing.set()
            time.sleep(0.2)
            super().add_samples(samples)

    with Slow(tmp_path) as store:
        host = FakeHost(evaluating(lambda _: True))
        running = asyncio.create_task(Sweep(plan(), store, host).run())
        await asyncio.to_thread(writing.wait)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        (row,) = store.rows()
        part = sum(failed.cost or 0.0 for failed in store.failed().values())
        assert (row.cost, part < WHOLE) == (WHOLE, True)
