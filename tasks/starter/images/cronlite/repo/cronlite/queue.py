"""Jobs that wait for their turn."""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Job:
    """A piece of work. Of two jobs, the one of higher priority goes first."""

    name: str
    priority: int = 0
    payload: dict[str, object] = field(default_factory=dict, compare=False)


class JobQueue:
    """A priority queue; jobs of one priority leave in the order in which they came."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Job]] = []
        self._sequence = itertools.count()

    def __len__(self) -> int:
        return len(self._heap)

    def push(self, job: Job) -> None:
        """Add a job."""
        heapq.heappush(self._heap, (-job.priority, next(self._sequence), job))

    def cancel(self, name: str) -> bool:
        """Forget all waiting jobs of this name; tells whether there was any."""
        found = any(job.name == name for *_, job in self._heap)
        self._heap = [entry for entry in self._heap if entry[-1].name != name]
        heapq.heapify(self._heap)
        return found

    def peek(self) -> Job | None:
        """The job whose turn it is, or None when nothing waits."""
        return self._heap[0][-1] if self._heap else None

    def pop(self) -> Job:
        """Remove and return the job whose turn it is. Raises IndexError when empty."""
        if not self._heap:
            raise IndexError("the queue is empty")
        return heapq.heappop(self._heap)[-1]
