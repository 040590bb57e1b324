"""What former runs tell of solvers: how many of their issues are how hard, and what a sample costs.

Of the issues of the coming run they tell nothing, even where they hold the same ones: what that run
solves for its money would otherwise rest on samples that it has not paid for. To go on
from them, one continues the run itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from eval.allocation.prior import Counts
from eval.schedule import Arm
from eval.table import Floats, SampleTable


class Former(NamedTuple):
    """Counts of issues by the arms of the coming run."""

    # (issues of all former runs, arms); no verdicts where a run has no such arm.
    counts: Counts
    # (arms,): US dollars of a sample on average, NaN where that is unknown.
    cost: Floats


def former_of(tables: Iterable[SampleTable], arms: Sequence[Arm]) -> Former:
    """Pool former runs; an arm is known by its model's and its strategy's name."""
    counts, spent, drawn = [], np.zeros(len(arms)), np.zeros(len(arms))
    for table in tables:
        n, c = np.zeros((2, len(table.tasks), len(arms)), dtype=np.int64)
        for at, arm in enumerate(arms):
            if arm in table.arms:
                place = table.arms.index(arm)
                n[:, at], c[:, at] = table.counts(place)
                of = table.arm == place
                spent[at] += table.cost[of].sum()
                drawn[at] += of.sum()
        seen = n.any(axis=1)
        counts.append((n[seen], c[seen]))
    n, c = (np.concatenate(column) for column in zip(*counts, strict=True))
    cost = np.divide(spent, drawn, out=np.full(len(arms), np.nan), where=drawn > 0)
    return Former(Counts(n, c), cost)
