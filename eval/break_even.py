"""Where two solvers break even: at which k the cheap one does what the dear one does, for what.

Both stand on the same issues. What no drawn k reaches is not guessed: an interval is then open.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from eval import intervals
from eval.axes import UNITS, Axis
from eval.cost import count, percent
from eval.cost_at_k import Costs
from eval.coverage import common_depth
from eval.frontier import columns_of, rungs_to


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A figure with the ends of its 95% interval."""

    value: float | None
    low: float | None
    high: float | None
    """None: farther than what was drawn, or not known, as with fewer than two issues."""


UNKNOWN = Estimate(value=None, low=None, high=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class BreakEven:
    """How many samples of the cheap solver do what the dear one does with its own."""

    cheap: str
    dear: str
    issues: int
    """With `k_dear` verdicts of `dear` and `depth` of `cheap`."""
    excluded: int
    k_dear: int
    depth: int
    """The largest k of `cheap`."""
    coverage: float | None
    """What `dear` reaches at `k_dear`; None without issues."""
    k: Estimate
    """The smallest k at which `cheap` reaches as much."""
    ratio: Estimate
    """Cost of `cheap` at that k over that of `dear`: below 1, `cheap` is the cheaper way. Its
    interval is that of the costs at the ends of that of k."""
    is_too_little: bool
    """Whether even `depth` samples of `cheap` are known to solve less."""
    sentence: str


def break_even(
    cheap: Costs,
    dear: Costs,
    *,
    names: tuple[str, str],
    axis: Axis = "money",
    k_dear: int = 1,
    stop: bool = False,
) -> BreakEven:
    """Find the smallest k at which `cheap` covers as much as `dear` does with `k_dear`.

    Both are of the same issues in the same order, on one `axis`; `names` are theirs, and `stop` is
    as in `eval.cost_at_k.cost_curve`. Past `eval.frontier.POINTS`, k is one of as many rungs. The
    interval of k holds every k whose difference to the dear one's coverage may be the first that is
    not below 0: the test of `eval.intervals.of_difference`, turned round.
    """
    carried = dear.n >= k_dear
    depth = common_depth(cheap.n[carried])
    chosen = carried & (cheap.n >= max(depth, 1))
    issues = int(chosen.sum())
    found = BreakEven(
        cheap=names[0],
        dear=names[1],
        issues=issues,
        excluded=chosen.size - issues,
        k_dear=k_dear,
        depth=depth,
        coverage=None,
        k=UNKNOWN,
        ratio=UNKNOWN,
        is_too_little=False,
        sentence="",
    )
    if issues:
        rungs = rungs_to(depth)
        chance, cost = columns_of(cheap, rungs, chosen, stop=stop)
        target, price = columns_of(dear, [k_dear], chosen, stop=stop)
        low, high = intervals.of_difference(chance, np.broadcast_to(target, chance.shape))
        # Rounded, so that one coverage summed in two orders is one coverage.
        gap = np.round((chance - target).mean(0), 9)
        with np.errstate(divide="ignore"):
            ratio = cost.mean(0) / price.mean()
        # An interval that narrows with k has a first k all the same.
        ends = [_first(high >= 0), _first(gap >= 0), _first(low >= -intervals.SAME)]
        places = [None if issues == 1 and end is not ends[1] else end for end in ends]
        least, most = intervals.of_amounts(cost, np.broadcast_to(price, cost.shape))
        found = dataclasses.replace(
            found,
            coverage=float(target.mean()),
            k=_estimate([None if at is None else float(rungs[at]) for at in places]),
            ratio=_estimate(
                [
                    None if at is None else float(of[at])
                    for at, of in zip(places, (least, ratio, most), strict=True)
                ]
            ),
            is_too_little=issues > 1 and ends[0] is None,
        )
    return dataclasses.replace(found, sentence=_sentence(found, axis))


def _first(holds: np.ndarray) -> int | None:
    return int(holds.argmax()) if holds.any() else None


def _estimate(parts: list[float | None]) -> Estimate:
    low, value, high = (None if one is None or not math.isfinite(one) else one for one in parts)
    return Estimate(value=value, low=low, high=high)


def _sentence(found: BreakEven, axis: Axis) -> str:
    on = count(found.issues, "issue")
    unit = "" if axis == "money" else f" in {UNITS[axis]}"
    if found.coverage is None:
        return (
            f"{found.cheap} and {found.dear} cannot be compared: no issue has verdicts of "
            f"{found.cheap} and {found.k_dear} of {found.dear}."
        )
    if not found.coverage:
        return f"{found.dear} solves none of the {on} at k={found.k_dear}."
    target = (
        f"what {found.dear} does at k={found.k_dear} ({percent(found.coverage, found.issues)} of "
        f"{on})"
    )
    if found.k.value is None:
        if found.is_too_little:
            return f"{found.cheap} does not solve {target} with the {found.depth} samples drawn."
        return (
            f"At which k {found.cheap} solves {target} cannot be said: the {found.depth} samples "
            "drawn solve less, but that may be chance."
        )
    said = f"{found.cheap} at k={found.k.value:.0f}"
    if found.k.low is not None:
        most = f"more than {found.depth}" if found.k.high is None else f"{found.k.high:.0f}"
        said += f" (95%: {found.k.low:.0f} to {most})"
    said += f" solves {target}"
    if found.ratio.value is None:
        return f"{said}; what that costs beside it{unit} is unknown."
    low, high = found.ratio.low, found.ratio.high
    upper = "or more" if high is None else f"to {high:.2g}"
    spread = "" if low is None else f" (95%: {low:.2g} {upper})"
    return f"{said}, for {found.ratio.value:.2g} times its cost{unit}{spread}."
