"""What k samples of an issue cost and solve, as an exact expectation over the samples drawn.

Pure functions over counts and amounts by issue. A cost that is unknown is NaN in an array and None
alone, never 0. Nothing here goes past the samples that were drawn, and verification is a column of
its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from eval import intervals
from eval.coverage import pass_at_k, pass_at_ks
from eval.table import NO_PATCH, Bools, Floats, Ints, SampleTable


@dataclass(frozen=True, kw_only=True, slots=True)
class Patches:
    """Different patches of one arm, each verified once; every array has one entry a patch.

    One that was verified again with another outcome counts as two.
    """

    issue: Ints
    """Position in the tasks."""
    size: Ints
    """Samples of the issue that hold it."""
    resolved: Bools
    seconds: Floats
    """Of its verification."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Costs:
    """Samples of one arm that have a verdict, and their cost on one axis; one entry an issue."""

    n: Ints
    c: Ints
    """Verdicts, and resolved among them."""
    unresolved: Floats
    resolved: Floats
    """Cost of all n - c, and of all c; 0 where there are none, NaN where it is unknown."""
    patches: Patches | None = None
    """None: nothing is said of verification."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AtK:
    """What k samples an issue cost and solve, on the issues that have as many verdicts."""

    k: int
    issues: int
    excluded: int
    """Issues with fewer verdicts."""
    coverage: float | None
    """Expected share solved; None, as all below, when no issue has k verdicts."""
    samples: float | None
    """Expected number an issue: k, or fewer when the first solve ends them."""
    per_sample: float | None
    per_issue: float | None
    per_solve: float | None
    """Cost over expected solves; None when the cost is unknown or nothing is solved."""
    low: float | None
    high: float | None
    """The 95% interval of `per_solve`, `eval.intervals.of_ratio`. The upper end is None where it
    may be that nothing is solved, and both are with fewer than two issues."""
    verify_seconds: float | None
    """Expected an issue, equal patches once; in none of the costs."""


def costs(
    table: SampleTable,
    arm: int | Sequence[int],
    amounts: Floats,
    *,
    failed_cost: float | None = 0.0,
) -> Costs:
    """Gather one arm's cost by issue, or that of several together as a mixture.

    `amounts` is the cost of every sample of the table, as `eval.axes.amounts` gives it.
    `failed_cost`, what failed draws used on the same axis, is borne by all samples alike, those
    without a verdict too; None makes every cost unknown.
    """
    n, c = table.counts(arm)
    drawn = np.isin(table.arm, arm)
    billed = math.nan if failed_cost is None else failed_cost
    share = billed / max(int(drawn.sum()), 1)

    def total(chosen: Bools) -> Floats:
        weights = amounts[chosen] + share
        return np.bincount(table.task[chosen], weights, len(table.tasks)).astype(np.float64)

    return Costs(
        n=n,
        c=c,
        unresolved=total(drawn & table.judged & ~table.resolved),
        resolved=total(drawn & table.resolved),
        patches=patches(table, arm),
    )


def patches(table: SampleTable, arm: int | Sequence[int]) -> Patches:
    """Gather the different patches that were verified, within each issue."""
    held = np.isin(table.arm, arm) & table.judged & (table.patch != NO_PATCH)
    rows = np.flatnonzero(held)
    rows = rows[np.lexsort((table.resolved[rows], table.patch[rows], table.task[rows]))]
    groups = np.stack([table.task[rows], table.patch[rows], table.resolved[rows]])
    new = np.ones(rows.size, dtype=np.bool_)
    new[1:] = (groups[:, 1:] != groups[:, :-1]).any(axis=0)
    starts = np.flatnonzero(new)
    seconds = table.verify_seconds[rows]
    return Patches(
        issue=table.task[rows[starts]].astype(np.int64),
        size=np.diff(np.append(starts, rows.size)),
        resolved=table.resolved[rows[starts]],
        seconds=np.fmax.reduceat(seconds, starts) if starts.size else seconds,
    )


def misses(n: ArrayLike, c: ArrayLike, k: int, *, stop: bool) -> Floats:
    """Expected unresolved samples among those drawn of every issue; NaN where k > n.

    Samples are drawn without replacement: `k` of them, or with `stop` until one resolves or k are
    drawn. An unresolved sample is then drawn when it comes before all c resolved ones and within
    the first k: of those c + 1, one comes within k with the chance pass@k(n, c + 1), and it is
    each of them alike. With pass@k the expected number of samples is misses + pass@k, which is
    (n + 1) / (c + 1) pass@k(n + 1, c + 1), the mean of the negative hypergeometric distribution
    cut off at k. `n`, `c` and errors as in `eval.coverage.pass_at_k`.
    """
    n, c = np.broadcast_arrays(np.asarray(n, dtype=np.int64), np.asarray(c, dtype=np.int64))
    if stop:
        found: Floats = pass_at_k(n, np.minimum(c + 1, n), k) * ((n - c) / (c + 1))
        return found
    return np.where(n < k, np.nan, k * (n - c) / np.maximum(n, 1))


def hits(n: ArrayLike, c: ArrayLike, k: int, *, stop: bool) -> Floats:
    """Expected resolved samples among those drawn, as `misses`: with `stop` it is pass@k."""
    n, c = np.broadcast_arrays(np.asarray(n, dtype=np.int64), np.asarray(c, dtype=np.int64))
    return pass_at_k(n, c, k) if stop else np.where(n < k, np.nan, k * c / np.maximum(n, 1))


def expected_cost(of: Costs, k: int, *, stop: bool) -> Floats:
    """Expected cost of up to `k` samples of every issue; NaN where k > n or it is unknown.

    Exact for samples of unequal cost: which unresolved sample is drawn, and which resolved one,
    is chance, so each kind counts with its mean. Prompts are in the cache as they were in the
    run: the first sample of an issue, which may have paid for that, is one of n here.
    """
    missed: Floats = misses(of.n, of.c, k, stop=stop) * of.unresolved / np.maximum(of.n - of.c, 1)
    solved: Floats = hits(of.n, of.c, k, stop=stop) * of.resolved / np.maximum(of.c, 1)
    return missed + solved


def expected_verification(of: Costs, k: int, *, stop: bool) -> Floats | None:
    """Expected seconds of verification of up to `k` samples of every issue; NaN where k > n.

    A patch that `size` samples hold is verified once, when the first of them is drawn.
    """
    if of.patches is None:
        return None
    issue, size = of.patches.issue, of.patches.size
    n, c = of.n[issue], of.c[issue]
    if not stop:
        chance = pass_at_k(n, size, k)
    else:
        # The first of these samples to be drawn is each of them alike.
        first_of = np.where(of.patches.resolved, c, c + size)
        chance = pass_at_k(n, first_of, k) * size / first_of
    seconds = np.bincount(issue, chance * of.patches.seconds, minlength=of.n.size)
    return np.where(of.n < k, np.nan, seconds)


def cost_curve(of: Costs, ks: Sequence[int], *, stop: bool = False) -> tuple[AtK, ...]:
    """Return what k samples an issue cost and solve, for every k of `ks`.

    All k are drawn, or with `stop` no more than until the first solve. Each k stands on the
    issues that carry it, so that two k of a run still going are not of the same issues.
    """
    chance = pass_at_ks(of.n, of.c, ks)
    cost, every = np.empty_like(chance), np.empty_like(chance)
    for column, k in enumerate(ks):
        cost[:, column] = expected_cost(of, k, stop=stop)
        every[:, column] = expected_cost(of, k, stop=False)
    per_solve = intervals.of_ratio(cost, chance, every).T
    return tuple(
        _at_k(of, k, chance[:, i], cost[:, i], per_solve[i], stop=stop) for i, k in enumerate(ks)
    )


def _at_k(of: Costs, k: int, chance: Floats, cost: Floats, interval: Floats, *, stop: bool) -> AtK:
    chosen = of.n >= k
    issues = int(chosen.sum())
    drawn = misses(of.n, of.c, k, stop=stop) + hits(of.n, of.c, k, stop=stop)
    verification = expected_verification(of, k, stop=stop)
    coverage, per_issue, samples = (_mean(column[chosen]) for column in (chance, cost, drawn))
    told = per_issue is not None and bool(coverage) and issues > 1
    low, high = (finite(end) if told else None for end in interval)
    return AtK(
        k=k,
        issues=issues,
        excluded=of.n.size - issues,
        coverage=coverage,
        samples=samples,
        per_sample=None if per_issue is None or samples is None else per_issue / samples,
        per_issue=per_issue,
        per_solve=None if per_issue is None or not coverage else per_issue / coverage,
        low=low,
        high=high,
        verify_seconds=None if verification is None else _mean(verification[chosen]),
    )


def finite(value: float) -> float | None:
    """Return a number as it is; None for one that is infinite or unknown."""
    return float(value) if math.isfinite(value) else None


def _mean(values: Floats) -> float | None:
    """None of nothing, and of what is not known of every issue."""
    mean = float(values.mean()) if values.size else math.nan
    return None if math.isnan(mean) else mean
