"""The cost-coverage frontier: which model at which k is worth its cost.

All models stand on the same issues and are resampled on the same issues. Only what was drawn is an
option: nothing is said of a larger k, of a mixture of models, or of an arm whose cost is unknown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from eval.cost_at_k import Costs, expected_cost
from eval.coverage import common_depth, pass_at_ks
from eval.resampling import resampled_means
from eval.table import Bools, Floats

POINTS = 256
"""Values of k of each arm on the frontier, at most; up to there it is every k."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """One arm at one k, an issue's worth of it."""

    arm: str
    k: int
    coverage: float
    cost: float | None
    # Expected an issue; None when it is unknown.
    on_frontier: bool | None
    # It covers something, and no other option as much for less or more for as much; None when its
    # cost is unknown.
    stability: float | None
    # Share of the resamples in which it is on the frontier; None with fewer than two issues, too.


@dataclass(frozen=True, kw_only=True, slots=True)
class Frontier:
    """The options of several arms on the same issues."""

    issues: int
    excluded: int
    # Issues that not every arm has verdicts enough of.
    options: tuple[Option, ...]
    # By arm, then k rising.


def on_frontier(cost: ArrayLike, coverage: ArrayLike) -> Bools:
    """Whether each point is one that no other dominates, over the last axis.

    A point dominates another if it costs no more and covers no less, and one of these strictly;
    equal points are on the frontier together. One that covers nothing is not on it: doing nothing
    is had for less. NaN is an unknown cost: it is not on the frontier, and dominates nothing.
    """
    cost, coverage = np.broadcast_arrays(np.asarray(cost, float), np.asarray(coverage, float))
    # Rounded, so that one coverage summed in two orders is one coverage.
    gain = np.where(np.isnan(cost), -np.inf, np.round(coverage, 9))
    price = np.where(np.isnan(cost), np.inf, cost)
    order = np.lexsort((-gain, price), axis=-1)
    price, gain = (np.take_along_axis(column, order, -1) for column in (price, gain))
    best = np.maximum.accumulate(gain, axis=-1)
    before = np.concatenate([np.full_like(best[..., :1], -np.inf), best[..., :-1]], axis=-1)
    # The price at which the best coverage so far was first had.
    since = np.maximum.accumulate(np.where(gain > before, price, -np.inf), axis=-1)
    members = np.empty(order.shape, dtype=np.bool_)
    is_member = (gain == best) & (gain > 0) & (price == since) & (price < np.inf)
    np.put_along_axis(members, order, is_member, -1)
    return members


def frontier(
    arms: Mapping[str, Costs],
    *,
    ks: Mapping[str, Sequence[int]] | None = None,
    stop: bool = False,
    seed: int = 0,
) -> Frontier:
    """Say which arm at which k is not dominated; an arm without any verdict is left out.

    `arms` are of the same issues in the same order, on one axis. `ks` are by arm, else all that
    were drawn, thinned to `POINTS`. `stop` as in `eval.cost_at_k.cost_curve`.
    """
    size = max((of.n.size for of in arms.values()), default=0)
    arms = {name: of for name, of in arms.items() if of.n.any()}
    chosen = np.full(size, fill_value=bool(arms), dtype=np.bool_)
    depths = {name: common_depth(of.n) for name, of in arms.items()}
    for name, of in arms.items():
        chosen &= of.n >= depths[name]
    issues = int(chosen.sum())
    rungs = {
        name: [k for k in (ks[name] if ks else rungs_to(depth)) if k <= depth]
        for name, depth in depths.items()
    }
    names = [(name, k) for name in arms for k in rungs[name]]
    if not issues or not names:
        return Frontier(issues=issues, excluded=size - issues, options=())
    columns = [columns_of(arms[name], rungs[name], chosen, stop=stop) for name in arms]
    coverage, cost = (np.concatenate(column, axis=1) for column in zip(*columns, strict=True))
    means = coverage.mean(0), cost.mean(0)
    members = on_frontier(means[1], means[0])
    again = on_frontier(resampled_means(cost, seed=seed), resampled_means(coverage, seed=seed))
    return Frontier(
        issues=issues,
        excluded=size - issues,
        options=tuple(
            Option(
                arm=name,
                k=k,
                coverage=float(covered),
                cost=None if math.isnan(paid) else float(paid),
                on_frontier=None if math.isnan(paid) else bool(member),
                stability=float(share) if issues > 1 and not math.isnan(paid) else None,
            )
            for (name, k), covered, paid, member, share in zip(
                names, *means, members, again.mean(0), strict=True
            )
        ),
    )


def rungs_to(depth: int) -> list[int]:
    """Every k up to `depth`, or `POINTS` of them at equal ratios."""
    if depth <= POINTS:
        return list(range(1, depth + 1))
    rungs: list[int] = np.unique(np.geomspace(1, depth, POINTS).round().astype(int)).tolist()
    return rungs


def columns_of(of: Costs, ks: Sequence[int], chosen: Bools, *, stop: bool) -> tuple[Floats, Floats]:
    """Coverage and cost, each of the shape (issues chosen, ks), for `resampled_means`.

    A cost that is not known of every issue is NaN for all: a mean over the others is another cost.
    """
    cost = np.empty((int(chosen.sum()), len(ks)))
    for column, k in enumerate(ks):
        cost[:, column] = expected_cost(of, k, stop=stop)[chosen]
    cost[:, np.isnan(cost).any(axis=0)] = np.nan
    return pass_at_ks(of.n[chosen], of.c[chosen], ks), cost
