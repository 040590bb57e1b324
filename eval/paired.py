"""Two arms or two runs, compared on the same issues.

A paired difference, its interval over issues, and two exact tests; Holm's correction where several
pairs are looked at. Issues that only one side judged are counted and left out. A difference that
no test finds is not shown to be none.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eval import intervals
from eval.coverage import pass_at_k
from eval.table import Bools, Ints, SampleTable

FLIPS = 9_999
"""Sign flips of the permutation test, at most; up to 13 issues that differ it is all of them."""

COMPARED = 8
"""Sides of which every pair is compared; of more, the pairs would be more than anyone reads."""

BEST = 4
"""Sides whose pairs are all compared where there are more."""

FLIPS_AT_ONCE = 2_000
"""Sign flips of several columns together, at most; up to 10 issues that differ it is all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """Verdicts of one arm of one run; every array has one entry a task."""

    name: str
    tasks: tuple[str, ...]
    n: Ints
    c: Ints
    # Verdicts, and resolved among them.
    first: Ints
    # How many of the verdicts, in the order of the samples, it took to the first that resolved;
    # 0 where none did.


@dataclass(frozen=True, kw_only=True, slots=True)
class Paired:
    """What two sides did at k on the issues that both carry."""

    a: str
    b: str
    k: int
    issues: int
    # With at least k verdicts of both.
    too_few: int
    # Judged on both sides, with fewer than k verdicts on one.
    only_a: int
    only_b: int
    # Issues that only one side has verdicts of. None of these three is in a figure.
    pass_a: float | None
    pass_b: float | None
    # Mean pass@k, as all below over `issues`; None without any.
    difference: float | None
    # a - b.
    low: float | None
    high: float | None
    # Its 95% interval, `eval.intervals.of_difference`; None with fewer than two issues.
    both: int
    alone_a: int
    alone_b: int
    neither: int
    # Issues by which side solved them with its first k verdicts.
    mcnemar: float | None
    permutation: float | None
    # Two-sided p-values of `mcnemar` and `sign_flips`.
    mcnemar_holm: float | None
    permutation_holm: float | None
    # The same, corrected for all pairs compared together.


def side(table: SampleTable, arm: int, name: str) -> Side:
    """Gather the verdicts of one arm, `arm` being its position in `table.arms`."""
    n, c = table.counts(arm)
    rows = np.flatnonzero((table.arm == arm) & table.judged)
    rows = rows[np.lexsort((table.index[rows], table.task[rows]))]
    starts = np.cumsum(n) - n
    place = np.arange(1, rows.size + 1) - starts[table.task[rows]]
    first = np.zeros_like(n)
    hits = np.flatnonzero(table.resolved[rows])[::-1]
    # Backwards, so that the earliest one stays.
    first[table.task[rows[hits]]] = place[hits]
    return Side(name=name, tasks=table.tasks, n=n, c=c, first=first)


def compare(a: Side, b: Side, *, k: int = 1, seed: int = 0) -> Paired:
    """Compare two sides at k on the issues, by their ids, that both have k verdicts of."""
    in_a = {task: i for i, task in enumerate(a.tasks) if a.n[i]}
    in_b = {task: i for i, task in enumerate(b.tasks) if b.n[i]}
    shared = [task for task in in_a if task in in_b]
    rows_a = np.array([in_a[task] for task in shared], dtype=np.int64)
    rows_b = np.array([in_b[task] for task in shared], dtype=np.int64)
    deep = (a.n[rows_a] >= k) & (b.n[rows_b] >= k)
    rows_a, rows_b = rows_a[deep], rows_b[deep]
    chance_a, chance_b = (
        pass_at_k(of.n[rows], of.c[rows], k) for of, rows in ((a, rows_a), (b, rows_b))
    )
    difference = chance_a - chance_b
    solved_a, solved_b = (_within(of.first[rows], k) for of, rows in ((a, rows_a), (b, rows_b)))
    alone_a, alone_b = int((solved_a & ~solved_b).sum()), int((solved_b & ~solved_a).sum())
    ends = intervals.of_difference(chance_a[:, None], chance_b[:, None])[:, 0].tolist()
    low, high = ends if difference.size > 1 else (None, None)
    some = difference.size > 0
    p_mcnemar = mcnemar(alone_a, alone_b) if some else None
    p_flips = sign_flips(difference, seed=seed) if some else None
    return Paired(
        a=a.name,
        b=b.name,
        k=k,
        issues=difference.size,
        too_few=len(shared) - difference.size,
        only_a=len(in_a) - len(shared),
        only_b=len(in_b) - len(shared),
        pass_a=float(chance_a.mean()) if some else None,
        pass_b=float(chance_b.mean()) if some else None,
        difference=float(difference.mean()) if some else None,
        low=low,
        high=high,
        both=int((solved_a & solved_b).sum()),
        alone_a=alone_a,
        alone_b=alone_b,
        neither=int((~solved_a & ~solved_b).sum()),
        mcnemar=p_mcnemar,
        permutation=p_flips,
        mcnemar_holm=p_mcnemar,
        permutation_holm=p_flips,
    )


