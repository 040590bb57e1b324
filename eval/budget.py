"""Money that may be spent: reserved before a request is sent, settled when it is known.

What is reserved is an upper bound of what the request can cost, so what was spent never passes the
limit. Without a limit nothing waits. A run, each of its issues and each of its samples can have a
limit of their own.
"""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from collections.abc import Mapping
from types import MappingProxyType


class Budget:
    """A limit in US dollars; what earlier sessions spent counts, too."""

    def __init__(self, limit: float | None, *, spent: float = 0.0) -> None:
        self.limit = limit
        self.spent = spent
        self._reserved = 0.0
        self._settled = asyncio.Condition()

    @property
    def left(self) -> float:
        """US dollars that are not spent; infinite without a limit."""
        return math.inf if self.limit is None else max(self.limit - self.spent, 0.0)

    async def reserve(self, amount: float) -> bool:
        """Set an amount aside, waiting while requests in flight may still give some back.

        Returns False when it does not fit even with nothing in flight: the budget is spent.
        """
        if self.limit is None:
            return True
        async with self._settled:
            while self.spent + self._reserved + amount > self.limit:
                if self._reserved == 0.0:
                    return False
                await self._settled.wait()
            self._reserved += amount
            return True

    async def settle(self, reserved: float, spent: float) -> None:
        """Give a reservation back and book what it really cost."""
        self.spent += spent
        if self.limit is None:
            return
        async with self._settled:
            # Not below zero: sums of floats leave a residue that must not read as "in flight".
            self._reserved = max(0.0, self._reserved - reserved)
            if self._reserved < 1e-12:  # noqa: PLR2004 - the residue of rounding, in dollars
                self._reserved = 0.0
            self._settled.notify_all()


class Bills:
    """What the requests of one model turned out to cost in this session."""

    def __init__(self) -> None:
        self.first = asyncio.Lock()
        """Held by the first request, which goes alone: no bound is sure before a bill is seen."""
        self.dearest: float | None = None
        """US dollars of the dearest request, None before there is a bill."""
        self.overrun = 1.0
        """How many times its bound a request cost at most: above 1 where a provider bills thinking
        beyond the limit of output tokens."""

    def add(self, cost: float, bound: float) -> None:
        """Take note of a bill, and of the bound that was reserved for it."""
        self.dearest = max(self.dearest or 0.0, cost)
        if 0.0 < bound < cost:
            self.overrun *= cost / bound


class Budgets:
    """The limits of a run: over all, over each issue, and over each sample."""

    def __init__(
        self,
        run: Budget | None = None,
        *,
        per_issue: float | None = None,
        per_sample: float | None = None,
        spent_by_issue: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        """Limits in US dollars, None for none; the same for every issue and sample."""
        self.run = run or Budget(None)
        self._per_issue = per_issue
        self._per_sample = per_sample
        self._spent_by_issue = spent_by_issue
        self._issues: dict[str, Budget] = {}
        self._bills: defaultdict[str, Bills] = defaultdict(Bills)

    def bills(self, model: str) -> Bills:
        """Return what the requests of a model turned out to cost."""
        return self._bills[model]

    def issue(self, task_id: str) -> Budget:
        """Return what may be spent on an issue, by all who sample it."""
        if task_id not in self._issues:
            spent = self._spent_by_issue.get(task_id, 0.0)
            self._issues[task_id] = Budget(self._per_issue, spent=spent)
        return self._issues[task_id]

    def sample(self) -> Budget:
        """Return what one more sample may spend."""
        return Budget(self._per_sample)
