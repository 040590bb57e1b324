"""How coverage would go on past the samples that were drawn: a power law, its error, its limits.

The law is a description that fitted many models and benchmarks; nothing makes it hold for the next
one. So it is trusted no farther beyond the data than it was tested within them, its error there
widens every interval, and where the data carry no answer, the answer is why not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from eval.coverage import (
    LEVEL,
    FloatArray,
    bounds,
    common_depth,
    ladder,
    pass_at_ks,
    resampled_means,
)

REACH = 4
"""A law is tested on k up to this many times those that it was fitted to, and believed as far."""

MIN_DEPTH = 16
"""Samples an issue, so that the tested law has three points (1, 2, 4) and the test two (8, 16)."""

MIN_ISSUES = 20
"""With fewer, one issue is more than 5% of coverage: as much as is asked of a prediction."""

MAX_ERROR = 0.1
"""A law that misses its own run by more than this share of the issues does not describe it."""

GRID = 256
"""Values of k at which coverage is measured, about; up to there it is every k."""

FLAT = 1e-6
"""A smaller exponent is the rounding of a coverage that does not rise."""

ROUNDING = 1e-9
"""Coverages less than this apart are the same."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Law:
    """Coverage c = exp(a k^b), with a and b below 0.

    From "Large Language Monkeys" (arXiv 2407.21787, section 3.1). It goes to 1 as k grows: it has
    no place for issues that no sample ever solves.
    """

    a: float
    # The logarithm of coverage at k = 1.
    b: float

    def coverage(self, k: ArrayLike) -> FloatArray:
        """Return the coverage at each k, in the shape of `k`."""
        return _coverage(np.array([self.a, self.b]), k)

    def samples(self, coverage: float) -> float:
        """Return the k of a coverage between 0 and 1; infinite where it is beyond all numbers."""
        return float(_samples(np.array([self.a, self.b]), coverage))


@dataclass(frozen=True, kw_only=True, slots=True)
class Prediction:
    """Coverage at one k as the law has it."""

    k: int
    coverage: float | None
    low: float | None
    high: float | None
    # The 95% interval, widened by the held-out error.
    cannot_say: str
    # Why coverage is None, else "".


@dataclass(frozen=True, kw_only=True, slots=True)
class Needed:
    """How many samples an issue a coverage takes."""

    target: float
    k: int | None
    low: int | None
    high: int | None
    # The 95% interval; None where it ends beyond what the data carry.
    measured: bool
    # Whether the samples that were drawn reach the target, so that no law is asked.
    cannot_say: str
    # Why k is None, else "".


