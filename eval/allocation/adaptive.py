"""The order of drawing that follows the verdicts: each sample goes where it buys most.

One `Allocation` decides for all models of a sweep; each backend draws its `Share`. What is in
flight, or waits for its verdict, counts as pending; when too many are, drawing waits for their
verdicts. All it goes by is in the store, so a run that was stopped goes on. Money is not reserved
here: `eval.budget` does that.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np

from agent.backend import Usage
from eval.allocation.chooser import Chooser
from eval.allocation.former import Former
from eval.allocation.posterior import WORTH, expected_costs
from eval.allocation.prior import Counts
from eval.budget import Budget
from eval.sample import SampleKey
from eval.schedule import Arm, Pending
from eval.table import Bools, Floats, SampleTable

USUAL = Usage(input_tokens=6_000, output_tokens=500, accelerator_seconds=5.0)
"""Of a sample, before there is one: in what proportion the prices of models stand."""

RELUCTANCE = 1.25
"""A model that is not up must be better by this much, since starting a server takes minutes."""

PATIENCE = 0.5
"""Seconds after which a model that has nothing to do makes room for one that does not come up."""


class _Choice(NamedTuple):
    task: int
    arm: int


class Allocation:
    """What is known of every issue and arm, and which of them is sampled next."""

    def __init__(
        self,
        pending: Pending,
        known: SampleTable,
        *,
        budget: Budget,
        guesses: Mapping[Arm, float | None],
        unjudged: int = 1,
        covariates: Floats | None = None,
        former: Former | None = None,
    ) -> None:
        """`known` holds what was drawn before, of all arms of `pending` and all of their tasks.

        `guesses` are what a sample may cost before one is drawn, in US dollars. When one of them
        is unknown, every sample counts the same. When more than `unjudged` samples that are drawn
        have no verdict, the next one waits. `covariates` are of the tasks of `known`, (tasks, any
        number); `former` is of the arms of `pending`.
        """
        self.changed = asyncio.Condition()
        # Money is left that would hardly solve another issue.
        self.gave_up = False
        # Arms whose backend draws.
        self.up: frozenset[int] = frozenset()
        self.arms = list(pending)
        self._tasks = list(known.tasks)
        self._task_at = {task: at for at, task in enumerate(known.tasks)}
        # Of tasks that are as good, the first one in `pending` is chosen.
        tasks = dict.fromkeys(task for of in pending.values() for task in of)
        self._order = np.array([self._task_at[task] for task in tasks], dtype=np.int64)
        self._budget = budget
        self._unjudged = unjudged
        self._drawing = 0
        self._left = {
            (self._task_at[task], arm): deque(indices)
            for arm, of in enumerate(pending.values())
            for task, indices in of.items()
        }
        self._is_left = np.zeros((len(known.tasks), len(self.arms)), dtype=np.bool_)
        for at, indices in self._left.items():
            self._is_left[at] = bool(indices)
        every = np.ones(known.task.size)
        self._judged = self._sums(known, known.judged).astype(np.int64)
        self._resolved = self._sums(known, known.resolved).astype(np.int64)
        self._pending = self._sums(known, every).astype(np.int64) - self._judged
        self._unpriced = any(cost is None for cost in guesses.values())
        # Samples whose cost is known: a price may have been unknown in an earlier session.
        priced = every if self._unpriced else ~np.isnan(known.cost)
        self._paid = self._sums(known, priced).astype(np.int64)
        self._spent = self._sums(known, every if self._unpriced else np.nan_to_num(known.cost))
        self._squares = self._sums(
            known, every if self._unpriced else np.nan_to_num(known.cost) ** 2
        )
        self._guess: Floats = np.array(
            [1.0 if self._unpriced else guesses[arm] for arm in self.arms], dtype=np.float64
        )
        if former is not None and not (self._unpriced or np.isnan(former.cost).any()):
            self._guess = former.cost
        may_be_drawn = self._judged + self._pending
        for at, indices in self._left.items():
            may_be_drawn[at] += len(indices)
        self._chooser = Chooser(
            np.zeros((len(known.tasks), 0)) if covariates is None else covariates,
            most=may_be_drawn.max(axis=0, initial=0),
            budgeted=budget.limit is not None,
            former=former.counts if former else None,
        )
        self._choice: _Choice | None = None
        self._is_chosen = False

    @property
    def is_waiting(self) -> bool:
        """Whether verdicts are to come."""
        return bool(self._pending.any())

    @property
    def is_ahead(self) -> bool:
        """Whether so many verdicts are pending that the next sample should wait for them."""
        return int(self._pending.sum()) - self._drawing > self._unjudged

    def choice(self) -> _Choice | None:
        """Return where the next sample buys most, None where nothing is worth its cost."""
        if not self._is_chosen:
            self._choice, self._is_chosen = self._choose(), True
        return self._choice

    def take(self, choice: _Choice) -> SampleKey:
        """Name the sample to draw; it is pending from now on."""
        indices = self._left[choice]
        index = indices.popleft()
        self._is_left[choice] = bool(indices)
        self._pending[choice] += 1
        self._drawing += 1
        self.forget_choice()
        model, strategy = self.arms[choice.arm]
        task_id = self._tasks[choice.task]
        return SampleKey(task_id=task_id, model=model, strategy=strategy, index=index)

    def pay(self, key: SampleKey, cost: float | None) -> None:
        """Count what a draw cost."""
        at = self.at(key)
        self._drawing -= 1
        if self._unpriced or cost is not None:
            self._paid[at] += 1
            paid = 1.0 if self._unpriced else cost or 0.0
            self._spent[at] += paid
            self._squares[at] += paid**2
        self.forget_choice()

    def learn(self, key: SampleKey, *, resolved: bool | None) -> None:
        """Count a verdict, or that there will be none."""
        at = self.at(key)
        self._pending[at] -= 1
        if resolved is not None:
            self._judged[at] += 1
            self._resolved[at] += resolved
        self.forget_choice()

    def drop(self, task: str) -> None:
        """Choose this task no more."""
        self._is_left[self._task_at[task]] = False
        self.forget_choice()

    def close(self, arms: Collection[int]) -> None:
        """Choose these arms no more."""
        self._is_left[:, list(arms)] = False
        self.forget_choice()

    def set_up(self, arms: Collection[int], *, up: bool) -> None:
        """Take note of whether the backend of these arms draws."""
        self.up = self.up.union(arms) if up else self.up.difference(arms)
        self.forget_choice()

    def forget_choice(self) -> None:
        """Something has changed: choose again, and let all who wait see it."""
        self._is_chosen = False
        self.changed.notify_all()

    def at(self, key: SampleKey) -> tuple[int, int]:
        """Return the position of the task and that of the arm of a sample."""
        return self._task_at[key.task_id], self.arms.index((key.model, key.strategy))

    def _sums(self, known: SampleTable, amounts: Floats | Bools) -> Floats:
        """Sum up amounts of samples by task and arm."""
        shape = (len(known.tasks), len(known.arms))
        cell = known.task.astype(np.int64) * shape[1] + known.arm
        sums = np.bincount(cell, amounts, minlength=shape[0] * shape[1]).astype(np.float64)
        return sums.reshape(shape)[:, [known.arms.index(arm) for arm in self.arms]]

    def _choose(self) -> _Choice | None:
        open_to = self._is_left & ~self._resolved.any(axis=1, keepdims=True)
        live = self._order[open_to[self._order].any(axis=1)]
        if not live.size:
            return None
        costs = expected_costs(self._spent, self._squares, self._paid, self._guess)
        self._chooser.learn(Counts(self._judged, self._resolved), costs.mean(axis=0))
        down = np.array([arm not in self.up for arm in range(len(self.arms))])
        choice = self._chooser.choose(
            live,
            self._judged[live],
            self._pending[live],
            costs=costs[live],
            is_open=open_to[live],
            left=self._budget.left,
            reluctance=np.where(down, RELUCTANCE, 1.0),
        )
        if self._budget.limit is not None:
            self.gave_up = self._budget.left * choice.greatest < WORTH
            if self.gave_up:
                return None
        best = int(choice.rate.argmax())
        return _Choice(int(live[best]), int(choice.arm[best]))


class Share:
    """The Schedule of the arms of one backend."""

    def __init__(self, allocation: Allocation, arms: Collection[Arm]) -> None:
        self._all = allocation
        self._arms = frozenset(allocation.arms.index(arm) for arm in arms)
        self._rests = False
        self._closed = False

    async def wanted(self) -> bool:
        """Wait until this backend is where the next sample buys most, or nothing is worth it."""
        async with self._all.changed:
            while not self._closed:
                choice = self._all.choice()
                if choice is not None and choice.arm in self._arms:
                    self._rests = False
                    return True
                if choice is None and not self._all.is_waiting:
                    return False
                await self._all.changed.wait()
            return False

    async def next(self) -> SampleKey | None:
        """Return the sample that buys most, once it is one of this backend.

        None when nothing is worth its cost any more, or when a better one waits for this backend
        to make room: servers of one machine take turns.
        """
        async with self._all.changed:
            if not self._arms <= self._all.up:
                self._all.set_up(self._arms, up=True)
            while not self._rests and not self._closed:
                choice = self._all.choice()
                if self._all.is_ahead:
                    await self._all.changed.wait()
                elif choice is not None and choice.arm in self._arms:
                    return self._all.take(choice)
                elif self._all.is_waiting or (choice is not None and choice.arm in self._all.up):
                    await self._all.changed.wait()
                elif choice is None or not await self._soon():
                    self._rests = True
            self._all.set_up(self._arms, up=False)
            return None

    async def done(self, key: SampleKey, cost: float | None) -> None:
        """Count what a draw cost."""
        async with self._all.changed:
            self._all.pay(key, cost)

    async def learn(self, key: SampleKey, *, resolved: bool | None) -> None:
        """Count a verdict on a sample of this backend; a task that is solved is left."""
        async with self._all.changed:
            if self._all.at(key)[1] in self._arms:
                self._all.learn(key, resolved=resolved)

    async def drop(self, task: str) -> None:
        """Hand out no more of this task."""
        async with self._all.changed:
            self._all.drop(task)

    async def close(self) -> None:
        """Hand out nothing more, and leave the rest to the others."""
        async with self._all.changed:
            self._closed = True
            self._all.close(self._arms)

    async def _soon(self) -> bool:
        """Whether anything changes while one may wait for it."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._all.changed.wait()
        except TimeoutError:
            return False
        return True