def chosen_pairs(scores: Sequence[float]) -> list[tuple[int, int]]:
    """Pairs of sides to compare, by their positions: all, or of many the best ones' and best's.

    Of more than `COMPARED` sides these are the pairs among the `BEST` with the highest scores, and
    of the very best with every other.
    """
    pairs = list(itertools.combinations(range(len(scores)), 2))
    if len(scores) <= COMPARED:
        return pairs
    ranked = sorted(range(len(scores)), key=lambda at: -scores[at])
    best = set(ranked[:BEST])
    return [pair for pair in pairs if ranked[0] in pair or best.issuperset(pair)]


def compare_all(
    sides: Sequence[Side],
    *,
    k: int = 1,
    pairs: Sequence[tuple[int, int]] | None = None,
    seed: int = 0,
) -> tuple[Paired, ...]:
    """Compare pairs of sides (every pair by default), the p-values corrected for all there are.

    Pairs that are not compared count in the correction: the others were chosen by their scores.
    """
    every = len(sides) * (len(sides) - 1) // 2
    chosen = itertools.combinations(range(len(sides)), 2) if pairs is None else pairs
    compared = [compare(sides[a], sides[b], k=k, seed=seed) for a, b in chosen]
    exact = holm([pair.mcnemar for pair in compared], of=every)
    flips = holm([pair.permutation for pair in compared], of=every)
    return tuple(
        dataclasses.replace(pair, mcnemar_holm=p, permutation_holm=q)
        for pair, p, q in zip(compared, exact, flips, strict=True)
    )


def mcnemar(alone_a: int, alone_b: int) -> float:
    """Two-sided p-value of McNemar's test, exact (McNemar 1947).

    Of the issues that only one side solved, each is as likely either's when the sides are alike:
    a binomial with 1/2. What both or neither solved says nothing. 1 when there is no such issue.
    """
    from scipy.stats import binomtest

    differing = alone_a + alone_b
    return float(binomtest(alone_a, differing).pvalue) if differing else 1.0


def sign_flips(differences: ArrayLike, *, seed: int = 0) -> float:
    """Two-sided p-value of the mean of paired differences, one an issue, by permutation.

    When the sides are alike they may be swapped at any issue, which flips the sign of its
    difference (Fisher 1935, "The Design of Experiments", section 21). All flips are tried, or
    `FLIPS` random ones, whose p-value is never below 1 / (`FLIPS` + 1). Exact when both sides have
    as many verdicts of an issue; else their spreads differ, and it holds nearly.
    """
    from scipy.stats import permutation_test

    values = np.asarray(differences, dtype=np.float64)
    values = values[np.abs(values) > intervals.SAME]
    if values.size <= 1:
        return 1.0  # A single flip gives the same difference.
    found = permutation_test(
        (values,),
        np.mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=FLIPS,
        batch=1_000,
        rng=np.random.default_rng(seed),
    )
    return float(found.pvalue)


def flips_at_once(
    differences: ArrayLike, *, above: bool = False, seed: int = 0
) -> NDArray[np.float64]:
    """Two-sided p-values of the means of several columns (issues, columns), corrected together.

    As `sign_flips`, with the same flips for all columns and against the largest of them (Westfall
    and Young 1993): the chance of even one false difference among all columns is at most the level.
    One-sided with `above`: only means above 0 count.
    """
    values = np.asarray(differences, dtype=np.float64)
    values = np.where(np.abs(values) > intervals.SAME, values, 0.0)
    values = values[np.abs(values).any(axis=1)]
    issues, columns = values.shape
    if issues <= 1:
        return np.ones(columns)
    scale = np.sqrt((values**2).sum(axis=0))
    scaled = np.divide(values, scale, out=np.zeros_like(values), where=scale > 0)
    if 2**issues <= FLIPS_AT_ONCE:
        signs = np.array(list(itertools.product([1.0, -1.0], repeat=issues)))
    else:
        draw = np.random.default_rng(seed)
        signs = draw.choice([1.0, -1.0], size=(FLIPS_AT_ONCE, issues))
        # What was seen is one of the flips.
        signs[0] = 1.0
    flipped, seen = signs @ scaled, scaled.sum(axis=0)
    if not above:
        flipped, seen = np.abs(flipped), np.abs(seen)
    largest = np.sort(flipped.max(axis=1))
    farther = largest.size - np.searchsorted(largest, seen - intervals.SAME)
    return np.asarray(farther / largest.size, dtype=np.float64)


def holm(p_values: Sequence[float | None], *, of: int = 0) -> list[float | None]:
    """Correct p-values for their number (Holm 1979), in the order given; None stays None.

    `of` is how many there are where these are the ones that were looked at.

    The chance of even one false difference among all pairs is then at most the level, whatever
    they have in common.
    """
    known = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    least = 0.0
    number = max(of, len(known))
    for rank, (p, i) in enumerate(known):
        least = max(least, min(1.0, p * (number - rank)))
        corrected[i] = least
    return corrected


def _within(first: Ints, k: int) -> Bools:
    return (first > 0) & (first <= k)
