"""Runs become one matrix: nothing lost, nothing counted twice, nothing unknown taken for free."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from agent.backend import Usage
from eval.allocation.matrix import NoMatrixError, matrix_of
from eval.table import SampleRow, SampleTable, table_of


def row(
    task: str,
    index: int,
    *,
    outcome: str | None = "unresolved",
    cost: float | None = 1.0,
    model: str = "m",
) -> SampleRow:
    return SampleRow(
        task_id=task,
        model=model,
        strategy="s",
        index=index,
        outcome=outcome,
        usage=Usage(input_tokens=10, output_tokens=index),
        cost=cost,
        patch_digest=f"{index}",
        verify_seconds=0.0,
    )


def table(
    rows: Sequence[SampleRow], tasks: Sequence[str] = ("a", "b"), model: str = "m"
) -> SampleTable:
    return table_of(rows, tasks=tasks, arms=[(model, "s")])


def test_every_sample_with_a_verdict_stands_at_its_issue_and_arm() -> None:
    first = table(
        [
            row("b", 0, outcome="resolved", cost=3.0),
            row("a", 0, cost=1.0),
            row("b", 1, cost=5.0),
            row("b", 2, outcome=None, cost=7.0),
        ]
    )
    second = table([row("a", 0, outcome="resolved", cost=9.0, model="n")], model="n")
    matrix = matrix_of([("one", first), ("two", second)])
    assert matrix.issues == ("a", "b")
    assert matrix.arms == ("m", "n")
    assert matrix.recorded.tolist() == [[1, 1], [2, 0]]
    assert matrix.cost.tolist() == [[[1.0, 0.0], [9.0, 0.0]], [[3.0, 5.0], [0.0, 0.0]]]
    assert matrix.resolved.tolist() == [
        [[False, False], [True, False]],
        [[True, False], [False] * 2],
    ]


def test_only_issues_of_all_runs_are_compared() -> None:
    first = table([row("a", 0), row("b", 0)])
    second = table([row("b", 0), row("c", 0)], tasks=("b", "c"))
    matrix = matrix_of([("one", first), ("two", second)])
    assert matrix.issues == ("b",)
    assert matrix.arms == ("m in one", "m in two")
    with pytest.raises(NoMatrixError, match="no issue in common"):
        matrix_of([("one", first), ("three", table([row("c", 0)], tasks=("c",)))])


def test_an_unknown_price_is_not_free_and_other_axes_remain() -> None:
    unknown = [("run", table([row("a", 3, cost=None), row("b", 0, cost=None)]))]
    with pytest.raises(NoMatrixError, match="--axis tokens"):
        matrix_of(unknown)
    assert matrix_of(unknown, "tokens").cost.tolist() == [[[13.0]], [[10.0]]]
    assert matrix_of(unknown, "samples").cost.tolist() == [[[1.0]], [[1.0]]]
    with pytest.raises(NoMatrixError, match="accelerator"):
        matrix_of(unknown, "accelerator_seconds")
    with pytest.raises(NoMatrixError, match="--parameters m=N"):
        matrix_of(unknown, "flops")
    flops = matrix_of(unknown, "flops", parameters={"m": 10.0})
    assert flops.cost.tolist() == [[[2 * 10.0 * 13.0]], [[2 * 10.0 * 10.0]]]


def test_an_arm_without_verdicts_is_none() -> None:
    with pytest.raises(NoMatrixError, match="verdict"):
        matrix_of([("run", table([row("a", 0, outcome=None)]))])


def test_a_large_table_is_put_in_place_as_a_small_one() -> None:
    rng = np.random.default_rng(0)
    tasks = [f"t{n}" for n in range(7)]
    rows = [
        row(
            task,
            index,
            outcome="resolved" if rng.random() < 0.4 else "unresolved",
            cost=rng.random(),
        )
        for task, index in itertools.product(tasks, range(5))
    ]
    shuffled = [rows[at] for at in rng.permutation(len(rows))]
    matrix = matrix_of([("run", table(shuffled, tasks=tasks))])
    for place, task in enumerate(tasks):
        mine = [one for one in rows if one.task_id == task]
        assert sorted(matrix.cost[place, 0]) == pytest.approx(sorted(one.cost or 0 for one in mine))
        assert matrix.resolved[place].sum() == sum(one.outcome == "resolved" for one in mine)
