"""Coverage past the samples that were drawn, by a law that has a place for impossible issues.

Solve rates of issues are Beta distributed, but for a share z that no sample ever solves: coverage
goes to 1 - z as k grows. All such laws on a grid are weighed by how well they explain the counts,
so that an answer comes with an interval, and "never" can be one. Rates of another shape are not
described: `eval.scaling` tests the law on samples that it was not fitted to.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eval.intervals import TAIL

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MEANS = 1 / (1 + np.exp(-np.linspace(-7, 4, 89)))
"""Mean rates of the issues that can be solved."""

SIZES = np.geomspace(0.1, 100, 25)
"""Sizes a + b of the Beta distribution: the smaller, the more issues differ."""

NEVER = np.sin(np.linspace(0, 1.5, 60)) ** 2
"""Shares of impossible issues: closer near none and all, as the prior of Jeffreys has them."""

NEGLIGIBLE = 1e-4
"""Weight of all laws together that are left out as too unlikely."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ceiling:
    """Laws of coverage c(k) = (1 - z) (1 - B(a, b + k) / B(a, b)), weighed by the counts.

    The mean over issues of 1 - (1 - r)^k with r from Beta(a, b), or 0 with chance z: the
    zero-inflated beta-binomial. Every law that is not on the grid of `MEANS`, `SIZES` and `NEVER`
    is taken for impossible; all others are as likely beforehand, but that those without impossible
    issues have half of the chance.
    """

    a: Floats = field(repr=False)
    b: Floats = field(repr=False)
    never: Floats = field(repr=False)
    """The share z of each law."""
    weight: Floats = field(repr=False)
    """Adds up to 1; the heaviest law first."""

    def coverage(self, k: ArrayLike) -> Floats:
        """Coverage at each k of a one-dimensional array, the mean of all laws."""
        return np.asarray(self.weight @ self._curves(k), dtype=np.float64)

    def interval(self, k: int) -> tuple[float, float]:
        """95% interval of the coverage at `k`."""
        return self._quantiles(self._curves([k])[:, 0])

    @property
    def top(self) -> tuple[float, float, float]:
        """The ceiling 1 - z: its mean and the ends of its 95% interval."""
        low, high = self._quantiles(1 - self.never)
        return float(self.weight @ (1 - self.never)), low, high

    def samples(self, target: float, most: int) -> tuple[float, float, float]:
        """The k at which coverage reaches a target: its value, and the ends of its 95% interval.

        Infinite for more than `most` samples.
        """
        ks = np.unique(np.geomspace(1, max(most, 1), 200).astype(np.int64))
        curves = self._curves(ks)
        value = _first(ks, self.weight[None] @ curves, target)[0]
        return float(value), *self._quantiles(_first(ks, curves, target))

    def _curves(self, k: ArrayLike) -> Floats:
        """Coverage of every law at each k: (laws, len(k))."""
        a, b = self.a[:, None], self.b[:, None]
        none = np.exp(_log_beta(a, b + np.asarray(k, dtype=np.float64)) - _log_beta(a, b))
        return np.asarray((1 - self.never[:, None]) * (1 - none), dtype=np.float64)

    def _quantiles(self, values: Floats) -> tuple[float, float]:
        order = np.argsort(values, kind="stable")
        upto = np.cumsum(self.weight[order])
        at = np.searchsorted(upto, [TAIL * upto[-1], (1 - TAIL) * upto[-1]])
        low, high = values[order[np.minimum(at, values.size - 1)]].tolist()
        return low, high


def fit(n: ArrayLike, c: ArrayLike, times: ArrayLike | None = None) -> Ceiling:
    """Weigh the laws by verdicts `n` and resolved `c` among them, one entry an issue.

    `times` says how many issues an entry stands for, 1 by default.
    """
    counts = np.stack([np.asarray(n, dtype=np.int64), np.asarray(c, dtype=np.int64)])
    pairs, place = np.unique(counts, axis=1, return_inverse=True)
    often = np.bincount(place.ravel(), None if times is None else np.asarray(times, dtype=float))
    mean, size = (grid.ravel() for grid in np.meshgrid(MEANS, SIZES, indexing="ij"))
    a, b = mean * size, (1 - mean) * size
    drawn, resolved = pairs
    # Of the issues that can be solved: (laws, pairs).
    chance = _log_beta(a[:, None] + resolved, b[:, None] + drawn - resolved)
    chance -= _log_beta(a, b)[:, None]
    some = resolved > 0
    logs = (chance[:, some] @ often[some])[:, None] + often[some].sum() * np.log1p(-NEVER)
    # That none is impossible is as likely beforehand as that some are.
    logs[:, 0] += np.log(NEVER.size - 1)
    # Without a solve, an issue may be an impossible one.
    for column, count in zip(chance[:, ~some].T, often[~some], strict=True):
        logs += count * np.log(NEVER + (1 - NEVER) * np.exp(column)[:, None])
    weight = np.exp(logs - logs.max()).ravel()
    order = np.argsort(-weight, kind="stable")
    upto = np.cumsum(weight[order])
    kept = order[: int(np.searchsorted(upto, (1 - NEGLIGIBLE) * upto[-1])) + 1]
    law, share = np.divmod(kept, NEVER.size)
    return Ceiling(a=a[law], b=b[law], never=NEVER[share], weight=weight[kept] / weight[kept].sum())


def _first(ks: Ints, curves: Floats, target: float) -> Floats:
    """First k at which each curve (laws, len(ks)) reaches a target, infinite where none does."""
    reached = curves >= target
    return np.where(reached.any(1), ks[reached.argmax(1)], np.inf)


def _log_beta(a: ArrayLike, b: ArrayLike) -> Floats:
    from scipy.special import betaln

    return np.asarray(betaln(a, b), dtype=np.float64)
