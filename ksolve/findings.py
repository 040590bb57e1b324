"""All that a report says of one run or of several, computed once.

Runs lie side by side: each solver of each run is one column of everything, named by its run where
there are several. What cannot be said of a run (no price, too few samples) is None here.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval.attempts import AtK, Attempts, attempts, cost_curve
from eval.axes import Spent, amounts, spent
from eval.break_even import BreakEven, Crossing, break_even, crossing
from eval.coverage import Together, common_depth, together
from eval.frontier import Frontier, frontier
from eval.paired import Paired, compare_all, side
from eval.sample import Failure, SampleKey
from eval.scaling import Scaling, fit
from eval.selection.evaluate import Evaluation
from eval.store import Store
from eval.summary import Arm, Summary
from eval.table import NO_PATCH, SampleTable
from ksolve.chosen import ALL_TOGETHER, Worth, worths
from ksolve.results import summary_of

COMPARED = 8
"""Solvers of which every pair is compared; of more, the pairs would be more than anyone reads."""

TARGETS = (0.25, 0.5, 0.75, 0.9, 0.95)
"""Coverages of which it is said how many samples they take."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRead:
    """What was read of one run folder."""

    name: str
    # Of the folder; unlike every other run's.
    config: Mapping[str, Any]
    sweep: str | None
    # The text of its sweep.toml, where it has one.
    summary: Summary
    table: SampleTable
    failures: Sequence[Failure]
    store: Store
    # Still open, for its patches.


@dataclass(frozen=True, kw_only=True, slots=True)
class Solver:
    """One model under one strategy in one run."""

    label: str
    # Unlike every other solver's.
    run: RunRead
    position: int
    # In the arms of the run's table.
    arm: Arm
    spent: Spent
    costs: Sequence[AtK]
    # When all k are drawn, at the same k as `arm.pass_at_k`.
    scaling: Scaling
    choices: Sequence[Worth]
    # What is chosen without the oracle is worth: first among all samples with a verdict, unless
    # there are too many, then where `ksolve select` chose when there were fewer.

    @property
    def selection(self) -> Evaluation | None:
        """What is chosen among all samples with a verdict; None of none, and of too many."""
        return next((one.evaluation for one in self.choices if not one.as_of), None)

    def patch(self, task_id: str, index: int) -> str:
        """Return the patch of one of its samples."""
        key = SampleKey(
            task_id=task_id, model=self.arm.model, strategy=self.arm.strategy, index=index
        )
        return self.run.store.patch(key)


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """Everything."""

    runs: Sequence[RunRead]
    solvers: Sequence[Solver]
    table: SampleTable
    # Of all runs: task by task the union, arm by arm the solvers.
    together: Together | None
    # Of all solvers, as all below without those of adaptive runs; None of fewer than two.
    frontier: Frontier | None
    # In US dollars; None where no price is known.
    break_evens: Sequence[BreakEven]
    crossings: Sequence[Crossing]
    # Of every pair of solvers whose prices are known, in US dollars.
    paired: Mapping[int, Sequence[Paired]]
    # By k, of every pair of solvers: 1, and what most issues carry.
    together_chosen: Sequence[Worth]
    # What `ksolve select` chose among the samples of all solvers of a run is worth.

    @property
    def choices(self) -> list[Worth]:
        """Everything that is chosen without the oracle, solver by solver."""
        return [*(one for of in self.solvers for one in of.choices), *self.together_chosen]

    @property
    def summary(self) -> Summary:
        """One summary of all runs, of which each solver is an arm."""
        if len(self.runs) == 1:
            return self.runs[0].summary
        parts = [run.summary for run in self.runs]
        flaky = {task for part in parts for task in part.flaky}
        return Summary(
            issues=len(self.table.tasks),
            samples_per_issue=max(part.samples_per_issue for part in parts),
            arms=tuple(dataclasses.replace(one.arm, label=one.label) for one in self.solvers),
            failures={
                f"{run.name}: {model}": count
                for run in self.runs
                for model, count in run.summary.failures.items()
            },
            comparisons=tuple(one for part in parts for one in part.comparisons),
            flaky=tuple(task for task in self.table.tasks if task in flaky),
            adaptive=any(part.adaptive for part in parts),
        )


def read_run(store: Store) -> RunRead:
    """Read one run; raises StoreError when there is none."""
    table = store.table()
    config = store.config() or {}
    sweep = store.folder / "sweep.toml"
    return RunRead(
        name=store.folder.name,
        config=config,
        summary=summary_of(store, table=table),
        table=table,
        failures=store.failures(),
        sweep=sweep.read_text(encoding="utf-8") if sweep.is_file() else None,
        store=store,
    )


