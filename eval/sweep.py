"""The main loop: for every pending (task, model, strategy, index), sample a patch and verify it.

Sampling and verifying overlap. Sampling is limited by the requests in flight of each model,
verifying by the number of containers. A sample is durable before its verdict starts. What fails
through no fault of the model is recorded as a failure and stays pending.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import AsyncIterator, Sequence

from agent.backend import Backend, BackendError, BackendUnusableError, Usage
from agent.models import Model
from eval.allocation.adaptive import USUAL, Allocation, Share
from eval.allocation.covariates import shown
from eval.budget import Budgets
from eval.failures import told_of
from eval.metered import BudgetSpentError, MeteredBackend
from eval.observer import Observer
from eval.pace import Pace
from eval.plan import Plan, Solver
from eval.recorder import Recorder
from eval.sample import Failure, Judged, Sample, SampleKey, Stage
from eval.schedule import InOrder, Pending, Schedule
from eval.schema import Ending
from eval.store import Store, StoreError
from eval.verifier import AHEAD, Verifier
from sandbox.sandbox import SandboxError, SandboxHost
from tasks.order import shuffled

FAULTS_IN_A_ROW = 8
"""Faults of the machine, with no verdict between, after which the sweep stops rather than go on."""


class SweepHaltedError(Exception):
    """Samples fail one after another, so the sweep stopped; everything drawn is kept."""


class Sweep:
    """One session of a run: draws what is pending and then ends."""

    def __init__(
        self,
        plan: Plan,
        store: Store,
        sandboxes: SandboxHost,
        *,
        verifier: Verifier | None = None,
        budgets: Budgets | None = None,
        workers: int = 2,
        observer: Observer | None = None,
        is_part: bool = False,
    ) -> None:
        self.plan = plan
        self.unusable: dict[str, BackendUnusableError] = {}
        self.budget_spent = False
        self.issues_spent: set[str] = set()
        # Those whose own budget is spent.
        self.solved: set[str] = set()
        self._store = store
        self._recorder = Recorder(store)
        self._sandboxes = sandboxes
        self._verifier = verifier or Verifier(sandboxes, workers=workers)
        self._budgets = budgets or Budgets()
        self._verifying = AHEAD * workers
        self._observer = observer or Observer()
        # In the order of drawing.
        self._tasks = {task.id: task for task in shuffled(plan.tasks, plan.seed)}
        self._solvers = {(solver.model.name, solver.name): solver for solver in plan.solvers}
        self._unverified: asyncio.Queue[SampleKey | None] = asyncio.Queue()
        self._schedules: Sequence[Schedule] = ()
        self._allocation: Allocation | None = None
        self._pace = Pace(workers=workers)
        self._samplers: asyncio.Task[None] | None = None
        self._faults = 0
        # Whether something could not be drawn or judged, for no want of money.
        self._failed = is_part
        self._may_verify = asyncio.Event()
        self._may_verify.set()
        self._undisturbed_now = 0

    @property
    def gave_up(self) -> bool:
        """Whether money is left that would hardly have solved another task."""
        return self._allocation is not None and self._allocation.gave_up

    @property
    def ending(self) -> Ending:
        """Why nothing more is drawn, once that is so."""
        if self.unusable or self._failed:
            return "failed"
        if self.budget_spent or self.issues_spent:
            return "budget"
        return "gave up" if self.gave_up else "complete"

    async def run(self) -> None:
        """Draw and verify all that is pending.

        Raises StoreError or SweepHaltedError; what was recorded by then stays.
        """
        try:
            async with self._recorder, asyncio.TaskGroup() as group:
                self.solved |= await asyncio.to_thread(self._store.solved)
                pending = {
                    arm: await self._pending(solver) for arm, solver in self._solvers.items()
                }
                by_backend = await self._schedule(pending)
                # Asked after what is drawn: a sample that comes in between is judged all the same.
                for key in await asyncio.to_thread(self._store.unverified):
                    if key.task_id in self._tasks:
                        self._pace.expect(key)
                        self._unverified.put_nowait(key)
                for _ in range(self._verifying):
                    group.create_task(self._verify_samples())
                self._samplers = group.create_task(self._sample_all(by_backend))
                await asyncio.wait([self._samplers])
                for _ in range(self._verifying):
                    self._unverified.put_nowait(None)
        except BaseExceptionGroup as group_error:
            raise first_error(group_error) from None
        await asyncio.to_thread(self._store.end, self.ending)

    async def _schedule(self, pending: Pending) -> Sequence[tuple[Model, Schedule]]:
        """Put what is pending in order, for each backend; models take their turns in it."""
        models = [solver.model for solver in self.plan.solvers]
        if self.plan.allocate == "adaptive":
            known = await asyncio.to_thread(self._store.table)
            self._allocation = Allocation(
                pending,
                known,
                budget=self._budgets.run,
                guesses={
                    arm: one.model.price.at().cost(USUAL) for arm, one in self._solvers.items()
                },
                unjudged=self._verifying,
                covariates=shown(known.tasks, self.plan.tasks) if self.plan.former else None,
                former=self.plan.former,
            )
        scheduled: list[tuple[Model, Schedule]] = []
        for model in {id(model.backend): model for model in models}.values():
            of = {
                arm: pending[arm]
                for arm in pending
                if self._solvers[arm].model.backend is model.backend
            }
            if self._allocation:
                scheduled.append((model, Share(self._allocation, of)))
            else:
                pace = self._pace if self.plan.until_solved else None
                scheduled.append((model, InOrder(of, until_solved=bool(pace), pace=pace)))
        self._schedules = [schedule for _, schedule in scheduled]
        return scheduled

    async def _sample_all(self, scheduled: Sequence[tuple[Model, Schedule]]) -> None:
        async with asyncio.TaskGroup() as group:
            for model, schedule in scheduled:
                group.create_task(self._sample(model, schedule))

    async def _pending(self, solver: Solver) -> dict[str, list[int]]:
        drawn = await asyncio.to_thread(self._store.drawn, solver.model.name, solver.name)
        wanted = range(self.plan.samples_of(solver))
        return {
            task_id: [i for i in wanted if i not in drawn.get(task_id, ())]
            for task_id in self._tasks
            if not (self.plan.stops_at_solve and task_id in self.solved)
        }

    async def _sample(self, model: Model, schedule: Schedule) -> None:
        """Draw what is pending of one model, under all of its strategies."""
        try:
            while await schedule.wanted():
                async with (
                    model.backend,
                    self._undisturbed(model.backend),
                    asyncio.TaskGroup() as group,
                ):
                    for _ in range(model.backend.in_flight):
                        group.create_task(self._draw_pending(schedule))
        except BackendUnusableError as error:
            await schedule.close()
            self._give_up(model, error)

    async def _draw_pending(self, schedule: Schedule) -> None:
        while (key := await schedule.next()) is not None:
            model = (solver := self._solvers[key.model, key.strategy]).model
            backend = MeteredBackend(model.backend, model.price, self._budgets, key.task_id)
            try:
                async with self._failing_alone(key, "sample", backend):
                    await self._draw(solver, backend, key)
            except BudgetSpentError as error:
                await self._break_off(key, "the budget was spent before its end", backend)
                if error.issue_only:
                    self.issues_spent.add(key.task_id)
                    await self._drop(key.task_id)
                else:
                    self.budget_spent = True
                    await schedule.close()
            except BackendUnusableError as error:
                await self._break_off(key, str(error), backend, "sample")
                self._give_up(model, error)
                await schedule.close()
            finally:
                await schedule.done(key, backend.cost)

    async def _draw(self, solver: Solver, backend: MeteredBackend, key: SampleKey) -> None:
        sampling = solver.sampling_of(key)
        issue = self._tasks[key.task_id].issue
        try:
            proposal = await solver.strategy.propose(issue, backend, self._sandboxes, sampling)
        except asyncio.CancelledError:
            # The whole sweep ends here, and what this sample has used is to be paid for.
            await self._break_off(key, "it was ended before its end", backend)
            raise
        sample = Sample(
            key=key,
            # What it used is what was metered: also of requests that it gave up.
            proposal=dataclasses.replace(proposal, usage=backend.usage),
            strategy_version=solver.strategy.version,
            seed=sampling.seed,
            temperature=sampling.temperature,
            sent=backend.sent,
            cost=backend.cost,
        )
        await self._recorder.add(sample)
        self._observer.sampled(sample)
        self._unverified.put_nowait(key)

    @contextlib.asynccontextmanager
    async def _undisturbed(self, backend: Backend) -> AsyncIterator[None]:
        """Hold verification back while a model is sampled that computes on the same processor.

        Together they take longer than one after the other: the threads of a model wait for each
        other at every step, so that one that has to wait for a core stops them all.
        """
        if not backend.uses_processor or self.plan.stops_at_solve:
            yield
            return
        self._undisturbed_now += 1
        self._may_verify.clear()
        self._observer.holding(verdicts_wait=True)
        try:
            yield
        finally:
            self._undisturbed_now -= 1
            if not self._undisturbed_now:
                self._may_verify.set()
                self._observer.holding(verdicts_wait=False)

    async def _verify_samples(self) -> None:
        while (key := await self._unverified.get()) is not None:
            await self._may_verify.wait()
            if self.plan.until_solved and key.task_id in self.solved:
                await self._learn(key, resolved=None)
                continue
            async with self._failing_alone(key, "verify"):
                await self._verify(key)

    @contextlib.asynccontextmanager
    async def _failing_alone(
        self, key: SampleKey, stage: Stage, backend: MeteredBackend | None = None
    ) -> AsyncIterator[None]:
        """Record whatever goes wrong at one sample as its failure, so that no other is hurt.

        What concerns more than the sample rises: a spent budget, a model that cannot be used, a
        store that cannot be written.
        """
        try:
            yield
        except (BudgetSpentError, BackendUnusableError, StoreError):
            raise
        except Exception as error:  # noqa: BLE001 - a defect at one sample is not the others'
            self._failed = True
            await self._fail(key, stage, error, backend)

    async def _verify(self, key: SampleKey) -> None:
        task, begun = self._tasks[key.task_id], time.monotonic()
        patch = await self._recorder.patch(key)
        name = await self._verifier.key(task, patch)
        verdict = await self._recorder.verdict(name)
        reused = is_kept = verdict is not None
        if verdict is None:
            verdict, reused = await self._verifier.judge(task, patch, name)
        await self._recorder.add(
            Judged(key=key, verdict_key=name, verdict=verdict, is_kept=is_kept)
        )
        self._faults = 0
        self._pace.judged(time.monotonic() - begun)
        # Before anybody sees the verdict, so that no sample is begun that it makes needless.
        await self._learn(key, resolved=verdict.outcome == "resolved")
        self._observer.verified(key, verdict, reused=reused)

    async def _learn(self, key: SampleKey, *, resolved: bool | None) -> None:
        for schedule in self._schedules:
            await schedule.learn(key, resolved=resolved)
        if resolved:
            self.solved.add(key.task_id)
        await self._pace.settle(key)
        if (
            self.plan.until_solved
            and self.solved >= self._tasks.keys()
            and self._samplers is not None
        ):
            self._samplers.cancel()

    async def _drop(self, task_id: str) -> None:
        for schedule in self._schedules:
            await schedule.drop(task_id)

    async def _break_off(
        self, key: SampleKey, message: str, backend: MeteredBackend, stage: Stage = "broken off"
    ) -> None:
        """Book what a sample used that was begun and cannot be brought to its end."""
        if backend.has_used:
            await self._fail(key, stage, BackendError(message), backend)
        else:
            await self._learn(key, resolved=None)

    async def _fail(
        self,
        key: SampleKey,
        stage: Stage,
        error: Exception,
        backend: MeteredBackend | None = None,
    ) -> None:
        usage = backend.usage if backend else Usage()
        # What used nothing cost nothing, also where the price is unknown.
        cost = backend.cost if backend and backend.has_used else 0.0
        failure = Failure(key=key, stage=stage, message=told_of(error), cost=cost, usage=usage)
        await asyncio.to_thread(self._store.add_failure, failure)
        self._observer.failed(failure)
        await self._learn(key, resolved=None)
        if not isinstance(error, BackendError):
            self._faults += 1
            if self._faults >= FAULTS_IN_A_ROW:
                what = "sandboxes" if isinstance(error, SandboxError) else "samples"
                raise SweepHaltedError(
                    f"{self._faults} {what} failed one after another, the last with: "
                    f"{told_of(error)} Everything drawn is kept; mend that and run the same "
                    "command again."
                )

    def _give_up(self, model: Model, error: BackendUnusableError) -> None:
        if model.name not in self.unusable:
            self.unusable[model.name] = error
            self._observer.unusable(model.name, error)


def first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error of a tree of them, whose others are its consequences."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
