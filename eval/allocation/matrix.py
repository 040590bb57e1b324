"""Recorded samples as a matrix of issues, arms and samples: what a replay draws from.

Only samples with a verdict are in it. What failed draws were billed is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np

from eval.axes import UNITS, amounts
from eval.table import Bools, Floats, Ints, SampleTable

SpendAxis = Literal["money", "tokens", "accelerator_seconds", "flops", "samples"]
"""One of `eval.axes.AXES`, or the number of samples."""


class NoMatrixError(ValueError):
    """The runs cannot be replayed; the message is one sentence for a person."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Matrix:
    """All that was recorded of some issues by some arms."""

    issues: tuple[str, ...]
    arms: tuple[str, ...]
    # Names, each unlike the others.
    resolved: Bools
    # (issues, arms, samples); False behind the last one that is recorded.
    cost: Floats
    # Likewise, in the unit of one axis; 0 behind the last one.
    recorded: Ints
    # (issues, arms): how many samples there are.
    covariates: Floats | None = None
    """(issues, any number): what was known of an issue before it was sampled."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Arm:
    name: str
    table: SampleTable
    position: int
    used: Floats


def unit(axis: SpendAxis) -> str:
    """Say what one of an axis is."""
    return "samples" if axis == "samples" else UNITS[axis]


def matrix_of(
    runs: Sequence[tuple[str, SampleTable]],
    axis: SpendAxis = "money",
    *,
    names: Sequence[str] = (),
    parameters: Mapping[str, float] = MappingProxyType({}),
) -> Matrix:
    """Join the arms of several runs, each with its name, over the issues that all of them hold.

    `names` are those of all arms, run by run; without them they are named in full. `parameters` as
    in `eval.axes.amounts`. Raises NoMatrixError where there is nothing to replay, or the cost of a
    sample is unknown.
    """
    arms = list(_arms(runs, axis, names, parameters))
    shared = set[str].intersection(*(set(table.tasks) for _, table in runs))
    issues = tuple(task for task in runs[0][1].tasks if task in shared)
    if not issues:
        raise NoMatrixError("The runs have no issue in common, so they cannot be joined.")
    columns = [_column(arm, issues, axis) for arm in arms]
    names = tuple(arm.name for arm, column in zip(arms, columns, strict=True) if column[0].size)
    columns = [column for column in columns if column[0].size]
    if not columns:
        raise NoMatrixError("No sample of these runs has a verdict, so there is nothing to replay.")
    recorded = np.stack([np.bincount(place, minlength=len(issues)) for place, _, _ in columns], 1)
    shape = (*recorded.shape, int(recorded.max()))
    resolved, cost = np.zeros(shape, dtype=np.bool_), np.zeros(shape)
    for arm, (place, solves, used) in enumerate(columns):
        order = np.argsort(place, kind="stable")
        issue, starts = place[order], np.cumsum(recorded[:, arm]) - recorded[:, arm]
        nth = np.arange(issue.size) - starts[issue]
        resolved[issue, arm, nth] = solves[order]
        cost[issue, arm, nth] = used[order]
    return Matrix(issues=issues, arms=names, resolved=resolved, cost=cost, recorded=recorded)


def _arms(
    runs: Sequence[tuple[str, SampleTable]],
    axis: SpendAxis,
    names: Sequence[str],
    parameters: Mapping[str, float],
) -> Iterator[_Arm]:
    pairs = [pair for _, table in runs for pair in table.arms]
    given = iter(names)
    strategies = {
        model: {strategy for one, strategy in pairs if one == model} for model, _ in pairs
    }
    for run, table in runs:
        used = np.ones(table.task.size)
        if axis != "samples":
            used = amounts(table, axis, parameters)
        for position, pair in enumerate(table.arms):
            name = pair[0] if len(strategies[pair[0]]) == 1 else f"{pair[1]} by {pair[0]}"
            name = name if pairs.count(pair) == 1 else f"{name} in {run}"
            yield _Arm(name=next(given, name), table=table, position=position, used=used)


def _column(arm: _Arm, issues: tuple[str, ...], axis: SpendAxis) -> tuple[Ints, Bools, Floats]:
    """Return place in `issues`, verdict and cost of every sample of an arm that has a verdict."""
    table = arm.table
    places = {task: at for at, task in enumerate(issues)}
    place = np.array([places.get(task, -1) for task in table.tasks], dtype=np.int64)
    chosen = (table.arm == arm.position) & table.judged & (place[table.task] >= 0)
    used = arm.used[chosen]
    if np.isnan(used).any():
        other = "--axis samples" if axis == "tokens" else "--axis tokens or --axis samples"
        if axis == "flops":
            other = f"--parameters {table.arms[arm.position][0]}=N, {other}"
        raise NoMatrixError(
            f"What the samples of {arm.name} cost in {unit(axis)} is unknown: give {other}."
        )
    return place[table.task[chosen]], table.resolved[chosen], used
