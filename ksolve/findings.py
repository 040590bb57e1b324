"""All that a report says of one run or of several, computed once.

Runs lie side by side: each solver of each run is one column of everything, named as shortly as
tells it from the others, and by its run where there are several. All costs but verification are on
one axis. What cannot be said of a run (no price, too few samples) is None here.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from eval import equal_cost
from eval.axes import UNITS, Axis, Spent, amounts, failed_amount, spent
from eval.break_even import BreakEven, break_even
from eval.cost_at_k import AtK, Costs, cost_curve, costs
from eval.coverage import Together, common_depth, together
from eval.equal_cost import EqualCost
from eval.frontier import Frontier, frontier
from eval.paired import Paired, chosen_pairs, compare_all, side
from eval.sample import Failure, SampleKey
from eval.scaling import Scaling, fit
from eval.selection.evaluate import Evaluation
from eval.selection.kept import Word, words_of
from eval.store import Store, StoreError
from eval.summary import Arm, Names, Summary, at_ks, short_names
from eval.table import SampleTable
from ksolve.chosen import ALL_TOGETHER, Worth, worths
from ksolve.results import flaky_of, parameters_kept, summary_of
from ksolve.side_by_side import side_by_side

TARGETS = (0.25, 0.5, 0.75, 0.9, 0.95)
"""Coverages of which it is said how many samples they take."""

DEFAULTS: tuple[Axis, ...] = ("money", "accelerator_seconds", "tokens")
"""Axes of cost in the order of preference: the first is taken that is known of every solver."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRead:
    """What was read of one run folder."""

    name: str
    """Of the folder; unlike every other run's."""
    config: Mapping[str, Any]
    sweep: str | None
    """The text of its sweep.toml, where it has one."""
    summary: Summary
    table: SampleTable
    failures: Sequence[Failure]
    store: Store
    """Still open, for its patches."""
    left_out: Sequence[str] = ()
    """Flaky issues that are in none of this, as was asked for."""
    not_believed: int = 0
    """Resolved samples that count as unresolved: they are suspicious, and that was asked for."""
    parameters: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """As in `eval.axes.amounts`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Solver:
    """One model under one strategy in one run."""

    label: str
    """Unlike every other solver's: short, or in full for programs."""
    run: RunRead
    position: int
    """In the arms of the run's table."""
    arm: Arm
    spent: Spent
    costs: Sequence[AtK]
    """When all k are drawn, at the same k as `arm.pass_at_k`."""
    until_solved: Sequence[AtK]
    """When an issue's first solve ends it, at the same k."""
    scaling: Scaling
    choices: Sequence[Worth] = ()
    """What is chosen without the oracle is worth: first among all samples with a verdict, unless
    there are too many, then where `ksolve select` chose when there were fewer."""

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
    names: Names
    """The solvers' short ones, and what these leave unsaid."""
    table: SampleTable
    """Of all runs: task by task the union, arm by arm the solvers."""
    axis: Axis
    axis_why: str
    """What costs are told in, and why in that."""
    together: Together | None
    """Of all solvers, as all below without those of adaptive runs; None of fewer than two."""
    frontier: Frontier | None
    """When all k are drawn; None where no cost is known."""
    break_evens: Sequence[BreakEven]
    equal_costs: Sequence[EqualCost]
    """Of pairs of solvers whose costs are known, when all k are drawn."""
    paired: Mapping[int, Sequence[Paired]]
    """By k (1, and what most issues carry), of pairs of solvers: all, or `chosen_pairs` of many."""
    unread: Sequence[str]
    """Why what `ksolve select` kept cannot be read, a sentence for each run of which it cannot."""
    together_chosen: Sequence[Worth]
    """What `ksolve select` chose among the samples of all solvers of a run is worth."""

    @property
    def choices(self) -> list[Worth]:
        """Everything that is chosen without the oracle, solver by solver."""
        return [*(one for of in self.solvers for one in of.choices), *self.together_chosen]

    @property
    def chosen_before(self) -> list[Worth]:
        """What `ksolve select` kept of them."""
        return [one for one in self.choices if one.is_kept]

    @property
    def summary(self) -> Summary:
        """One summary of all runs, with every solver in it."""
        if len(self.runs) == 1:
            return self.runs[0].summary
        parts = [run.summary for run in self.runs]
        flaky = {task for part in parts for task in part.flaky}
        return Summary(
            issues=len(self.table.tasks),
            samples_per_issue=max(part.samples_per_issue for part in parts),
            solvers=tuple(dataclasses.replace(one.arm, label=one.label) for one in self.solvers),
            failures={
                f"{run.name}: {model}": count
                for run in self.runs
                for model, count in run.summary.failures.items()
            },
            flaky=tuple(task for task in self.table.tasks if task in flaky),
            adaptive=any(part.adaptive for part in parts),
        )


