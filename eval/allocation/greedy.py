"""The adaptive policy on recorded samples: `ksolve run --allocate adaptive` without the waiting.

It sees a verdict as soon as a sample is drawn, and decides on a few draws at once, so that a long
replay takes few decisions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from eval.allocation.posterior import REFIT, expected_costs, gains
from eval.allocation.prior import Prior, fit
from eval.allocation.trajectory import Pool, Trajectory
from eval.table import Floats, Ints

_AT_ONCE = 20
"""One draw is decided at a time up to as many; later, this part of all that was drawn."""


@dataclass(slots=True)
class _State:
    """What is known at one moment; arrays have the shape (issues, arms)."""

    drawn: Ints
    resolved: Ints
    spent: Floats
    prior: Prior
    fitted: int = 0


def play(pool: Pool, most: float) -> Trajectory:
    """Draw from a pool, where it buys most, until `most` is spent or nothing is left.

    What an arm costs before it was tried is known, as from a list of prices: its mean.
    """
    guess = pool.cost.sum(axis=(0, 2)) / pool.recorded.sum(axis=0)
    known = _State(
        drawn=np.zeros_like(pool.recorded),
        resolved=np.zeros_like(pool.recorded),
        spent=np.zeros(pool.recorded.shape),
        prior=fit(np.zeros_like(pool.recorded), np.zeros_like(pool.recorded)),
    )
    until = np.concatenate([np.zeros((*pool.recorded.shape, 1)), pool.cost.cumsum(axis=2)], axis=2)
    # What the first so many samples cost together.
    has = pool.resolved.any(axis=2)
    first = np.where(has, pool.resolved.argmax(axis=2), pool.resolved.shape[2])
    log: list[tuple[Floats, Ints, Floats]] = []
    spent, cut_at = 0.0, math.inf
    while spent <= most:
        draws = int(known.drawn.sum())
        if draws >= known.fitted * REFIT:
            known.prior, known.fitted = fit(known.drawn, known.resolved), max(draws, 1)
        live = np.flatnonzero(~known.resolved.any(axis=1))
        if not live.size:
            break
        failed = known.drawn[live]
        index = gains(known.prior, failed, np.zeros_like(failed))
        index /= expected_costs(known.spent, known.drawn, guess)[live]
        is_there = failed < pool.recorded[live]
        if math.isinf(cut_at) and not is_there.ravel()[index.argmax()]:
            cut_at = spent
        index = np.where(is_there, index, -1.0)
        arm = index.argmax(axis=1)
        best = index[np.arange(live.size), arm]
        at_once = max(1, draws // _AT_ONCE)
        order = np.argsort(-best, kind="stable")[:at_once]
        order = order[best[order] >= 0.0]
        if not order.size:
            break
        issue, arm, best = live[order], arm[order], best[order]
        before = known.drawn[issue, arm]
        # Where few issues are left, several samples of each, one after another.
        after = np.minimum(before + max(1, at_once // order.size), pool.recorded[issue, arm])
        after = np.minimum(after, first[issue, arm] + 1)
        cost = until[issue, arm, after] - until[issue, arm, before]
        solves = after == first[issue, arm] + 1
        known.drawn[issue, arm] = after
        known.resolved[issue, arm] = solves
        known.spent[issue, arm] = until[issue, arm, after]
        log.append((cost, solves.astype(np.int64), best))
        spent += float(cost.sum())
    costs, solved, index = (np.concatenate(column) for column in zip(*log, strict=True))
    return Trajectory(spent=costs.cumsum(), solved=solved.cumsum(), cut_at=cut_at, index=index)
