"""What a sweep is to draw: which tasks, by which solvers, how many samples of each."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from agent.backend import Sampling
from agent.models import Model
from agent.seeds import sample_seed
from agent.strategy import Strategy
from eval.allocation.former import Former
from eval.sample import SampleKey
from tasks.task import Task


@dataclass(frozen=True, kw_only=True, slots=True)
class Solver:
    """Who is asked, and how."""

    model: Model
    strategy: Strategy
    sampling: Sampling
    label: str = ""
    """The strategy's part of the samples' names, where its own name would not tell two apart."""
    samples: int | None = None
    """For each task; None for the plan's."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The strategy's own, as JSON-able values: they are part of what a run is."""

    @property
    def name(self) -> str:
        """What its samples are kept under, beside the model."""
        return self.label or self.strategy.name

    def sampling_of(self, key: SampleKey) -> Sampling:
        """How a sample is drawn: with a seed of its own, unless there is to be none."""
        seed = self.sampling.seed
        if seed is not None:
            seed = sample_seed(seed, key.task_id, key.model, key.strategy, index=key.index)
        return dataclasses.replace(self.sampling, seed=seed, index=key.index)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a sweep is to draw; without solvers it only verifies what the store holds."""

    tasks: Sequence[Task]
    solvers: Sequence[Solver] = ()
    samples: int = 0
    """For each task, by each solver that names no number of its own."""
    until_solved: bool = False
    """Draw and verify no more for a task that is solved."""
    allocate: Literal["uniform", "adaptive"] = "uniform"
    """"adaptive": draw next what most likely solves another task for its cost; none of a solved
    task, but all that is drawn is verified."""
    former: Former | None = None
    """What former runs tell of the solvers, in their order, where the allocation is adaptive."""

    @property
    def seed(self) -> int:
        """Of the order in which tasks are drawn: that of the first solver."""
        return next((solver.sampling.seed or 0 for solver in self.solvers), 0)

    @property
    def stops_at_solve(self) -> bool:
        """Whether a verdict ends the drawing for its task."""
        return self.until_solved or self.allocate == "adaptive"

    def samples_of(self, solver: Solver) -> int:
        """Return how many samples a solver is to draw for each task."""
        return self.samples if solver.samples is None else solver.samples
