"""The order in which owed samples are drawn: the first of an issue goes ahead of its others.

The first request leaves the issue's prompt in the prefix cache of the server; the others wait for
it and then find it there. Issues are taken up one after another, as places become free.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping


class Schedule:
    """Hands out (task id, index) pairs to any number of workers."""

    def __init__(self, owed: Mapping[str, Iterable[int]]) -> None:
        self._waiting = deque((task, deque(indices)) for task, indices in owed.items())
        self._ready: deque[tuple[str, int]] = deque()
        self._behind: dict[str, deque[int]] = {}
        self._changed = asyncio.Condition()
        self._closed = False

    async def next(self) -> tuple[str, int] | None:
        """Return the next pair to draw, or None when nothing is left."""
        async with self._changed:
            while not self._closed:
                if self._ready:
                    return self._ready.popleft()
                while self._waiting:
                    task, indices = self._waiting.popleft()
                    if indices:
                        self._behind[task] = indices
                        return task, indices.popleft()
                if not self._behind:
                    return None
                await self._changed.wait()
            return None

    async def done(self, task: str) -> None:
        """Say that a draw of this task has ended; after the first one its others are free."""
        async with self._changed:
            self._ready.extend((task, index) for index in self._behind.pop(task, ()))
            self._changed.notify_all()

    async def drop(self, task: str) -> None:
        """Hand out no more of this task."""
        async with self._changed:
            if task in self._behind:
                self._behind[task].clear()
            self._ready = deque(pair for pair in self._ready if pair[0] != task)
            self._waiting = deque(pair for pair in self._waiting if pair[0] != task)
            self._changed.notify_all()

    async def close(self) -> None:
        """Hand out nothing more."""
        async with self._changed:
            self._closed = True
            self._changed.notify_all()
