"""95% intervals of means over issues: of a share, a difference of two, a ratio, a quotient.

They speak of other issues like these. Each is in closed form, so that nothing is drawn, and each
has a width where all issues agree. `benchmarks/calibration.py` measures how often they hold the
truth. They take issues for independent of each other, which issues of one repository are not
quite.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

LEVEL = 0.95
"""Of every interval; what is claimed has an error of 1 - LEVEL at most."""

TAIL = (1 - LEVEL) / 2

OPEN = 0.25
"""Variance of an issue of which nobody knows whether it is solved."""

SAME = 1e-9
"""Two shares less than this apart are the same, summed in two orders."""

HALVINGS = 40
"""Steps of a bisection of 0 to 1, which leave less than `SAME`."""


def of_share(values: ArrayLike) -> Floats:
    """Interval of the mean of each column of `values` (issues, columns): the ends (2, columns).

    A value is the chance that an issue is solved, 0 to 1, and NaN where it is unknown. An end is
    NaN with fewer than two known issues.

    It is the mid-P interval of a binomial share (Lancaster 1961; Agresti and Gottard 2007) with the
    number of issues that would have as much variance if each were solved or not (Korn and Graubard
    1998). Of 10 issues that are all solved it reaches from 74% to 100%: the rule of three.
    """
    mean, issues = _effective(np.asarray(values, dtype=np.float64))
    solved = mean * issues
    low = _share_at(TAIL, solved, issues)
    # The upper end of what is solved is 1 minus the lower end of what is not.
    return np.stack([low, 1 - _share_at(TAIL, issues - solved, issues)])


def of_difference(a: ArrayLike, b: ArrayLike) -> Floats:
    """Interval of the mean of `a` minus that of `b`, both (issues, columns): the ends (2, columns).

    The columns are paired by issue, and NaN where either is unknown. From the intervals of both
    shares and their correlation, by the method of variance estimates recovery (Zou and Donner 2008;
    for paired shares it is method 10 of Newcombe 1998).
    """
    a, b = _known_together(a, b)
    (low_a, high_a), (low_b, high_b) = of_share(a), of_share(b)
    mean_a, mean_b = _mean(a), _mean(b)
    together = _correlation(a, b)
    down = _distance(mean_a - low_a, high_b - mean_b, together)
    up = _distance(high_a - mean_a, mean_b - low_b, together)
    return np.stack([mean_a - mean_b - down, mean_a - mean_b + up])


def of_ratio(amounts: ArrayLike, shares: ArrayLike, unsolved: ArrayLike) -> Floats:
    """Interval of the mean of `amounts` over that of `shares`, both (issues, columns).

    Amounts, such as costs, are above 0. The ends (2, columns) come from the intervals of both means
    in logarithms (Donner and Zou 2012). The upper end is infinite where the share may be 0; both
    are NaN where no issue is solved. `unsolved` holds the amounts where an issue stays unsolved: as
    in a share, one issue more counts whose outcome is open.
    """
    amounts, shares = _known_together(amounts, shares)
    mean, share = _mean(amounts), _mean(shares)
    dearer = _mean(np.asarray(unsolved, dtype=np.float64)) - mean
    low, high = of_share(shares)
    together = _correlation(amounts, shares, dearer)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = _spread(amounts, dearer) / mean
        less, more = np.log(high / share), np.log(share / low)
        ratio = mean / share
        down, up = _distance(spread, less, together), _distance(spread, more, together)
        ends = np.stack([ratio * np.exp(-down), ratio * np.exp(up)])
    return np.where(share > 0, ends, np.nan)


def of_amounts(a: ArrayLike, b: ArrayLike) -> Floats:
    """Interval of the mean of `a` over that of `b`, both amounts above 0, (issues, columns).

    As `of_ratio`, with Student's interval of both means. The ends are (2, columns).
    """
    a, b = _known_together(a, b)
    mean_a, mean_b = _mean(a), _mean(b)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio, spreads = mean_a / mean_b, (_spread(a) / mean_a, _spread(b) / mean_b)
    apart = _distance(*spreads, _correlation(a, b))
    return np.stack([ratio * np.exp(-apart), ratio * np.exp(apart)])


def of_quotient(above: ArrayLike, below: ArrayLike) -> Floats:
    """Interval of the mean of `above` over that of `below`, both (issues, columns) of any sign.

    Fieller's (1954): all quotients q for which the mean of above - q below may be 0 by Student's
    test. The ends (2, columns) are NaN where that of `below` may be 0, so that there is no bound.
    """
    above, below = _known_together(above, below)
    top, bottom = _mean(above), _mean(below)
    half = _spread(above), _spread(below)
    shared = _correlation(above, below) * half[0] * half[1]
    a, b, c = bottom**2 - half[1] ** 2, top * bottom - shared, top**2 - half[0] ** 2
    is_bound = a > SAME**2
    root = np.sqrt(np.maximum(b**2 - a * c, 0.0))
    divisor = np.where(is_bound, a, 1.0)
    return np.where(is_bound, np.stack([b - root, b + root]) / divisor, np.nan)


def _effective(values: Floats) -> tuple[Floats, Floats]:
    """Mean of each column, and the number of issues, each solved or not, that know it as well.

    A variance that is estimated from few issues is less sure than one that follows from the mean,
    as it does where each issue is solved or not. So Student's quantile counts for the rest of it,
    and one issue more is taken into account, whose outcome is open: where nearly all that were
    drawn are solved, the rare one that is not decides, and may not be among them.
    """
    from scipy.special import ndtri, stdtrit

    known = (~np.isnan(values)).sum(0).astype(np.float64)
    mean = _mean(values)
    squares, most = known * _mean((values - mean) ** 2), known * mean * (1 - mean)
    # 1 where each issue is solved or not.
    part = (squares + OPEN) / (most + OPEN)
    freedom = np.maximum(known - 1, 1)
    surer = (ndtri(TAIL) / stdtrit(freedom, TAIL)) ** 2 * freedom / np.maximum(known, 1)
    sureness = part + (1 - part) * surer
    return mean, np.where(known > 1, known * sureness / part, np.nan)


def _share_at(tail: float, solved: Floats, issues: Floats) -> Floats:
    """Share at which as many or more are `solved` with the mid-P chance `tail`; 0 where none is."""
    from scipy.special import betainc

    low, high = np.zeros_like(solved), np.ones_like(solved)
    some = np.maximum(solved, SAME)
    missed = np.maximum(issues - solved, SAME)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        more = np.where(issues - solved > SAME, betainc(some + 1, missed, middle), 0.0)
        is_above = (betainc(some, missed + 1, middle) + more) / 2 > tail
        low, high = np.where(is_above, low, middle), np.where(is_above, middle, high)
    return np.where(np.isnan(issues), np.nan, np.where(solved > SAME, low, 0.0))


def _spread(amounts: Floats, dearer: Floats | float = 0.0) -> Floats:
    """Half the width of Student's interval of the mean of each column.

    `dearer` is how far above the mean an issue is that stays unsolved.
    """
    from scipy.special import stdtrit

    known = (~np.isnan(amounts)).sum(0)
    freedom = np.where(known > 1, known - 1, np.nan)
    variance = _mean((amounts - _mean(amounts)) ** 2) + OPEN * dearer**2 / np.maximum(known, 1)
    return np.asarray(-stdtrit(freedom, TAIL) * np.sqrt(variance / freedom), dtype=np.float64)


def _distance(one: Floats, other: Floats, together: Floats) -> Floats:
    """Distance from a difference to its end, from the distances of its two parts."""
    # An infinite distance stays infinite, whatever is subtracted from it.
    far = np.isinf(one) | np.isinf(other)
    one, other = np.where(far, 0.0, one), np.where(far, 0.0, other)
    squared = one**2 - 2 * together * one * other + other**2
    return np.where(far, np.inf, np.sqrt(np.maximum(squared, 0.0)))


def _correlation(a: Floats, b: Floats, dearer: Floats | None = None) -> Floats:
    """Correlation of two columns over issues; 0 where one of them does not vary.

    `dearer` is by how much a rises where b falls by 1, at an issue whose outcome is open.
    """
    off_a, off_b = a - _mean(a), b - _mean(b)
    squares_a, squares_b, both = _mean(off_a**2), _mean(off_b**2), _mean(off_a * off_b)
    if dearer is not None:
        open_ = OPEN / np.maximum((~np.isnan(off_a)).sum(0), 1)
        squares_a, squares_b = squares_a + open_ * dearer**2, squares_b + open_
        both = both - open_ * dearer
    return _quotient(both, np.sqrt(squares_a * squares_b), 0.0)


def _known_together(a: ArrayLike, b: ArrayLike) -> tuple[Floats, Floats]:
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    unknown = np.isnan(a) | np.isnan(b)
    return np.where(unknown, np.nan, a), np.where(unknown, np.nan, b)


def _mean(values: Floats) -> Floats:
    """Mean of what is known in each column, NaN of nothing."""
    known = ~np.isnan(values)
    count = known.sum(0)
    total = np.where(known, values, 0.0).sum(0)
    return _quotient(total, count, np.nan)


def _quotient(total: Floats, count: ArrayLike, otherwise: float) -> Floats:
    """Divide where the divisor is above 0."""
    divisor = np.asarray(count, dtype=np.float64)
    out = np.full(np.shape(total), otherwise)
    return np.asarray(np.divide(total, divisor, out=out, where=divisor > SAME**2))
