"""How much repeated sampling solves: pass@k, coverage over issues, and its interval.

Pure functions over arrays of counts: an issue has `n` verdicts, of which `c` resolved it. An
attempt without a verdict is in neither, so what is still owed never looks like a miss. Nothing
here extrapolates past the samples that were drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

RESAMPLES = 2000
LEVEL = 0.95


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """The share of issues that k samples solve, and what it stands on."""

    k: int
    coverage: float | None
    # Expected share, 0 to 1; None when no issue has k verdicts.
    low: float | None
    high: float | None
    # The 95% interval; None when fewer than two issues carry it.
    issues: int
    # Issues with at least k verdicts: the mean is over these.
    excluded: int
    # Issues with fewer.


def pass_at_k(n: ArrayLike, c: ArrayLike, k: int) -> FloatArray:
    """Chance that at least one of `k` samples of an issue resolves it, for every issue.

    The unbiased estimator 1 - C(n-c, k) / C(n, k) of "Evaluating Large Language Models Trained
    on Code" (Chen et al. 2021, section 2.1) for samples drawn without replacement. `n` (verdicts)
    and `c` (resolved among them) are integers that broadcast to one shape, the result's. It is NaN
    where k > n: there the data do not say. Raises ValueError for k < 1 or c outside 0..n.
    """
    n, c = np.broadcast_arrays(np.asarray(n, dtype=np.int64), np.asarray(c, dtype=np.int64))
    if k < 1:
        raise ValueError(f"pass@k needs k of at least 1, got {k}.")
    if np.any((c < 0) | (c > n)):
        raise ValueError("Resolved samples c must lie between 0 and the verdicts n of their issue.")
    # The ratio of binomials is the product of (1 - k/i) over i in n-c+1..n. Its logarithm is the
    # difference of two prefix sums, shared by all issues; entry j sums over i in k+1..k+j.
    steps = np.log1p(-k / np.arange(k + 1, max(n.max(initial=0), k) + 1))
    prefix = np.concatenate([[0.0], np.cumsum(steps)])
    none_resolved = prefix[np.maximum(n - k, 0)] - prefix[np.maximum(n - c - k, 0)]
    chance = np.where(n - c < k, 1.0, -np.expm1(none_resolved))
    return np.where(n < k, np.nan, chance)


def coverage(n: ArrayLike, c: ArrayLike, k: int, *, seed: int = 0) -> Coverage:
    """Mean pass@k over the issues that have at least `k` verdicts, with its interval.

    `n` and `c` as in `pass_at_k`, one entry an issue. One seed gives the same answer every time.
    """
    chance = pass_at_k(n, c, k)
    known = chance[~np.isnan(chance)]
    low, high = interval(known, seed=seed) if known.size > 1 else (None, None)
    return Coverage(
        k=k,
        coverage=float(known.mean()) if known.size else None,
        low=low,
        high=high,
        issues=known.size,
        excluded=chance.size - known.size,
    )


def interval(values: FloatArray, *, seed: int = 0) -> tuple[float, float]:
    """Percentile bootstrap (95%, 2,000 resamples) of the mean of `values`, one an issue.

    It speaks of drawing other issues like these. It does not hold the spread of the samples
    within an issue, and where all issues agree it has no width, however few they are.
    """
    draw = np.random.default_rng(seed)
    batch = RESAMPLES // 20  # bounds memory: a batch holds batch * len(values) numbers
    means = np.concatenate(
        [values[draw.integers(values.size, size=(batch, values.size))].mean(1) for _ in range(20)]
    )
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def ladder(n_max: int) -> tuple[int, ...]:
    """Return the k worth a column: the powers of two below `n_max`, then `n_max` itself."""
    return (*(1 << i for i in range((n_max - 1).bit_length())), n_max) if n_max > 0 else ()
