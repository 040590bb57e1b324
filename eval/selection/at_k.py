"""How often a method's choice is right when k samples of an issue are drawn, for k up to all.

The expectation over all subsets of k of the n samples, as pass@k is that of drawing without
replacement. A method that scores a sample by itself chooses the best of k; one that counts votes
counts those of the k. Groups of equal patches, and the scores of a judge, are those of the whole
pool. What a method says of a group because of other samples (matches, scripts of the models) cannot
be told of fewer samples, and there is no curve of it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.special import comb

from eval.coverage import ladder, pass_at_ks
from eval.selection.behaviour import NONE
from eval.selection.candidates import Bools, Floats, Ints, Selection

EXACT = 512
"""Samples of an issue up to which votes are counted over all subsets, and not over drawn ones."""

DRAWS = 1_000
"""Orders of the samples of an issue that are drawn where it has more."""

STEPS = 48
"""Values of k, about; up to a dozen samples it is every k."""

DIGITS = 9
"""Scores that are equal to so many decimals are tied."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Units:
    """The candidates of an issue as a method sees them, one entry a unit of them.

    Of a subset the best tier counts that has a sample in it. In that tier the unit is chosen whose
    samples in the subset have the most weight in all, and of it each of them is as likely. Units
    of equal weight share the choice by their samples.
    """

    tier: Ints
    """From 0, the best, in ascending order."""
    size: Ints
    """Candidates."""
    weight: Floats
    """Of one candidate."""
    solved: Ints
    """Resolved candidates."""


def ks_up_to(n: int) -> tuple[int, ...]:
    """Return the k at which a curve over `n` samples is told; `ladder(n)` is among them."""
    if n < 1:
        return ()
    spaced = np.geomspace(1, n, STEPS).round().astype(np.int64)
    return tuple(np.unique([*spaced.tolist(), *ladder(n)]).tolist())


def chosen_at_ks(
    selection: Selection,
    resolved: Sequence[Bools],
    has_patch: Sequence[Bools],
    ks: Sequence[int],
    *,
    seed: int = 0,
) -> Floats | None:
    """Chance that what a method chooses of `k` samples is resolved, (issues, len(ks)).

    `resolved` and `has_patch` have one array an issue with one entry a candidate, in the order of
    the pool. NaN where an issue has fewer than k. None for a method whose choice of fewer samples
    cannot be told. One seed gives the same answer every time; up to `EXACT` samples an issue it
    does not matter.
    """
    units_of = UNITS.get(selection.method)
    if units_of is None or not selection.scores:
        return None
    draw = np.random.default_rng(seed)
    issues = zip(selection.scores, selection.groups, has_patch, resolved, strict=True)
    return np.array([_expected(units_of(*of), ks, draw) for of in issues]).reshape(-1, len(ks))


def _by_score(scores: Floats, _: Ints, has_patch: Bools, resolved: Bools) -> Units:
    """Make a tier of each score: the best of a subset is chosen, whatever else is in it."""
    order = np.stack([~has_patch, -scores.round(DIGITS)])
    _, level = np.unique(order, axis=1, return_inverse=True)
    return _units(level.reshape(-1), np.zeros(scores.size), level.reshape(-1), resolved)


def _by_vote(scores: Floats, groups: Ints, has_patch: Bools, resolved: Bools) -> Units:
    """Make a unit of each group; those that are dropped, do nothing or are empty come after."""
    votes = has_patch & (groups != NONE)
    tier = np.select([votes & np.isfinite(scores), votes, has_patch], [0, 1, 2], 3)
    unit = np.where(votes, groups, NONE)
    _, place, size = np.unique(unit, return_inverse=True, return_counts=True)
    weight = np.where(tier == 0, scores, size[place]) / size[place]
    return _units(tier, weight, unit, resolved)


UNITS: Mapping[str, Callable[[Floats, Ints, Bools, Bools], Units]] = {
    "any": _by_score,
    "first": _by_score,
    "majority": _by_vote,
    "regression": _by_score,
    "regression+majority": _by_vote,
    "judge": _by_score,
    "weighted": _by_vote,
}
"""How each method that can be told of fewer samples sees the scores, groups, patches, verdicts."""


def _units(tier: Ints, weight: Floats, unit: Ints, resolved: Bools) -> Units:
    """Put candidates together that are one unit of one tier."""
    keys, first, place, size = np.unique(
        np.stack([tier, unit]), axis=1, return_index=True, return_inverse=True, return_counts=True
    )
    solved = np.bincount(place.reshape(-1)[resolved], minlength=size.size)
    return Units(tier=keys[0], size=size, weight=weight[first].round(DIGITS), solved=solved)


def _expected(units: Units, ks: Sequence[int], draw: np.random.Generator) -> Floats:
    """Return the chance at each k for one issue."""
    n, rate = int(units.size.sum()), units.solved / units.size
    starts = np.flatnonzero(np.diff(units.tier, prepend=-1))
    ends = np.append(starts[1:], units.tier.size)
    reached = np.append(0, np.cumsum(units.size))[ends]
    # Chance that a subset has a sample in this tier or in a better one.
    some = np.vstack([np.zeros(len(ks)), _some(n, tuple(ks))[reached]])
    best = np.diff(some, axis=0)
    chance = np.zeros(len(ks))
    for place, (start, end) in enumerate(zip(starts, ends, strict=True)):
        if rate[start:end].min() == rate[start:end].max():
            chance += rate[start] * best[place]
        elif n > EXACT:
            return _drawn(units, ks, draw)
        else:
            among = slice(start, end)
            at = np.minimum(ks, n)
            counted = _counted(
                units.size[among],
                units.weight[among],
                rate[among],
                below=n - int(reached[place]),
                most=int(at.max()),
            )
            chance += np.where(np.asarray(ks) <= n, counted[at] / comb(n, at), np.nan)
    return chance


