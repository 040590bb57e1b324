"""Which of two solvers solves more for the same cost, on the same issues.

For a cost an issue each draws the samples that this buys of it; between k and k + 1 samples, some
issues get one more by lot. Nothing is said of a cost that either did not draw.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from eval import intervals
from eval.axes import UNITS, Axis, written
from eval.cost import count, percent
from eval.cost_at_k import Costs, expected_cost, finite
from eval.coverage import common_depth, pass_at_ks
from eval.frontier import rungs_to
from eval.paired import flips_at_once, holm
from eval.table import Floats

BUDGETS = 64
"""Costs at which two are compared."""

ERROR = 1 - intervals.LEVEL
"""Chance that two solvers that are equal are said to differ, over all costs and all pairs."""

Verdict = Literal["unknown", "same", "unsaid", "a", "b", "a then b", "b then a"]
"""Who solves more for the same cost; "a then b" is a up to some cost, and b above it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EqualCost:
    """Two solvers at every cost an issue up to what both drew."""

    a: str
    b: str
    issues: int
    excluded: int
    """Issues that have too few verdicts of either; they are in no figure."""
    budgets: tuple[float, ...]
    """Costs an issue, rising; the last is all that the one that spent less was drawn for."""
    solved_a: tuple[float, ...]
    solved_b: tuple[float, ...]
    """Coverage at each of `budgets`."""
    p_values: tuple[float, ...]
    """Two-sided and at each of `budgets`, corrected for all budgets and pairs together."""
    difference: float | None
    """Coverage of a minus that of b, on average over `budgets`; None where it is unknown."""
    low: float | None
    high: float | None
    """The 95% interval of `difference`; None with fewer than two issues."""
    cost_a: float | None
    cost_b: float | None
    """Cost an issue of all that each drew; None where it is unknown."""
    reached_a: float
    reached_b: float
    """Coverage of all that each drew."""
    verdict: Verdict = "unknown"
    sentence: str = ""

    def leads(self, *, first: bool) -> list[int]:
        """Positions in `budgets` where a, or else b, is known to solve more."""
        sign = 1 if first else -1
        told = zip(self.solved_a, self.solved_b, self.p_values, strict=True)
        return [i for i, (a, b, p) in enumerate(told) if p <= ERROR and sign * (a - b) > 0]


def compare(a: Costs, b: Costs, *, names: tuple[str, str], seed: int = 0) -> EqualCost:
    """Compare two solvers on one axis of cost; they are of the same issues in the same order.

    Each p-value is of sign flips (see `eval.paired.flips_at_once`) of the differences by issue,
    among all budgets. How far the mean cost of a sample is chance counts in them: an issue that is
    dearer than the others moves what a budget buys everywhere.
    """
    depths = [max(common_depth(of.n), 1) for of in (a, b)]
    chosen = (a.n >= depths[0]) & (b.n >= depths[1])
    issues = int(chosen.sum())
    sides = [_Side.of(one, depth, chosen) for one, depth in zip((a, b), depths, strict=True)]
    nothing = EqualCost(
        a=names[0],
        b=names[1],
        issues=issues,
        excluded=chosen.size - issues,
        budgets=(),
        solved_a=(),
        solved_b=(),
        p_values=(),
        difference=None,
        low=None,
        high=None,
        cost_a=finite(sides[0].most),
        cost_b=finite(sides[1].most),
        reached_a=float(sides[0].mean[-1]),
        reached_b=float(sides[1].mean[-1]),
    )
    # NaN where either cost is unknown.
    most = float(np.min([side.most for side in sides]))
    if not issues or not most > 0:
        return nothing
    budgets = most * np.arange(1, BUDGETS + 1) / BUDGETS
    (chance_a, rise_a), (chance_b, rise_b) = (side.at(budgets) for side in sides)
    mean_a, mean_b = chance_a.mean(0), chance_b.mean(0)
    # An issue that is dearer than the mean takes from what a cost buys of all.
    of_a, of_b = chance_a - sides[0].dearness * rise_a, chance_b - sides[1].dearness * rise_b
    averages = of_a.mean(1, keepdims=True), of_b.mean(1, keepdims=True)
    low, high = intervals.of_difference(*averages)[:, 0].tolist()
    # A test takes what that is worth alike for both, so that swapping them turns differences round.
    rise = (rise_a + rise_b) / 2
    apart = chance_a - chance_b - (sides[0].dearness - sides[1].dearness) * rise
    return dataclasses.replace(
        nothing,
        budgets=tuple(budgets.tolist()),
        solved_a=tuple(mean_a.tolist()),
        solved_b=tuple(mean_b.tolist()),
        p_values=tuple(flips_at_once(apart, seed=seed).tolist()),
        difference=float((mean_a - mean_b).mean()),
        low=low if issues > 1 else None,
        high=high if issues > 1 else None,
    )


def compare_all(
    pairs: Sequence[tuple[str, Costs, str, Costs]],
    *,
    axis: Axis = "money",
    of: int = 0,
    seed: int = 0,
) -> tuple[EqualCost, ...]:
    """Compare pairs of named solvers, the p-values corrected for their number (Holm).

    `of` is how many pairs there are, where these were chosen of them.
    """
    found = [compare(a, b, names=(name, other), seed=seed) for name, a, other, b in pairs]
    least = [min(one.p_values, default=None) for one in found]
    return tuple(
        _told(one, (corrected or 1.0) / (p or 1.0), axis)
        for one, p, corrected in zip(found, least, holm(least, of=of), strict=True)
    )


