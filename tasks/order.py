"""The random order of tasks, in which a run draws them and from which `--limit` takes the first.

A task's place is a digest of the seed and of its id, so that the order of two tasks is the same
whatever other tasks there are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from tasks.task import Task


def shuffled(tasks: Iterable[Task], seed: int = 0) -> list[Task]:
    """Tasks in their random order, one order for each seed."""
    return sorted(tasks, key=lambda task: hashlib.sha256(f"{seed} {task.id}".encode()).digest())