@functools.lru_cache(maxsize=64)
def _some(n: int, ks: tuple[int, ...]) -> Floats:
    """Return the chance that k of `n` samples hold one of c, (c from 0 to n, len(ks))."""
    return pass_at_ks(n, np.arange(n + 1), ks)


def _counted(sizes: Ints, weights: Floats, rates: Floats, *, below: int, most: int) -> Floats:
    """Sum over the subsets of each size 0..`most` the chance that a tier's choice is resolved.

    `below` samples are in lower tiers and have no say. The subsets are counted by a generating
    function: x counts samples, and for each value v that a unit can win with, a unit contributes
    sum_j C(size, j) x^j over the j whose weight stays below v. Ties, where T samples have the same
    right to be chosen, are shared by 1/T, the integral of y^(T-1) from 0 to 1, which Gauss-Legendre
    nodes give exactly.
    """
    values = [
        np.round(np.arange(size + 1) * weight, DIGITS)
        for size, weight in zip(sizes.tolist(), weights.tolist(), strict=True)
    ]
    value, step, z, share = _rows(values, most)
    # Without a winner, and with one.
    sums = np.zeros((2, value.size, most + 1))
    sums[0] = comb(below, np.arange(most + 1))
    for of, rate in zip(values, rates.tolist(), strict=True):
        size, before = of.size - 1, sums.copy()
        # The rows from `lower` on may hold j of it, of which those before `upper` tie.
        lower, upper = (np.searchsorted(value, of, side).tolist() for side in ("left", "right"))
        for j in range(1, min(size, most) + 1):
            ways, shorter = float(comb(size, j)), before[:, :, : most + 1 - j]
            sums[:, upper[j] :, j:] += ways * shorter[:, upper[j] :]
            tie = slice(lower[j], upper[j])
            if lower[j] < upper[j]:
                fewer = z[tie, None] ** (j / step[tie, None] - 1)
                sums[:, tie, j:] += ways * fewer * z[tie, None] * shorter[:, tie]
                sums[1, tie, j:] += rate * ways * j / step[tie, None] * fewer * shorter[0, tie]
    counted: Floats = share @ sums[1]
    return counted


def _rows(values: Sequence[Floats], most: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the values that a unit can win with, ascending, each as often as it takes nodes.

    Of `values` of a unit entry j is that of j samples. Beside each value is what divides all
    counts of samples that have it, a node, and the node's share.
    """
    every = np.concatenate([of[1 : most + 1] for of in values])
    counts = np.concatenate([np.arange(1, min(of.size, most + 1)) for of in values])
    order = np.argsort(every, kind="stable")
    distinct, starts = np.unique(every[order], return_index=True)
    step = np.gcd.reduceat(counts[order], starts)
    # A sum of counts that tie is a multiple of the step.
    degree = np.minimum(np.add.reduceat(counts[order], starts), most) // step
    nodes = [_gauss(number) for number in ((degree + 1) // 2).tolist()]
    often = [z.size for z, _ in nodes]
    z, share = np.concatenate(nodes, axis=1)
    return np.repeat(distinct, often), np.repeat(step, often), z, share


@functools.cache
def _gauss(number: int) -> tuple[Floats, Floats]:
    """Return so many nodes from 0 to 1 and their shares: exact up to degree 2 `number` - 1."""
    nodes, shares = np.polynomial.legendre.leggauss(number)
    return (nodes + 1) / 2, shares / 2


def _drawn(units: Units, ks: Sequence[int], draw: np.random.Generator) -> Floats:
    """Estimate the chance at each k from orders of the samples that are drawn at random."""
    n, number, rate = int(units.size.sum()), units.size.size, units.solved / units.size
    unit = np.repeat(np.arange(number), units.size)
    order = draw.permuted(np.tile(unit, (DRAWS, 1)), axis=1) + number * np.arange(DRAWS)[:, None]
    counts = np.zeros(DRAWS * number)
    chance = np.full(len(ks), np.nan)
    for place, (before, k) in enumerate(pairwise([0, *ks])):
        if k > n:
            break
        counts += np.bincount(order[:, before:k].ravel(), minlength=counts.size)
        of = counts.reshape(DRAWS, number)
        tier = np.where(of > 0, units.tier, units.tier[-1]).min(axis=1, keepdims=True)
        value = np.where((of > 0) & (units.tier == tier), (of * units.weight).round(DIGITS), -1.0)
        right = np.where(value == value.max(axis=1, keepdims=True), of, 0.0)
        chance[place] = np.mean((right @ rate) / right.sum(axis=1))
    # Of one there is no choice.
    return np.where(np.asarray(ks) == 1, units.solved.sum() / n, chance)