def read_run(
    store: Store,
    *,
    without_flaky: bool = False,
    strict: bool = False,
    parameters: Mapping[str, float] = MappingProxyType({}),
) -> RunRead:
    """Read one run, or all of it but its flaky issues; raises StoreError when there is none.

    `strict` counts resolved samples that look like reward hacking as unresolved. `parameters` go
    before those that are kept with the run.
    """
    table = store.table()
    believed = table.strict() if strict else table
    not_believed = int((table.resolved & ~believed.resolved).sum())
    table = believed
    flaky = flaky_of(store) if without_flaky else ()
    left_out = tuple(task for task in table.tasks if task in flaky)
    table = table.without(left_out) if left_out else table
    sweep = store.folder / "sweep.toml"
    return RunRead(
        name=store.folder.name,
        config=store.config() or {},
        summary=summary_of(store, table=table, without=left_out),
        table=table,
        failures=[one for one in store.failures() if one.key.task_id not in left_out],
        sweep=sweep.read_text(encoding="utf-8") if sweep.is_file() else None,
        store=store,
        left_out=left_out,
        not_believed=not_believed,
        parameters=parameters_kept(store) | dict(parameters),
    )


def findings(
    runs: Sequence[RunRead], axis: Axis | None = None, *, in_full: bool = False
) -> Findings:
    """Work out all that is to be said of runs, in their order, with costs on one axis.

    Without `axis` it is the first of `DEFAULTS` that is known of every solver. `in_full` names
    solvers by what does not depend on what they are shown beside.
    """
    runs = _at_the_same_ks(_named_apart(runs))
    prefixes = [f"{run.name}: " if len(runs) > 1 else "" for run in runs]
    names = short_names(
        [(arm.model, arm.strategy) for run in runs for arm in run.summary.solvers],
        [run.name for run in runs for _ in run.summary.solvers] if len(runs) > 1 else (),
    )
    short = iter(names.each)
    labelled = [
        [prefix + arm.label if in_full else next(short) for arm in run.summary.solvers]
        for prefix, run in zip(prefixes, runs, strict=True)
    ]
    ledgers = {
        label: spent(run.table, position, failed=arm.failed, parameters=run.parameters)
        for labels, run in zip(labelled, runs, strict=True)
        for position, (label, arm) in enumerate(zip(labels, run.summary.solvers, strict=True))
    }
    axis, axis_why = _axis(ledgers, axis)
    solvers: list[Solver] = []
    mixed: list[Worth] = []
    unread: list[str] = []
    for prefix, labels, run in zip(prefixes, labelled, runs, strict=True):
        words: Sequence[Word] = ()
        try:
            words = words_of(run.store.folder)
        except StoreError as error:
            unread.append(str(error))
        *choices, of_all = worths(
            run.store,
            run.table,
            labels,
            words,
            together=prefix + ALL_TOGETHER,
            ks=[point.k for arm in run.summary.solvers for point in arm.pass_at_k],
        )
        solvers += [
            dataclasses.replace(_solver(run, position, label, ledgers[label], axis), choices=chosen)
            for position, (label, chosen) in enumerate(zip(labels, choices, strict=True))
        ]
        mixed += of_all
    table = side_by_side([run.table for run in runs])
    # Where what was drawn followed what was solved, the depths of issues tell of their difficulty.
    fair = {i: solver for i, solver in enumerate(solvers) if not solver.run.summary.adaptive}
    priced = {
        solver.label: costs_by_issue(table, column, solver.arm, axis, solver.run.parameters)
        for column, solver in fair.items()
        if solver.spent.totals[axis] is not None and solver.arm.samples
    }
    counts = [table.counts(column) for column in fair]
    pairs = _chosen(table, fair)
    names_of = {column: solver.label for column, solver in fair.items()}
    priced_pairs = [
        (names_of[a], names_of[b])
        for a, b in pairs
        if names_of[a] in priced and names_of[b] in priced
    ]
    return Findings(
        runs=runs,
        solvers=solvers,
        names=names,
        table=table,
        axis=axis,
        axis_why=axis_why,
        together=together(*map(np.array, zip(*counts, strict=True))) if len(fair) > 1 else None,
        frontier=frontier(priced) if priced else None,
        break_evens=[_break_even(priced, pair, axis) for pair in priced_pairs],
        equal_costs=equal_cost.compare_all(
            [(a, priced[a], b, priced[b]) for a, b in priced_pairs],
            axis=axis,
            of=math.comb(len(priced), 2),
        ),
        paired=_paired(table, fair, pairs),
        together_chosen=mixed,
        unread=unread,
    )


