"""What the samples cost, and which of two models is the cheaper way to the same coverage.

Pure functions over money that was metered elsewhere. An unknown price is None and makes whatever
is built on it None: it is never taken for 0.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

SAME = 0.01
"""Two costs less than this apart, relatively, are called the same."""

SMALLEST = 1e-6
"""Dollars that are still written as a number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """Coverage of one model against the number of samples."""

    name: str
    k: tuple[int, ...]
    # Rising.
    coverage: tuple[float, ...]
    # Share of issues solved at each k, 0 to 1; never falls.
    cost_per_attempt: float | None
    issues: int
    # Issues behind every point.


@dataclass(frozen=True, kw_only=True, slots=True)
class EqualCoverage:
    """What it takes either model to reach one coverage."""

    coverage: float
    k_a: int | None
    k_b: int | None
    # The smallest k that reaches it; None when no k that was drawn does.
    cost_a: float | None
    cost_b: float | None
    # Money an issue at that k; None when not reached or the price is unknown.


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Two models at equal coverage."""

    a: str
    b: str
    issues: int
    depth: int
    # Issues that both curves stand on, and the largest k on them.
    points: tuple[EqualCoverage, ...]
    # One for each coverage above 0 that either curve stops at, rising. A point holds for every
    # coverage above the one before it.
    sentence: str


def add(a: float | None, b: float | None) -> float | None:
    """Add two amounts; unknown if either is."""
    return None if a is None or b is None else a + b


def cost_per_attempt(total: float | None, attempts: int) -> float | None:
    """Mean money for one attempt; None when nothing was drawn or the price is unknown."""
    return None if total is None or attempts == 0 else total / attempts


def cost_per_solve(total: float | None, solved: int) -> float | None:
    """Money spent for each issue solved; None when none was or the price is unknown."""
    return None if total is None or solved == 0 else total / solved


def cost_at_k(per_attempt: float | None, k: int, issues: int = 1) -> float | None:
    """Return the expected money for `k` attempts at each of `issues`, at the mean of an attempt.

    The mean is the recorded run's: fewer attempts an issue find less of the prompt in the cache,
    so a smaller k is a little dearer than this says where cached tokens have their own price.
    """
    return None if per_attempt is None else per_attempt * k * issues


def cheaper_at_equal_coverage(a: Curve, b: Curve) -> Comparison:
    """Say which of two models, at which k, is the cheaper way to the same coverage.

    Both curves must stand on the same issues. Beyond the coverage that both reach, nothing is said
    about the one that does not reach it.
    """
    # Rounded, so that one coverage summed in two orders is one level.
    levels = np.unique(np.round([c for c in a.coverage + b.coverage if c > 0], 9))
    points = tuple(_point(a, b, float(level)) for level in levels)
    return Comparison(
        a=a.name,
        b=b.name,
        issues=a.issues,
        depth=max(a.k, default=0),
        points=points,
        sentence=_sentence(a, b, points),
    )


def money(amount: float | None, digits: int = 2) -> str:
    """Write dollars with two decimals, or with `digits` significant ones where those say more."""
    if amount is None:
        return "unknown"
    if amount == 0:
        return "$0"
    if amount < SMALLEST:
        return f"under ${SMALLEST:f}"
    exponent = int(f"{amount:.{digits - 1}e}".partition("e")[2])
    return f"${amount:,.{max(2, digits - 1 - exponent)}f}"


def percent(share: float, issues: int) -> str:
    """Write a share of issues with a decimal only where there are issues enough to carry it."""
    return f"{share:.1%}" if issues >= 100 else f"{share:.0%}"  # noqa: PLR2004 - 1% is one issue


def _point(a: Curve, b: Curve, level: float) -> EqualCoverage:
    k_a, k_b = _smallest_k(a, level), _smallest_k(b, level)
    return EqualCoverage(
        coverage=level,
        k_a=k_a,
        k_b=k_b,
        cost_a=None if k_a is None else cost_at_k(a.cost_per_attempt, k_a),
        cost_b=None if k_b is None else cost_at_k(b.cost_per_attempt, k_b),
    )


def _smallest_k(curve: Curve, level: float) -> int | None:
    reaching = (k for k, c in zip(curve.k, curve.coverage, strict=True) if round(c, 9) >= level)
    return next(reaching, None)


def _sentence(a: Curve, b: Curve, points: tuple[EqualCoverage, ...]) -> str:
    if not a.issues:
        return f"{a.name} and {b.name} cannot be compared: no issue has verdicts of both."
    if not points:
        return f"Neither {a.name} nor {b.name} solved any of the {a.issues} issues."
    shared = [p for p in points if p.k_a is not None and p.k_b is not None]
    if not shared:
        first, other = (a, b) if points[0].k_a is not None else (b, a)
        return (
            f"{other.name} solved none of the {a.issues} issues; {first.name} {_farthest(first)}."
        )
    said = _at_equal_coverage(a, b, shared)
    if len(shared) == len(points):
        return said
    farther = a if points[-1].k_a is not None else b
    return f"{said} {farther.name} alone goes beyond: it {_farthest(farther)}."


def _farthest(curve: Curve) -> str:
    top = percent(curve.coverage[-1], curve.issues)
    k = _smallest_k(curve, round(curve.coverage[-1], 9))
    cost = cost_at_k(curve.cost_per_attempt, k or curve.k[-1])
    price = "at an unknown price" if cost is None else f"for {money(cost)} an issue"
    return f"reaches {top} at k={k} {price}"


def _at_equal_coverage(a: Curve, b: Curve, shared: list[EqualCoverage]) -> str:
    unknown = [curve.name for curve in (a, b) if curve.cost_per_attempt is None]
    if unknown:
        top = shared[-1]
        return (
            f"{a.name} reaches {percent(top.coverage, a.issues)} at k={top.k_a} and {b.name} at "
            f"k={top.k_b}; which is cheaper cannot be said, because the price of "
            f"{' and of '.join(unknown)} is unknown."
        )
    # Neighbouring coverages with the same answer make one stretch.
    stretches = [
        (winner, list(run)[-1])
        for winner, run in itertools.groupby(shared, lambda p: _cheaper(a, b, p))
    ]
    (first, end), (last, top) = stretches[0], stretches[-1]
    changes = len(stretches) - 1
    if changes <= 1:
        above = f", {last or 'neither'} above it" if changes else ""
        up_to = percent(end.coverage, a.issues)
        # Where both cost the same, the dearer end of the curve tells more.
        example = _example(a, b, first, end) if first else _example(a, b, last, top)
        return f"{example}: {_way(first)} up to {up_to}{above}."
    return (
        f"{_example(a, b, last, top)}; below, the cheaper way changes {changes} times with the "
        f"coverage: {_way(first)} up to {percent(end.coverage, a.issues)}, "
        f"{last or 'neither'} above {percent(stretches[-2][1].coverage, a.issues)}."
    )


def _cheaper(a: Curve, b: Curve, point: EqualCoverage) -> str | None:
    """Name the cheaper of two known costs, None when they are the same."""
    assert point.cost_a is not None
    assert point.cost_b is not None
    if math.isclose(point.cost_a, point.cost_b, rel_tol=SAME):
        return None
    return a.name if point.cost_a < point.cost_b else b.name


def _example(a: Curve, b: Curve, winner: str | None, at: EqualCoverage) -> str:
    digits = 2 if money(at.cost_a) != money(at.cost_b) else 3
    ways = [(a.name, at.k_a, money(at.cost_a, digits)), (b.name, at.k_b, money(at.cost_b, digits))]
    if winner == b.name:
        ways.reverse()
    (name, k, cost), (other, other_k, other_cost) = ways
    level = percent(at.coverage, a.issues)
    return (
        f"{name} at k={k} reaches {level} for {cost} an issue; "
        f"{other} needs k={other_k} and {other_cost} for the same"
    )


def _way(winner: str | None) -> str:
    return "both cost the same" if winner is None else f"{winner} is the cheaper way"