@dataclass(frozen=True, kw_only=True, slots=True)
class Scaling:
    """A law fitted to the coverage of one run, with what it takes to doubt it."""

    law: Law | None
    # Fitted to all k of `ladder(depth)`.
    cannot_say: str
    # Why nothing is said beyond `depth`, else "".
    issues: int
    depth: int
    # Issues with at least `depth` verdicts, which is what all this stands on.
    excluded: int
    # Issues with fewer.
    held_out_beyond: int
    # A law fitted to the k up to this one...
    held_out_error: float | None
    # ...misses the measured coverage at a larger one by this at most (a share, 0 to 1).
    ks: tuple[int, ...]
    measured: tuple[float, ...]
    # Coverage at each k of `ks`, up to `depth`.
    measured_again: FloatArray = field(repr=False, compare=False)
    laws_again: FloatArray = field(repr=False, compare=False)
    # The same of every resample of the issues: (resamples, len(ks)), and a and b (2, resamples).

    def predict(self, k: int) -> Prediction:
        """Return the law's coverage at `k`, up to `REACH` times the samples that were drawn.

        Within `depth` this is the fitted curve; what was measured is in `measured`.
        """
        why = self.cannot_say
        if not why and k > REACH * self.depth:
            why = f"k={k} is more than {REACH} times the {self.depth} samples that were drawn."
        if why or self.law is None or self.held_out_error is None:
            return Prediction(k=k, coverage=None, low=None, high=None, cannot_say=why)
        low, high = bounds(_coverage(self.laws_again, k))
        return Prediction(
            k=k,
            coverage=float(self.law.coverage(k)),
            low=max(float(low) - self.held_out_error, 0.0),
            high=min(float(high) + self.held_out_error, 1.0),
            cannot_say="",
        )

    def samples_for(self, target: float) -> Needed:
        """Answer "how many samples for this coverage?", from the data where they reach it.

        Raises ValueError for a target outside of 0 to 1.
        """
        if not 0 < target <= 1:
            raise ValueError(f"A target for coverage lies above 0 and up to 1, got {target}.")
        reached = np.array(self.measured) >= target - ROUNDING
        if reached.any():
            return self._within(target, self.ks[int(reached.argmax())])
        return self._beyond(target)

    def _within(self, target: float, k: int) -> Needed:
        again = self.measured_again >= target - ROUNDING
        first = np.where(again.any(1), np.array(self.ks)[again.argmax(1)], np.inf)
        low, high = _whole(first, self.depth) if self.issues > 1 else (None, None)
        return Needed(target=target, k=k, low=low, high=high, measured=True, cannot_say="")

    def _beyond(self, target: float) -> Needed:
        why = self.cannot_say or self._too_far(target)
        if why or self.law is None or self.held_out_error is None:
            return Needed(
                target=target, k=None, low=None, high=None, measured=False, cannot_say=why
            )
        error, limit = self.held_out_error, REACH * self.depth
        low, _ = _whole(_samples(self.laws_again, target - error), limit)
        _, high = _whole(_samples(self.laws_again, target + error), limit)
        k = math.ceil(self.law.samples(target))
        return Needed(target=target, k=k, low=low, high=high, measured=False, cannot_say="")

    def _too_far(self, target: float) -> str:
        """Say why the law cannot tell how many samples a target takes, "" where it can."""
        if self.law is None or self.held_out_error is None:
            return self.cannot_say
        if self.law.samples(target) > REACH * self.depth:
            return (
                f"By the law it takes more than {REACH * self.depth} samples an issue, which is "
                f"{REACH} times those that were drawn."
            )
        gap = target - self.measured[-1]
        error = max(self.held_out_error, float(self.law.coverage(self.depth)) - self.measured[-1])
        if error > gap:
            return f"The law misses by up to {error:.2%}, and the target is only {gap:.2%} away."
        return ""


def fit(n: ArrayLike, c: ArrayLike, *, seed: int = 0) -> Scaling:
    """Fit the law to the coverage of a run, with its error on the k that were held out.

    `n` (verdicts) and `c` (resolved among them) are integers of the shape (issues,). It stands on
    the issues with at least `common_depth(n)` verdicts. Nothing is raised for a run that carries no
    law: the result says why.
    """
    n, c = np.broadcast_arrays(np.asarray(n, dtype=np.int64), np.asarray(c, dtype=np.int64))
    depth = common_depth(n)
    chosen = n >= max(depth, 1)
    issues = int(chosen.sum())
    rungs = np.array(ladder(depth), dtype=np.int64)
    ks = np.unique(np.append(np.geomspace(1, max(depth, 1), GRID).astype(np.int64), rungs))
    if depth <= GRID:
        ks = np.arange(1, depth + 1)
    chance = pass_at_ks(n[chosen], c[chosen], ks.tolist())
    measured = chance.sum(0) / max(issues, 1)
    again = resampled_means(chance, seed=seed)
    on_rungs = np.searchsorted(ks, rungs)
    law = fit_law(rungs, measured[on_rungs])
    laws_again = _fit(rungs, again[:, on_rungs])
    lawless = float(np.isnan(laws_again[0]).mean())
    early = rungs * REACH <= depth
    tested = fit_law(rungs[early], measured[on_rungs[early]])
    missed = None
    if tested is not None:
        missed = float(np.abs(tested.coverage(rungs) - measured[on_rungs])[~early].max())
    return Scaling(
        law=law,
        cannot_say=_why_not(
            issues=issues,
            depth=depth,
            measured=measured,
            laws=(law, tested),
            missed=missed,
            lawless=lawless,
        ),
        issues=issues,
        depth=depth,
        excluded=n.size - issues,
        held_out_beyond=depth // REACH,
        held_out_error=missed,
        ks=tuple(ks.tolist()),
        measured=tuple(measured.tolist()),
        measured_again=again,
        laws_again=laws_again,
    )