def _axis(ledgers: Mapping[str, Spent], asked: Axis | None) -> tuple[Axis, str]:
    """Choose the axis that costs are told on, and say why it is that."""
    axes = DEFAULTS if asked is None else (asked,)
    unknown = {
        axis: ", ".join(name for name, of in ledgers.items() if of.totals[axis] is None)
        for axis in axes
    }
    chosen = next((axis for axis in axes if not unknown[axis]), axes[0])
    why = "as asked for" if asked else "which are known of all"
    if unknown[chosen]:
        why = f"unknown of {unknown[chosen]}"
    elif chosen != axes[0]:
        passed = axes[: axes.index(chosen)]
        why = "since they are unknown in " + " and in ".join(
            f"{UNITS[one]} ({unknown[one]})" for one in passed
        )
    return chosen, f"Costs are in {UNITS[chosen]}, {why}."


def costs_by_issue(
    table: SampleTable, position: int, arm: Arm, axis: Axis, parameters: Mapping[str, float]
) -> Costs:
    """Gather what the samples of an arm, at its position in a table, cost on one axis."""
    failed_cost = failed_amount(arm.failed, axis, arm.model, parameters)
    return costs(table, position, amounts(table, axis, parameters), failed_cost=failed_cost)


def costs_of(run: RunRead, position: int, axis: Axis, *, stop: bool = False) -> Sequence[AtK]:
    """Return what the samples of a solver cost at each k of its `pass_at_k`.

    Unknown of an adaptive run: which issues have k samples followed what was solved. `stop` as in
    `eval.cost_at_k.cost_curve`.
    """
    arm = run.summary.solvers[position]
    curve = cost_curve(
        costs_by_issue(run.table, position, arm, axis, run.parameters),
        [point.k for point in arm.pass_at_k],
        stop=stop,
    )
    if not run.summary.adaptive:
        return curve
    return [
        dataclasses.replace(
            at, per_issue=None, per_solve=None, low=None, high=None, verify_seconds=None
        )
        for at in curve
    ]


def _solver(run: RunRead, position: int, label: str, ledger: Spent, axis: Axis) -> Solver:
    arm = run.summary.solvers[position]
    scaling = fit(*run.table.counts(position))
    if run.summary.adaptive:
        why = "What was drawn followed what was solved, so its coverage carries no law."
        scaling = dataclasses.replace(
            scaling, law=None, ceiling=None, cannot_say=why, ks=(), measured=(), lows=(), highs=()
        )
    return Solver(
        label=label,
        run=run,
        position=position,
        arm=arm,
        spent=ledger,
        costs=costs_of(run, position, axis),
        until_solved=costs_of(run, position, axis, stop=True),
        scaling=scaling,
    )


def _chosen(table: SampleTable, solvers: Mapping[int, Solver]) -> list[tuple[int, int]]:
    """Choose the pairs of columns that are compared, by what each solves with a sample."""
    columns = list(solvers)
    scores = [
        float((c / np.maximum(n, 1)).sum()) for n, c in (table.counts(one) for one in columns)
    ]
    return [(columns[a], columns[b]) for a, b in chosen_pairs(scores)]


def _paired(
    table: SampleTable, solvers: Mapping[int, Solver], pairs: Sequence[tuple[int, int]]
) -> dict[int, Sequence[Paired]]:
    if not pairs:
        return {}
    columns = list(solvers)
    sides = [side(table, column, solver.label) for column, solver in solvers.items()]
    depth = common_depth(np.min([one.n for one in sides], axis=0))
    at = [(columns.index(a), columns.index(b)) for a, b in pairs]
    return {k: compare_all(sides, k=k, pairs=at) for k in sorted({1, max(depth, 1)})}


def _break_even(priced: Mapping[str, Costs], pair: tuple[str, str], axis: Axis) -> BreakEven:
    """Compare two, the one that is cheaper by the sample first."""
    cheap, dear = sorted(pair, key=lambda name: _per_sample(priced[name]))
    return break_even(priced[cheap], priced[dear], names=(cheap, dear), axis=axis)


def _per_sample(of: Costs) -> float:
    return float((of.resolved + of.unresolved).sum() / max(of.n.sum(), 1))


def _at_the_same_ks(runs: Sequence[RunRead]) -> list[RunRead]:
    """Have the coverage of every run at the k of all, as deep as its own samples go."""
    ks = {point.k for run in runs for arm in run.summary.solvers for point in arm.pass_at_k}
    return [
        dataclasses.replace(run, summary=at_ks(run.summary, run.table, sorted(ks)))
        if len(runs) > 1
        else run
        for run in runs
    ]


def _named_apart(runs: Sequence[RunRead]) -> list[RunRead]:
    """Number the runs whose folders have one name."""
    taken = Counter(run.name for run in runs)
    return [
        run if taken[run.name] == 1 else dataclasses.replace(run, name=f"{run.name} #{i}")
        for i, run in enumerate(runs, start=1)
    ]
