"""What is pooled of former runs: the counts of the solvers that are asked for, by their names."""

from __future__ import annotations

import numpy as np

from eval.allocation.former import former_of
from eval.table import SampleTable, table_of
from tests.eval.allocation.test_adaptive import COSTS, A, B, row

OTHER = ("c", "s")


def run(*arms: tuple[str, str], solves: int = 1) -> SampleTable:
    rows = [
        row(arm, task, i, "resolved" if i < solves else "unresolved")
        for arm in arms
        for task in ("t0", "t1")
        for i in range(3)
        if arm in COSTS
    ]
    return table_of([*rows, row(arms[0], "t2", 0, None)], tasks=("t0", "t1", "t2"), arms=arms)


def test_runs_are_pooled_issue_by_issue_for_the_solvers_that_they_have() -> None:
    former = former_of([run(A, B), run(B, solves=2)], [B, A])
    assert former.counts.n.tolist() == [[3, 3], [3, 3], [3, 0], [3, 0]]
    assert former.counts.c.tolist() == [[1, 1], [1, 1], [2, 0], [2, 0]]
    assert former.cost.tolist() == [COSTS[B], COSTS[A]]


def test_a_solver_that_no_run_has_is_unknown() -> None:
    former = former_of([run(A)], [A, OTHER])
    assert former.counts.n.tolist() == [[3, 0], [3, 0]]
    assert np.isnan(former.cost[1])
    assert not former_of([run(A)], [OTHER]).counts.n.any()