def fit_law(ks: ArrayLike, coverage: ArrayLike) -> Law | None:
    """Return the law through a measured curve, None where there is none that rises.

    Takes at least two k with a coverage strictly between 0 and 1; at 0 and 1 the law's logarithms
    have no value, and such points are passed over.

    The fit is a straight line through log(-log c) against log k, each point weighted with
    (c log c)^2. That is how much a step of log(-log c) moves c, squared: to first order it is least
    squares in c itself, which is what is read off a curve, while unweighted logarithms would let
    the points close to 0 and 1 decide. Unlike an iterated fit it is one formula, which cannot fail
    to converge, for 2,000 resamples at once.
    """
    a, b = _fit(np.asarray(ks), np.asarray(coverage, dtype=np.float64))
    return None if np.isnan(a) else Law(a=float(a), b=float(b))


def _fit(ks: ArrayLike, coverage: FloatArray) -> FloatArray:
    """Return a and b (2, ...) for curves (..., len(ks)), NaN where no law rises."""
    x = np.log(np.asarray(ks, dtype=np.float64))
    inside = (coverage > ROUNDING) & (coverage < 1 - ROUNDING)
    log_c = np.log(np.where(inside, coverage, 0.5))
    y = np.log(-log_c)
    weight = np.where(inside, (coverage * log_c) ** 2, 0.0)
    weight = weight / np.maximum(weight.sum(-1, keepdims=True), np.finfo(float).tiny)
    x_off = x - (weight * x).sum(-1, keepdims=True)
    spread = (weight * x_off**2).sum(-1)
    # One point alone has no spread.
    b = (weight * x_off * y).sum(-1) / np.where(spread > ROUNDING, spread, np.nan)
    a = -np.exp((weight * (y - b[..., None] * x)).sum(-1))
    return np.where(b < -FLAT, np.stack([a, b]), np.nan)


def _coverage(laws: FloatArray, k: ArrayLike) -> FloatArray:
    """Return the coverage at `k` of laws (2, ...), as `_fit` gives them."""
    a, b = laws
    return np.asarray(np.exp(a * np.power(np.asarray(k, dtype=np.float64), b)))


def _samples(laws: FloatArray, coverage: float) -> FloatArray:
    """Return the k at which laws (2, ...) reach a coverage; infinite where there is no law."""
    a, b = laws
    if not 0 < coverage < 1:
        return np.full(a.shape, 0.0 if coverage <= 0 else np.inf)
    with np.errstate(over="ignore"):
        k = np.power(np.log(coverage) / a, 1 / b)
    return np.where(np.isnan(k), np.inf, k)


def _whole(k: FloatArray, limit: int) -> tuple[int | None, int | None]:
    """Return the 95% interval of resampled k in whole samples, None for an end past `limit`."""
    # A quantile between two numbers is one of them: infinity has no other.
    low, high = np.quantile(k, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="inverted_cdf")
    return (
        None if low > limit else max(math.floor(low), 1),
        None if high > limit else max(math.ceil(high), 1),
    )


def _why_not(
    *,
    issues: int,
    depth: int,
    measured: FloatArray,
    laws: tuple[Law | None, Law | None],
    missed: float | None,
    lawless: float,
) -> str:
    reasons = {
        "No issue has a verdict.": not issues,
        f"It takes {MIN_ISSUES} issues to say what more samples bring, not {issues}.": (
            issues < MIN_ISSUES
        ),
        f"It takes {MIN_DEPTH} samples an issue to say what more bring, not {depth}.": (
            depth < MIN_DEPTH
        ),
        "No sample resolved any issue.": measured.max(initial=0) <= ROUNDING,
        "Coverage does not rise with the samples, so there is no law of its rise.": None in laws,
        f"The law does not describe this run: it misses by up to {missed or 0:.2%}.": (
            (missed or 0) > MAX_ERROR
        ),
        "Too few issues are solved by some samples and missed by others: of such runs, drawn "
        f"again, {lawless:.0%} have no law.": lawless > (1 - LEVEL) / 2,
    }
    return next((why for why, holds in reasons.items() if holds), "")
