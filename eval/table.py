"""The samples of a run in columns, which is the form that all analysis starts from.

One entry of each array is one sample; rows of equal tasks and arms need not lie together. Nothing
is judged here: outcomes and costs are as they were recorded, what is owed says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eval.verdict import OUTCOMES

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

OWED = -1
"""In `outcome`: drawn, without a verdict yet."""

NO_PATCH = -1
"""In `patch`: the sample holds none."""

RESOLVED = OUTCOMES.index("resolved")


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleTable:
    """All samples of one run, column by column; every array has one entry a sample."""

    tasks: tuple[str, ...]
    # Ids of all tasks of the run, with or without samples.
    arms: tuple[tuple[str, str], ...]
    # Model and strategy's label of every solver of the run.
    task: NDArray[np.int32]
    # Position in `tasks`.
    arm: NDArray[np.int32]
    # Position in `arms`.
    index: NDArray[np.int32]
    # The sample's number within its task and arm.
    outcome: NDArray[np.int8]
    # Position in `eval.verdict.OUTCOMES`, or `OWED`.
    patch: Ints
    # Equal numbers within a task are equal normalised patches; `NO_PATCH` where there is none.
    cost: Floats
    # US dollars, NaN where the price is unknown.
    input_tokens: Ints
    # All of them, the cached ones included.
    cached_tokens: Ints
    output_tokens: Ints
    # All of them, the reasoning ones included.
    reasoning_tokens: Ints
    calls: Ints
    accelerator_seconds: Floats
    # Share of a local server's busy time; 0 for models behind an API.
    seconds: Floats
    # From the first request of a sample to its patch.
    verify_seconds: Floats
    # Of the verification that gave the outcome, NaN while it is owed.

    @property
    def judged(self) -> Bools:
        """Whether each sample has a verdict."""
        return self.outcome != OWED

    @property
    def resolved(self) -> Bools:
        """Whether each sample has the verdict that counts."""
        return self.outcome == RESOLVED

    def counts(self, arm: int | Sequence[int]) -> tuple[Ints, Ints]:
        """Return verdicts n and resolved c of each task, by one arm or by several together.

        Both have the shape (tasks,): what `eval.coverage.pass_at_k` takes.
        """
        chosen = np.isin(self.arm, arm) & self.judged
        size = len(self.tasks)
        n = np.bincount(self.task[chosen], minlength=size)
        c = np.bincount(self.task[chosen & self.resolved], minlength=size)
        return n, c
