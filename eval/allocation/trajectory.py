"""What one replay of a policy spent and solved, draw by draw, and where a budget would end it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from eval.table import Bools, Floats, Ints


@dataclass(frozen=True, kw_only=True, slots=True)
class Pool:
    """The recorded samples in the random order in which one replay draws them."""

    # (issues, arms, samples), as in `Matrix`.
    resolved: Bools
    cost: Floats
    # (issues, arms).
    recorded: Ints
    # (issues, any number).
    covariates: Floats


class Stop(NamedTuple):
    """Where a trajectory ends under a budget."""

    spent: float
    solved: int
    is_cut: bool
    # A sample was wanted by then that is not recorded.


@dataclass(frozen=True, kw_only=True, slots=True)
class Trajectory:
    """Draws in their order; every array has one entry a draw, which may be several samples."""

    spent: Floats
    # By the end of the draw, all before it included.
    solved: Ints
    # Issues, likewise.
    cut_at: float = math.inf
    # What was spent when a sample was wanted that is not recorded.
    index: Floats | None = None
    # Solves a unit of cost that were expected of the draw; None: money is spent to the end.

    def stop(self, budget: float, *, worth: float = 0.0) -> Stop:
        """End before the first draw that does not fit into the budget.

        And before the first at whose `index` all that is left would buy less than `worth` solves.
        """
        end = int(np.searchsorted(self.spent, budget, side="right"))
        if self.index is not None:
            before = np.concatenate([[0.0], self.spent[:-1]])
            hopeless = (budget - before[:end]) * self.index[:end] < worth
            end = int(hopeless.argmax()) if hopeless.any() else end
        spent = float(self.spent[end - 1]) if end else 0.0
        solved = int(self.solved[end - 1]) if end else 0
        last = end == self.spent.size
        is_cut = self.cut_at < spent if not last else self.cut_at < budget
        return Stop(spent, solved, is_cut)
