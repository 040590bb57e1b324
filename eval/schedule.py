"""The order in which pending samples are drawn.

`InOrder` is fixed beforehand. Issues are taken up one after another, as places become free, and
each by all solvers before the next one, so that a run that ends early has nearly the same issues
for all of them. The first sample of an issue and solver goes ahead of its others, so that it leaves
their prompt in the prefix cache of the server; the others wait for it and then find it there.
`eval.allocation.adaptive` has the other order, which follows the verdicts.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Protocol, TypeAlias

from eval.pace import Pace
from eval.sample import SampleKey

Arm: TypeAlias = tuple[str, str]
"""A model and a strategy, as in the name of a sample."""

Pending: TypeAlias = Mapping[Arm, Mapping[str, Iterable[int]]]
"""The indices that each arm is to draw, by task id."""


class Schedule(Protocol):
    """Hands out the samples that one backend is to draw, to any number of workers."""

    async def wanted(self) -> bool:
        """Return True once the backend is needed, False when it is not needed any more."""
        ...

    async def next(self) -> SampleKey | None:
        """Return the next sample to draw, or None when the backend is not needed for now."""
        ...

    async def done(self, key: SampleKey, cost: float | None) -> None:
        """Say that a draw has ended, and what it cost in US dollars, None if that is unknown."""
        ...

    async def learn(self, key: SampleKey, *, resolved: bool | None) -> None:
        """Say what the verdict on a sample is; None where there will be none in this session."""
        ...

    async def drop(self, task: str) -> None:
        """Hand out no more of this task."""
        ...

    async def close(self) -> None:
        """Hand out nothing more."""
        ...


class InOrder:
    """A Schedule that draws all that is pending, or of each task until it is solved.

    Tasks keep the order that they have in `pending`. With a `pace`, which several may share, it
    hands out nothing while that is full.
    """

    def __init__(
        self, pending: Pending, *, until_solved: bool = False, pace: Pace | None = None
    ) -> None:
        self._until_solved = until_solved
        self._pace = pace
        tasks = dict.fromkeys(task for of in pending.values() for task in of)
        self._place = {task: place for place, task in enumerate(tasks)}
        self._waiting = deque(
            ((task, *arm), deque(of[task]))
            for task in tasks
            for arm, of in pending.items()
            if task in of
        )
        # A heap by the place of the task, then by the index of the sample.
        self._ready: list[tuple[int, int, SampleKey]] = []
        self._behind: dict[tuple[str, str, str], deque[int]] = {}
        self._changed = pace.changed if pace else asyncio.Condition()
        self._closed = False

    async def wanted(self) -> bool:
        """Return whether anything is left to draw."""
        return not self._closed and self._has_more

    async def next(self) -> SampleKey | None:
        """Return the next sample to draw, or None when nothing is left."""
        async with self._changed:
            while not self._closed:
                if self._has_more and not (self._pace and self._pace.is_full):
                    key = self._take()
                    if self._pace:
                        self._pace.begin(key)
                    return key
                if not self._has_more and not self._behind:
                    return None
                await self._changed.wait()
            return None

    @property
    def _has_more(self) -> bool:
        return bool(self._ready) or any(rest for _, rest in self._waiting)

    def _take(self) -> SampleKey:
        if self._ready:
            return heapq.heappop(self._ready)[-1]
        of, indices = self._waiting.popleft()
        while not indices:
            of, indices = self._waiting.popleft()
        self._behind[of] = indices
        return _key(of, indices.popleft())

    async def done(self, key: SampleKey, cost: float | None) -> None:  # noqa: ARG002
        """Say that a draw has ended; after the first of its arm and task the others are free."""
        of = (key.task_id, key.model, key.strategy)
        async with self._changed:
            if self._pace:
                self._pace.drawn(key)
            for index in self._behind.pop(of, ()):
                heapq.heappush(self._ready, (self._place[of[0]], index, _key(of, index)))
            self._changed.notify_all()

    async def learn(self, key: SampleKey, *, resolved: bool | None) -> None:
        """Drop the task if this solves it and no more is asked for."""
        if resolved and self._until_solved:
            await self.drop(key.task_id)

    async def drop(self, task: str) -> None:
        """Hand out no more of this task."""
        async with self._changed:
            for of, rest in self._behind.items():
                if of[0] == task:
                    rest.clear()
            self._ready = [one for one in self._ready if one[-1].task_id != task]
            heapq.heapify(self._ready)
            self._waiting = deque(pair for pair in self._waiting if pair[0][0] != task)
            self._changed.notify_all()

    async def close(self) -> None:
        """Hand out nothing more."""
        async with self._changed:
            self._closed = True
            self._changed.notify_all()


def _key(of: tuple[str, str, str], index: int) -> SampleKey:
    task, model, strategy = of
    return SampleKey(task_id=task, model=model, strategy=strategy, index=index)
