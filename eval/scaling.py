"""How coverage goes on past the samples that were drawn: two laws, their errors, their limits.

The law of `eval.ceiling` gives the answers, since it has a place for issues that no sample solves;
the exponentiated power law of the literature stands beside it. Both are descriptions: each is
tested on samples that it was not fitted to, neither is trusted farther beyond the data than it was
tested within them, and where the data carry no answer, the answer is why not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from eval import ceiling, intervals
from eval.ceiling import Ceiling
from eval.coverage import FloatArray, IntArray, common_depth, ladder, pass_at_ks

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Law:
    """The exponentiated power law of coverage, c = exp(a k^b), with a and b below 0.

    From "Large Language Monkeys" (arXiv 2407.21787, section 3.1). It goes to 1 as k grows: it has
    no place for issues that no sample ever solves.
    """

    a: float
    """The logarithm of coverage at k = 1."""
    b: float

    def coverage(self, k: ArrayLike) -> FloatArray:
        """Coverage at each k, in the shape of `k`."""
        return np.asarray(np.exp(self.a * np.power(np.asarray(k, dtype=np.float64), self.b)))

    def samples(self, coverage: float) -> float:
        """The k of a coverage between 0 and 1; infinite where it is beyond all numbers."""
        if not 0 < coverage < 1:
            return 0.0 if coverage <= 0 else math.inf
        with np.errstate(over="ignore"):
            return float(np.power(np.log(coverage) / self.a, 1 / self.b))


@dataclass(frozen=True, kw_only=True, slots=True)
class Prediction:
    """Coverage at one k by the law with a ceiling, with the power law beside it."""

    k: int
    coverage: float | None
    low: float | None
    high: float | None
    """The 95% interval."""
    power_law: float | None
    cannot_say: str
    """Why coverage is None, else ""."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Needed:
    """How many samples an issue a coverage takes."""

    target: float
    k: int | None
    low: int | None
    high: int | None
    """The 95% interval; None where it ends beyond what the data carry."""
    measured: bool
    """Whether the samples that were drawn reach the target, so that no law is asked."""
    never: bool
    """Whether no number of samples reaches it: the ceiling is known to be lower."""
    cannot_say: str
    """Why k is None, else ""."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scaling:
    """The coverage of one solver with its laws, and with what it takes to doubt them."""

    law: Law | None
    """Fitted to all k of `ladder(depth)`; None where coverage does not rise."""
    ceiling: Ceiling | None
    """Fitted to all counts; None without a solve."""
    cannot_say: str
    """Why nothing is said beyond `depth`, else ""."""
    issues: int
    depth: int
    """Issues with at least `depth` verdicts, which is what all this stands on."""
    excluded: int
    """Issues with fewer."""
    held_out_beyond: int
    """Laws fitted to the samples up to this k..."""
    law_error: float | None
    ceiling_error: float | None
    """...miss the measured coverage at a larger k by this at most (a share, 0 to 1)."""
    ks: tuple[int, ...]
    measured: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    """Coverage at each k of `ks`, up to `depth`, and its 95% interval; NaN of a single issue."""

    def predict(self, k: int) -> Prediction:
        """Coverage at `k`, up to `REACH` times the samples that were drawn.

        Within `depth` these are the fitted curves; what was measured is in `measured`.
        """
        why = self.cannot_say
        if not why and k > REACH * self.depth:
            why = f"k={k} is more than {REACH} times the {self.depth} samples that were drawn."
        if why or self.ceiling is None:
            return Prediction(
                k=k, coverage=None, low=None, high=None, power_law=None, cannot_say=why
            )
        low, high = self.ceiling.interval(k)
        return Prediction(
            k=k,
            coverage=float(self.ceiling.coverage([k])[0]),
            low=low,
            high=high,
            power_law=None if self.law is None else float(self.law.coverage(k)),
            cannot_say="",
        )

    def samples_for(self, target: float) -> Needed:
        """Answer "how many samples for this coverage?", from the data where they reach it.

        Raises ValueError for a target outside of 0 to 1.
        """
        if not 0 < target <= 1:
            raise ValueError(f"A target for coverage lies above 0 and up to 1, got {target}.")
        least = target - intervals.SAME
        k, low, high = (
            next((k for k, share in zip(self.ks, of, strict=True) if share >= least), 0)
            for of in (self.measured, self.highs, self.lows)
        )
        if k:
            return _needed(target, k, low, high, measured=True)
        return self._beyond(target)

    def _beyond(self, target: float) -> Needed:
        if self.cannot_say or self.ceiling is None:
            return _needed(target, cannot_say=self.cannot_say)
        most = REACH * self.depth
        k, low, high = (
            int(of) if math.isfinite(of) else 0 for of in self.ceiling.samples(target, most)
        )
        if k:
            # What was measured does not reach it, whatever the fitted curve does.
            return _needed(target, max(k, self.depth + 1), low, high)
        top, least, highest = self.ceiling.top
        said = f"no more than {top:.0%} of the issues (95%: {least:.0%} to {highest:.0%})"
        if highest < target:
            return _needed(target, never=True, cannot_say=f"By its law it solves {said}, ever.")
        why = (
            f"By its law it takes more than {most} samples an issue, {REACH} times those that were "
            f"drawn, if it is ever reached: that law goes to {said}."
        )
        return _needed(target, cannot_say=why)


def _needed(
    target: float,
    k: int = 0,
    low: int = 0,
    high: int = 0,
    *,
    measured: bool = False,
    never: bool = False,
    cannot_say: str = "",
) -> Needed:
    """Make an answer of whole numbers, of which 0 is none."""
    return Needed(
        target=target,
        k=k or None,
        low=low or None,
        high=high or None,
        measured=measured,
        never=never,
        cannot_say=cannot_say,
    )


def fit(n: ArrayLike, c: ArrayLike) -> Scaling:
    """Fit both laws to the coverage of a solver, with their errors on the k that were held out.

    `n` (verdicts) and `c` (resolved among them) are integers of the shape (issues,). It stands on
    the issues with at least `common_depth(n)` verdicts. Nothing is raised for a run that carries no
    law: the result says why.
    """
    n, c = np.broadcast_arrays(np.asarray(n, dtype=np.int64), np.asarray(c, dtype=np.int64))
    depth = common_depth(n)
    chosen = n >= max(depth, 1)
    n, c, excluded = n[chosen], c[chosen], n.size - int(chosen.sum())
    issues = n.size
    rungs = np.array(ladder(depth), dtype=np.int64)
    ks = np.unique(np.append(np.geomspace(1, max(depth, 1), GRID).astype(np.int64), rungs))
    if depth <= GRID:
        ks = np.arange(1, depth + 1)
    chance = pass_at_ks(n, c, ks.tolist())
    measured = chance.sum(0) / max(issues, 1)
    lows, highs = intervals.of_share(chance)
    held_out = rungs[rungs * REACH > depth]
    on_rungs, known = measured[np.searchsorted(ks, rungs)], rungs.size - held_out.size
    law, tested = fit_law(rungs, on_rungs), fit_law(rungs[:known], on_rungs[:known])
    top = top_error = None
    if c.any():
        top = ceiling.fit(n, c)
        early = ceiling.fit(*_thinned(n, c, depth // REACH))
        top_error = _miss(early.coverage(held_out), on_rungs[known:])
    return Scaling(
        law=law,
        ceiling=top,
        cannot_say=_why_not(issues=issues, depth=depth, error=top_error),
        issues=issues,
        depth=depth,
        excluded=excluded,
        held_out_beyond=depth // REACH,
        law_error=None if tested is None else _miss(tested.coverage(held_out), on_rungs[known:]),
        ceiling_error=top_error,
        ks=tuple(ks.tolist()),
        measured=tuple(measured.tolist()),
        lows=tuple(lows.tolist()),
        highs=tuple(highs.tolist()),
    )


def _thinned(n: IntArray, c: IntArray, k: int) -> tuple[IntArray, IntArray, FloatArray]:
    """All counts that k of the samples of an issue may have, and how often each is expected."""
    from scipy.stats import hypergeom

    resolved = np.arange(k + 1)
    chances = hypergeom.pmf(resolved, n[:, None], c[:, None], k)
    return np.full(k + 1, k), resolved, chances.sum(0)


def _miss(predicted: FloatArray, measured: FloatArray) -> float:
    return float(np.abs(predicted - measured).max())


def fit_law(ks: ArrayLike, coverage: ArrayLike) -> Law | None:
    """Return the law through a measured curve, None where there is none that rises.

    Takes at least two k with a coverage strictly between 0 and 1; at 0 and 1 the law's logarithms
    have no value, and such points are passed over.

    The fit is a straight line through log(-log c) against log k, each point weighted with
    (c log c)^2. That is how much a step of log(-log c) moves c, squared: to first order it is least
    squares in c itself, which is what is read off a curve, while unweighted logarithms would let
    the points close to 0 and 1 decide. Unlike an iterated fit it is one formula, which cannot fail
    to converge.
    """
    a, b = _fit(np.asarray(ks), np.asarray(coverage, dtype=np.float64))
    return None if np.isnan(a) else Law(a=float(a), b=float(b))


def _fit(ks: ArrayLike, coverage: FloatArray) -> FloatArray:
    """Return a and b (2,) for a curve (len(ks),), NaN where no law rises."""
    x = np.log(np.asarray(ks, dtype=np.float64))
    inside = (coverage > intervals.SAME) & (coverage < 1 - intervals.SAME)
    log_c = np.log(np.where(inside, coverage, 0.5))
    y = np.log(-log_c)
    weight = np.where(inside, (coverage * log_c) ** 2, 0.0)
    weight = weight / np.maximum(weight.sum(-1, keepdims=True), np.finfo(float).tiny)
    x_off = x - (weight * x).sum(-1, keepdims=True)
    spread = (weight * x_off**2).sum(-1)
    # One point alone has no spread.
    b = (weight * x_off * y).sum(-1) / np.where(spread > intervals.SAME, spread, np.nan)
    a = -np.exp((weight * (y - b[..., None] * x)).sum(-1))
    return np.where(b < -FLAT, np.stack([a, b]), np.nan)


def _why_not(*, issues: int, depth: int, error: float | None) -> str:
    reasons = {
        "No issue has a verdict.": not issues,
        f"It takes {MIN_ISSUES} issues to say what more samples bring, not {issues}.": (
            issues < MIN_ISSUES
        ),
        f"It takes {MIN_DEPTH} samples an issue to say what more bring, not {depth}.": (
            depth < MIN_DEPTH
        ),
        "No sample resolved any issue.": error is None,
        f"The law does not describe this run: it misses by up to {error or 0:.2%}.": (
            (error or 0) > MAX_ERROR
        ),
    }
    return next((why for why, holds in reasons.items() if holds), "")
