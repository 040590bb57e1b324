"""Where two models break even: at which k the one does what the other does, and what that costs.

Both stand on the same issues and are resampled on the same issues. What no drawn k reaches is not
guessed: an interval is then open, and the share of resamples that do not get there is given.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from eval.attempts import Attempts, ends
from eval.axes import UNITS, Axis, written
from eval.cost import percent
from eval.coverage import common_depth, resampled_means
from eval.frontier import columns_of, rungs_to
from eval.table import Bools, Floats, Ints

DOUBT = 0.2
"""With a larger share of the resamples against it, a break-even is not said."""

TINY = 1e-9
"""Two coverages or costs as near as this, the costs relatively, are the same."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A figure with the ends of its 95% interval."""

    value: float | None
    low: float | None
    high: float | None
    # None: farther than what was drawn, or not known, as with fewer than two issues.


UNKNOWN = Estimate(value=None, low=None, high=None)

Verdict = Literal["unknown", "nothing in common", "same", "first", "second above", "unsaid"]
"""On two ways: the first is the cheaper one all along, or the second is above a coverage."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BreakEven:
    """How many attempts of the cheap model do what the dear one does with its own."""

    cheap: str
    dear: str
    issues: int
    # With `k_dear` verdicts of `dear` and `depth` of `cheap`.
    excluded: int
    k_dear: int
    depth: int
    # The largest k of `cheap`.
    coverage: float | None
    # What `dear` reaches at `k_dear`; None without issues.
    k: Estimate
    # The smallest k at which `cheap` reaches as much.
    ratio: Estimate
    # Cost of `cheap` at that k over that of `dear`: below 1, `cheap` is the cheaper way.
    none: float | None
    # Share of the resamples in which `cheap` does not reach as much; None with fewer
    # than two issues.
    sentence: str

    @property
    def is_said(self) -> bool:
        """Whether so few resamples are against it that it is said."""
        return self.k.value is not None and (self.none or 0.0) <= DOUBT


@dataclass(frozen=True, kw_only=True, slots=True)
class Crossing:
    """The coverage up to which one model is the cheaper way, and above which the other is."""

    first: str
    # The cheaper way to a low coverage.
    second: str
    issues: int
    excluded: int
    reach: float | None
    # The largest coverage that both reach; None without issues.
    coverage: Estimate
    # Where the cheaper way changes first. An end of 0: `second` is cheaper from the start.
    cost: Estimate
    # An issue, there.
    changes: int
    # How often the cheaper way changes, up to `reach`.
    first_always: float | None
    second_always: float | None
    # Shares of the resamples in which `first` is the cheaper way all along, and in which `second`
    # is from the start; None with fewer than two issues, and when nothing is solved by both.
    verdict: Verdict
    sentence: str


def break_even(
    cheap: Attempts,
    dear: Attempts,
    *,
    names: tuple[str, str],
    axis: Axis = "money",
    k_dear: int = 1,
    stop: bool = False,
    seed: int = 0,
) -> BreakEven:
    """Find the smallest k at which `cheap` covers as much as `dear` does with `k_dear`.

    Both are of the same issues in the same order, on one `axis`; `names` are theirs, and `stop` is
    as in `eval.attempts.cost_curve`. A resample in which `cheap` does not get there has a k
    farther than any, and so is its cost. Past `eval.frontier.POINTS`, k is one of as many rungs.
    """
    carried = dear.n >= k_dear
    depth = common_depth(cheap.n[carried])
    chosen = carried & (cheap.n >= max(depth, 1))
    issues = int(chosen.sum())
    coverage, k, ratio, none = None, UNKNOWN, UNKNOWN, None
    if issues:
        rungs = np.array(rungs_to(depth))
        columns = (
            *columns_of(cheap, rungs.tolist(), chosen, stop=stop),
            *columns_of(dear, [k_dear], chosen, stop=stop),
        )
        (at,), (cost,) = _reached(rungs, *(column.mean(0, keepdims=True) for column in columns))
        ks, costs = _reached(rungs, *(resampled_means(column, seed=seed) for column in columns))
        coverage = float(columns[2].mean())
        k, ratio = _estimate(at, ks, issues), _estimate(cost, costs, issues)
        none = _share(np.isinf(ks), issues)
    found = BreakEven(
        cheap=names[0],
        dear=names[1],
        issues=issues,
        excluded=chosen.size - issues,
        k_dear=k_dear,
        depth=depth,
        coverage=coverage,
        k=k,
        ratio=ratio,
        none=none,
        sentence="",
    )
    return dataclasses.replace(found, sentence=_how_many(found, axis))


def crossing(
    a: Attempts,
    b: Attempts,
    *,
    names: tuple[str, str],
    axis: Axis = "money",
    stop: bool = False,
    seed: int = 0,
) -> Crossing:
    """Find the coverage at which the cheaper way changes from one model to the other.

    Between k and k + 1, and between nothing and k = 1, cost and coverage are interpolated: that
    is what drawing the one at some issues and the other at the rest, by lot, gives. Arguments as
    in `break_even`.
    """
    depths = common_depth(a.n), common_depth(b.n)
    chosen = (a.n >= max(depths[0], 1)) & (b.n >= max(depths[1], 1))
    issues = int(chosen.sum())
    columns = [
        column
        for of, depth in zip((a, b), depths, strict=True)
        for column in columns_of(of, rungs_to(max(depth, 1)), chosen, stop=stop)
    ]
    unpriced = [name for name, of in zip(names, columns[1::2], strict=True) if np.isnan(of).any()]
    if not issues or unpriced:
        reason = (
            f"because the cost of {' and of '.join(unpriced)} is unknown"
            if unpriced
            else "because no issue has verdicts of both"
        )
        return Crossing(
            first=names[0],
            second=names[1],
            issues=issues,
            excluded=chosen.size - issues,
            reach=None,
            coverage=UNKNOWN,
            cost=UNKNOWN,
            changes=0,
            first_always=None,
            second_always=None,
            verdict="unknown",
            sentence=f"Which of {names[0]} and {names[1]} is the cheaper way{_in(axis)} cannot be "
            f"said, {reason}.",
        )
    here = _turn(*(column.mean(0) for column in columns))
    again = zip(*(resampled_means(column, seed=seed) for column in columns), strict=True)
    # A resample in which they solve nothing in common does not tell who is cheaper.
    turns = [turn for turn in (_turn(*means) for means in again) if turn.reach]
    # Of a resample in which the other model is the cheaper one from the start, it changes at 0.
    agree = np.array([turn.sign in (here.sign, 0) for turn in turns], dtype=np.bool_)
    coverages, costs = (
        np.where(agree, np.array([getattr(turn, field) for turn in turns]), 0.0)
        for field in ("coverage", "cost")
    )
    first, second = names if here.sign <= 0 else names[::-1]
    # Of what nothing is solved of, no resample tells anything.
    told = issues if here.reach and turns else 0
    found = Crossing(
        first=first,
        second=second,
        issues=issues,
        excluded=chosen.size - issues,
        reach=here.reach,
        coverage=_estimate(here.coverage, coverages, told),
        cost=_estimate(here.cost, costs, told),
        changes=here.changes,
        first_always=_share(np.isinf(coverages), told),
        second_always=_share(~agree, told),
        verdict="unknown",
        sentence="",
    )
    found = dataclasses.replace(found, verdict=_verdict(found, same=here.sign == 0))
    return dataclasses.replace(found, sentence=_where(found, axis))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Turn:
    sign: float
    # Negative: the first model is the cheaper way to a low coverage; 0: they cost the same.
    coverage: float
    cost: float
    # Where that changes first; infinite when it does not.
    changes: int
    reach: float


def _reached(
    rungs: Ints, covered: Floats, paid: Floats, target: Floats, price: Floats
) -> tuple[Floats, Floats]:
    """Smallest k that reaches the target, and ratio of the costs, by row; infinite if none does."""
    # Rounded, so that one coverage summed in two orders is one coverage.
    enough = np.round(covered, 9) >= np.round(target, 9)
    at, found = enough.argmax(1), enough.any(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = paid[np.arange(at.size), at] / price[:, 0]
    # An unknown ratio stays unknown, whether or not it is reached.
    far = np.where(np.isnan(ratio), np.nan, np.inf)
    return np.where(found, rungs[at], np.inf), np.where(found, ratio, far)


def _turn(covered_a: Floats, paid_a: Floats, covered_b: Floats, paid_b: Floats) -> _Turn:
    """Find where the lines of cost over coverage cross first, above nothing for nothing."""
    x_a, y_a = _rising(covered_a, paid_a)
    x_b, y_b = _rising(covered_b, paid_b)
    reach = float(min(x_a[-1], x_b[-1]))
    x = np.union1d(x_a, x_b)
    x = x[x <= reach]
    on_a = np.interp(x, x_a, y_a)
    gap = on_a - np.interp(x, x_b, y_b)
    gap[np.abs(gap) <= TINY * np.abs(on_a)] = 0.0
    told = np.flatnonzero(gap)
    signs = np.sign(gap[told])
    sign = float(signs[0]) if told.size else 0.0
    turns = np.flatnonzero(np.diff(signs))
    if not turns.size:
        return _Turn(sign=sign, coverage=math.inf, cost=math.inf, changes=0, reach=reach)
    left, right = told[turns[0]], told[turns[0] + 1]
    if right > left + 1:
        # They run together for a while.
        at = float(x[left + 1])
    else:
        at = float(x[left] + (x[right] - x[left]) * gap[left] / (gap[left] - gap[right]))
    cost = float(np.interp(at, x_a, y_a))
    return _Turn(sign=sign, coverage=at, cost=cost, changes=turns.size, reach=reach)


def _rising(covered: Floats, paid: Floats) -> tuple[Floats, Floats]:
    """Start from nothing, and leave out every k that costs more and covers no more."""
    gains = np.diff(covered, prepend=0.0) > TINY
    return np.append(0.0, covered[gains]), np.append(0.0, paid[gains])


def _estimate(value: float, resamples: Floats, issues: int) -> Estimate:
    known = issues > 1 and not np.isnan(resamples).any()
    low, high = ends(resamples) if known else (None, None)
    return Estimate(value=float(value) if math.isfinite(value) else None, low=low, high=high)


def _share(resamples: Bools, issues: int) -> float | None:
    return float(resamples.mean()) if issues > 1 else None


def _in(axis: Axis) -> str:
    """Say what is compared, where that is not money."""
    return "" if axis == "money" else f" in {UNITS[axis]}"


def _how_many(found: BreakEven, axis: Axis) -> str:
    if found.coverage is None:
        return (
            f"{found.cheap} and {found.dear} cannot be compared: no issue has verdicts of "
            f"{found.cheap} and {found.k_dear} of {found.dear}."
        )
    if not found.coverage:
        return f"{found.dear} solves none of the {_issues(found.issues)} at k={found.k_dear}."
    target = (
        f"what {found.dear} does at k={found.k_dear} "
        f"({percent(found.coverage, found.issues)} of {_issues(found.issues)})"
    )
    none = found.none or 0.0
    if none == 1.0:
        return f"{found.cheap} does not solve {target} with the {found.depth} samples drawn."
    if not found.is_said:
        often = "" if found.none is None else f"in {percent(none)} of the resamples "
        return (
            f"At which k {found.cheap} solves {target} cannot be said: {often}"
            f"k={found.depth} is too little."
        )
    said = f"{found.cheap} at k={found.k.value:.0f}"
    if found.k.low is not None:
        most = f"more than {found.depth}" if found.k.high is None else f"{found.k.high:.0f}"
        said += f" (95%: {found.k.low:.0f} to {most})"
    said += f" solves {target}"
    if found.ratio.value is None:
        return f"{said}; what that costs beside it{_in(axis)} is unknown."
    low, high = found.ratio.low, found.ratio.high
    upper = "or more" if high is None else f"to {high:.2g}"
    spread = "" if low is None else f" (95%: {low:.2g} {upper})"
    return f"{said}, for {found.ratio.value:.2g} times its cost{_in(axis)}{spread}."


def _verdict(found: Crossing, *, same: bool) -> Verdict:
    if not found.reach:
        return "nothing in common"
    if same:
        return "same"
    first_always, second_always = found.first_always, found.second_always or 0.0
    if found.coverage.value is None and (first_always is None or first_always >= 1 - DOUBT):
        return "first"
    if found.coverage.value is None or (first_always or 0.0) + second_always > DOUBT:
        return "unsaid"
    return "second above"


def _where(found: Crossing, axis: Axis) -> str:
    first, second, way = found.first, found.second, f"the cheaper way{_in(axis)}"
    if found.verdict == "nothing in common":
        return f"{first} and {second} reach no coverage in common."
    reach = percent(found.reach or 0.0, found.issues)
    if found.verdict == "same":
        return f"{first} and {second} cost the same{_in(axis)} up to {reach}."
    first_always = percent(found.first_always or 0.0)
    if found.verdict == "first":
        often = "" if found.first_always is None else f" (in {first_always} of the resamples)"
        return (
            f"{first} is a cheaper way{_in(axis)} than {second} to every coverage that both reach, "
            f"which is up to {reach} of {_issues(found.issues)}{often}."
        )
    if found.verdict == "unsaid":
        return (
            f"From which coverage on {second} is a cheaper way{_in(axis)} than {first} cannot be "
            f"said: {first} is cheaper all the way to what both reach in {first_always} of the "
            f"resamples, and {second} from the start in {percent(found.second_always or 0.0)}."
        )
    spread = ""
    if found.first_always is not None:
        low = percent(found.coverage.low or 0.0, found.issues)
        high = "" if found.coverage.high is None else percent(found.coverage.high, found.issues)
        spread = f" (95%: {low} to {high or 'more than both reach'})"
    more = f", though it changes {found.changes} times up to {reach}" if found.changes > 1 else ""
    cost = written(found.cost.value, axis, has_unit=True)
    return (
        f"{first} is {way} up to {percent(found.coverage.value or 0.0, found.issues)} of "
        f"{_issues(found.issues)}{spread}, at {cost} an issue; {second} is above it{more}."
    )


def _issues(count: int) -> str:
    return f"{count} issue{'' if count == 1 else 's'}"
