"""How far sampling may run ahead of the verdicts, where the next verdict may end it.

A sample that is begun before a verdict which solves its task is paid for in vain. So none is begun
that could not be judged, or wait for the place next in turn, by the time it is there.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from eval.sample import SampleKey


@dataclass(kw_only=True, slots=True)
class _Mean:
    """The mean of the seconds that something took."""

    total: float = 0.0
    count: int = 0

    def add(self, seconds: float) -> None:
        self.total += seconds
        self.count += 1


@dataclass(kw_only=True, slots=True)
class Pace:
    """The samples without a verdict, in flight or drawn, and how many of them there may be.

    Each of the `workers` judges one sample and has one more that waits for it, or is under way to
    it. Where drawing takes longer than judging, more have to be under way for a worker to have
    something to do: as many as it judges in the time of one draw. Before both are known it is one.
    """

    workers: int
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    """Notified whenever `is_full` may have changed."""
    _open: set[SampleKey] = field(default_factory=set)
    _begun: dict[SampleKey, float] = field(default_factory=dict)
    _draws: _Mean = field(default_factory=_Mean)
    _verdicts: _Mean = field(default_factory=_Mean)

    @property
    def limit(self) -> float:
        """How many samples may be without a verdict."""
        draws, verdicts = self._draws, self._verdicts
        if not draws.count or not verdicts.count:
            return 2 * self.workers
        ahead = draws.total / draws.count / max(verdicts.total / verdicts.count, 1e-9)
        return self.workers * (1 + max(1.0, ahead))

    @property
    def is_full(self) -> bool:
        """Whether the next sample has to wait for a verdict."""
        return len(self._open) >= self.limit

    def expect(self, key: SampleKey) -> None:
        """Count a sample whose verdict is pending."""
        self._open.add(key)

    def begin(self, key: SampleKey) -> None:
        """Count a sample whose draw begins."""
        self.expect(key)
        self._begun[key] = time.monotonic()

    def drawn(self, key: SampleKey) -> None:
        """Take note of the end of a draw."""
        begun = self._begun.pop(key, None)
        if begun is not None:
            self._draws.add(time.monotonic() - begun)

    def judged(self, seconds: float) -> None:
        """Take note of how long a worker was busy with a verdict."""
        self._verdicts.add(seconds)

    async def settle(self, key: SampleKey) -> None:
        """Count a sample no more: it has a verdict, or there will be none in this session."""
        async with self.changed:
            self._open.discard(key)
            self.changed.notify_all()
