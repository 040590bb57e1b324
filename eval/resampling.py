"""Bootstrap over issues: a figure once more for many other draws of as many issues.

For figures that have no interval in closed form. With few issues a percentile interval is too
narrow, and it has no width where all issues agree: shares and their differences have
`eval.intervals`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eval.intervals import LEVEL

Floats = NDArray[np.float64]

RESAMPLES = 2000
CELLS = 1_000_000
"""Numbers that a batch of resamples holds at once: it bounds memory."""


def resampled_means(values: Floats, *, seed: int = 0) -> Floats:
    """Means of `values` (issues, columns) over resampled issues, (RESAMPLES, columns).

    One resample holds the same issues in every column, so columns may be compared within it. NaN
    where it holds no issue that is known (not NaN) in that column.
    """
    issues = len(values)
    known = ~np.isnan(values)
    numbers, ones = np.where(known, values, 0.0), known.astype(np.float64)
    means = np.full((RESAMPLES, values.shape[1]), np.nan)
    draw = np.random.default_rng(seed)
    batch = max(1, CELLS // max(issues, 1))
    for start in range(0, RESAMPLES if issues else 0, batch):
        size = min(batch, RESAMPLES - start)
        picks = draw.integers(issues, size=(size, issues))
        # How often each issue is in each resample.
        cells = (picks + issues * np.arange(size)[:, None]).ravel()
        times = np.bincount(cells, minlength=picks.size).reshape(picks.shape).astype(np.float64)
        count = times @ ones
        means[start : start + size] = (times @ numbers) / np.where(count > 0, count, np.nan)
    return means


def bounds(replicates: Floats) -> Floats:
    """95% interval (2, ...) of what resamples gave along the first axis, without NaN."""
    tails = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    return np.asarray(np.nanquantile(replicates, tails, axis=0), dtype=np.float64)
