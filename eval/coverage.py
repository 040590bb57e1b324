"""How much repeated sampling solves: pass@k, coverage over issues, and its interval.

Pure functions over arrays of counts: an issue has `n` verdicts, of which `c` resolved it. A sample
without a verdict is in neither, so a pending one never looks like a miss. Issues are left out (the
flaky ones, say) by leaving them out of the arrays. Nothing here extrapolates past the samples that
were drawn, and nothing mends an `n` that depends on what the samples gave, as in a run that stops
at the first solve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eval import intervals

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """The share of issues that k samples solve, and what it stands on."""

    k: int
    coverage: float | None
    """Expected share, 0 to 1; None when no issue has k verdicts."""
    low: float | None
    high: float | None
    """The 95% interval; None when fewer than two issues carry it."""
    issues: int
    """Issues with at least k verdicts: the mean is over these."""
    excluded: int
    """Issues with fewer."""


def pass_at_k(n: ArrayLike, c: ArrayLike, k: int) -> FloatArray:
    """Chance that at least one of `k` samples of an issue resolves it, for every issue.

    The unbiased estimator 1 - C(n-c, k) / C(n, k) of "Evaluating Large Language Models Trained
    on Code" (Chen et al. 2021, section 2.1) for samples drawn without replacement. `n` (verdicts)
    and `c` (resolved among them) are integers that broadcast to one shape, the result's. It is NaN
    where k > n: there the data do not say. Raises ValueError for k < 1 or c outside 0..n.
    """
    n, c = _counts(n, c)
    if k < 1:
        raise ValueError(f"pass@k needs k of at least 1, got {k}.")
    # The ratio of binomials is the product of (1 - k/i) over i in n-c+1..n. Its logarithm is the
    # difference of two prefix sums, shared by all issues; entry j sums over i in k+1..k+j.
    steps = np.log1p(-k / np.arange(k + 1, max(n.max(initial=0), k) + 1))
    prefix = np.concatenate([[0.0], np.cumsum(steps)])
    none_resolved = prefix[np.maximum(n - k, 0)] - prefix[np.maximum(n - c - k, 0)]
    chance = np.where(n - c < k, 1.0, -np.expm1(none_resolved))
    return np.where(n < k, np.nan, chance)


def pass_at_ks(n: ArrayLike, c: ArrayLike, ks: Sequence[int]) -> FloatArray:
    """`pass_at_k` at each of `ks`, which is the last axis: (issues, len(ks)) for (issues,)."""
    n, c = _counts(n, c)
    chance = np.empty((*n.shape, len(ks)))
    for column, k in enumerate(ks):
        chance[..., column] = pass_at_k(n, c, k)
    return chance


def split_at(n: ArrayLike, c: ArrayLike, shares: ArrayLike) -> FloatArray:
    """Chance that any of a fixed number of samples of several arms resolves an issue.

    `n` and `c` have the shape (arms, issues); a row of `shares` (splits, arms) says how many
    samples each arm draws, 0 for none. The result is (issues, splits). Samples of one issue are
    independent, so the chances 1 - pass@k that each arm resolves nothing multiply, and the product
    is unbiased as its factors are. NaN where any arm has fewer verdicts than its share, whatever
    the others gave: else the outcome would choose the issues.
    """
    n, c = _counts(n, c)
    shares = np.asarray(shares, dtype=np.int64)
    nothing = np.ones((n.shape[1], len(shares)))
    for arm, arm_shares in enumerate(shares.T):
        for share in np.unique(arm_shares[arm_shares != 0]):
            failing = 1 - pass_at_k(n[arm], c[arm], int(share))
            nothing[:, arm_shares == share] *= failing[:, None]
    return 1 - nothing


def union_at_ks(n: ArrayLike, c: ArrayLike, ks: Sequence[int]) -> FloatArray:
    """Chance that any of several arms resolves an issue when each draws `k` samples.

    `n` and `c` are (arms, issues), the result is (issues, len(ks)). The samples drawn are k an arm.
    """
    n, c = _counts(n, c)
    return split_at(n, c, np.repeat(np.asarray(ks)[:, None], len(n), axis=1))


def round_robin_at_ks(n: ArrayLike, c: ArrayLike, ks: Sequence[int]) -> FloatArray:
    """Chance that any of `k` samples in all resolves an issue when the arms draw in turn.

    `n` and `c` are (arms, issues), the first arm first; the result is (issues, len(ks)).
    """
    n, c = _counts(n, c)
    return split_at(n, c, (np.asarray(ks)[:, None] + np.arange(len(n))[::-1]) // len(n))


@dataclass(frozen=True, kw_only=True, slots=True)
class Together:
    """What several arms solve together, on the issues that all of them carry."""

    union: tuple[Coverage, ...]
    """When each of them draws k."""
    round_robin: tuple[Coverage, ...]
    """When all of them draw k, taking turns."""


def together(n: ArrayLike, c: ArrayLike) -> Together:
    """Return the curves of several arms together, as deep as they have verdicts in common.

    `n` and `c` are (arms, issues), the first arm first.
    """
    n, c = _counts(n, c)
    depth = common_depth(n.min(axis=0))
    each, in_all = ladder(depth), ladder(depth * len(n))
    return Together(
        union=curve_of(union_at_ks(n, c, each), each),
        round_robin=curve_of(round_robin_at_ks(n, c, in_all), in_all),
    )


def mixture_at_ks(
    n: ArrayLike, c: ArrayLike, ks: Sequence[int], weights: Sequence[float]
) -> FloatArray:
    """Chance that any of `k` samples in all resolves an issue when each is of an arm by chance.

    `n` and `c` are (arms, issues), `weights` (arms,) are in proportion to the chance of each arm;
    the result is (issues, len(ks)): the mean of `split_at` over the multinomial splits of k. NaN
    where an arm that may be drawn has fewer than k verdicts. Raises ValueError unless the weights
    are finite, not below 0, and not all 0.
    """
    n, c = _counts(n, c)
    weight = np.asarray(weights, dtype=np.float64)
    if weight.shape != n.shape[:1] or not (np.all(weight >= 0) and 0 < weight.sum() < np.inf):
        raise ValueError("A mixture needs one weight an arm, none below 0 and one above it.")
    n, c, weight = n[weight > 0], c[weight > 0], weight[weight > 0]
    if min(ks, default=1) < 1:
        raise ValueError(f"pass@k needs k of at least 1, got {min(ks)}.")
    every_k = range(1, max(ks, default=0) + 1)
    # Chance that none of j samples resolves the issue, j from 0: of the arms so far taken as one,
    # then of one arm more, which gets a binomial share of the samples.
    so_far = _none_resolved(n[0], c[0], every_k)
    for arm in range(1, len(weight)):
        share = weight[arm] / weight[: arm + 1].sum()
        more, mixed, chances = _none_resolved(n[arm], c[arm], every_k), so_far.copy(), np.ones(1)
        # Only the last arm's answers are the result's.
        needed = every_k if arm < len(weight) - 1 else ks
        for k in every_k:
            chances = np.convolve(chances, [1 - share, share])
            if k in needed:
                mixed[:, k] = (more[:, : k + 1] * so_far[:, k::-1]) @ chances
        so_far = mixed
    return 1 - so_far[:, list(ks)]


def coverage(n: ArrayLike, c: ArrayLike, k: int) -> Coverage:
    """Mean pass@k over the issues that have at least `k` verdicts, with its interval.

    `n` and `c` as in `pass_at_k`, one entry an issue.
    """
    return curve(n, c, [k])[0]


def curve(n: ArrayLike, c: ArrayLike, ks: Sequence[int]) -> tuple[Coverage, ...]:
    """`coverage` at each of `ks`.

    With unequal `n` the mean is over other issues at another k, and may fall as k grows.
    """
    return curve_of(pass_at_ks(n, c, ks), ks)


def curve_of(chance: ArrayLike, ks: Sequence[int]) -> tuple[Coverage, ...]:
    """Mean of `chance` (issues, len(ks)) at each k, with the interval of `eval.intervals.of_share`.

    For any of the chances above: of one arm, of a mixture, of a union. An issue whose chance is
    NaN is excluded at that k.
    """
    chance = np.asarray(chance, dtype=np.float64)
    points = []
    for k, values, (low, high) in zip(ks, chance.T, intervals.of_share(chance).T, strict=True):
        known = values[~np.isnan(values)]
        points.append(
            Coverage(
                k=int(k),
                coverage=float(known.mean()) if known.size else None,
                low=float(low) if known.size > 1 else None,
                high=float(high) if known.size > 1 else None,
                issues=known.size,
                excluded=values.size - known.size,
            )
        )
    return tuple(points)


def ladder(n_max: int) -> tuple[int, ...]:
    """Return the k worth a column: the powers of two below `n_max`, then `n_max` itself."""
    return (*(1 << i for i in range((n_max - 1).bit_length())), n_max) if n_max > 0 else ()


def common_depth(n: ArrayLike) -> int:
    """Return the k for which k times the issues with at least k verdicts is the most.

    While a run is incomplete, depth and issues trade against each other: this keeps the most
    samples. 0 where there is no verdict.
    """
    deepest_first = np.sort(np.append(np.asarray(n, dtype=np.int64), 0))[::-1]
    return int(deepest_first[np.argmax(deepest_first * np.arange(1, deepest_first.size + 1))])


def _counts(n: ArrayLike, c: ArrayLike) -> tuple[IntArray, IntArray]:
    n, c = np.broadcast_arrays(np.asarray(n, dtype=np.int64), np.asarray(c, dtype=np.int64))
    if np.any((c < 0) | (c > n)):
        raise ValueError("Resolved samples c must lie between 0 and the verdicts n of their issue.")
    return n, c


def _none_resolved(n: IntArray, c: IntArray, every_k: Sequence[int]) -> FloatArray:
    return np.concatenate([np.ones((len(n), 1)), 1 - pass_at_ks(n, c, every_k)], axis=1)