def _told(of: EqualCost, factor: float, axis: Axis) -> EqualCost:
    """Correct all p-values of a pair as its least one is corrected, and say what follows."""
    p_values = tuple(min(p * factor, 1.0) for p in of.p_values)
    corrected = dataclasses.replace(of, p_values=p_values)
    judged = dataclasses.replace(corrected, verdict=_verdict(corrected))
    return dataclasses.replace(judged, sentence=_sentence(judged, axis))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Side:
    """What one solver solves with each number of samples; arrays of issues first."""

    ks: Floats
    """From 0 to its depth."""
    chance: Floats
    """(issues, len(ks))."""
    mean: Floats
    dearness: Floats
    """Cost of a sample of each issue over the mean of all, less 1: (issues, 1)."""
    price: float
    """That mean."""

    @classmethod
    def of(cls, one: Costs, depth: int, chosen: np.ndarray) -> _Side:
        rungs = rungs_to(depth)
        chance = pass_at_ks(one.n[chosen], one.c[chosen], rungs)
        chance = np.concatenate([np.zeros((len(chance), 1)), chance], axis=1)
        cost = expected_cost(one, 1, stop=False)[chosen]
        price = float(cost.mean()) if cost.size else np.nan
        return cls(
            ks=np.array([0, *rungs], dtype=np.float64),
            chance=chance,
            mean=chance.mean(0) if len(chance) else np.zeros(len(rungs) + 1),
            dearness=(cost / price - 1 if price else np.zeros_like(cost))[:, None],
            price=price,
        )

    @property
    def most(self) -> float:
        """Cost an issue of all samples."""
        return float(self.price * self.ks[-1])

    def at(self, budgets: Floats) -> tuple[Floats, Floats]:
        """Chance of each issue at each cost, and what coverage gains as k grows by its own size."""
        k = np.minimum(budgets / self.price, self.ks[-1])
        right = np.searchsorted(self.ks, k).clip(1, self.ks.size - 1)
        span = self.ks[right] - self.ks[right - 1]
        part = (k - self.ks[right - 1]) / span
        chance = self.chance[:, right - 1] * (1 - part) + self.chance[:, right] * part
        slope = (self.mean[right] - self.mean[right - 1]) / span
        return chance, slope * k


def _verdict(of: EqualCost) -> Verdict:
    if not of.budgets:
        return "unknown"
    if max(abs(a - b) for a, b in zip(of.solved_a, of.solved_b, strict=True)) <= intervals.SAME:
        return "same"
    of_a, of_b = of.leads(first=True), of.leads(first=False)
    if of_a and of_b:
        return "a then b" if of_a[0] < of_b[0] else "b then a"
    is_sure = of.low is not None and of.high is not None and not of.low <= 0 <= of.high
    return "unsaid" if not is_sure else "a" if of_a else "b" if of_b else "unsaid"


def _sentence(of: EqualCost, axis: Axis) -> str:
    pair, on = f"{of.a} and {of.b}", count(of.issues, "issue")
    same = "for the same cost" + ("" if axis == "money" else f" in {UNITS[axis]}")
    if of.verdict == "unknown":
        why = "no issue has verdicts of both"
        if of.issues:
            costs = {of.a: of.cost_a, of.b: of.cost_b}
            unknown = [name for name, cost in costs.items() if cost is None]
            free = [name for name, cost in costs.items() if cost == 0]
            why = f"the cost of {' and '.join(unknown or free)} is {'unknown' if unknown else '0'}"
        return f"Which of {pair} solves more {same} cannot be said: {why}."
    if of.verdict == "same":
        return f"{pair} solve the same {same}."
    if of.verdict == "unsaid":
        spread = ""
        if of.low is not None and of.high is not None:
            spread = f" (95%: {100 * of.low:+.0f} to {100 * of.high:+.0f})"
        return (
            f"Which of {pair} solves more {same} cannot be said from {on}: on average over all "
            f"costs {of.a} solves {100 * (of.difference or 0.0):+.0f} points{spread}."
        )
    if of.verdict in ("a", "b"):
        return _one_leads(of, axis, same)
    first, second = (of.a, of.b) if of.verdict == "a then b" else (of.b, of.a)
    early, late = of.leads(first=first == of.a), of.leads(first=first != of.a)
    until, since = (written(of.budgets[i], axis, has_unit=True) for i in (early[-1], late[0]))
    return (
        f"Up to {until} an issue {first} solves more {same}, and from {since} on {second} does "
        f"(of {on})."
    )


def _one_leads(of: EqualCost, axis: Axis, same: str) -> str:
    is_a = of.verdict == "a"
    leader, other = (of.a, of.b) if is_a else (of.b, of.a)
    most = max(of.leads(first=is_a), key=lambda i: abs(of.solved_a[i] - of.solved_b[i]))
    shares = [percent(solved[most], of.issues) for solved in (of.solved_a, of.solved_b)]
    high, low = shares if is_a else shares[::-1]
    said = (
        f"{leader} solves more than {other} {same}: at "
        f"{written(of.budgets[most], axis, has_unit=True)} an issue {high} against {low} of "
        f"{count(of.issues, 'issue')} (p = {of.p_values[most]:.2g})."
    )
    reached, farther = (of.reached_a, of.reached_b)[:: 1 if is_a else -1]
    cost, dearer = (of.cost_a or 0.0, of.cost_b or 0.0)[:: 1 if is_a else -1]
    if farther > reached + intervals.SAME:
        said += (
            f" With all that was drawn {other} reaches {percent(farther, of.issues)}, and {leader} "
            f"{percent(reached, of.issues)}, at {dearer / cost:.2g} times the cost."
        )
    return said