def findings(runs: Sequence[RunRead]) -> Findings:
    """Work out all that is to be said of runs, in their order."""
    runs = _named_apart(runs)
    several = len(runs) > 1
    solvers: list[Solver] = []
    mixed: list[Worth] = []
    for run in runs:
        prefix = f"{run.name}: " if several else ""
        labels = [prefix + arm.label for arm in run.summary.arms]
        *choices, of_all = worths(run.store, run.table, labels, together=prefix + ALL_TOGETHER)
        solvers += [_solver(run, i, labels[i], choices[i]) for i in range(len(labels))]
        mixed += of_all
    table = side_by_side([run.table for run in runs])
    money = amounts(table, "money")
    # Where what was drawn followed what was solved, the depths of issues tell of their difficulty.
    fair = {i: solver for i, solver in enumerate(solvers) if not solver.run.summary.adaptive}
    priced = {
        solver.label: attempts(table, column, money, failed_cost=solver.arm.failed_cost)
        for column, solver in fair.items()
        if solver.arm.cost is not None and solver.arm.samples
    }
    counts = [table.counts(column) for column in fair]
    pairs = list(combinations(priced, 2)) if len(priced) <= COMPARED else []
    return Findings(
        runs=runs,
        solvers=solvers,
        table=table,
        together=together(*map(np.array, zip(*counts, strict=True))) if len(fair) > 1 else None,
        frontier=frontier(priced) if priced else None,
        break_evens=[_break_even(priced, pair) for pair in pairs],
        crossings=[crossing(priced[a], priced[b], names=(a, b)) for a, b in pairs],
        paired=_paired(table, fair),
        together_chosen=mixed,
    )


def side_by_side(tables: Sequence[SampleTable]) -> SampleTable:
    """Put the samples of several runs into one table, which has the arms of all.

    Tasks of one id are one task. Equal patches of different runs do not count as equal.
    """
    if len(tables) == 1:
        return tables[0]
    tasks = tuple(dict.fromkeys(task for table in tables for task in table.tasks))
    place = {task: i for i, task in enumerate(tasks)}
    columns: dict[str, list[NDArray[Any]]] = {}
    arms: list[tuple[str, str]] = []
    patches = 0
    for table in tables:
        moved = np.array([place[task] for task in table.tasks], dtype=np.int32)
        placed = dataclasses.replace(
            table,
            task=moved[table.task],
            arm=table.arm + np.int32(len(arms)),
            patch=np.where(table.patch == NO_PATCH, NO_PATCH, table.patch + patches),
        )
        for field in dataclasses.fields(table)[2:]:
            columns.setdefault(field.name, []).append(getattr(placed, field.name))
        arms += table.arms
        patches += int(table.patch.max(initial=NO_PATCH)) + 1
    joined: dict[str, Any] = {name: np.concatenate(parts) for name, parts in columns.items()}
    return SampleTable(tasks=tasks, arms=tuple(arms), **joined)


def _solver(run: RunRead, position: int, label: str, choices: Sequence[Worth]) -> Solver:
    arm = run.summary.arms[position]
    scaling = fit(*run.table.counts(position))
    if run.summary.adaptive:
        why = "What was drawn followed what was solved, so its coverage carries no law."
        scaling = dataclasses.replace(scaling, law=None, cannot_say=why)
    of = attempts(run.table, position, amounts(run.table, "money"), failed_cost=arm.failed_cost)
    return Solver(
        label=label,
        run=run,
        position=position,
        arm=arm,
        spent=spent(run.table, position, failed_cost=arm.failed_cost),
        costs=cost_curve(of, [point.k for point in arm.pass_at_k]),
        scaling=scaling,
        choices=choices,
    )


def _paired(table: SampleTable, solvers: Mapping[int, Solver]) -> dict[int, Sequence[Paired]]:
    if not 1 < len(solvers) <= COMPARED:
        return {}
    sides = [side(table, column, solver.label) for column, solver in solvers.items()]
    depth = common_depth(np.min([one.n for one in sides], axis=0))
    return {k: compare_all(sides, k=k) for k in sorted({1, max(depth, 1)})}


def _break_even(priced: Mapping[str, Attempts], pair: tuple[str, str]) -> BreakEven:
    """Compare two, the one that is cheaper by the sample first."""
    cheap, dear = sorted(pair, key=lambda name: _per_sample(priced[name]))
    return break_even(priced[cheap], priced[dear], names=(cheap, dear))


def _per_sample(of: Attempts) -> float:
    return float((of.resolved + of.unresolved).sum() / max(of.n.sum(), 1))


def _named_apart(runs: Sequence[RunRead]) -> list[RunRead]:
    """Number the runs whose folders have one name."""
    taken = Counter(run.name for run in runs)
    return [
        run if taken[run.name] == 1 else dataclasses.replace(run, name=f"{run.name} #{i}")
        for i, run in enumerate(runs, start=1)
    ]
